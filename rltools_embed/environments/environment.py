"""A Gymnasium environment as training sees it: float32 in and out, every number checked, closed at the end."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt

from rltools_embed.environments import in_use, snapshot
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.errors import TrainingError, UnsupportedEnvError
from rltools_embed.policy.model import Float32Array

EnvFactory: TypeAlias = Callable[[], "gymnasium.Env[Any, Any]"]

_A_FACTORY = "lambda: gymnasium.make(id)"
_LARGEST_REWARD = float(np.finfo(np.float32).max)
_FLOAT32 = np.dtype(np.float32)
_FLAGS = frozenset((bool, np.bool_))


class Step(NamedTuple):  # made at every step: a third of a frozen dataclass's time
    """What an action led to. `observation` is where the step led, before any reset."""

    observation: Float32Array
    reward: float
    terminated: bool
    truncated: bool


class Environment:
    """One environment. `step` and `reset` raise `TrainingError` where it breaks Gymnasium's contract."""

    def __init__(self, env_factory: EnvFactory, spec: EnvSpec | None = None) -> None:
        self._env = make(env_factory)
        in_use.claim(self._env, self)
        try:
            self.spec = spec or EnvSpec.from_env(self._env)
            if spec is not None:
                self._check_same(EnvSpec.from_env(self._env))
        except BaseException:
            in_use.release(self._env, self)
            self._env.close()
            raise
        self.name = self.spec.environment or type(getattr(self._env, "unwrapped", self._env)).__name__
        space = self._env.action_space
        self._action_dtype = space.dtype
        self._action_low = space.low  # type: ignore[attr-defined]  # EnvSpec has made sure that it is a Box
        self._action_high = space.high  # type: ignore[attr-defined]  # as above
        self._shape = (self.spec.observation_dim,)
        self._closed = False

    @property
    def episode_step_limit(self) -> int | None:
        """The time limit that a TimeLimit wrapper or the registration names, if any."""
        env: Any = self._env
        while env is not None:
            limit = getattr(env, "_max_episode_steps", None) if isinstance(env, gymnasium.wrappers.TimeLimit) else None
            if isinstance(limit, int):
                return limit
            env = getattr(env, "env", None)
        limit = getattr(getattr(self._env, "spec", None), "max_episode_steps", None)
        return limit if isinstance(limit, int) else None

    def reset(self, seed: int | None, where: str) -> Float32Array:
        """The first observation of an episode. `where` says in an error when it happened."""
        result = self._env.reset(seed=seed)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TrainingError(
                f"{self.name}: reset() gave {_kind(result)} {where}, not (observation, info)",
                "this is the API of the old gym package: wrap the environment with shimmy, or update it",
            )
        return self._observation(result[0], where)

    def step(self, action: Float32Array, where: str) -> Step:
        """Act once. The environment gets a copy in its own dtype, never outside of its bounds."""
        observation = np.empty(self._shape, dtype=np.float32)
        return Step(observation, *self.take(self._env.step(self.bounded(action)), observation, where))

    def bounded(self, actions: Float32Array) -> npt.NDArray[Any]:
        """A copy of actions (m,) or (N, m), in the environment's dtype and bounds."""
        within: npt.NDArray[Any] = np.minimum(np.maximum(actions, self._action_low), self._action_high)
        return within.astype(self._action_dtype, copy=False)

    def training_actions(self, actions: Float32Array) -> npt.NDArray[Any]:
        """As `bounded`, of actions that a trainer explores: they are within the bounds as float32 tells those.

        The environment may keep them.
        """
        return actions.copy() if self._action_dtype == np.float32 else self.bounded(actions)

    @property
    def wrapped(self) -> gymnasium.Env[Any, Any]:
        """The environment itself, for training's loop: its `step` gets actions of `training_actions`; see `take`."""
        return self._env

    def take(self, result: object, target: Float32Array, when: int | str) -> tuple[float, bool, bool]:
        """Reward, terminated and truncated of what the environment's own `step` gave.

        Args:
            target: the observation (n,) is written to it.
            when: the number of the step or other words, for errors.
        """
        if type(result) is tuple and len(result) == 5:
            observation, reward, terminated, truncated, _ = result
            if (
                type(observation) is np.ndarray
                and observation.dtype is _FLOAT32
                and observation.shape == self._shape
                and math.isfinite(sum(observation.tolist()))  # of doubles: infinite or NaN only where one of them is
                and isinstance(reward, float)
                and abs(reward) <= _LARGEST_REWARD
                and type(terminated) in _FLAGS
                and type(truncated) in _FLAGS
            ):
                target[:] = observation
                return float(reward), bool(terminated), bool(truncated)
        where = when if isinstance(when, str) else f"at step {when}"
        if not (isinstance(result, tuple) and len(result) == 5):
            raise TrainingError(
                f"{self.name}: step() gave {_kind(result)} {where}, "
                "not (observation, reward, terminated, truncated, info)",
                "four values are the API of the old gym package: wrap the environment with shimmy, or update it",
            )
        observation, reward, terminated, truncated, _ = result
        target[:] = self._observation(observation, where)
        number = self._reward(reward, where)
        return number, self._flag("terminated", terminated, where), self._flag("truncated", truncated, where)

    def try_out(self, action: Float32Array) -> None:
        """One reset and one step with `action` (m,): what breaks Gymnasium's contract raises here."""
        self.reset(0, "at reset")
        self.step(action, "at step 1")

    def snapshot(self) -> bytes:
        """Its state in mid-episode; see `snapshot.take`."""
        return snapshot.take(self._env)

    def restore(self, taken: bytes) -> None:
        """Go on where a snapshot was taken; see `snapshot.restore`."""
        snapshot.restore(self._env, taken)

    def close(self) -> None:
        """Close the environment; a second call does nothing."""
        if not self._closed:
            self._closed = True
            in_use.release(self._env, self)
            self._env.close()

    def _check_same(self, spec: EnvSpec) -> None:
        if spec != self.spec:
            raise UnsupportedEnvError(
                f"env_factory made {_sizes(spec)}, after {_sizes(self.spec)}",
                "it must make the same environment each time",
            )

    def _observation(self, observation: object, where: str) -> Float32Array:
        numbers = _numbers(observation)
        if numbers is None:
            raise TrainingError(
                f"{self.name}: the observation {where} is {_kind(observation)}, not numbers", "return a NumPy array"
            )
        with np.errstate(over="ignore"):
            array = numbers.astype(np.float32)  # always a copy: an environment may reuse its array
        if array.shape != self._shape:
            raise TrainingError(
                f"{self.name}: the observation {where} has shape {array.shape}, not {self._shape} as its space says",
                "make both the same",
            )
        if not np.isfinite(array).all():
            index = int(np.argmin(np.isfinite(array)))
            raise TrainingError(
                f"{self.name}: observation[{index}] is {array[index]} {where}",
                "find out in the environment where it comes from; nothing is learned from it",
            )
        return array

    def _reward(self, reward: object, where: str) -> float:
        if isinstance(reward, float) and abs(reward) <= _LARGEST_REWARD:  # np.float64 is one; NaN is not
            return float(reward)
        numbers = _numbers(reward)
        if numbers is None or numbers.size != 1:
            raise TrainingError(
                f"{self.name}: the reward {where} is {_kind(reward)}, not a number", "return one float for each step"
            )
        number = float(numbers.reshape(()))
        if not math.isfinite(number) or abs(number) > _LARGEST_REWARD:
            raise TrainingError(
                f"{self.name}: the reward is {number} {where}",
                "find out in the environment where it comes from; nothing is learned from it",
            )
        return number

    def _flag(self, name: str, value: object, where: str) -> bool:
        numbers = _numbers(value)
        if numbers is None or numbers.size != 1 or numbers.reshape(()) not in (0, 1):
            raise TrainingError(f"{self.name}: {name} is {value!r} {where}", "return True or False")
        return bool(numbers)


