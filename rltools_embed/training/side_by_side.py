"""Environments stepped side by side, each with its own episode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rltools_embed.policy.model import Float32Array
from rltools_embed.training.environment import Environment


@dataclass(frozen=True, kw_only=True)
class Episode:
    """A finished training episode: undiscounted return, length in steps, and the step of training it ended at."""

    total_reward: float
    length: int
    end_step: int


class SideBySide:
    """N environments of n observations.

    Attributes:
        observations: (N, n), where each stands: what the next action is for.
        rewards, terminated, truncated: (N,), what the last actions led to.
        next_observations: (N, n), where the last actions led to, before any reset.
    """

    def __init__(self, environments: Sequence[Environment], seeds: Sequence[int], episode_step_limit: int | None):
        self._environments = tuple(environments)
        self._limit = episode_step_limit
        count = len(self._environments)
        starts = [
            environment.reset(seed, "at reset") for environment, seed in zip(self._environments, seeds, strict=True)
        ]
        self.observations: Float32Array = np.stack(starts)
        self.next_observations = np.empty_like(self.observations)
        self.rewards = np.zeros(count, dtype=np.float32)
        self.terminated = np.zeros(count, dtype=np.bool_)
        self.truncated = np.zeros(count, dtype=np.bool_)
        self._returns = [0.0] * count
        self._lengths = [0] * count

    @property
    def name(self) -> str:
        return self._environments[0].name

    def act(self, actions: Float32Array, steps_before: int) -> None:
        """One action (N, m) in each; the first of them is step `steps_before` + 1 of training.

        Raises:
            TrainingError: an environment breaks its contract, or gives a number that is not finite.
        """
        for index, environment in enumerate(self._environments):
            step = environment.step(actions[index], f"at step {steps_before + index + 1}")
            self._returns[index] += step.reward
            self._lengths[index] += 1
            self.next_observations[index] = step.observation
            self.rewards[index] = step.reward
            self.terminated[index] = step.terminated
            self.truncated[index] = step.truncated or self._lengths[index] == self._limit

    def proceed(self, steps_before: int, *, reset: bool) -> Iterator[Episode]:
        """Go on from where the actions led to, or from a reset where an episode ended: those are returned."""
        self.observations[:] = self.next_observations
        for index in np.flatnonzero(self.terminated | self.truncated):
            end_step = steps_before + int(index) + 1
            yield Episode(total_reward=self._returns[index], length=self._lengths[index], end_step=end_step)
            self._returns[index] = 0.0
            self._lengths[index] = 0
            if reset:
                where = f"at the reset after step {end_step}"
                self.observations[index] = self._environments[index].reset(None, where)
