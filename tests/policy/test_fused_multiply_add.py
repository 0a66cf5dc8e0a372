"""The fused multiply-add in integers, for cores without an instruction for it, against the exact value."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rltools_embed import process
from rltools_embed.policy import reference
from tests.cpp_program import COMPILERS, compile_program

CPP = Path(__file__).parent.parent / "cpp"
CPU = Path("/proc/cpuinfo")
HAS_FMA = CPU.exists() and " fma " in CPU.read_text(encoding="utf-8")
COUNT = 160_000  # of each kind: 1,120,000 in all
LARGEST = np.float32(np.finfo(np.float32).max)

Triples = np.ndarray  # (COUNT, 3): a, b, c


def with_exponents(rng: np.random.Generator, low: int, high: int, count: int = COUNT) -> np.ndarray:
    """Random signs and mantissas, exponents from `low` to `high` inclusive."""
    mantissas = 1.0 + rng.integers(0, 2**23, count) * 2.0**-23
    signs = rng.choice([-1.0, 1.0], count)
    return (signs * mantissas * 2.0 ** rng.integers(low, high + 1, count)).astype(np.float32)


def ordinary(rng: np.random.Generator) -> Triples:
    return np.stack([with_exponents(rng, -20, 20) for _ in range(3)], axis=1)


def any_bits(rng: np.random.Generator) -> Triples:
    return rng.integers(0, 2**32, (COUNT, 3), dtype=np.uint32).view(np.float32)


def cancellation(rng: np.random.Generator) -> Triples:
    """c within three places of -a*b: the result is what the product's rounding would have lost."""
    a, b = with_exponents(rng, -60, 60), with_exponents(rng, -60, 60)
    near = (-(a * b)).view(np.uint32) + rng.integers(-3, 4, COUNT).astype(np.uint32)
    return np.stack([a, b, near.view(np.float32)], axis=1)


def halfway(rng: np.random.Generator) -> Triples:
    """a*b is half a place of c and at most 2^-46 of that more or less, too little for a double to see beside c."""
    c = with_exponents(rng, -60, 60)
    half_place = np.spacing(np.abs(c)) / np.float32(2.0)
    step = np.float32(2.0**-23)
    a, b = np.float32(1.0) + step, half_place * (np.float32(1.0) - step)
    is_exact = rng.random(COUNT) < 0.25
    a, b = np.where(is_exact, np.float32(1.0), a), np.where(is_exact, half_place, b)
    a = np.where(rng.random(COUNT) < 0.5, a, -a)
    return np.stack([a, b, c], axis=1)


def subnormal(rng: np.random.Generator) -> Triples:
    """Results around and below 2^-126; some a are subnormal themselves, some c are zero."""
    a, b = with_exponents(rng, -149, -40), with_exponents(rng, -90, 20)
    c = with_exponents(rng, -149, -120)
    c = np.where(rng.random(COUNT) < 0.1, np.copysign(np.float32(0.0), c), c)
    return np.stack([a, b, c], axis=1)


def overflow(rng: np.random.Generator) -> Triples:
    """c up to eight places from the largest float, a*b around half a place of it; and products on their own."""
    places = rng.integers(0, 9, COUNT).astype(np.uint32)
    c = (LARGEST.view(np.uint32) - places).view(np.float32)
    a, b = with_exponents(rng, 50, 53), with_exponents(rng, 49, 52)
    a, b = (
        np.where(rng.random(COUNT) < 0.25, np.float32(2.0**52), a),
        np.where(rng.random(COUNT) < 0.5, np.float32(2.0**51), b),
    )
    c = np.where(rng.random(COUNT) < 0.1, with_exponents(rng, 100, 127), c)
    a = np.where(rng.random(COUNT) < 0.1, a * np.float32(2.0**25), a)
    return np.stack([a, b, c], axis=1)


def special(rng: np.random.Generator) -> Triples:
    tiny, one = np.float32(1e-45), np.float32(1.0)
    numbers = [0.0, np.inf, np.nan, one, one + np.float32(2.0**-23), 2.0**-75, 2.0**-126, tiny, 3 * tiny, LARGEST]
    return rng.choice(np.array([*numbers, *(-x for x in numbers)], np.float32), (COUNT, 3))


KINDS: tuple[Callable[[np.random.Generator], Triples], ...] = (
    ordinary,
    any_bits,
    cancellation,
    halfway,
    subnormal,
    overflow,
    special,
)


def triples() -> dict[str, Triples]:
    with np.errstate(all="ignore"):
        return {kind.__name__: kind(np.random.default_rng(seed)) for seed, kind in enumerate(KINDS)}


