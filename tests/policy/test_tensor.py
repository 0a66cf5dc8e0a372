"""Tensors of static shape, and models evaluated over sequences, beside matrices and single steps."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rltools_embed.policy import checkpoint
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.model import Policy
from tests import policies
from tests.cpp_program import COMPILERS, compile_program

CPP = Path(__file__).parent.parent / "cpp"
ROUNDING = {Arithmetic.SEPARATE: "Separate", Arithmetic.FUSED: "Fused"}
# As in tests/cpp/sequence.cpp; tests/cpp/episode.cpp has as many episodes.
STEPS, EPISODES = 50, 3


def rows_of(text: str) -> list[list[float]]:
    return [[float(word) for word in line.split()] for line in text.splitlines()]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_numbers_are_where_their_indices_say(tmp_path: Path, compiler: str) -> None:
    flags = ("-O1", "-fsanitize=address,undefined")
    program = compile_program(CPP / "tensor.cpp", tmp_path / "tensor", compiler=compiler, flags=flags)
    rows = rows_of(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
    numbered = [[[100.0 * i + 10.0 * j + k for k in range(4)] for j in range(3)] for i in range(2)]
    assert rows[:7] == [*numbered[0], [], *numbered[1]]
    changed = [list(row) for row in numbered[0]]
    changed[1][2] = 123.5
    assert rows[7:14] == [*changed, [], *numbered[1]]
    assert rows[14:21] == [*[[-1.0] * 4] * 3, [], *[[-1.0] * 4] * 3]
    drawn, matrix = rows[21:24], rows[24:27]
    assert drawn == matrix
    assert len(np.unique(drawn)) == 12
    assert rows[27:] == [[2.0, 2.0, 2.0]]


def run(folder: Path, source: str, policy: Policy, mode: Arithmetic, what: str, x: np.ndarray) -> np.ndarray:
    """Actions (sequences, STEPS, EPISODES, m) of a program for observations (sequences, STEPS, EPISODES, n)."""
    (folder / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    optimisation = ("-O1", "-fsanitize=address,undefined") if source == "sequence" else ("-O1",)
    flags = (*optimisation, f"-I{folder}", f"-DROUNDING={ROUNDING[mode]}")
    program = compile_program(CPP / f"{source}.cpp", folder / source, flags=flags)
    done = subprocess.run([program, what], input=x.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32).reshape(*x.shape[:3], policy.action_dim)


def sequences_for(policy: Policy, count: int) -> np.ndarray:
    rng = np.random.default_rng(6)
    return rng.normal(size=(count, STEPS, EPISODES, policy.observation_dim)).astype(np.float32)


@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (policies.gru_policy, Arithmetic.SEPARATE),
        (policies.gru_policy, Arithmetic.FUSED),
        (policies.ppo_policy, Arithmetic.SEPARATE),
    ],
)
def test_a_sequence_has_the_bits_of_its_steps_and_begins_anew(
    tmp_path: Path, make: Callable[[], Policy], mode: Arithmetic
) -> None:
    policy = make()
    x = sequences_for(policy, 2)
    found = run(tmp_path, "sequence", policy, mode, "evaluate", x)
    for sequence in range(2):
        for episode in range(EPISODES):
            expected = policy.evaluate_episode(x[sequence, :, episode], mode)
            assert (found[sequence, :, episode].view(np.uint32) == expected.view(np.uint32)).all()
    steps = run(tmp_path, "episode", policy, mode, "episode", x[:1])
    assert found[:1].tobytes() == steps.tobytes()


@pytest.mark.parametrize("make", [policies.ppo_policy, policies.sac_policy])
def test_a_sampled_sequence_draws_what_its_steps_draw(tmp_path: Path, make: Callable[[], Policy]) -> None:
    policy = make()
    x = sequences_for(policy, 1)
    drawn = [run(tmp_path, source, policy, Arithmetic.SEPARATE, "sample", x) for source in ("sequence", "episode")]
    assert drawn[0].tobytes() == drawn[1].tobytes()


MISTAKES = {
    "a number needs one index per dimension": "rlt::get(device, input, 0, 0);",
    "a sequence is [steps, batch, dimension]": "rlt::evaluate(device, policy::module, flat, output, buffer, engine);",
    "the same steps and the same batch": "rlt::evaluate(device, policy::module, input, shorter, buffer, engine);",
    "the input needs INPUT_DIM numbers": "rlt::evaluate(device, policy::module, output, output, buffer, engine);",
    "the buffer is for a smaller batch": "rlt::evaluate(device, policy::module, input, output, one, engine);",
}
PROGRAM = """
#include <rl_tools/operations/cpu.h>
#include "checkpoint.h"
namespace rlt = rl_tools;
template <size_t... N>
using Tensor = rlt::Tensor<rlt::tensor::Specification<float, size_t, rlt::tensor::Shape<size_t, N...>>>;
int main() {
    const rlt::devices::DefaultCPU device;
    auto engine = rlt::random::default_engine(device.random, 5);
    Tensor<2, 3, 4> input{};
    Tensor<2, 3, 2> output{};
    Tensor<1, 3, 2> shorter{};
    Tensor<6, 4> flat{};
    policy::MODEL::Buffer<3> buffer;
    policy::MODEL::Buffer<1> one;
    static_cast<void>(flat), static_cast<void>(shorter), static_cast<void>(one);
    rlt::evaluate(device, policy::module, input, output, buffer, engine);
    MISTAKE
}
"""


@pytest.mark.parametrize("sentence", ["", *MISTAKES])
def test_a_mistake_is_reported_in_a_sentence(tmp_path: Path, sentence: str) -> None:
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policies.gru_policy()), encoding="utf-8")
    source = tmp_path / "mistake.cpp"
    source.write_text(PROGRAM.replace("MISTAKE", MISTAKES.get(sentence, "")), encoding="utf-8")
    if not sentence:
        compile_program(source, tmp_path / "right", flags=("-fsyntax-only",))
        return
    with pytest.raises(pytest.fail.Exception) as refusal:
        compile_program(source, tmp_path / "wrong", flags=("-fsyntax-only",))
    assert sentence in str(refusal.value)
