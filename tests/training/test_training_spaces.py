"""Which environments are accepted, and that the others are refused with a clear line before a compiler starts."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from training_envs import SMALL, Line, replacing

from rltools_embed.errors import ToolchainError, TrainingError, UnsupportedEnvError
from rltools_embed.training import SAC, EnvSpec, environment_factory

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)


def box(low: float, high: float, shape: tuple[int, ...] = (1,), dtype: Any = np.float32) -> spaces.Box:
    return spaces.Box(low, high, shape, dtype)


def box_with_nan() -> spaces.Box:
    space = box(-1, 1)
    space.low = np.array([np.nan], np.float32)
    return space


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Discrete(4), "the action space is Discrete(4), not a Box"),
        (spaces.MultiDiscrete([2, 3]), "the action space is MultiDiscrete([2 3]), not a Box"),
        (spaces.MultiBinary(3), "the action space is MultiBinary(3), not a Box"),
        (spaces.Dict({"a": BOX}), "the action space is Dict"),
        (spaces.Tuple((BOX, BOX)), "the action space is Tuple"),
        (box(-1, 1, (2, 2)), "the action space has shape (2, 2), not one row of numbers"),
        (box(-1, 1, ()), "the action space has shape (), not one row"),
        (box(-1, 1, (0,)), "the action space has shape (0,)"),
        (box(-np.inf, np.inf), "the action space is unbounded at index 0: -inf to inf"),
        (box(0, np.inf), "unbounded at index 0: 0.0 to inf"),
        (box(-np.inf, 0), "unbounded at index 0: -inf to 0.0"),
        (spaces.Box(np.array([-1, 2], np.float32), np.array([1, 2], np.float32)), "empty at index 1: 2.0 to 2.0"),
        (box(0, 5, (1,), np.int32), "the action space is a Box of int32"),
        (box_with_nan(), "the action space has the bound nan at index 0"),
    ],
)
def test_action_space_is_refused_before_a_compiler_starts(space: Any, words: str, no_compiler: None) -> None:
    with pytest.raises(UnsupportedEnvError) as caught:
        SAC(lambda: Line(action_space=space), **SMALL)
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Discrete(4), "the observation space is Discrete(4), not a Box"),
        (spaces.Dict({"a": BOX, "b": BOX}), "the observation space is Dict"),
        (spaces.Tuple((BOX, BOX)), "the observation space is Tuple"),
        (box(0, 255, (8, 8, 3), np.uint8), "the observation space has shape (8, 8, 3)"),
        (box(-1, 1, (3, 2)), "the observation space has shape (3, 2)"),
    ],
)
def test_observation_space_is_refused_with_what_to_wrap(space: Any, words: str, no_compiler: None) -> None:
    with pytest.raises(UnsupportedEnvError) as caught:
        SAC(lambda: Line(observation_space=space), **SMALL)
    assert words in caught.value.message
    assert "FlattenObservation" in caught.value.hint


def test_an_observation_without_a_number_is_refused(no_compiler: None) -> None:
    with pytest.raises(UnsupportedEnvError, match=r"the observation space has shape \(0,\): no number at all"):
        SAC(lambda: Line(observation_space=box(-1, 1, (0,))), **SMALL)


def test_the_environment_is_closed_after_a_refusal(no_compiler: None) -> None:
    Line.made.clear()
    with pytest.raises(UnsupportedEnvError):
        SAC(lambda: Line(action_space=spaces.Discrete(2)), **SMALL)
    assert [env.closed for env in Line.made] == [1]


@pytest.mark.parametrize(
    ("factory", "kind", "words"),
    [
        (Line(), TypeError, "env_factory is an environment, not a function"),
        ("Pendulum-v1", TypeError, "env_factory is 'Pendulum-v1', not a function .* gymnasium.make"),
        (lambda: None, TypeError, "env_factory made a NoneType, which has no observation_space"),
        (lambda: 1 / 0, TrainingError, "env_factory raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_wrong_factory_is_named(factory: Any, kind: type[Exception], words: str, no_compiler: None) -> None:
    with pytest.raises(kind, match=words):
        SAC(factory, **SMALL)


class OldReset(Line):
    def reset(self, **_: Any) -> Any:
        return super().reset()[0]


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (lambda: Line(spoil=lambda _, result: tuple(result[:4])), "step() gave a tuple of 4 at step 1"),
        (OldReset, "reset() gave a numpy.ndarray at reset, not (observation, info)"),
        (lambda: Line(spoil=replacing(1, math.nan, 1)), "Line: the reward is nan at step 1"),
        (lambda: Line(spoil=replacing(1, 1e39, 1)), "the reward is 1e+39 at step 1"),
        (lambda: Line(spoil=replacing(1, None, 1)), "the reward at step 1 is a NoneType"),
        (lambda: Line(spoil=replacing(1, np.zeros(2), 1)), "the reward at step 1 is a numpy.ndarray"),
        (lambda: Line(spoil=replacing(0, np.array([0, np.inf]), 1)), "observation[1] is inf at step 1"),
        (lambda: Line(spoil=replacing(0, np.array([0, 1e39]), 1)), "observation[1] is inf at step 1"),
        (lambda: Line(spoil=replacing(0, np.zeros(3), 1)), "the observation at step 1 has shape (3,), not (2,)"),
        (lambda: Line(spoil=replacing(0, "abc", 1)), "the observation at step 1 is a str, not numbers"),
        (lambda: Line(spoil=replacing(2, np.array([True, False]), 1)), "terminated is array([ True, False]) at step 1"),
        (lambda: Line(spoil=replacing(2, None, 1)), "terminated is None at step 1"),
        (lambda: Line(spoil=replacing(3, "False", 1)), "truncated is 'False' at step 1"),
        (lambda: Line(spoil=replacing(3, math.nan, 1)), "truncated is nan at step 1"),
    ],
)
def test_an_environment_that_breaks_its_contract_is_named_before_a_compiler_starts(
    factory: Any, words: str, no_compiler: None
) -> None:
    with pytest.raises(TrainingError) as caught:
        SAC(factory, **SMALL)
    assert words in caught.value.message


def test_what_an_environment_raises_passes_through(no_compiler: None) -> None:
    def explode(_: int, __: list[Any]) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        SAC(lambda: Line(spoil=explode), **SMALL)


class Duck:
    """An environment that inherits nothing, and lacks what training can do without: `spec`, `unwrapped`."""

    observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(2, np.float32), 0.0, np.array([False]), 0, {}

    def close(self) -> None:
        pass


def test_an_environment_that_only_looks_like_one_trains_and_is_evaluated() -> None:
    factory: Any = Duck
    with SAC(factory, **SMALL).State(0) as state:
        while not state.step():
            pass
        assert state.evaluate(1).lengths == (1000,)


def test_a_good_environment_gets_as_far_as_the_compiler(no_compiler: None) -> None:
    with pytest.raises(ToolchainError, match="RL_TOOLS_COMPILER is 'no-such-compiler\\+\\+'"):
        SAC(Line, **SMALL)


def test_the_spec_of_pendulum_is_what_its_page_says() -> None:
    env = gymnasium.make("Pendulum-v1")
    spec = EnvSpec.from_env(env)
    env.close()
    assert (spec.observation_dim, spec.action_dim) == (3, 1)
    assert (spec.action_low, spec.action_high) == ((-2.0,), (2.0,))
    assert spec.is_rescaled
    assert spec.control_period_s == 0.05
    assert spec.environment == "Pendulum-v1"
    assert [signal.high for signal in spec.observation] == [1.0, 1.0, 8.0]


@pytest.mark.parametrize("environment_id", ["Pendulm-v1", "../x", 'a"b\n', "", "nosuchmodule:Env-v0"])
def test_an_unknown_environment_id_is_refused(environment_id: str) -> None:
    with pytest.raises(UnsupportedEnvError):
        environment_factory(environment_id)
