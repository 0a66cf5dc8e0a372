"""The host references of a validation.

`evaluate` and `trace` give the bits of the C++ library in float32, in either arithmetic mode.
`evaluate_float64` shares nothing with them but the weights: NumPy's own tanh and matrix product in float64.
It guards against both sides being wrong together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rltools_embed.policy import functions
from rltools_embed.policy.layers import (
    Activation,
    Arithmetic,
    Dense,
    Float32Array,
    Module,
    Primitive,
    Rescale,
    SampleAndSquash,
    Standardize,
    Td3Sampling,
    primitives,
)

Float64Array = npt.NDArray[np.float64]


def evaluate(modules: Sequence[Module], observations: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """Actions (k, m) for observations (k, n), bit for bit as the C++ library computes them."""
    return trace(modules, observations, arithmetic)[-1]


def trace(modules: Sequence[Module], observations: Float32Array, arithmetic: Arithmetic) -> tuple[Float32Array, ...]:
    """The output (k, width) of every primitive layer, in order."""
    outputs: list[Float32Array] = []
    x = observations
    # Huge observations overflow to infinity and infinity minus infinity is NaN: on the target as well.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for layer in primitives(tuple(modules)):
            x = _apply(layer, x, arithmetic)
            outputs.append(x)
    return tuple(outputs)


def _apply(layer: Primitive, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    match layer:
        case Dense():
            return functions.activate(layer.activation, _dense(layer, x, arithmetic))
        case Standardize():
            return (x - layer.mean) * layer.precision
        case SampleAndSquash():
            return functions.tanh(np.ascontiguousarray(x[:, : layer.output_dim]))
        case Td3Sampling():
            return functions.clamp(x, np.float32(-1.0), np.float32(1.0))
        case Rescale():
            half = np.float32(0.5)
            middle = half * layer.low + half * layer.high
            half_range = half * layer.high - half * layer.low
            return functions.clamp(middle + x * half_range, layer.low, layer.high)


def _dense(layer: Dense, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """Bias first, then the products in index order, one accumulator per output."""
    accumulator = np.repeat(layer.biases[:, None], len(x), axis=1)
    inputs = np.ascontiguousarray(x.T)
    for column, row in zip(layer.weights.T, inputs, strict=True):
        if arithmetic is Arithmetic.FUSED:
            accumulator = fused_multiply_add(column[:, None], row, accumulator)
        else:
            accumulator = accumulator + column[:, None] * row
    return np.ascontiguousarray(accumulator.T)


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


def evaluate_float64(modules: Sequence[Module], observations: Float32Array) -> Float64Array:
    """Actions (k, m) in float64, by NumPy's own functions: independent of the float32 reference."""
    x = observations.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in primitives(tuple(modules)):
            x = _apply_float64(layer, x)
    return x


def _apply_float64(layer: Primitive, x: Float64Array) -> Float64Array:
    match layer:
        case Dense():
            return _ACTIVATIONS_FLOAT64[layer.activation](x @ layer.weights.astype(np.float64).T + layer.biases)
        case Standardize():
            return (x - layer.mean) * layer.precision
        case SampleAndSquash():
            return np.tanh(x[:, : layer.output_dim])
        case Td3Sampling():
            return np.clip(x, -1.0, 1.0)
        case Rescale():
            low, high = layer.low.astype(np.float64), layer.high.astype(np.float64)
            return low + (np.clip(x, -1.0, 1.0) + 1.0) / 2.0 * (high - low)


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
