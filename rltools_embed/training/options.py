"""Training options under the names that RLtools' users know, checked before a compiler starts."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from rltools_embed.policy.model import Activation

# A check takes a value and returns it in its plain type, or raises ValueError with what is allowed.
_Check = Callable[[object], object]
_Options = TypeVar("_Options")

# Sizes above these are more likely a slip than a wish: a compiler would work on them for minutes.
_LARGEST_DIM = 4096
_LARGEST_BATCH = 16384


class _NotAllowedError(ValueError):
    """What is allowed, for the sentence that names option and value."""


def _integer(at_least: int, at_most: int = 2**53) -> _Check:
    is_open = at_most == 2**53
    allowed = f"a whole number of at least {at_least}" if is_open else f"a whole number, {at_least} to {at_most}"

    def check(value: object) -> int:
        try:
            number = operator.index(cast(Any, value))
        except TypeError:
            raise _NotAllowedError(allowed) from None
        if isinstance(value, bool) or not at_least <= number <= at_most:
            raise _NotAllowedError(allowed)
        return number

    return check


def _real(allowed: str, accepts: Callable[[float], bool]) -> _Check:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise _NotAllowedError(allowed)
        number = float(value)
        if not math.isfinite(number) or not accepts(number):
            raise _NotAllowedError(allowed)
        return number

    return check


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _NotAllowedError("True or False")
    return value


def _activation(value: object) -> str:
    names = [activation.name for activation in Activation]
    if value not in names:
        near = difflib.get_close_matches(str(value).upper(), names, n=1)
        raise _NotAllowedError(f"one of {', '.join(names)}" + (f" (did you mean {near[0]}?)" if near else ""))
    return str(value)


def _only(allowed_value: object, reason: str) -> _Check:
    def check(value: object) -> object:
        if isinstance(value, bool) != isinstance(allowed_value, bool) or value != allowed_value:
            raise _NotAllowedError(f"{allowed_value}: {reason}")
        return allowed_value

    return check


def _or_none(check: _Check) -> _Check:
    return lambda value: None if value is None else check(value)


_COUNT = _integer(1)
_COUNT_OR_NONE = _or_none(_COUNT)
_WARMUP = _or_none(_integer(0))
_UNIT_INTERVAL = _real("a number from 0 to 1", lambda x: 0 <= x <= 1)
_BETA = _real("a number from 0 to below 1", lambda x: 0 <= x < 1)
_POSITIVE = _real("a number above 0", lambda x: x > 0)
_NOT_NEGATIVE = _real("a number of at least 0", lambda x: x >= 0)
_FINITE = _real("a finite number", lambda x: True)
_DIM = _integer(1, _LARGEST_DIM)
_BATCH = _integer(1, _LARGEST_BATCH)
_LAYERS = _integer(2, 32)


def _option(default: Any, check: _Check) -> Any:
    return dataclasses.field(default=default, metadata={"check": check})


@dataclass(frozen=True, kw_only=True)
class SacOptions:
    """Options of soft actor-critic (Haarnoja et al., arXiv:1812.05905).

    Only sizes, layer counts and activation functions become code; everything else may change without a compilation.

    Attributes:
        GAMMA: discount per environment step.
        ACTOR_BATCH_SIZE: transitions per actor update.
        CRITIC_BATCH_SIZE: transitions per critic update; must equal ACTOR_BATCH_SIZE.
        CRITIC_TRAINING_INTERVAL: environment steps between critic updates.
        ACTOR_TRAINING_INTERVAL: environment steps between updates of actor and temperature.
        CRITIC_TARGET_UPDATE_INTERVAL: environment steps between updates of the target critics.
        ACTOR_POLYAK: known for RLtools' sake; SAC has no target actor.
        CRITIC_POLYAK: share of itself that a target critic keeps at an update.
        IGNORE_TERMINATION: bootstrap after terminated transitions too.
        N_ENVIRONMENTS: environments stepped side by side.
        N_WARMUP_STEPS: environment steps with uniform random actions; None: the batch size.
        N_WARMUP_STEPS_ACTOR: environment steps before the first actor update; None: N_WARMUP_STEPS.
        N_WARMUP_STEPS_CRITIC: environment steps before the first critic update; None: N_WARMUP_STEPS.
        STEP_LIMIT: environment steps of the whole training.
        REPLAY_BUFFER_CAP: transitions that are kept; None: STEP_LIMIT.
        EPISODE_STEP_LIMIT: steps after which an episode is truncated; None: only the environment decides.
        ACTOR_HIDDEN_DIM: units per hidden layer.
        ACTOR_NUM_LAYERS: input, hidden and output layers: 3 means two hidden layers.
        ACTOR_ACTIVATION_FUNCTION: IDENTITY, RELU, GELU, TANH, FAST_TANH or SIGMOID, of the hidden layers.
        COLLECT_EPISODE_STATS: keep return and length of training episodes (`state.episodes`).
        EPISODE_STATS_BUFFER_SIZE: how many of them are kept.
        SHARED_BATCH: actor and critics are updated on the same transitions.
        TARGET_ENTROPY: nats that the temperature aims for; None: minus the number of actions.
        ALPHA: first temperature, in units of reward per nat.
        ADAPTIVE_ALPHA: learn the temperature.
        LOG_STD_LOWER_BOUND: clamp of the policy's log standard deviation.
        LOG_PROBABILITY_EPSILON: keeps log(1 - action²) finite.
        OPTIMIZER_ALPHA: learning rate of Adam (arXiv:1412.6980) for actor, critics and temperature.
        OPTIMIZER_EPSILON: added to the root of Adam's second moment.
        OPTIMIZER_EPSILON_SQRT: added under that root.
    """

    GAMMA: float = _option(0.99, _UNIT_INTERVAL)
    ACTOR_BATCH_SIZE: int = _option(100, _BATCH)
    CRITIC_BATCH_SIZE: int = _option(100, _BATCH)
    CRITIC_TRAINING_INTERVAL: int = _option(1, _COUNT)
    ACTOR_TRAINING_INTERVAL: int = _option(1, _COUNT)
    CRITIC_TARGET_UPDATE_INTERVAL: int = _option(1, _COUNT)
    ACTOR_POLYAK: float = _option(0.995, _only(0.995, "SAC has no target actor"))
    CRITIC_POLYAK: float = _option(0.995, _UNIT_INTERVAL)
    IGNORE_TERMINATION: bool = _option(False, _boolean)
    N_ENVIRONMENTS: int = _option(1, _only(1, "SAC steps one environment here"))
    N_WARMUP_STEPS: int | None = _option(None, _WARMUP)
    N_WARMUP_STEPS_ACTOR: int | None = _option(None, _WARMUP)
    N_WARMUP_STEPS_CRITIC: int | None = _option(None, _WARMUP)
    STEP_LIMIT: int = _option(10000, _COUNT)
    REPLAY_BUFFER_CAP: int | None = _option(None, _or_none(_integer(1, 2**32 - 1)))
    EPISODE_STEP_LIMIT: int | None = _option(None, _COUNT_OR_NONE)
    ACTOR_HIDDEN_DIM: int = _option(64, _DIM)
    ACTOR_NUM_LAYERS: int = _option(3, _LAYERS)
    ACTOR_ACTIVATION_FUNCTION: str = _option("RELU", _activation)
    CRITIC_HIDDEN_DIM: int = _option(64, _DIM)
    CRITIC_NUM_LAYERS: int = _option(3, _LAYERS)
    CRITIC_ACTIVATION_FUNCTION: str = _option("RELU", _activation)
    COLLECT_EPISODE_STATS: bool = _option(True, _boolean)
    EPISODE_STATS_BUFFER_SIZE: int = _option(1000, _COUNT)
    SHARED_BATCH: bool = _option(True, _boolean)
    TARGET_ENTROPY: float | None = _option(None, _or_none(_FINITE))
    ALPHA: float = _option(0.5, _POSITIVE)
    ADAPTIVE_ALPHA: bool = _option(True, _boolean)
    LOG_STD_LOWER_BOUND: float = _option(-20.0, _FINITE)
    LOG_STD_UPPER_BOUND: float = _option(2.0, _FINITE)
    LOG_PROBABILITY_EPSILON: float = _option(1e-6, _POSITIVE)
    OPTIMIZER_ALPHA: float = _option(1e-3, _POSITIVE)
    OPTIMIZER_BETA_1: float = _option(0.9, _BETA)
    OPTIMIZER_BETA_2: float = _option(0.999, _BETA)
    OPTIMIZER_EPSILON: float = _option(1e-7, _POSITIVE)
    OPTIMIZER_EPSILON_SQRT: float = _option(1e-7, _NOT_NEGATIVE)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.CRITIC_BATCH_SIZE != self.ACTOR_BATCH_SIZE:
            raise ValueError(
                f"CRITIC_BATCH_SIZE is {self.CRITIC_BATCH_SIZE} and ACTOR_BATCH_SIZE is {self.ACTOR_BATCH_SIZE}: "
                "they must be equal"
            )
        if not self.LOG_STD_LOWER_BOUND < self.LOG_STD_UPPER_BOUND:
            raise ValueError(
                f"LOG_STD_LOWER_BOUND is {self.LOG_STD_LOWER_BOUND}, "
                f"not below LOG_STD_UPPER_BOUND, {self.LOG_STD_UPPER_BOUND}"
            )

    @property
    def warmup_steps(self) -> int:
        return self.ACTOR_BATCH_SIZE if self.N_WARMUP_STEPS is None else self.N_WARMUP_STEPS

    @property
    def warmup_steps_actor(self) -> int:
        return self.warmup_steps if self.N_WARMUP_STEPS_ACTOR is None else self.N_WARMUP_STEPS_ACTOR

    @property
    def warmup_steps_critic(self) -> int:
        return self.warmup_steps if self.N_WARMUP_STEPS_CRITIC is None else self.N_WARMUP_STEPS_CRITIC


def check_fields(options: object) -> None:
    """Check every option by its own rule and store it in its plain type.

    Raises:
        ValueError: names the option, its value, and what is allowed.
    """
    for field in dataclasses.fields(cast(Any, options)):
        value = getattr(options, field.name)
        try:
            object.__setattr__(options, field.name, field.metadata["check"](value))
        except _NotAllowedError as allowed:
            raise ValueError(f"{field.name} is {value!r}: it must be {allowed}") from None


def from_keywords(kind: type[_Options], keywords: Mapping[str, object]) -> _Options:
    """Options of `kind` from a call's keyword arguments.

    Raises:
        TypeError: a name that is not an option, with the nearest that is.
    """
    names = [field.name for field in dataclasses.fields(cast(Any, kind))]
    for name in keywords:
        if name not in names:
            near = difflib.get_close_matches(name.upper(), names, n=1)
            known = f"did you mean {near[0]}?" if near else f"the options are {', '.join(names)}"
            raise TypeError(f"{name!r} is not an option: {known}")
    return kind(**keywords)