def check_factory(env_factory: object) -> None:
    """Refuse what cannot be a function that makes an environment.

    Raises:
        TypeError: with what to pass instead.
    """
    if isinstance(env_factory, gymnasium.Env):
        raise TypeError(f"env_factory is an environment, not a function that makes one: pass {_A_FACTORY}")
    if not callable(env_factory):
        found = repr(env_factory) if isinstance(env_factory, str) else _kind(env_factory)
        raise TypeError(f"env_factory is {found}, not a function that makes an environment: pass {_A_FACTORY}")


def make(env_factory: EnvFactory, *, may_be_vectorised: bool = False) -> gymnasium.Env[Any, Any]:
    """One environment from the user's factory, or several in one where that is allowed.

    Raises:
        TypeError: `env_factory` cannot be called without arguments, or gives something else.
        UnsupportedEnvError: it gives a vectorised environment.
        TrainingError: it raises.
    """
    check_factory(env_factory)
    try:
        env: object = env_factory()
    except Exception as error:  # a user's function may fail in any way of its own
        message = f"env_factory raised {type(error).__name__}: {error}"
        raise TrainingError(message, "call it by itself to see where") from error
    if isinstance(env, gymnasium.vector.VectorEnv) and not may_be_vectorised:
        raise UnsupportedEnvError(
            f"env_factory made {_kind(env)}, several environments in one", "make one: gymnasium.make(id)"
        )
    needed = ("observation_space", "action_space", "reset", "step", "close")
    missing = [name for name in needed if not hasattr(env, name)]
    if missing:
        raise TypeError(f"env_factory made {_kind(env)}, which has no {missing[0]}: it must return a gymnasium.Env")
    return env  # type: ignore[return-value]  # checked by its attributes: a duck-typed environment is welcome


def environment_factory(environment_id: str) -> EnvFactory:
    """A function that makes the registered Gymnasium environment `environment_id`.

    `module:id` imports the module first, which may register its own environments.

    Raises:
        UnsupportedEnvError: there is none of this id.
    """
    module, separator, registered_id = environment_id.rpartition(":")
    try:
        if separator:
            importlib.import_module(module)
        gymnasium.spec(registered_id)
    except (gymnasium.error.Error, ImportError, ValueError) as error:
        raise UnsupportedEnvError(
            f"no environment is called {environment_id!r}: {error}",
            "python -c 'import gymnasium; gymnasium.pprint_registry()' lists those that are installed",
        ) from error
    return lambda: gymnasium.make(registered_id)


def _numbers(value: object) -> npt.NDArray[Any] | None:
    """`value` as an array, unless it holds something else than numbers."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _sizes(spec: EnvSpec) -> str:
    bounds = f"{spec.action_low}..{spec.action_high}"
    behind = f", {spec.actuator_bounds} behind RescaleAction" if spec.actuator else ""
    return f"{spec.observation_dim} observations and {spec.action_dim} actions in {bounds}{behind}"


def _kind(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
