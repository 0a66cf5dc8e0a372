"""The host references of a validation.

`evaluate`, `evaluate_episode` and `trace` give the bits of the C++ library in float32, in either arithmetic mode.
`evaluate_float64` shares nothing with them but the weights: NumPy's own tanh and matrix product in float64.
It guards against both sides being wrong together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rltools_embed.policy import functions
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import (
    Activation,
    Dense,
    Float32Array,
    Gru,
    Module,
    Primitive,
    Rescale,
    SampleAndSquash,
    Standardize,
    Td3Sampling,
    primitives,
)

Float64Array = npt.NDArray[np.float64]
_UNIT_ROUNDOFF = 2.0**-24


def evaluate(modules: Sequence[Module], observations: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """Actions (k, m) for observations (k, n), bit for bit as the C++ library computes them."""
    return trace(modules, observations, arithmetic)[-1]


def trace(modules: Sequence[Module], observations: Float32Array, arithmetic: Arithmetic) -> tuple[Float32Array, ...]:
    """The output (k, width) of every primitive layer, in order; recurrent layers at their initial state."""
    return _pass(modules, observations, arithmetic, initial_states(modules, len(observations)))


def initial_states(modules: Sequence[Module], count: int) -> tuple[Float32Array, ...]:
    """The state (count, width) of every recurrent layer before the first observation of an episode, in order."""
    return tuple(np.tile(layer.initial_state, (count, 1)) for layer in modules if isinstance(layer, Gru))


def evaluate_episode(modules: Sequence[Module], observations: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """Actions (t, m) for the observations (t, n) of one episode, one after another from the initial state."""
    states = initial_states(modules, 1)
    if not states:
        return evaluate(modules, observations, arithmetic)
    is_recurrent = [isinstance(layer, Gru) for layer in primitives(tuple(modules))]
    actions = []
    for observation in observations:
        outputs = _pass(modules, observation[None, :], arithmetic, states)
        # A recurrent layer's output is its next state.
        states = tuple(output for output, is_state in zip(outputs, is_recurrent, strict=True) if is_state)
        actions.append(outputs[-1][0])
    return np.array(actions, np.float32)


def _pass(
    modules: Sequence[Module], observations: Float32Array, arithmetic: Arithmetic, states: Sequence[Float32Array]
) -> tuple[Float32Array, ...]:
    outputs: list[Float32Array] = []
    remaining_states = iter(states)
    x = observations
    # Huge observations overflow to infinity and infinity minus infinity is NaN: on the target as well.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for layer in primitives(tuple(modules)):
            x = _apply(layer, x, arithmetic, remaining_states)
            outputs.append(x)
    return tuple(outputs)


def _gru(layer: Gru, x: Float32Array, state: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    from_input = _product(layer.weights_input, layer.biases_input, x, arithmetic)
    from_state = _product(layer.weights_hidden, layer.biases_hidden, state, arithmetic)
    h = layer.output_dim
    r = functions.sigmoid(from_input[:, :h] + from_state[:, :h])
    z = functions.sigmoid(from_input[:, h : 2 * h] + from_state[:, h : 2 * h])
    n = functions.tanh(_multiply_add(from_input[:, 2 * h :], r, from_state[:, 2 * h :], arithmetic))
    return _multiply_add(n, z, state - n, arithmetic)


def _apply(layer: Primitive, x: Float32Array, arithmetic: Arithmetic, states: Iterator[Float32Array]) -> Float32Array:
    match layer:
        case Dense():
            return functions.activate(layer.activation, _product(layer.weights, layer.biases, x, arithmetic))
        case Standardize():
            return (x - layer.mean) * layer.precision
        case Gru():
            return _gru(layer, x, next(states), arithmetic)
        case SampleAndSquash():
            return functions.tanh(np.ascontiguousarray(x[:, : layer.output_dim]))
        case Td3Sampling():
            return functions.clamp(x, np.float32(-1.0), np.float32(1.0))
        case Rescale():
            half = np.float32(0.5)
            middle = half * layer.low + half * layer.high
            half_range = half * layer.high - half * layer.low
            return functions.clamp(middle + x * half_range, layer.low, layer.high)


def _product(weights: Float32Array, biases: Float32Array, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """Bias first, then the products in index order, one accumulator per output."""
    accumulator = np.repeat(biases[:, None], len(x), axis=1)
    inputs = np.ascontiguousarray(x.T)
    for column, row in zip(weights.T, inputs, strict=True):
        accumulator = _multiply_add(accumulator, column[:, None], row, arithmetic)
    return np.ascontiguousarray(accumulator.T)


def _multiply_add(c: Float32Array, a: Float32Array, b: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """`c + a*b` as the arithmetic mode rounds it."""
    if arithmetic is Arithmetic.FUSED:
        return fused_multiply_add(a, b, c)
    total: Float32Array = c + a * b
    return total


def fused_multiply_add(a: Float32Array, b: Float32Array, c: Float32Array) -> Float32Array:
    """`a*b + c`, rounded once to float32.

    The product of two float32 is exact in float64. The sum is rounded to odd there (Boldo and Melquiond, 2008):
    with 29 spare bits, rounding the result again to float32 is then the same as rounding the exact sum.
    """
    product = a.astype(np.float64) * b.astype(np.float64)
    addend = c.astype(np.float64)
    total = product + addend
    # What the addition lost, exactly (Knuth's TwoSum).
    virtual = total - product
    lost = (product - (total - virtual)) + (addend - virtual)
    bits = np.ascontiguousarray(total).view(np.int64)
    is_inexact_and_even = np.isfinite(total) & (lost != 0) & ((bits & 1) == 0)
    # Towards the lost part: away from zero in magnitude where it has the total's sign.
    step = np.where((lost > 0) == (total > 0), 1, -1)
    odd = np.where(is_inexact_and_even, bits + step, bits).view(np.float64)
    return odd.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Float64Actions:
    """Actions in float64, and how far a correct float32 evaluation is expected to be from them at most: both (k, m).

    The allowance treats rounding errors as independent (Higham and Mary, 2019, doi:10.1137/18M1226312): a sum of n
    products is off by the square root of n units roundoff of its terms' magnitudes, errors that come in add up by
    squares, an activation's slope passes them on. Sums are mostly smaller than their terms, so what is seen is some
    ten times less; a wrong weight, bias or function is far more.
    """

    values: Float64Array
    allowance: Float64Array


def evaluate_float64(modules: Sequence[Module], observations: Float32Array) -> Float64Actions:
    """Actions in float64, by NumPy's own functions: independent of the float32 reference.

    Recurrent layers are at their initial state.
    """
    x = observations.astype(np.float64)
    variance = np.zeros_like(x)
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in primitives(tuple(modules)):
            x, variance = _apply_float64(layer, x, variance)
    return Float64Actions(x, np.sqrt(variance))


def _product_float64(
    weights: Float32Array, biases: Float32Array, x: Float64Array, variance: Float64Array
) -> tuple[Float64Array, Float64Array]:
    w, b = weights.astype(np.float64), biases.astype(np.float64)
    terms = np.abs(x) @ np.abs(w).T + np.abs(b)
    return x @ w.T + b, variance @ np.square(w).T + (w.shape[1] + 1) * np.square(_UNIT_ROUNDOFF * terms)


def gru_float64(
    layer: Gru, x: Float64Array, variance: Float64Array, state: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """The next state (k, h) from an exact one, as the unit is defined, `(1 - z) * n + z * h`, and its variance."""
    h = layer.output_dim
    a, var_a = _product_float64(layer.weights_input, layer.biases_input, x, variance)
    c, var_c = _product_float64(layer.weights_hidden, layer.biases_hidden, state, np.zeros_like(state))
    gates = 1.0 / (1.0 + np.exp(-(a + c)[:, : 2 * h]))
    # The steepest slope of the sigmoid is 1/4.
    var_gates = (var_a + var_c + np.square(_UNIT_ROUNDOFF * (np.abs(a) + np.abs(c))))[:, : 2 * h] / 16.0
    var_gates = var_gates + np.square(8 * _UNIT_ROUNDOFF * gates)
    (r, z), (var_r, var_z) = np.split(gates, 2, axis=1), np.split(var_gates, 2, axis=1)
    a, c, var_a, var_c = (array[:, 2 * h :] for array in (a, c, var_a, var_c))
    n = np.tanh(a + r * c)
    var_n = (
        var_a + np.square(r) * var_c + np.square(c) * var_r + 2 * np.square(_UNIT_ROUNDOFF * (np.abs(a) + np.abs(c)))
    )
    var_n = _after_activation(Activation.TANH, n, var_n)
    rounding = 4 * np.square(_UNIT_ROUNDOFF * (np.abs(n) + np.abs(state)))
    blended = np.square(1.0 - z) * var_n + np.square(state - n) * var_z + rounding
    return (1.0 - z) * n + z * state, blended


def _apply_float64(layer: Primitive, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
    """A layer's values and the variance of their float32 errors."""
    match layer:
        case Dense():
            sums, variance = _product_float64(layer.weights, layer.biases, x, variance)
            values = _ACTIVATIONS_FLOAT64[layer.activation](sums)
            return values, _after_activation(layer.activation, values, variance)
        case Standardize():
            precision = layer.precision.astype(np.float64)
            values = (x - layer.mean) * precision
            rounding = np.square(_UNIT_ROUNDOFF * (np.abs(x) + np.abs(layer.mean)) * precision)
            return values, variance * np.square(precision) + 2 * rounding
        case Gru():
            return gru_float64(layer, x, variance, np.tile(layer.initial_state.astype(np.float64), (len(x), 1)))
        case SampleAndSquash():
            values = np.tanh(x[:, : layer.output_dim])
            return values, _after_activation(Activation.TANH, values, variance[:, : layer.output_dim])
        case Td3Sampling():
            return np.clip(x, -1.0, 1.0), variance
        case Rescale():
            low, high = layer.low.astype(np.float64), layer.high.astype(np.float64)
            values = low + (np.clip(x, -1.0, 1.0) + 1.0) / 2.0 * (high - low)
            magnitude = np.maximum(np.abs(low), np.abs(high))
            return values, variance * np.square((high - low) / 2.0) + 4 * np.square(_UNIT_ROUNDOFF * magnitude)


def _after_activation(activation: Activation, values: Float64Array, variance: Float64Array) -> Float64Array:
    """With the steepest slope, and the few roundings of the function itself."""
    if activation in (Activation.IDENTITY, Activation.RELU):
        return variance
    slope = 1.13 if activation is Activation.GELU else 1.0
    return slope**2 * variance + np.square(8 * _UNIT_ROUNDOFF * np.abs(values))


def _fast_tanh_float64(x: Float64Array) -> Float64Array:
    c = np.clip(x, -3.0, 3.0)
    return c * (27.0 + c**2) / (27.0 + 9.0 * c**2)


_ACTIVATIONS_FLOAT64: dict[Activation, Callable[[Float64Array], Float64Array]] = {
    Activation.IDENTITY: lambda x: x,
    Activation.RELU: lambda x: np.maximum(x, 0.0),
    Activation.GELU: lambda x: 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3))),
    Activation.TANH: np.tanh,
    Activation.FAST_TANH: _fast_tanh_float64,
    Activation.SIGMOID: lambda x: 1.0 / (1.0 + np.exp(-x)),
}
