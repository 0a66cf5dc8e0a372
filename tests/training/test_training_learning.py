"""The algorithms learn: swing-up of Pendulum-v1 with default options."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import gymnasium
import pytest
from gymnasium.wrappers import RescaleAction

from rltools_embed.training import PPO, SAC, TD3, State, Training

# Twenty starts whose optimum is about -150; an untrained policy has about -1200.
STARTS = range(1000, 1020)
GOOD_ENOUGH = -160.0


def native() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("Pendulum-v1")


def rescaled() -> gymnasium.Env[Any, Any]:
    return RescaleAction(native(), -1, 1)


def mean_return(state: State, factory: Callable[[], gymnasium.Env[Any, Any]]) -> float:
    env = factory()
    total = 0.0
    for seed in STARTS:
        observation, _ = env.reset(seed=seed)
        ended = False
        while not ended:
            observation, reward, terminated, truncated, _ = env.step(state.action(observation))
            total += float(reward)
            ended = terminated or truncated
    env.close()
    return total / len(STARTS)


@pytest.mark.slow
@pytest.mark.parametrize(("factory", "seed"), [*((native, seed) for seed in range(5)), (rescaled, 1)])
def test_sac_swings_the_pendulum_up(factory: Callable[[], gymnasium.Env[Any, Any]], seed: int) -> None:
    state = SAC(factory, enable_evaluation=False).State(seed)
    while not state.step():
        pass
    found = mean_return(state, factory)
    assert found >= GOOD_ENOUGH, f"mean return {found:.1f}"


# Single seeds of TD3 and PPO fail now and then, as published; of three the median tells whether they learn.
SWUNG_UP = -220.0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "factory"), [(TD3, native), (PPO, rescaled)])
def test_td3_and_ppo_swing_the_pendulum_up(
    kind: type[Training], factory: Callable[[], gymnasium.Env[Any, Any]]
) -> None:
    training = kind(factory, enable_evaluation=False)
    found = []
    for seed in range(3):
        state = training.State(seed)
        while not state.step():
            pass
        found.append(mean_return(state, factory))
    assert statistics.median(found) >= SWUNG_UP, f"mean returns {found}"
