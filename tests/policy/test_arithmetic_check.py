"""The firmware's own test of its floating-point operations: right expectations, and every mode is noticed."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rltools_embed import process, resources
from rltools_embed.device.messages import ArithmeticFault as Fault
from rltools_embed.device.messages import FloatMode
from rltools_embed.policy.products import fused_multiply_add
from tests.cpp_program import COMPILERS, compile_program

SOURCE = Path(__file__).parent.parent / "cpp" / "arithmetic_check.cpp"
ANY_NAN = 0x7FC00000
# MXCSR: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 10.2.3.
FLUSH_RESULTS, FLUSH_OPERANDS = 1 << 15, 1 << 6
DOWN, UP, TOWARDS_ZERO = 1 << 13, 2 << 13, 3 << 13


def float_of(bits: int) -> np.float32:
    return np.uint32(bits).view(np.float32)


def bits_of(value: np.float32) -> int:
    return ANY_NAN if np.isnan(value) else int(value.view(np.uint32))


def separate(c: np.float32, a: np.float32, b: np.float32) -> np.float32:
    return np.float32(c + np.float32(a * b))


def fused(c: np.float32, a: np.float32, b: np.float32) -> np.float32:
    return np.float32(fused_multiply_add(np.array([a]), np.array([b]), np.array([c]))[0])


def exactly(c: np.float32, a: np.float32, b: np.float32) -> Fraction:
    return Fraction(float(c)) + Fraction(float(a)) * Fraction(float(b))


def signed(bits: int) -> int:
    return int(np.uint32(bits).view(np.int32))


# By the number that the C++ enumeration gives them.
OPERATIONS: tuple[Callable[[int, int], int], ...] = (
    lambda a, b: bits_of(float_of(a) * float_of(b)),
    lambda a, b: bits_of(float_of(a) + float_of(b)),
    lambda a, b: int(float_of(a) < float_of(b)),
    lambda a, b: a if float_of(a) > 0 else 0,
    lambda a, b: bits_of(float_of(a) / float_of(b)),
    lambda a, b: int(float_of(a)) & 0xFFFFFFFF,
    lambda a, b: bits_of(np.float32(signed(a))),
)
MULTIPLY_ADDS = {"separate": separate, "fused": fused}


@pytest.fixture(scope="module", params=COMPILERS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("check") / "check"
    return compile_program(SOURCE, output, compiler=request.param, flags=["-O2"])


def test_expected_results_are_those_of_numpy(program: Path) -> None:
    lines = [line.split() for line in process.run([program]).output.splitlines()]

    faults = set()
    with np.errstate(all="ignore"):
        for arithmetic, *numbers in lines:
            fault, operation, a, b, c, expected = map(int, numbers)
            if arithmetic == "single":
                assert OPERATIONS[operation](a, b) == expected, numbers
            else:
                operands = [float_of(each) for each in (a, b, c)]
                assert bits_of(MULTIPLY_ADDS[arithmetic](*operands)) == expected, numbers
            if arithmetic == "fused":
                error = Fraction(float(float_of(expected))) - exactly(*operands)
                assert abs(error) <= Fraction(float(np.spacing(np.abs(float_of(expected))))) / 2
            faults.add(Fault(fault))
    # A fault that no case shows would never be reported.
    assert faults == set(Fault) - {Fault.KERNEL, Fault.DEFAULT_NAN}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the modes are those of x86")
@pytest.mark.parametrize(
    ("mode", "read", "shown", "not_shown"),
    [
        (0, FloatMode(0), Fault(0), ~Fault(0)),
        (FLUSH_RESULTS, FloatMode.FLUSHES_SUBNORMALS, Fault.SUBNORMAL_RESULT, Fault.SUBNORMAL_OPERAND | Fault.ROUNDING),
        (FLUSH_OPERANDS, FloatMode.FLUSHES_SUBNORMALS, Fault.SUBNORMAL_OPERAND, Fault.ROUNDING | Fault.MULTIPLY_ADD),
        (DOWN, FloatMode.ROUNDS_OTHERWISE, Fault.ROUNDING | Fault.SIGN_OF_ZERO, Fault.SUBNORMAL_OPERAND),
        (UP, FloatMode.ROUNDS_OTHERWISE, Fault.ROUNDING, Fault.SUBNORMAL_OPERAND),
        (TOWARDS_ZERO, FloatMode.ROUNDS_OTHERWISE, Fault.ROUNDING, Fault.SUBNORMAL_OPERAND),
    ],
    ids=["standard", "flush results", "flush operands", "down", "up", "towards zero"],
)
def test_every_mode_is_noticed_and_put_aside(
    program: Path, mode: int, read: FloatMode, shown: Fault, not_shown: Fault
) -> None:
    for line in process.run([program, str(mode)]).output.splitlines():
        alone, guarded, mode_read, is_kept = map(int, line.split())
        assert Fault(alone) & shown == shown
        assert not Fault(alone) & not_shown
        assert guarded == 0
        assert FloatMode(mode_read) == read
        assert is_kept


@pytest.mark.parametrize("compiler", COMPILERS)
def test_contraction_is_noticed(tmp_path: Path, compiler: str) -> None:
    """Without the statements that keep a product apart, a compiler may round once."""
    if " fma " not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        pytest.skip("this CPU has no fused multiply-add")
    folder = tmp_path / "include"
    shutil.copytree(resources.include_dir(), folder)
    header = folder / "rl_tools" / "math" / "arithmetic.h"
    text = header.read_text(encoding="utf-8")
    assert 'asm("" : "+x"(product));' in text
    header.write_text(text.replace('asm("" : "+x"(product));', ""), encoding="utf-8")
    program = tmp_path / "check"
    flags = ["-std=c++17", "-O2", "-mfma", "-ffp-contract=fast", f"-I{folder}"]

    compiled = process.run([compiler, *flags, SOURCE, "-o", program])

    assert compiled.exit_code == 0, compiled.output
    separate_line, fused_line = process.run([program, "0"]).output.splitlines()
    assert Fault(int(separate_line.split()[0])) & Fault.MULTIPLY_ADD
    assert Fault(int(fused_line.split()[0])) & Fault.MULTIPLY_ADD
