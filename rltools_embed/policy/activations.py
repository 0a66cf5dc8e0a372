"""The activation functions: one object each, with all that Python knows of it.

`rl_tools/nn/activation_functions.h` is the C++ side; `tests/policy/test_activations.py` compares the two lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, unique

import numpy as np

from rltools_embed.policy import functions
from rltools_embed.policy.arrays import Float32Array, Float64Array
from rltools_embed.policy.products import UNIT_ROUNDOFF


def _fast_tanh(x: Float64Array) -> Float64Array:
    c = np.clip(x, -3.0, 3.0)
    return c * (27.0 + c**2) / (27.0 + 9.0 * c**2)


def _gelu(x: Float64Array) -> Float64Array:
    values: Float64Array = 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    return values


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What Python knows of an activation function.

    Attributes:
        number: in the digest, and in the C++ enumeration.
        float32: the function of every number of an array, with the C++ library's bits.
        float64: the same by NumPy's own functions, which share nothing with `float32`.
        steepest_slope: a bound of its derivative's absolute value.
        roundings: how many units roundoff of its result `float32` may be off; 0: it is exact.
        has_kink: whether its slope jumps where its value begins to be positive.
    """

    number: int
    float32: Callable[[Float32Array], Float32Array]
    float64: Callable[[Float64Array], Float64Array]
    steepest_slope: float = 1.0
    roundings: int = 8
    has_kink: bool = False


@unique
class Activation(Enum):
    """Activation functions; the value is the number in the digest, the name that of the C++ enumeration."""

    IDENTITY = Definition(number=0, float32=lambda x: x, float64=lambda x: x, roundings=0)
    RELU = Definition(
        number=1, float32=functions.relu, float64=lambda x: np.maximum(x, 0.0), roundings=0, has_kink=True
    )
    GELU = Definition(number=2, float32=functions.gelu, float64=_gelu, steepest_slope=1.13)
    TANH = Definition(number=3, float32=functions.tanh, float64=np.tanh)
    FAST_TANH = Definition(number=4, float32=functions.fast_tanh, float64=_fast_tanh)
    SIGMOID = Definition(number=5, float32=functions.sigmoid, float64=lambda x: 1.0 / (1.0 + np.exp(-x)))

    _value_: int
    _definition: Definition

    def __new__(cls, definition: Definition) -> Activation:
        member = object.__new__(cls)
        member._value_ = definition.number
        member._definition = definition
        return member

    def evaluate(self, x: Float32Array) -> Float32Array:
        """The function of every number of `x`, with the C++ library's bits."""
        return self._definition.float32(x)

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The function in float64, and the variance of the float32 errors where that of `x` is `variance`."""
        values = self._definition.float64(x)
        return values, self.variance_after(values, variance)

    def variance_after(self, values: Float64Array, variance: Float64Array) -> Float64Array:
        """The variance of the float32 errors of `values`, the function's results: `variance` is its arguments'.

        By the steepest slope, and the few roundings of the function itself.
        """
        rounding = UNIT_ROUNDOFF * self._definition.roundings
        if rounding == 0 and self._definition.steepest_slope == 1:
            return variance  # also where a value is infinite
        return self._definition.steepest_slope**2 * variance + np.square(rounding * np.abs(values))

    @property
    def steepest_slope(self) -> float:
        """A bound of its derivative's absolute value."""
        return self._definition.steepest_slope

    @property
    def has_kink(self) -> bool:
        """Whether its slope jumps where its value begins to be positive, as ReLU's."""
        return self._definition.has_kink
