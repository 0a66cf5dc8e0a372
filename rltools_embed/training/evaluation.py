"""The deterministic policy over whole episodes: when, how, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rltools_embed import checks as of
from rltools_embed.environments.side_by_side import Episode, OneEnvironment
from rltools_embed.environments.vector import VectorSideBySide
from rltools_embed.policy.model import Float32Array

Act: TypeAlias = Callable[[Float32Array], Float32Array]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The deterministic policy over whole episodes: undiscounted returns and lengths in steps.

    Attributes:
        step: environment steps of training before it.
    """

    step: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean_return(self) -> float:
        return sum(self.returns) / len(self.returns)

    @property
    def mean_length(self) -> float:
        return sum(self.lengths) / len(self.lengths)


EVALUATION_EPISODES = 10


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """When the policy is evaluated during training: every `interval` calls of `step` and at the end, or never."""

    enabled: bool = True
    interval: int
    episodes: int = EVALUATION_EPISODES

    def __post_init__(self) -> None:
        for name, field, check in (
            ("enable_evaluation", "enabled", of.boolean),
            ("evaluation_interval", "interval", of.COUNT),
            ("num_evaluation_episodes", "episodes", of.COUNT),
        ):
            object.__setattr__(self, field, of.checked(name, getattr(self, field), check))


def episodes_from(
    env: OneEnvironment | VectorSideBySide, act: Act, seeds: Sequence[int], limit: int
) -> list[tuple[float, int]]:
    """Return and length of an episode from each seed, cut after `limit` steps where the environment does not end it.

    Vectorised environments have the limit that they were made with.
    """
    if isinstance(env, VectorSideBySide):
        return _side_by_side(env, act, seeds)
    return [_episode(env, act, seed, limit) for seed in seeds]


def _episode(env: OneEnvironment, act: Act, seed: int, limit: int) -> tuple[float, int]:
    observation = env.reset(seed, "at an evaluation's reset")
    total = 0.0
    for length in range(1, limit + 1):
        step = env.step(act(observation), f"at step {length} of an evaluation")
        total += step.reward
        observation = step.observation
        if step.terminated or step.truncated:
            return total, length
    return total, limit


def _side_by_side(env: VectorSideBySide, act: Act, seeds: Sequence[int]) -> list[tuple[float, int]]:
    """As many episodes at a time as there are environments."""
    count = len(env.observations)
    found: list[tuple[float, int]] = []
    steps = 0
    for first in range(0, len(seeds), count):
        chunk = seeds[first : first + count]
        env.begin([*chunk, *range(count - len(chunk))])
        done: dict[int, Episode] = {}
        while any(index not in done for index in range(len(chunk))):
            env.act(act(env.observations), steps)
            for episode in env.proceed(steps, reset=True):
                done.setdefault(episode.end_step - 1 - steps, episode)
            steps += count
        found += [(done[index].total_reward, done[index].length) for index in range(len(chunk))]
    return found
