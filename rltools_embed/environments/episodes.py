"""Whole episodes of a policy: what each returns from a given start, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from rltools_embed.environments.environment import Step
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.policy.model import Float32Array

# Where neither the environment nor EPISODE_STEP_LIMIT names a limit, an evaluation episode must still end.
EVALUATION_STEP_LIMIT = 1000

# The policy: one observation (n,) to an action (m,), or a batch (k, n) to (k, m).
Act: TypeAlias = Callable[[Float32Array], Float32Array]


class OneEnvironment(Protocol):
    """What an evaluation needs of one environment, whatever it is written in."""

    spec: EnvSpec
    name: str

    @property
    def episode_step_limit(self) -> int | None:
        """Steps after which it truncates an episode itself, where it names them."""
        ...

    def reset(self, seed: int | None, where: str) -> Float32Array:
        """The first observation (n,) of an episode; `where` is for errors."""
        ...

    def step(self, action: Float32Array, where: str) -> Step:
        """Act once with an action (m,)."""
        ...

    def snapshot(self) -> bytes:
        """Its state in mid-episode; raises `SnapshotError` where that cannot be kept."""
        ...

    def restore(self, taken: bytes) -> None:
        """Go on where a snapshot was taken; raises `SnapshotError` where it does not fit."""
        ...

    def close(self) -> None:
        """Close it; a second call does nothing."""
        ...


class Evaluator(Protocol):
    """Environments to evaluate a policy in."""

    def episodes(self, act: Act, seeds: Sequence[int]) -> list[tuple[float, int]]:
        """Undiscounted return and length in steps of an episode from each seed, cut at the limit of steps.

        Raises:
            TrainingError: an environment breaks its contract, or gives a number that is not finite.
        """
        ...

    def snapshot(self) -> bytes | None:
        """The environment's state; None where several are evaluated at once, which begin each time anew.

        Raises:
            SnapshotError: the state cannot be kept.
        """
        ...

    def restore(self, taken: bytes) -> None:
        """Go on where a snapshot was taken.

        Raises:
            SnapshotError: the state does not fit.
        """
        ...

    def close(self) -> None:
        """Close the environments; a second call does nothing."""
        ...


class OneAtATime:
    """Evaluates in one environment, an episode after another; an `Evaluator`.

    Args:
        episode_step_limit: steps after which an episode is cut; None: the environment's own limit, or 1000.
    """

    def __init__(self, environment: OneEnvironment, episode_step_limit: int | None) -> None:
        self.environment = environment
        self._limit = episode_step_limit or environment.episode_step_limit or EVALUATION_STEP_LIMIT

    def episodes(self, act: Act, seeds: Sequence[int]) -> list[tuple[float, int]]:
        """See `Evaluator.episodes`."""
        return [self._episode(act, seed) for seed in seeds]

    def snapshot(self) -> bytes:
        """See `Evaluator.snapshot`."""
        return self.environment.snapshot()

    def restore(self, taken: bytes) -> None:
        """See `Evaluator.restore`."""
        self.environment.restore(taken)

    def close(self) -> None:
        """See `Evaluator.close`."""
        self.environment.close()

    def _episode(self, act: Act, seed: int) -> tuple[float, int]:
        observation = self.environment.reset(seed, "at an evaluation's reset")
        total = 0.0
        for length in range(1, self._limit + 1):
            step = self.environment.step(act(observation), f"at step {length} of an evaluation")
            total += step.reward
            observation = step.observation
            if step.terminated or step.truncated:
                return total, length
        return total, self._limit
