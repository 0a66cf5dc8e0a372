"""A policy as frozen data: its modules, what its numbers mean, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import (
    Activation,
    Dense,
    Float32Array,
    Gru,
    Mlp,
    Module,
    Primitive,
    Recurrent,
    Rescale,
    SampleAndSquash,
    Standardize,
    Td3Sampling,
    frozen_array,
    primitives,
)

__all__ = [
    "Activation",
    "Arithmetic",
    "Dense",
    "Float32Array",
    "Gru",
    "Mlp",
    "Module",
    "Policy",
    "Primitive",
    "Provenance",
    "Rescale",
    "SampleAndSquash",
    "Signal",
    "Standardize",
    "Td3Sampling",
]

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One number of an observation or an action: its name, bounds and unit, as far as the environment gives them."""

    name: str
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a policy comes from. Empty or None where it is not known."""

    environment: str = ""
    algorithm: str = ""
    seed: int | None = None
    steps: int | None = None
    mean_return: float | None = None
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Policy:
    """A deterministic map from an observation (n,) to an action (m,), and what a user of it should know.

    Attributes:
        layers: the modules, applied in order.
        observation: one `Signal` per number of an observation.
        action: one `Signal` per number of an action.
        actuator: per number of an action the bounds that the environment itself takes, where training put a scaling
            between the two: `action`'s bounds stand for these, and what is between them is affine. Empty: the actions
            go to the environment as they are. No part of `evaluate`, and not in the digest.
        control_period_s: seconds between two actions in training; None where the environment does not say.
        example_observations: (k, n), observations whose outputs travel with the checkpoint as bits.
    """

    name: str
    layers: tuple[Module, ...]
    observation: tuple[Signal, ...]
    action: tuple[Signal, ...]
    example_observations: Float32Array
    actuator: tuple[Signal, ...] = ()
    control_period_s: float | None = None
    provenance: Provenance = field(default_factory=Provenance)
    _computed: dict[Callable[[Policy], Any], Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("a policy has at least one module")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.output_dim != after.input_dim:
                raise ValueError(
                    f"{type(after).__name__} of {after.input_dim} inputs follows "
                    f"{type(before).__name__} of {before.output_dim} outputs"
                )
        for name, signals, dim in (
            ("observation", self.observation, self.observation_dim),
            ("action", self.action, self.action_dim),
        ):
            if len(signals) != dim:
                raise ValueError(f"{len(signals)} {name} signals for {dim} numbers")
        if self.actuator:
            _check_scaling(self.action, self.actuator)
        if not len(self.example_observations):
            raise ValueError("a policy has at least one example observation")
        shape = (len(self.example_observations), self.observation_dim)
        examples = frozen_array("example_observations", self.example_observations, shape)
        object.__setattr__(self, "example_observations", examples)

    @property
    def observation_dim(self) -> int:
        """How many numbers an observation has."""
        return self.layers[0].input_dim

    @property
    def action_dim(self) -> int:
        """How many numbers an action has."""
        return self.layers[-1].output_dim

    @property
    def primitives(self) -> tuple[Primitive, ...]:
        """The layers that a trace shows: an mlp counts as its dense layers."""
        return tuple(primitives(self.layers))

    @property
    def parameter_count(self) -> int:
        """How many float32 numbers the policy holds."""
        return sum(module.number_count() for module in self.layers)

    def once(self, compute: Callable[[Policy], _T]) -> _T:
        """`compute(self)`, computed at the first call: for what follows from a policy alone, as its digest does."""
        if compute not in self._computed:
            self._computed[compute] = compute(self)
        result: _T = self._computed[compute]
        return result

    def __getstate__(self) -> dict[str, Any]:
        """Without what `once` keeps: a pickle holds the numbers, not their text as well."""
        return {**vars(self), "_computed": {}}

    def evaluate(self, observations: npt.ArrayLike, arithmetic: Arithmetic = Arithmetic.SEPARATE) -> Float32Array:
        """The deterministic action for one observation (n,) or a batch (k, n): (m,) or (k, m), float32.

        The bits are those of the C++ library on any target in the same arithmetic mode.
        A recurrent policy takes one step from its initial state, for every observation.

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        batch, is_single = as_observations(observations, self.observation_dim)
        actions = reference.evaluate(self.layers, batch, arithmetic)
        return actions[0] if is_single else actions

    __call__ = evaluate

    @property
    def is_recurrent(self) -> bool:
        """Whether an action depends on the observations before."""
        return any(isinstance(layer, Recurrent) for layer in self.primitives)

    def evaluate_episode(
        self, observations: npt.ArrayLike, arithmetic: Arithmetic = Arithmetic.SEPARATE
    ) -> Float32Array:
        """The actions (t, m) for the observations (t, n) of one episode, one after another from the initial state.

        Without a recurrent layer they are those of `evaluate`.

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        batch, _ = as_observations(observations, self.observation_dim)
        return reference.evaluate_episode(self.layers, batch, arithmetic)


def _check_scaling(action: tuple[Signal, ...], actuator: tuple[Signal, ...]) -> None:
    """Both as float32, which a board reckons in."""
    if len(actuator) != len(action):
        raise ValueError(f"{len(actuator)} actuator signals for {len(action)} numbers of an action")
    for signal in (*action, *actuator):
        with np.errstate(over="ignore"):
            low, high = np.float32(signal.low), np.float32(signal.high)
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"{signal.name} cannot be scaled: its bounds are {signal.low} and {signal.high}")
    for inner, outer in zip(actuator, action, strict=True):
        gain = (inner.high - inner.low) / (outer.high - outer.low)
        if gain > float(np.finfo(np.float32).max):
            raise ValueError(f"{outer.name} cannot be scaled to {inner.name}: {gain:g} is more than a float32 holds")


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_observations(values: npt.ArrayLike, observation_dim: int) -> tuple[Float32Array, bool]:
    """`values` as a contiguous float32 batch (k, observation_dim), and whether it was one observation.

    Raises:
        ValueError: another shape, or a number that is not finite as float32.
    """
    expected = f"({observation_dim},) or (batch, {observation_dim})"
    try:
        given = np.asarray(values)
    except ValueError as error:  # NumPy's own words for rows of different lengths are three lines
        raise ValueError(f"the observations differ in their lengths: pass an array {expected}") from error
    if given.dtype.kind not in "biuf":
        raise ValueError(f"an observation is {_shortened(values)}: pass an array {expected} of real numbers")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(given, dtype=np.float32)
    if array.ndim not in (1, 2) or np.ndim(values) == 0 or array.shape[-1] != observation_dim:
        raise ValueError(f"an observation has shape {expected}, not {np.shape(values)}")
    finite = np.isfinite(array)
    if not finite.all():
        index = [int(i) for i in np.argwhere(~finite)[0]]
        raise ValueError(f"observation{index} is {given[tuple(index)]}: a policy takes what is finite as float32")
    return np.atleast_2d(array), array.ndim == 1
