"""Arrays of a policy's numbers: float32, C-ordered, finite and read-only."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rltools_embed.errors import CheckpointError

Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]


def frozen_array(name: str, values: object, shape: tuple[int, ...]) -> Float32Array:
    """A private, read-only float32 copy of `values`.

    Raises:
        ValueError: another shape.
        CheckpointError: a number that is not finite.
    """
    array = np.array(values, dtype=np.float32, order="C")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, not {shape}")
    finite = np.isfinite(array)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise CheckpointError(
            f"{name}{list(index)} is {array[index]}",
            "a policy with such a number is of no use: train again with another seed or a smaller learning rate",
        )
    array.flags.writeable = False
    return array


def finite_float32(name: str, value: float) -> float:
    """`value`, rounded to float32.

    Raises:
        CheckpointError: it is not finite there.
    """
    rounded = float(np.float32(value))
    if not math.isfinite(rounded):
        raise CheckpointError(f"{name} is {value}", "it must be a finite float32")
    return rounded
