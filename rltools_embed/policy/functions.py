"""The elementary functions of `rl_tools/math/functions.h`, operation by operation, in NumPy float32.

NumPy rounds each float32 operation once and never contracts two, so these give the C++ library's bits.
The constants of tanh are read from the C++ header: there is one table.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from rltools_embed import resources
from rltools_embed.policy.arrays import Float32Array

_SIGN_BIT = np.uint32(0x80000000)
_INFINITY_BITS = np.uint32(0x7F800000)


@cache
def _tanh_table() -> Float32Array:
    """(74, 5), row i for arguments near i/8, coefficients from the lowest order upwards."""
    header = (resources.include_dir() / "rl_tools" / "math" / "tanh_table.h").read_text(encoding="utf-8")
    rows = re.findall(r"^    \{(.*)\},$", header, flags=re.MULTILINE)
    return np.array([[float.fromhex(literal.strip(" F")) for literal in row.split(",")] for row in rows], np.float32)


def tanh(x: Float32Array) -> Float32Array:
    """One table row for the nearest eighth and a polynomial in what is left."""
    saturated, round_to_eighths = np.uint32(0x41120000), np.float32(2.0**20)
    bits = x.view(np.uint32)
    magnitude = bits & ~_SIGN_BIT
    a = np.minimum(magnitude, saturated).view(np.float32)
    shifted = a + round_to_eighths
    t = a - (shifted - round_to_eighths)
    c = _tanh_table()[shifted.view(np.uint32) - round_to_eighths.view(np.uint32)]
    y = c[..., 4]
    for order in (3, 2, 1, 0):
        y = c[..., order] + y * t
    return np.where(magnitude > _INFINITY_BITS, x, (y.view(np.uint32) | (bits & _SIGN_BIT)).view(np.float32))


def _constant(literal: str) -> np.float32:
    return np.float32(float.fromhex(literal))


def exp(x: Float32Array) -> Float32Array:
    """`exp(n*ln2 + r) = 2^n * (1 + r + r^2 * p(r))`, |r| <= ln2/2."""
    overflow_above, zero_below = _constant("0x1.62e42ep+6"), _constant("-0x1.9fe36ap+6")
    round_to_integer = np.float32(12582912.0)
    inside = (x <= overflow_above) & (x >= zero_below)
    safe = np.where(inside, x, np.float32(0.0))
    n = (round_to_integer + safe * _constant("0x1.715476p+0")) - round_to_integer
    r = (safe + -n * _constant("0x1.62e4p-1")) + -n * _constant("0x1.7f7d1cp-20")
    p = _constant("0x1.1239ep-7") + _constant("0x1.6a3d7ap-10") * r
    for literal in ("0x1.5558cp-5", "0x1.555492p-3", "0x1.fffffcp-2"):
        p = _constant(literal) + p * r
    y = np.float32(1.0) + (r + p * (r * r))
    exponent = n.astype(np.int32)
    half = (exponent / 2).astype(np.int32)  # towards zero, as C++ divides
    first = ((half + 127).astype(np.uint32) << np.uint32(23)).view(np.float32)
    second = ((exponent - half + 127).astype(np.uint32) << np.uint32(23)).view(np.float32)
    outside = np.where(x < zero_below, np.float32(0.0), x + np.float32(np.inf))
    return np.where(inside, y * first * second, outside)


_LOG_COEFFICIENTS = (
    "0x1.13ee0cp-4",
    "-0x1.dd5f0ap-4",
    "0x1.e6afb6p-4",
    "-0x1.fc452cp-4",
    "0x1.233db8p-3",
    "-0x1.555b7p-3",
    "0x1.99a464p-3",
    "-0x1.000008p-2",
    "0x1.555548p-2",
)


def log(x: Float32Array) -> Float32Array:
    """`log(2^k * (1 + f)) = k*ln2 + f - f^2/2 + f^3 * p(f)`, 1 + f in [sqrt(1/2), sqrt(2))."""
    sqrt_half, one, mantissa = np.uint32(0x3F3504F3), np.uint32(0x3F800000), np.uint32(0x007FFFFF)
    inside = (x > 0) & np.isfinite(x)
    safe = np.where(inside, x, np.float32(1.0))
    is_denormal = safe.view(np.uint32) < np.uint32(0x00800000)
    normal = safe * np.where(is_denormal, np.float32(2.0**23), np.float32(1.0))
    bits = normal.view(np.uint32) + (one - sqrt_half)
    k = (bits >> np.uint32(23)).astype(np.int32) - np.where(is_denormal, np.int32(150), np.int32(127))
    f = ((bits & mantissa) + sqrt_half).view(np.float32) - np.float32(1.0)
    p = np.full_like(f, _constant(_LOG_COEFFICIENTS[0]))
    for literal in _LOG_COEFFICIENTS[1:]:
        p = _constant(literal) + p * f
    square = f * f
    exponent = k.astype(np.float32)
    small = (f * square) * p + exponent * _constant("0x1.7f7d1cp-20") + np.float32(-0.5) * square
    y = (f + small) + exponent * _constant("0x1.62e4p-1")
    outside = np.where(x == 0, np.float32(-np.inf), np.where(x < 0, np.float32(np.nan), x))
    return np.where(inside, y, outside)


def sigmoid(x: Float32Array) -> Float32Array:
    """`1 / (1 + exp(-x))`, by `exp(-|x|)`, which cannot overflow."""
    bits = x.view(np.uint32)
    e = exp((bits | _SIGN_BIT).view(np.float32))
    quotient: Float32Array = np.divide(np.where((bits & _SIGN_BIT) != 0, e, np.float32(1.0)), np.float32(1.0) + e)
    return quotient


def fast_tanh(x: Float32Array) -> Float32Array:
    """RLtools' rational tanh: at most 0.024 from tanh."""
    three, nine, twenty_seven = np.float32(3.0), np.float32(9.0), np.float32(27.0)
    clamped = clamp(x, -three, three)
    square = clamped * clamped
    quotient: Float32Array = np.divide(clamped * (twenty_seven + square), twenty_seven + nine * square)
    return quotient


def gelu(x: Float32Array) -> Float32Array:
    """The tanh form (Hendrycks and Gimpel, arXiv:1606.08415)."""
    inner = np.float32(0.797884561) * (x + np.float32(0.044715) * (x * x * x))
    return (np.float32(0.5) * x) * (np.float32(1.0) + tanh(inner))


def relu(x: Float32Array) -> Float32Array:
    """`x > 0 ? x : 0`: +0 for -0 and for NaN."""
    return np.where(x > 0, x, np.float32(0.0))


def clamp(x: Float32Array, low: Float32Array | np.float32, high: Float32Array | np.float32) -> Float32Array:
    """Comparisons only, so that a NaN stays one."""
    return np.where(x < low, low, np.where(x > high, high, x))
