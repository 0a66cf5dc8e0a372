"""An environment's spaces as static sizes: what a policy needs to know about its environment, frozen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from rltools_embed.environments import wrapping
from rltools_embed.errors import UnsupportedEnvError
from rltools_embed.policy.model import Signal

# Observation and action dim, then the actions' lower and upper bounds.
Sizes: TypeAlias = tuple[int, int, tuple[float, ...], tuple[float, ...]]
# Per number its lower and its upper bound.
Bounds: TypeAlias = tuple[tuple[float, float], ...]

# What to wrap where a space is not a flat Box.
_FLATTEN = "wrap it: gymnasium.wrappers.FlattenObservation(env)"
_BOUNDS = "wrap it with finite bounds: gymnasium.wrappers.TransformAction(env, func, spaces.Box(-1, 1, shape))"
_NO_CLIPPING = "leave ClipAction out: it takes any number, and actions never leave the box here"
_BOX_ACTIONS = "only Box action spaces can be trained here; wrap the environment so that it takes a Box of floats"


@dataclass(frozen=True, kw_only=True)
class EnvSpec:
    """The sizes, bounds and names of an environment's observations and actions.

    Attributes:
        action_low: per action the lower bound that the environment asks for. Training itself acts in [-1, 1].
        observation: one `Signal` per number of an observation.
        action: one `Signal` per number of an action.
        actuator: the same behind `RescaleAction`, where that is around the environment; else empty.
        control_period_s: seconds between two actions, where the environment has a `dt`.
        environment: the Gymnasium id, or empty.
    """

    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    observation: tuple[Signal, ...]
    action: tuple[Signal, ...]
    actuator: tuple[Signal, ...] = ()
    control_period_s: float | None = None
    environment: str = ""

    @property
    def observation_dim(self) -> int:
        """How many numbers an observation has."""
        return len(self.observation)

    @property
    def action_dim(self) -> int:
        """How many numbers an action has."""
        return len(self.action)

    @property
    def sizes(self) -> Sizes:
        """Observation and action dim, and the bounds of actions: what a saved run must fit."""
        return self.observation_dim, self.action_dim, self.action_low, self.action_high

    @property
    def actuator_bounds(self) -> Bounds:
        """Lower and upper bound of each actuator; empty without `RescaleAction`."""
        return tuple((signal.low, signal.high) for signal in self.actuator)

    @property
    def is_rescaled(self) -> bool:
        """Whether actions must be brought from [-1, 1] to the environment's own bounds."""
        return any(low != -1.0 for low in self.action_low) or any(high != 1.0 for high in self.action_high)

    @classmethod
    def from_vector_env(cls, env: VectorEnv[Any, Any, Any]) -> EnvSpec:
        """The spec of each of the environments in `env`.

        Raises:
            UnsupportedEnvError: as `from_env`.
        """
        first = next(iter(getattr(env.unwrapped, "envs", ())), env)
        return cls._of(env.single_observation_space, env.single_action_space, env, first)

    @classmethod
    def from_env(cls, env: gymnasium.Env[Any, Any]) -> EnvSpec:
        """The spec of `env`.

        Raises:
            UnsupportedEnvError: a space has no static size, or no bounds to act in.
        """
        return cls._of(env.observation_space, env.action_space, env, env)

    @classmethod
    def _of(cls, observation_space: object, action_space: object, env: object, timed: Any) -> EnvSpec:
        environment = environment_id(env)
        prefix = f"{environment}: " if environment else ""
        observation = _box(observation_space, f"{prefix}the observation space", _FLATTEN)
        action = _box(action_space, f"{prefix}the action space", _BOX_ACTIONS)
        hint = _NO_CLIPPING if wrapping.has_clipping(env) else _BOUNDS
        low, high = _action_bounds(action, f"{prefix}the action space", hint)
        return cls(
            action_low=low,
            action_high=high,
            observation=_signals("observation", np.asarray(observation.low), np.asarray(observation.high)),
            action=_signals("action", np.asarray(low), np.asarray(high)),
            actuator=_actuator(env, prefix),
            control_period_s=_control_period_s(timed),
            environment=environment,
        )


def environment_id(env: object) -> str:
    """The environment's Gymnasium id, or an empty string where it was not made by `gymnasium.make`."""
    return str(getattr(getattr(env, "spec", None), "id", "") or "")


def _box(space: object, name: str, hint: str) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        if type(space).__module__.split(".")[0] == "gym":
            hint = "this is an environment of the old gym package: use its gymnasium version, or shimmy"
        raise UnsupportedEnvError(f"{name} is {_short(space)}, not a Box", hint)
    if len(space.shape) != 1:
        if hint != _FLATTEN:
            hint = "wrap it so that actions are one row of numbers: gymnasium.wrappers.TransformAction(env, …)"
        raise UnsupportedEnvError(f"{name} has shape {space.shape}, not one row of numbers", hint)
    if space.shape[0] == 0:
        raise UnsupportedEnvError(f"{name} has shape (0,): no number at all", "a policy needs at least one")
    for bound in (space.low, space.high):
        if np.isnan(bound).any():
            index = int(np.argmax(np.isnan(bound)))
            raise UnsupportedEnvError(f"{name} has the bound nan at index {index}", "give it a number, or infinity")
    return space


def _short(space: object) -> str:
    text = " ".join(str(space).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _action_bounds(space: spaces.Box, name: str, hint: str = _BOUNDS) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not np.issubdtype(space.dtype, np.floating):
        raise UnsupportedEnvError(
            f"{name} is a Box of {space.dtype}",
            "a policy gives real numbers: take a float32 Box and round in the environment",
        )
    with np.errstate(over="ignore"):
        low, high = np.asarray(space.low, np.float32), np.asarray(space.high, np.float32)
    # A float64 bound rounds inwards: an action at the float32 bound must still be inside the box.
    low = np.where(low < space.low, np.nextafter(low, np.float32(np.inf)), low)
    high = np.where(high > space.high, np.nextafter(high, np.float32(-np.inf)), high)
    for index in range(space.shape[0]):
        if not (np.isfinite(low[index]) and np.isfinite(high[index])):
            raise UnsupportedEnvError(
                f"{name} is unbounded at index {index}: {space.low[index]} to {space.high[index]}", hint
            )
        if not low[index] < high[index]:
            raise UnsupportedEnvError(
                f"{name} is empty at index {index}: {space.low[index]} to {space.high[index]}",
                "the low bound must be below the high bound",
            )
    return tuple(float(bound) for bound in low), tuple(float(bound) for bound in high)


def _signals(name: str, low: np.ndarray[Any, Any], high: np.ndarray[Any, Any]) -> tuple[Signal, ...]:
    return tuple(
        Signal(name=f"{name}_{index}", low=float(bounds[0]), high=float(bounds[1]))
        for index, bounds in enumerate(zip(low, high, strict=True))
    )


def _actuator(env: object, prefix: str) -> tuple[Signal, ...]:
    box = wrapping.box_behind_rescaling(env)
    if box is None:
        return ()
    low, high = _action_bounds(box, f"{prefix}the action space behind RescaleAction")
    return _signals("actuator", np.asarray(low), np.asarray(high))


def _control_period_s(env: Any) -> float | None:
    try:
        period_s = float(getattr(getattr(env, "unwrapped", env), "dt", math.nan))
    except (TypeError, ValueError):
        return None
    return period_s if math.isfinite(period_s) and period_s > 0 else None
