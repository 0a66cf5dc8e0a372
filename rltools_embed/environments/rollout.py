"""States that a policy meets when it acts in its own environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np

from rltools_embed.environments.environment import Environment
from rltools_embed.errors import TrainingError, UnsupportedEnvError
from rltools_embed.policy.layers import Float32Array
from rltools_embed.policy.model import Policy

_EPISODES = 8


@dataclass(frozen=True)
class Rollout:
    """A policy in the registered environment that it names.

    Attributes:
        note: how that environment differs from the one it was trained in; empty if it does not.
    """

    policy: Policy
    note: str

    def __call__(self, count: int, seed: int) -> Float32Array:
        """So many observations (count, n).

        The episodes have distinct starts; each gives at most an eighth of the observations, so that the transients,
        where a policy works hardest, come more than once.

        Raises:
            UnsupportedEnvError: the environment broke down.
        """
        environment = Environment(_factory(self.policy))
        rows: list[Float32Array] = []
        try:
            for episode in range(count):
                budget = min(-(-count // _EPISODES), count - len(rows))
                rows += _episode(environment, self.policy, seed + episode, budget)
                if len(rows) == count:
                    break
        except Exception as error:  # an environment may fail in any way of its own
            raise UnsupportedEnvError(f"{environment.name} broke down: {error}") from error
        finally:
            environment.close()
        return np.array(rows, np.float32)


def rollout_of(policy: Policy) -> Rollout:
    """The rollout of `policy`.

    Raises:
        UnsupportedEnvError: the environment cannot be made here, or its observations are not those of the policy.
    """
    try:
        environment = Environment(_factory(policy))
    except TrainingError as error:
        raise UnsupportedEnvError(error.message) from error
    environment.close()
    spec = environment.spec
    if (spec.observation_dim, spec.action_dim) != (policy.observation_dim, policy.action_dim):
        raise UnsupportedEnvError(
            f"{environment.name} maps {spec.observation_dim} → {spec.action_dim} here, "
            f"the policy {policy.observation_dim} → {policy.action_dim}"
        )
    if (spec.observation, spec.action) == (policy.observation, policy.action):
        return Rollout(policy, "")
    return Rollout(
        policy, f"the policy was trained in a wrapped {environment.name}; its rollout states are the bare one's"
    )


def _factory(policy: Policy) -> Callable[[], gymnasium.Env[Float32Array, Float32Array]]:
    name = policy.provenance.environment
    if not name:
        raise UnsupportedEnvError("the policy names no environment")
    if ":" in name:  # gymnasium would import what stands before it, and a checkpoint is never executed
        raise UnsupportedEnvError(f"{name} names a module")
    return lambda: gymnasium.make(name)


def _episode(environment: Environment, policy: Policy, seed: int, budget: int) -> list[Float32Array]:
    rows = [environment.reset(seed, "in a rollout")]
    while len(rows) < budget:
        step = environment.step(policy.evaluate(rows[-1]), "in a rollout")
        if step.terminated or step.truncated:
            break
        rows.append(step.observation)
    return rows[:budget]
