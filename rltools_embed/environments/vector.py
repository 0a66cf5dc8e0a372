"""Gymnasium's vectorised environments: N of one kind behind one object, stepped together.

Whatever its autoreset mode is, an episode's last observation is where its last action led, and no action is lost:
who has ended is reset at once, by a reset mask, or has been by the environment itself (SAME_STEP).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from rltools_embed.environments import in_use, snapshot
from rltools_embed.environments.environment import make
from rltools_embed.environments.episodes import EVALUATION_STEP_LIMIT, Act
from rltools_embed.environments.side_by_side import Compiled, Episode, SideBySide, Underway, check_finite
from rltools_embed.environments.snapshot import SnapshotError
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.errors import TrainingError, UnsupportedEnvError
from rltools_embed.policy.model import Float32Array

VectorFactory = Callable[[], Any]


def spec_of(env: VectorEnv[Any, Any, Any]) -> EnvSpec:
    """What each environment of `env` is. Closes `env` where it is refused.

    Raises:
        UnsupportedEnvError: its spaces cannot become static sizes, or a wrapper cannot reset one of several.
    """
    try:
        _refuse_normaliser(env)
        return EnvSpec.from_vector_env(env)
    except BaseException:
        env.close()
        raise


@dataclass(frozen=True, kw_only=True)
class VectorEnvironments:
    """A factory of vectorised environments, the spec of each of them and their number; a `Source`."""

    factory: VectorFactory
    spec: EnvSpec
    count: int

    def translation_unit(self) -> None:
        """None: they are Python's."""

    def make_evaluator(self, compiled: Compiled, episode_step_limit: int | None) -> VectorEvaluator:
        """See `Source.make_evaluator`."""
        return VectorEvaluator(self._make(episode_step_limit or EVALUATION_STEP_LIMIT, " of an evaluation"))

    def make_side_by_side(self, compiled: Compiled, count: int, episode_step_limit: int | None) -> VectorSideBySide:
        """See `Source.make_side_by_side`."""
        return self._make(episode_step_limit)

    def _make(self, episode_step_limit: int | None, purpose: str = "") -> VectorSideBySide:
        env: Any = make(self.factory, may_be_vectorised=True)
        same = isinstance(env, VectorEnv) and env.num_envs == self.count and EnvSpec.from_vector_env(env) == self.spec
        if not same:
            env.close()
            raise UnsupportedEnvError("env_factory made other environments", "it must make the same ones each time")
        return VectorSideBySide(env, self.spec, episode_step_limit, purpose)


