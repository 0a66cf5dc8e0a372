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
def test_an_action_has_the_bits_of_the_exported_policy_where_all_numbers_are_subnormal(kind: type[Training]) -> None:
    state = kind(Line, **{**small(kind), "ACTOR_ACTIVATION_FUNCTION": "IDENTITY"}).State(0)
    arrays = {entry[0]: entry[1:] for entry in state._trainer.save()}
    for biases in ("actor/1", "actor/3", "actor/5"):  # else they would hide what is added to them
        format_, content = arrays[biases]
        arrays[biases] = (format_, bytes(len(content)))
    state._trainer.load(arrays)
    observations = np.array([[1e-39, -3e-40], [0.0, 1e-38], [-TINY, TINY / 2]], np.float32)
    actions = state.action(observations)
    assert np.count_nonzero(actions) == 3
    assert np.abs(actions).max() < TINY
    assert np.array_equal(actions.view(np.uint32), state.policy()(observations).view(np.uint32))
