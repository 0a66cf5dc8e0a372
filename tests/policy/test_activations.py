"""Every activation function is whole: number, float32 bits, float64, slope, kink; and C++ has the same ones."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from enum import Enum, unique
from pathlib import Path

import numpy as np
import pytest

from rltools_embed import resources
from rltools_embed.policy import functions
from rltools_embed.policy.activations import Activation, Definition
from tests.cpp_program import compile_program

HEADER = "rl_tools/nn/activation_functions.h"
TEXT = (resources.include_dir() / HEADER).read_text(encoding="utf-8")
# Each function of every number of stdin, one by one and all at once, as a kernel applies it. The header beside it.
PROGRAM = """
#include "rl_tools/nn/activation_functions.h"
#include <cstdio>
constexpr size_t SIZE = 521;
template <rl_tools::nn::ActivationFunction FUNCTION>
void apply(const float* numbers) {
    float single[SIZE], all[SIZE];
    for (size_t i = 0; i < SIZE; i++) {
        single[i] = rl_tools::nn::activate<FUNCTION>(numbers[i]);
        all[i] = numbers[i];
    }
    rl_tools::nn::activate_all<FUNCTION, SIZE>(all);
    fwrite(single, sizeof single, 1, stdout);
    fwrite(all, sizeof all, 1, stdout);
}
int main() {
    float numbers[SIZE];
    if (fread(numbers, sizeof numbers, 1, stdin) != 1) return 1;
"""
X = np.concatenate(
    [
        np.random.default_rng(0).normal(size=480) * np.logspace(-6, 3, 480),
        np.array([0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, np.inf, -np.inf, np.nan]),
        np.linspace(-9.5, 9.5, 32),
    ]
).astype(np.float32)


def in_cpp(text: str) -> dict[str, int]:
    """The names and numbers of the C++ enumeration."""
    body = re.search(r"enum class ActivationFunction : uint8_t \{([^}]*)\}", text)
    assert body is not None
    return {name: int(number) for name, number in re.findall(r"(\w+) = (\d+)", body[1])}


def in_python() -> dict[str, int]:
    return {activation.name: activation.value for activation in Activation}


def test_python_and_cpp_have_the_same_functions() -> None:
    assert in_cpp(TEXT) == in_python()


@pytest.mark.parametrize(
    "change", [("SIGMOID = 5 }", "SIGMOID = 5, ELU = 6 }"), ("TANH = 3", "TANH = 7"), (", SIGMOID = 5 }", " }")]
)
def test_a_difference_between_the_two_lists_is_found(change: tuple[str, str]) -> None:
    assert change[0] in TEXT
    assert in_cpp(TEXT.replace(*change)) != in_python()


def wrong_in_cpp(tmp_path: Path, header: str) -> list[str]:
    """The functions whose bits differ between Python and this header."""
    (tmp_path / HEADER).parent.mkdir(parents=True)
    (tmp_path / HEADER).write_text(header, encoding="utf-8")
    calls = "".join(f"    apply<rl_tools::nn::ActivationFunction::{name}>(numbers);\n" for name in in_cpp(header))
    (tmp_path / "main.cpp").write_text(f"{PROGRAM}{calls}}}\n", encoding="utf-8")
    program = compile_program(tmp_path / "main.cpp", tmp_path / "main", flags=("-O1",))
    done = subprocess.run([program], input=X.tobytes(), capture_output=True, check=True)
    results = np.frombuffer(done.stdout, np.float32).reshape(-1, 2, len(X))
    wrong = []
    for name, found in zip(in_cpp(header), results, strict=True):
        with np.errstate(all="ignore"):
            expected = np.tile(Activation[name].evaluate(X), (2, 1))
        if ((found.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(found) & np.isnan(expected))).any():
            wrong.append(name)
    return wrong


def test_every_function_has_the_bits_of_cpp(tmp_path: Path) -> None:
    assert len(X) == 521
    assert wrong_in_cpp(tmp_path, TEXT) == []


def test_a_function_without_its_branch_in_cpp_does_not_compile(tmp_path: Path) -> None:
    branch = re.compile(r"else if constexpr \(FUNCTION == ActivationFunction::GELU\) \{[^}]*\} ")
    assert branch.search(TEXT)
    with pytest.raises(pytest.fail.Exception, match="this activation function has no branch here"):
        wrong_in_cpp(tmp_path, branch.sub("", TEXT))


def faults_of(activation: Activation) -> Iterator[str]:
    x = np.concatenate([np.linspace(-12.0, 12.0, 20_001), np.random.default_rng(1).normal(size=1000)])
    x = np.sort(x.astype(np.float32))
    exact, variance = activation.evaluate_float64(x.astype(np.float64), np.zeros(len(x)))
    # Some functions cancel where they are near zero; an action is not asked for more than a millionth there.
    if not (np.abs(activation.evaluate(x) - exact) <= np.maximum(1e-6, np.sqrt(variance))).all():
        yield "float32 and float64 differ"
    wide = np.linspace(-12.0, 12.0, 200_001)
    slopes = np.abs(np.diff(activation.evaluate_float64(wide, np.zeros_like(wide))[0]) / np.diff(wide))
    if slopes.max() > activation.steepest_slope + 1e-6:
        yield f"a slope of {slopes.max():.3f} is steeper than {activation.steepest_slope}"
    left, right = (
        np.diff(activation.evaluate_float64(np.array(pair), np.zeros(2))[0])[0] / 1e-6
        for pair in ([-1e-6, 0.0], [0.0, 1e-6])
    )
    if (abs(left - right) > 0.01) != activation.has_kink:
        yield "its kink at zero is not the one that it names"


@pytest.mark.parametrize("activation", Activation)
def test_every_function_is_whole(activation: Activation) -> None:
    assert list(faults_of(activation)) == []


class Broken(Enum):
    """Functions with one part that is wrong."""

    DIFFERENT = Definition(number=0, float32=functions.relu, float64=lambda x: x)
    STEEP = Definition(number=1, float32=functions.gelu, float64=lambda x: 1.1 * x)
    WITHOUT_KINK = Definition(number=2, float32=functions.relu, float64=lambda x: np.maximum(x, 0.0))
    WITH_KINK = Definition(number=3, float32=functions.tanh, float64=np.tanh, has_kink=True)

    __new__ = Activation.__new_member__
    evaluate = Activation.evaluate
    evaluate_float64 = Activation.evaluate_float64
    variance_after = Activation.variance_after
    steepest_slope = Activation.steepest_slope
    has_kink = Activation.has_kink


def test_a_part_that_is_wrong_is_found() -> None:
    assert "float32 and float64 differ" in list(faults_of(Broken.DIFFERENT))
    assert any("steeper than 1.0" in fault for fault in faults_of(Broken.STEEP))
    assert "its kink at zero is not the one that it names" in list(faults_of(Broken.WITHOUT_KINK))
    assert "its kink at zero is not the one that it names" in list(faults_of(Broken.WITH_KINK))


def test_a_function_without_a_part_or_with_a_taken_number_is_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        Definition(number=6, float32=functions.relu)
    with pytest.raises(ValueError, match="duplicate values"):

        @unique
        class Taken(Enum):
            __new__ = Activation.__new_member__
            TANH = Definition(number=3, float32=functions.tanh, float64=np.tanh)
            ELU = Definition(number=3, float32=functions.relu, float64=np.tanh)