class VectorSideBySide(SideBySide):
    """The environments of one `VectorEnv`.

    Args:
        spec: that of each.
        purpose: what errors name after the step.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], spec: EnvSpec, episode_step_limit: int | None, purpose: str = ""
    ) -> None:
        in_use.claim(env, self)
        super().__init__((), episode_step_limit, count=env.num_envs, spec=spec)
        self.spec = spec
        self._env = env
        self._purpose = purpose
        self._low = np.array(spec.action_low, dtype=np.float32)
        self._high = np.array(spec.action_high, dtype=np.float32)
        self._resets_itself = env.metadata.get("autoreset_mode") == AutoresetMode.SAME_STEP
        self._has_reset = np.zeros(env.num_envs, dtype=np.bool_)
        self._after_reset = np.empty_like(self.observations)
        self._is_closed = False

    def try_out(self, action: Float32Array) -> None:
        """A reset, a step with `action` (m,) in each, a reset of the first: what breaks the contract raises here."""
        count = len(self.observations)
        self.begin(range(count))
        self.act(np.tile(action, (count, 1)), 0)
        self.reset_some(np.arange(count) == 0, "at a reset of the first")

    @property
    def name(self) -> str:
        """The environment's name, for messages."""
        return self.spec.environment or type(self._env.unwrapped).__name__

    def begin(self, seeds: Sequence[int]) -> None:
        """Reset all of them, each with a seed of its own."""
        observations, _ = self._reset([int(seed) for seed in seeds])
        self.observations[:] = self._checked(observations, lambda index: "at reset")
        self._returns[:] = 0.0
        self._lengths[:] = 0

    def act(self, actions: Float32Array, steps_before: int) -> None:
        """One action (N, m) in each, by one `step` of the vector; see `SideBySide.act`."""

        def where(index: int) -> str:
            return f"at step {steps_before + index + 1}{self._purpose}"

        bounded = np.clip(actions, self._low, self._high).astype(self._env.action_space.dtype)
        observations, rewards, terminated, truncated, infos = self._env.step(bounded)
        self.terminated[:] = self._each("terminated", terminated, "bui", where)
        self.truncated[:] = self._each("truncated", truncated, "bui", where)
        self._after_reset[:] = self._checked(observations, where)
        self.next_observations[:] = self._after_reset
        self._has_reset[:] = self._resets_itself & (self.terminated | self.truncated)
        for index in np.flatnonzero(self._has_reset):
            self.next_observations[index] = infos["final_obs"][index]
        with np.errstate(over="ignore"):
            self.rewards[:] = self._each("the reward", rewards, "buif", where)
        check_finite(self.name, self.next_observations, self.rewards, where)
        self.count(np.asarray(rewards, dtype=np.float64))

    def proceed(self, steps_before: int, *, reset: bool) -> list[Episode]:
        """As `SideBySide.proceed`; those that ended are reset by a mask, or have reset themselves."""
        found = super().proceed(steps_before, reset=False)
        ended = self.terminated | self.truncated
        if not reset or not ended.any():
            return found
        self._awaiting_reset = [False] * len(self._awaiting_reset)
        self.observations[self._has_reset] = self._after_reset[self._has_reset]
        rest = ended & ~self._has_reset
        if rest.any():
            self.reset_some(rest, f"at a reset after step {steps_before + len(rest)}{self._purpose}")
        return found

    def reset_some(self, mask: Any, where: str) -> None:
        """Reset those in `mask` (N,), which have ended or are to end.

        Raises:
            TrainingError: the environment resets others as well.
        """
        observations, _ = self._reset([None] * len(mask), options={"reset_mask": mask.copy()})
        found = self._checked(observations, lambda index: where)
        if not np.array_equal(found[~mask], self._after_reset[~mask]):
            raise TrainingError(
                f"{self.name} resets environments that are not in options['reset_mask'] {where}",
                'make it with vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP}',
            )
        self.observations[mask] = found[mask]

    def _reset(self, seeds: list[Any], **arguments: Any) -> Any:
        reset: Any = self._env.reset  # its annotation knows one seed only; Sync- and AsyncVectorEnv take one for each
        return reset(seed=seeds, **arguments)

    def underway(self) -> Underway:
        """The episodes as they stand; see `SideBySide.underway`."""
        environments = self._synchronous()
        return self.underway_without_environments(tuple(snapshot.take(env) for env in environments))

    def resume(self, underway: Underway) -> None:
        """Go on with the episodes that were under way; see `SideBySide.resume`."""
        environments = self._synchronous()
        self.begin(range(len(environments)))  # it must have been reset once, before it is stepped
        for env, taken in zip(environments, underway.snapshots, strict=True):
            snapshot.restore(env, taken)
        self._take_over(underway)
        self._after_reset[:] = self.observations
        awaiting = np.array(underway.awaiting_reset, dtype=np.bool_)
        for index in np.flatnonzero(awaiting):
            observation, _ = environments[index].reset()
            self.observations[index] = observation

    def close(self) -> None:
        """Close the vector; a second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            in_use.release(self._env, self)
            self._env.close()

    def _synchronous(self) -> list[gymnasium.Env[Any, Any]]:
        if type(self._env) is not SyncVectorEnv:
            raise SnapshotError(f"{type(self._env).__qualname__} keeps its environments to itself")
        return list(self._env.envs)

    def _each(self, name: str, values: object, kinds: str, where: Callable[[int], str]) -> np.ndarray[Any, Any]:
        array = np.asarray(values)
        if array.shape != self.rewards.shape or array.dtype.kind not in kinds:
            raise TrainingError(
                f"{self.name}: {name} {where(0)} is {array.dtype} of shape {array.shape}, not {self.rewards.shape}",
                "return one for each environment",
            )
        return array

    def _checked(self, observations: object, where: Callable[[int], str]) -> Float32Array:
        array = np.asarray(observations)
        if array.shape != self.observations.shape or array.dtype.kind not in "biuf":
            raise TrainingError(
                f"{self.name}: the observations {where(0)} are {array.dtype} of shape {array.shape}, "
                f"not numbers of shape {self.observations.shape} as their space says",
                "make both the same",
            )
        with np.errstate(over="ignore"):
            numbers = array.astype(np.float32)
        check_finite(self.name, numbers, np.zeros(len(numbers), np.float32), where)
        return numbers


class VectorEvaluator:
    """Evaluates in vectorised environments, as many episodes at a time as there are of them; an `Evaluator`."""

    def __init__(self, environments: VectorSideBySide) -> None:
        self._environments = environments

    def episodes(self, act: Act, seeds: Sequence[int]) -> list[tuple[float, int]]:
        """See `Evaluator.episodes`."""
        environments = self._environments
        count = len(environments.observations)
        finished: list[tuple[float, int]] = []
        steps = 0
        for first in range(0, len(seeds), count):
            chunk = seeds[first : first + count]
            environments.begin([*chunk, *range(count - len(chunk))])
            done: dict[int, Episode] = {}
            while any(index not in done for index in range(len(chunk))):
                environments.act(act(environments.observations), steps)
                for episode in environments.proceed(steps, reset=True):
                    done.setdefault(episode.end_step - 1 - steps, episode)
                steps += count
            finished += [(done[index].total_reward, done[index].length) for index in range(len(chunk))]
        return finished

    def snapshot(self) -> None:
        """None: each evaluation begins anew."""

    def restore(self, taken: bytes) -> None:
        """Nothing: each evaluation begins anew."""

    def close(self) -> None:
        """See `Evaluator.close`."""
        self._environments.close()


def _refuse_normaliser(env: object) -> None:
    while isinstance(env, gymnasium.vector.VectorWrapper):
        if isinstance(env, gymnasium.wrappers.vector.NormalizeObservation):
            raise UnsupportedEnvError(
                "gymnasium.wrappers.vector.NormalizeObservation cannot reset one environment of several",
                "leave it out: PPO's NORMALIZE_OBSERVATIONS=True does the same inside of the policy",
            )
        env = env.env
