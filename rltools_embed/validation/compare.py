"""How two sets of float32 outputs differ: in bits, in units in the last place, in value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rltools_embed.policy.layers import Float32Array


def same_bits(actual: Float32Array, expected: Float32Array) -> npt.NDArray[np.bool_]:
    """Where the bits are equal. A NaN equals any NaN: its sign and payload are the core's own affair."""
    both_nan = np.isnan(actual) & np.isnan(expected)
    return np.asarray((actual.view(np.uint32) == expected.view(np.uint32)) | both_nan, dtype=np.bool_)


def ulp_distance(actual: Float32Array, expected: Float32Array) -> npt.NDArray[np.int64]:
    """How many float32 numbers lie between: 0 for +0 and -0, one past the largest where one of the two is NaN."""
    distance = np.abs(_ordered(actual) - _ordered(expected))
    one_nan = np.isnan(actual) != np.isnan(expected)
    both_nan = np.isnan(actual) & np.isnan(expected)
    return np.where(one_nan, np.int64(1 << 32), np.where(both_nan, np.int64(0), distance))


def _ordered(values: Float32Array) -> npt.NDArray[np.int64]:
    """Integers in the order of the numbers, neighbours one apart."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far outputs agree.

    Attributes:
        outputs: numbers compared.
        equal: of these, equal in every bit.
        max_abs: largest difference of finite values; infinity where only one of the two is finite.
        max_ulp: largest distance in units in the last place.
        max_abs_float64: largest difference between the board and the float64 reference; None where not compared.
    """

    outputs: int
    equal: int
    max_abs: float
    max_ulp: int
    max_abs_float64: float | None

    @property
    def share(self) -> float:
        """Equal outputs divided by all."""
        return self.equal / self.outputs if self.outputs else 1.0


def agreement(actual: Float32Array, expected: Float32Array, float64: npt.NDArray[np.float64] | None) -> Agreement:
    """Compare a board's outputs (k, m) with the reference's, and with the float64 reference if it is given."""
    equal = same_bits(actual, expected)
    return Agreement(
        outputs=equal.size,
        equal=int(equal.sum()),
        max_abs=_largest_difference(actual.astype(np.float64), expected.astype(np.float64), equal),
        max_ulp=int(ulp_distance(actual, expected).max(initial=0)),
        max_abs_float64=None if float64 is None else _largest_difference(actual.astype(np.float64), float64),
    )


def _largest_difference(
    actual: npt.NDArray[np.float64], expected: npt.NDArray[np.float64], equal: npt.NDArray[np.bool_] | None = None
) -> float:
    with np.errstate(invalid="ignore"):
        difference = np.abs(actual - expected)
    difference = np.where(np.isnan(difference), np.inf, difference)
    if equal is not None:
        difference = np.where(equal, 0.0, difference)
    return float(difference.max(initial=0.0))
