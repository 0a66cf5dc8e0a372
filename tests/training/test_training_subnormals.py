"""Subnormal numbers: none in what learns, where a CPU is slow with them; all of them in what acts, and elsewhere."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from training_envs import Line, small

from rltools_embed.training import PPO, SAC, TD3, State, Training

ALGORITHMS = [SAC, TD3, PPO]
TINY = np.finfo(np.float32).tiny  # the least normal number
IS_X86 = platform.machine() in ("x86_64", "AMD64")


def trained(kind: type[Training]) -> State:
    """After enough steps for the mean gradient of a unit that is always off to fall below the normal numbers.

    At a factor of 0.9 for each update that is some 800 of them.
    """
    limit = {"TOTAL_STEP_LIMIT": 12_000} if kind is PPO else {"STEP_LIMIT": 1_500}
    state = kind(Line, **{**small(kind), **limit}).State(0)
    while not state.step():
        pass
    return state


@pytest.mark.skipif(not IS_X86, reason="only there they are slow, and left out")
@pytest.mark.parametrize("kind", ALGORITHMS)
def test_what_has_stopped_learning_is_zero_and_no_subnormal_number(kind: type[Training]) -> None:
    arrays = trained(kind)._trainer.save()
    found = {name: np.abs(np.frombuffer(content, np.float32)) for name, format_, content in arrays if format_ == "f"}
    moments = {name: numbers for name, numbers in found.items() if "first_moment" in name}
    assert sum(int(np.count_nonzero(numbers == 0)) for numbers in moments.values()) > 0
    subnormal = {name: int(np.count_nonzero((numbers > 0) & (numbers < TINY))) for name, numbers in found.items()}
    assert {name: count for name, count in subnormal.items() if count} == {}


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_step_leaves_the_process_its_subnormal_numbers(kind: type[Training]) -> None:
    trained(kind)
    assert np.float32(1e-40) * np.float32(1) != 0
    assert np.float32(1e-30) * np.float32(1e-10) != 0


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_an_action_has_the_bits_of_the_exported_policy_for_subnormal_observations(kind: type[Training]) -> None:
    state = trained(kind)
    observations = np.array([[1e-40, -3e-42], [0.0, 1e-45], [TINY, -TINY]], np.float32)
    expected = state.policy()(observations)
    assert np.array_equal(state.action(observations).view(np.uint32), expected.view(np.uint32))
