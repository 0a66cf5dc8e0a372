"""States that a policy meets when it acts in its own environment."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np

from rltools_embed.errors import UnsupportedEnvError
from rltools_embed.policy.layers import Float32Array
from rltools_embed.policy.model import Policy

_EPISODES = 8


def rollout_of(policy: Policy) -> Callable[[int, int], Float32Array]:
    """A function of a count and a seed that gives so many observations (count, n) of `policy` in its environment.

    The episodes have distinct starts; each gives at most an eighth of the observations, so that the transients,
    where a policy works hardest, come more than once.

    Raises:
        UnsupportedEnvError: the environment cannot be made here, or its observations are not those of the policy.
    """
    name = policy.provenance.environment
    if not name:
        raise UnsupportedEnvError("the policy names no environment")

    def rollout(count: int, seed: int) -> Float32Array:
        with _made(name) as environment:
            rows: list[Float32Array] = []
            episode = 0
            while len(rows) < count:
                budget = min(-(-count // _EPISODES), count - len(rows))
                rows += _episode(environment, policy, seed + episode, budget)
                episode += 1
        return np.array(rows, np.float32)

    with _made(name) as environment:
        shape = environment.observation_space.shape
    if shape != (policy.observation_dim,):
        raise UnsupportedEnvError(f"{name} gives observations of shape {shape} here, not ({policy.observation_dim},)")
    return rollout


def _made(name: str) -> gymnasium.Env[Float32Array, Float32Array]:
    try:
        return gymnasium.make(name)
    except Exception as error:  # an environment may fail in any way: gymnasium.error.Error, ImportError, its own
        raise UnsupportedEnvError(f"{name} cannot be made here: {error}") from error


def _episode(
    environment: gymnasium.Env[Float32Array, Float32Array], policy: Policy, seed: int, budget: int
) -> list[Float32Array]:
    observation, _ = environment.reset(seed=seed)
    rows: list[Float32Array] = []
    while len(rows) < budget:
        rows.append(np.asarray(observation, np.float32))
        observation, _, terminated, truncated, _ = environment.step(policy.evaluate(rows[-1]))
        if terminated or truncated:
            break
    return rows
