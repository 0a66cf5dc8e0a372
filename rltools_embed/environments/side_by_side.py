"""Environments stepped side by side, each with its own episode."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rltools_embed.environments.environment import Environment
from rltools_embed.environments.episodes import OneEnvironment
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.errors import TrainingError
from rltools_embed.policy.model import Float32Array

_SUM = np.add.reduce


@dataclass(frozen=True, kw_only=True)
class Episode:
    """A finished training episode: undiscounted return, length in steps, and the step of training it ended at."""

    total_reward: float
    length: int
    end_step: int


@dataclass(frozen=True, kw_only=True)
class EpisodeStatistics:
    """Returns and lengths of some training episodes; `std_return` is that of the whole, not of a sample."""

    episodes: int
    mean_return: float
    std_return: float
    least_return: float
    greatest_return: float
    mean_length: float

    @classmethod
    def of(cls, episodes: Sequence[Episode]) -> EpisodeStatistics | None:
        """None of no episodes."""
        if not episodes:
            return None
        returns = [episode.total_reward for episode in episodes]
        return cls(
            episodes=len(episodes),
            mean_return=float(np.mean(returns)),
            std_return=float(np.std(returns)),
            least_return=min(returns),
            greatest_return=max(returns),
            mean_length=float(np.mean([episode.length for episode in episodes])),
        )


@dataclass(frozen=True, kw_only=True)
class Underway:
    """Episodes that have begun, one per environment.

    Attributes:
        observations: (N, n), where each stands.
        returns, lengths: of each so far.
        awaiting_reset: which have ended with the last step of training, and would have been reset before another.
        snapshots: the environments' states; none where they cannot be kept.
    """

    observations: Float32Array
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    awaiting_reset: tuple[bool, ...]
    snapshots: tuple[bytes, ...] = ()


class Compiled(Protocol):
    """What environments need of the compiled training interface: its types that step them."""

    @property
    def Environments(self) -> Callable[[int], Any]:  # noqa: N802  the type's name
        """So many environments in C++."""
        ...

    @property
    def Stepper(self) -> Callable[..., Any]:  # noqa: N802  the type's name
        """Steps Python's environments one after another."""
        ...


class SideBySide(ABC):
    """N environments of n observations. `begin` or `resume` comes first.

    Attributes:
        observations: (N, n), where each stands: what the next action is for.
        rewards, terminated, truncated: (N,), what the last actions led to.
        next_observations: (N, n), where the last actions led to, before any reset.
    """

    def __init__(
        self,
        environments: Sequence[OneEnvironment],
        episode_step_limit: int | None,
        *,
        count: int | None = None,
        spec: EnvSpec | None = None,
    ) -> None:
        self._environments = tuple(environments)
        self._limit = episode_step_limit
        count = len(environments) if count is None else count
        spec = environments[0].spec if spec is None else spec
        self.observations: Float32Array = np.zeros((count, spec.observation_dim), dtype=np.float32)
        self.next_observations = np.empty_like(self.observations)
        self.rewards = np.zeros(count, dtype=np.float32)
        self.terminated = np.zeros(count, dtype=np.bool_)
        self.truncated = np.zeros(count, dtype=np.bool_)
        # Of the episodes under way. The compiled stepper holds these arrays: they are changed, never replaced.
        self._returns = np.zeros(count, dtype=np.float64)
        self._lengths = np.zeros(count, dtype=np.int64)
        self._awaiting_reset = [False] * count

    def begin(self, seeds: Sequence[int]) -> None:
        """Reset each with a seed of its own."""
        for index, seed in enumerate(seeds):
            self.observations[index] = self._environments[index].reset(seed, "at reset")

    def underway(self) -> Underway:
        """The episodes as they stand.

        Raises:
            SnapshotError: an environment's state cannot be kept.
        """
        snapshots = tuple(environment.snapshot() for environment in self._environments)
        return self.underway_without_environments(snapshots)

    def underway_without_environments(self, snapshots: tuple[bytes, ...] = ()) -> Underway:
        """The part of `underway` that any environment allows, also when it is closed."""
        return Underway(
            observations=self.observations.copy(),
            returns=tuple(self._returns.tolist()),
            lengths=tuple(self._lengths.tolist()),
            awaiting_reset=tuple(self._awaiting_reset),
            snapshots=snapshots,
        )

    def resume(self, underway: Underway) -> None:
        """Go on with the episodes that were under way.

        Raises:
            SnapshotError: a state does not fit its environment.
        """
        for environment, snapshot in zip(self._environments, underway.snapshots, strict=True):
            environment.restore(snapshot)
        self._take_over(underway)
        for index in np.flatnonzero(underway.awaiting_reset):
            self.observations[index] = self._environments[index].reset(None, "at the reset after resuming")

    def close(self) -> None:
        """Close the environments; a second call does nothing."""
        with contextlib.ExitStack() as closing:  # all of them, also where one fails to close
            for environment in self._environments:
                closing.callback(environment.close)

    def _take_over(self, underway: Underway) -> None:
        self.observations[:] = underway.observations
        self._returns[:] = underway.returns
        self._lengths[:] = underway.lengths

    @property
    def name(self) -> str:
        """The environment's name, for messages."""
        return self._environments[0].name

    @abstractmethod
    def act(self, actions: Float32Array, steps_before: int) -> None:
        """One action (N, m) in each; the first of them is step `steps_before` + 1 of training.

        Raises:
            TrainingError: an environment breaks its contract, or gives a number that is not finite.
        """

    def count(self, rewards: npt.NDArray[Any] | float, index: int | None = None) -> None:
        """One more step of every episode, or of that of one environment: its return, its length, and its limit.

        The compiled stepper does the same for what it takes, in training's loop (rl_tools/bindings/stepper.h).

        Args:
            rewards: (N,), or one; summed in float64.
        """
        returns, lengths, truncated = self._returns, self._lengths, self.truncated
        if index is not None:
            own = slice(index, index + 1)
            returns, lengths, truncated = returns[own], lengths[own], truncated[own]
        returns += rewards
        lengths += 1
        if self._limit is not None:
            truncated |= lengths == self._limit

    def proceed(self, steps_before: int, *, reset: bool) -> list[Episode]:
        """Go on from where the actions led to, or from a reset where an episode ended: those are returned."""
        self.observations[:] = self.next_observations
        found: list[Episode] = []
        if not (True in self.terminated.tolist() or True in self.truncated.tolist()):  # nearly always, at every step
            return found
        for index in np.flatnonzero(self.terminated | self.truncated).tolist():
            end_step = steps_before + index + 1
            total_reward, length = float(self._returns[index]), int(self._lengths[index])
            found.append(Episode(total_reward=total_reward, length=length, end_step=end_step))
            self._returns[index] = 0.0
            self._lengths[index] = 0
            self._awaiting_reset[index] = not reset
            if reset:
                where = f"at the reset after step {end_step}"
                self.observations[index] = self._environments[index].reset(None, where)
        return found


