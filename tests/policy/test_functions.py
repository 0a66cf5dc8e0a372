"""The elementary functions against mpmath and float64, and the fused multiply-add against exact arithmetic."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from rltools_embed.policy import functions, reference
from rltools_embed.policy.layers import Float32Array
from tests.cpp_program import COMPILERS, compile_program

ROOT = Path(__file__).parent.parent.parent


def floats_between(low: float, high: float, stride: int) -> Float32Array:
    """Every `stride`-th float32 in [low, high], both positive."""
    first, last = (int(np.float32(bound).view(np.uint32)) for bound in (low, high))
    return np.arange(first, last, stride, dtype=np.uint32).view(np.float32)


def ulp_error(found: Float32Array, exact: np.ndarray) -> np.ndarray:
    return np.abs(found - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)


def test_tanh_stays_below_two_ulp() -> None:
    # Float64's own tanh is good to 2^-52, 2^-28 of a float32 ULP. Stride 61 visits 3 million floats.
    x = floats_between(1e-6, 9.2, 61)
    error = ulp_error(functions.tanh(x), np.tanh(x.astype(np.float64)))
    assert error.max() < 2.0, f"{error.max()} ULP at {x[error.argmax()]!r}"


def test_exp_stays_below_two_ulp() -> None:
    magnitudes = floats_between(1e-6, 88.7, 101)
    for x in (magnitudes, -magnitudes[magnitudes < 87.0]):
        error = ulp_error(functions.exp(x), np.exp(x.astype(np.float64)))
        assert error.max() < 2.0, f"{error.max()} ULP at {x[error.argmax()]!r}"


@pytest.mark.parametrize("x", [1e-30, 1e-3, 0.0624, 0.0626, 0.4, 1.0, 4.4, 8.99])
def test_tanh_agrees_with_mpmath(x: float) -> None:
    argument = np.float32(x)
    exact = mpmath.tanh(mpmath.mpf(float(argument)))
    found = functions.tanh(np.array([argument]))[0]
    assert abs(mpmath.mpf(float(found)) - exact) < 2.0 * float(np.spacing(np.float32(exact)))


def test_tanh_is_odd_and_exact_where_it_must_be() -> None:
    x = np.array([0.0, -0.0, 1e-45, -1e-45, 9.125, -9.125, 3.4e38, np.inf, -np.inf], np.float32)
    expected = np.array([0.0, -0.0, 1e-45, -1e-45, 1.0, -1.0, 1.0, 1.0, -1.0], np.float32)
    assert (functions.tanh(x).view(np.uint32) == expected.view(np.uint32)).all()
    assert np.isnan(functions.tanh(np.array([np.nan, -np.nan], np.float32))).all()


def test_relu_gives_positive_zero_for_negative_zero_and_nan() -> None:
    x = np.array([-0.0, np.nan, -1.0, 2.0], np.float32)
    assert functions.relu(x).view(np.uint32).tolist() == [0, 0, 0, np.float32(2.0).view(np.uint32)]


def nearest_float32(exact: Fraction) -> np.float32:
    """The float32 nearest to `exact`, ties to even, by search among neighbours."""
    guess = np.float32(float(exact))
    candidates = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - exact), int(c.view(np.uint32)) & 1))


def test_fused_multiply_add_is_rounded_once() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=3000).astype(np.float32) for _ in range(2))
    # Sums that nearly cancel, or nearly tie, are where a second rounding shows.
    c = np.where(rng.random(3000) < 0.5, -(a * b), rng.normal(size=3000) * 2.0 ** rng.integers(-40, 40, 3000))
    c = c.astype(np.float32)
    found = reference.fused_multiply_add(a, b, c)
    for i in range(3000):
        exact = Fraction(float(a[i])) * Fraction(float(b[i])) + Fraction(float(c[i]))
        assert found[i] == nearest_float32(exact), (a[i], b[i], c[i])


def test_fused_multiply_add_resolves_a_double_rounding_trap() -> None:
    # 1 + 2^-24 + 2^-60: float64 drops the last term, and the tie would then go to even, downwards.
    a, b, c = (np.array([value], np.float32) for value in (2.0**-30, 2.0**-30, 1.0))
    half_ulp = np.array([2.0**-24], np.float32)
    total = reference.fused_multiply_add(a, b, c)
    assert total[0] == np.float32(1.0)
    tie = reference.fused_multiply_add(np.array([1.0 + 2.0**-23], np.float32), half_ulp, c)
    assert tie[0] == np.float32(1.0 + 2.0**-23)


# What docs/functions.md states for all 2^32 arguments, rounded up: largest error in ULP, and in absolute terms where
# the result is an action or a gate (GELU is near zero where its last places cancel).
LIMITS = {
    "tanh": (1.76, 6.0e-8),
    "exp": (0.99, None),
    "log": (0.83, None),
    "sigmoid": (2.41, 9.0e-8),
    "gelu": (None, 5.0e-7),
}


def test_errors_stay_below_what_the_documentation_states(tmp_path: Path) -> None:
    # Every 997th of all float32; tests/cpp/function_errors.cpp with stride 1 visits all of them.
    flags = ("-O2", "-pthread")
    program = compile_program(ROOT / "tests" / "cpp" / "function_errors.cpp", tmp_path / "errors", flags=flags)
    lines = subprocess.run([program, "997"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(LIMITS)
    for line in lines:
        name, visited, ulp, _, _, absolute, wrong_kind = line.split()
        largest_ulp, largest_absolute = LIMITS[name]
        assert int(visited) > 2**32 / 998
        assert int(wrong_kind) == 0, line
        assert largest_ulp is None or float(ulp) < largest_ulp, line
        assert largest_absolute is None or float(absolute) < largest_absolute, line


@pytest.fixture(scope="module", params=[("g++", "-O3"), ("clang++", "-O3"), ("g++", "-O0")], ids="".join)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler, optimisation = request.param
    if compiler not in COMPILERS:
        pytest.skip(f"{compiler} is not installed")
    output = tmp_path_factory.mktemp("functions") / "functions"
    # These flags invite the compiler to fuse: it must not be able to.
    flags = (optimisation, "-march=native", "-ffp-contract=fast")
    return compile_program(ROOT / "tests" / "cpp" / "functions_main.cpp", output, compiler=compiler, flags=flags)


@pytest.mark.parametrize("name", ["tanh", "exp", "log", "sigmoid", "fast_tanh", "gelu"])
def test_host_reference_and_library_give_the_same_bits(program: Path, name: str) -> None:
    # Every 9973rd of all float32, both signs, denormals, infinities and NaNs among them, and the edges of branches.
    edges = np.array([0, 1, 0x007FFFFF, 0x00800000, 0x3F3504F2, 0x3F3504F3, 0x3F800000, 0x7F7FFFFF, 0x7F800000])
    bits = np.concatenate([np.arange(0, 2**32, 9973), edges, edges | 0x80000000, [0x42B17217, 0x42B17218, 0xC2CFF1B5]])
    x = bits.astype(np.uint32).view(np.float32)
    done = subprocess.run([program, name], input=x.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.float32)
    with np.errstate(all="ignore"):
        expected: Float32Array = getattr(functions, name)(x)
    differ = (found.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(found) & np.isnan(expected))
    assert not differ.any(), f"{differ.sum()} differ, first {name}({x[differ.argmax()]!r})"


@pytest.mark.parametrize(
    ("name", "x"),
    [("log", x) for x in (1e-45, 1e-38, 0.5, 0.70710677, 0.7071068, 0.999999, 1.0000001, 1.2833, 1.4142135, 3e38)]
    + [("sigmoid", x) for x in (-103.0, -88.7, -20.0, -1.95, 1e-30, 0.5, 17.0)],
)
def test_log_and_sigmoid_agree_with_mpmath(name: str, x: float) -> None:
    argument = np.float32(x)
    exact = mpmath.log(mpmath.mpf(float(argument)))
    if name == "sigmoid":
        exact = 1 / (1 + mpmath.exp(-mpmath.mpf(float(argument))))
    found = getattr(functions, name)(np.array([argument]))[0]
    limit = {"log": 0.83, "sigmoid": 2.41}[name]
    assert abs(mpmath.mpf(float(found)) - exact) <= limit * float(np.spacing(np.float32(abs(exact))))


def test_log_is_exact_where_it_must_be() -> None:
    x = np.array([1.0, 0.0, -0.0, np.inf, -1.0, -np.inf, np.nan], np.float32)
    with np.errstate(all="ignore"):
        found = functions.log(x)
    assert found[:4].tolist() == [0.0, -np.inf, -np.inf, np.inf]
    assert np.isnan(found[4:]).all()
