"""Multiply-adds and the dense layer's sums of products: float32 as each arithmetic mode rounds them, and float64.

In float64 each value comes with the variance of its float32 error; `reference.Float64Actions` says where it is from.
"""

from __future__ import annotations

import numpy as np

from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array

UNIT_ROUNDOFF = 2.0**-24


def multiply_add(c: Float32Array, a: Float32Array, b: Float32Array, arithmetic: Arithmetic) -> Float32Array:
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


def affine(weights: Float32Array, biases: Float32Array, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
    """`weights @ row + biases` of every row of `x` (k, n): (k, m).

    Bias first, then the products in index order, one accumulator per output.
    """
    accumulator = np.repeat(biases[:, None], len(x), axis=1)
    inputs = np.ascontiguousarray(x.T)
    for column, row in zip(weights.T, inputs, strict=True):
        accumulator = multiply_add(accumulator, column[:, None], row, arithmetic)
    return np.ascontiguousarray(accumulator.T)


def affine_float64(
    weights: Float32Array, biases: Float32Array, x: Float64Array, variance: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """The same in float64, and the variance of the float32 errors: both (k, m).

    Args:
        variance: (k, n), of the errors of `x`.
    """
    w, b = weights.astype(np.float64), biases.astype(np.float64)
    terms = np.abs(x) @ np.abs(w).T + np.abs(b)
    return x @ w.T + b, variance @ np.square(w).T + (w.shape[1] + 1) * np.square(UNIT_ROUNDOFF * terms)
