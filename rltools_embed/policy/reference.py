"""The host references of a validation.

`evaluate`, `evaluate_episode` and `trace` give the bits of the C++ library in float32, in either arithmetic mode.
`evaluate_float64` shares nothing with them but the weights: NumPy's own tanh and matrix product in float64.
It guards against both sides being wrong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array
from rltools_embed.policy.float_mode import require_standard_mode
from rltools_embed.policy.layers import Layer, Recurrent, primitives
from rltools_embed.policy.products import fused_multiply_add

__all__ = [
    "Float64Actions",
    "evaluate",
    "evaluate_episode",
    "evaluate_float64",
    "fused_multiply_add",
    "gru_float64",
    "initial_states",
    "trace",
]


def evaluate(modules: Sequence[Layer], observations: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """Actions (k, m) for observations (k, n), bit for bit as the C++ library computes them."""
    return trace(modules, observations, arithmetic)[-1]


def trace(modules: Sequence[Layer], observations: Float32Array, arithmetic: Arithmetic) -> tuple[Float32Array, ...]:
    """The output (k, width) of every primitive layer, in order; recurrent layers at their initial state.

    Raises:
        RltEmbedError: this process computes in a mode that gives other bits.
    """
    require_standard_mode()
    outputs: list[Float32Array] = []
    x = observations
    with _as_a_target_overflows():
        for layer in primitives(modules):
            x = layer.evaluate(x, arithmetic)
            outputs.append(x)
    return tuple(outputs)


def initial_states(modules: Sequence[Layer], count: int) -> tuple[Float32Array, ...]:
    """The state (count, s) of every recurrent layer before the first observation of an episode, in order."""
    return tuple(layer.initial_states(count) for layer in primitives(modules) if isinstance(layer, Recurrent))


def evaluate_episode(modules: Sequence[Layer], observations: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """Actions (t, m) for the observations (t, n) of one episode, one after another from the initial state."""
    states = initial_states(modules, 1)
    if not states:
        return evaluate(modules, observations, arithmetic)
    require_standard_mode()
    actions = []
    with _as_a_target_overflows():
        for observation in observations:
            action, states = _step(modules, observation[None, :], states, arithmetic)
            actions.append(action[0])
    return np.array(actions, np.float32)


def _step(
    modules: Sequence[Layer], x: Float32Array, states: Sequence[Float32Array], arithmetic: Arithmetic
) -> tuple[Float32Array, tuple[Float32Array, ...]]:
    """The actions of one step, and the next states."""
    remaining_states = iter(states)
    next_states: list[Float32Array] = []
    for layer in primitives(modules):
        if isinstance(layer, Recurrent):
            x, next_state = layer.step(x, next(remaining_states), arithmetic)
            next_states.append(next_state)
        else:
            x = layer.evaluate(x, arithmetic)
    return x, tuple(next_states)


def _as_a_target_overflows() -> np.errstate:
    """Huge observations overflow to infinity and infinity minus infinity is NaN: on the target as well."""
    return np.errstate(over="ignore", invalid="ignore", under="ignore")


@dataclass(frozen=True, eq=False)
class Float64Actions:
    """Actions in float64, and how far a correct float32 evaluation is expected to be from them at most: both (k, m).

    The allowance treats rounding errors as independent (Higham and Mary, 2019, doi:10.1137/18M1226312).
    A sum of n products is off by the square root of n units roundoff of its terms' magnitudes.
    Errors that come in add up by squares, and an activation's slope passes them on.
    Sums are mostly smaller than their terms, so what is seen is some ten times less.
    A wrong weight, bias or function is far more.
    """

    values: Float64Array
    allowance: Float64Array


def evaluate_float64(modules: Sequence[Layer], observations: Float32Array) -> Float64Actions:
    """Actions in float64, by NumPy's own functions: independent of the float32 reference.

    Recurrent layers are at their initial state.
    """
    x = observations.astype(np.float64)
    variance = np.zeros_like(x)
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in primitives(modules):
            x, variance = layer.evaluate_float64(x, variance)
    return Float64Actions(x, np.sqrt(variance))


def gru_float64(
    layer: Recurrent, x: Float64Array, variance: Float64Array, state: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """The next state (k, h) of a `Gru` from an exact one, and the variance of its float32 error."""
    return layer.step_float64(x, variance, state)