class OneByOne(SideBySide):
    """Python's environments, stepped one after another.

    Args:
        stepper: the compiled interface's `Stepper`, which takes the results that are as expected.
    """

    def __init__(
        self, environments: Sequence[Environment], episode_step_limit: int | None, stepper: Callable[..., Any]
    ) -> None:
        super().__init__(environments, episode_step_limit)
        self._wrapped = tuple(environment.wrapped for environment in environments)
        self._to_environment = environments[0].training_actions
        self._take = tuple(environment.take for environment in environments)
        arrays = (self.next_observations, self.rewards, self.terminated, self.truncated)
        limit = episode_step_limit or 0
        self._step_each = stepper(*arrays, self._returns, self._lengths, limit, np.bool_).step_each

    def act(self, actions: Float32Array, steps_before: int) -> None:
        """One action (N, m) in each, one environment after another; see `SideBySide.act`."""
        actions = self._to_environment(actions)
        untaken = self._step_each(self._wrapped, actions, 0)
        while untaken is not None:
            index, result = untaken
            row = self.next_observations[index]
            reward, terminated, truncated = self._take[index](result, row, steps_before + index + 1)
            self.rewards[index] = reward
            self.terminated[index] = terminated
            self.truncated[index] = truncated
            self.count(reward, index)
            untaken = self._step_each(self._wrapped, actions, index + 1)


def check_finite(name: str, observations: Float32Array, rewards: Float32Array, where: Callable[[int], str]) -> None:
    """Refuse numbers that are not finite; `where` says of an environment's index when it happened."""
    # Sums of float32 in float64: infinite or NaN only where one of the numbers is. Half of the time of isfinite.
    if math.isfinite(_SUM(observations, None, np.float64) + _SUM(rewards, None, np.float64)):
        return
    hint = "find out in the environment where it comes from; nothing is learned from it"
    for index, (row, reward) in enumerate(zip(observations.reshape(len(rewards), -1), rewards, strict=True)):
        for number, value in enumerate(row):
            if not np.isfinite(value):
                raise TrainingError(f"{name}: observation[{number}] is {value} {where(index)}", hint)
        if not np.isfinite(reward):
            raise TrainingError(f"{name}: the reward is {reward} {where(index)}", hint)