def run(folder: Path, way: int, x: Triples, compiler: str = COMPILERS[0], *flags: str) -> np.ndarray:
    source, output = CPP / "fused_multiply_add.cpp", folder / f"way_{way}"
    program = compile_program(source, output, compiler=compiler, flags=(f"-DWAY={way}", *flags))
    done = subprocess.run([program], input=x.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32)


def expected_for(x: Triples) -> np.ndarray:
    with np.errstate(all="ignore"):
        return reference.fused_multiply_add(*(np.ascontiguousarray(column) for column in x.T))


def different(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return (found.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(found) & np.isnan(expected))


@pytest.mark.parametrize("flags", [("-O0",), ("-O3",), ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover")])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_million_sums_have_the_bits_of_rounding_to_odd(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    x = triples()
    found = run(tmp_path, 0, np.concatenate(list(x.values())), compiler, *flags)
    for (kind, numbers), part in zip(x.items(), np.split(found, len(x)), strict=True):
        differ = different(part, expected_for(numbers))
        assert not differ.any(), f"{kind}: {differ.sum()} differ, first {numbers[differ][0]}"


@pytest.mark.skipif(not HAS_FMA, reason="this processor has no fused multiply-add to compare with")
def test_a_million_sums_have_the_processors_bits(tmp_path: Path) -> None:
    x = np.concatenate(list(triples().values()))
    assert not different(run(tmp_path, 0, x, "g++", "-O2"), run(tmp_path, 2, x, "g++", "-O2", "-mfma")).any()


def nearest_bits(exact: Fraction) -> int:
    """The bits, without the sign, of the float32 nearest to a positive number: by definition, in integers."""
    exponent = max(exact.numerator.bit_length() - exact.denominator.bit_length(), -126)
    exponent -= exact < Fraction(2) ** exponent and exponent > -126
    places = round(exact / Fraction(2) ** (exponent - 23))  # ties to even
    return min(((exponent + 126) << 23) + places, 0x7F800000)


def test_thousands_of_sums_are_the_exact_value_rounded_once(tmp_path: Path) -> None:
    for kind, numbers in triples().items():
        x = numbers[np.isfinite(numbers).all(axis=1)][:3000]
        found = run(tmp_path, 0, x, COMPILERS[0], "-O1")
        for (a, b, c), result in zip(x.tolist(), found, strict=True):
            exact = Fraction(a) * Fraction(b) + Fraction(c)
            if exact == 0:
                assert result == 0.0, (kind, a, b, c)
                continue
            sign = 0x80000000 if exact < 0 else 0
            assert result.view(np.uint32) == sign + nearest_bits(abs(exact)), (kind, a, b, c)


def test_the_zero_of_a_sum_has_the_sign_that_ieee_754_gives(tmp_path: Path) -> None:
    rows = [
        (0.0, 1.0, 0.0),
        (-0.0, 1.0, 0.0),
        (0.0, -1.0, -0.0),
        (1.0, 1.0, -1.0),
        (-1.0, 1.0, 1.0),
        (-1e-30, 1e-30, 0.0),
    ]
    found = run(tmp_path, 0, np.array(rows, np.float32))
    assert np.signbit(found).tolist() == [False, False, True, False, False, True]
    assert (found == 0.0).all()


def test_a_sum_that_is_rounded_twice_is_found(tmp_path: Path) -> None:
    x = triples()
    wrong = {kind: different(run(tmp_path, 1, numbers), expected_for(numbers)).mean() for kind, numbers in x.items()}
    # It is right for ordinary numbers: only sums made for it show the fault.
    assert wrong["halfway"] > 0.3
    assert wrong["ordinary"] < 1e-4


@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_mode_needs_the_mathematical_library(tmp_path: Path, compiler: str) -> None:
    source = tmp_path / "fused.cpp"
    source.write_text(
        "#include <rl_tools/math/arithmetic.h>\n"
        "float f(float c, float a, float b) {\n"
        "    return rl_tools::arithmetic::multiply_add(rl_tools::arithmetic::Fused{}, c, a, b);\n"
        "}\n",
        encoding="utf-8",
    )
    for flags in (("-O0",), ("-O2",), ("-O0", "-mfma"), ("-O2", "-mfma")) if HAS_FMA else (("-O0",), ("-O2",)):
        compile_program(source, tmp_path / "fused.o", compiler=compiler, flags=("-c", *flags))
        assert "fma" not in process.run(["nm", "--undefined-only", tmp_path / "fused.o"]).output
