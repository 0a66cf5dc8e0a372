"""Actions in the environment's bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltools_embed.policy import functions
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array, frozen_array
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.layers.kind import Standalone
from rltools_embed.policy.layers.registry import register
from rltools_embed.policy.products import UNIT_ROUNDOFF


@register
@dataclass(frozen=True, kw_only=True, eq=False)
class Rescale(Standalone):
    """From [-1, 1] to the environment's action bounds `low`..`high`, both (n,), clamped."""

    KINDS = ("rescale",)
    TAG = 0x06

    low: Float32Array
    high: Float32Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", frozen_array("low", self.low, (np.size(self.low),)))
        object.__setattr__(self, "high", frozen_array("high", self.high, (self.input_dim,)))
        if not np.all(self.low < self.high):
            raise ValueError("every low bound must be below its high bound")

    @property
    def input_dim(self) -> int:
        """How many numbers it takes."""
        return int(self.low.shape[0])

    output_dim = input_dim

    def sizes(self) -> tuple[int, ...]:
        """Its sizes in C++ and in the digest."""
        return (self.input_dim,)

    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Its numbers by name, in the digest's order."""
        return {"low": self.low, "high": self.high}

    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        """Outputs (k, m) of inputs (k, n), with the C++ library's bits."""
        half = np.float32(0.5)
        middle = half * self.low + half * self.high
        half_range = half * self.high - half * self.low
        return functions.clamp(middle + x * half_range, self.low, self.high)

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The same in float64, and the variance of the float32 errors."""
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        values = low + (np.clip(x, -1.0, 1.0) + 1.0) / 2.0 * (high - low)
        magnitude = np.maximum(np.abs(low), np.abs(high))
        return values, variance * np.square((high - low) / 2.0) + 4 * np.square(UNIT_ROUNDOFF * magnitude)

    def describe(self) -> str:
        """In a few words."""
        return f"rescale {self.output_dim}"

    def settings(self) -> dict[str, Any]:
        """What the manifest tells besides the kind."""
        return {"outputs": self.output_dim}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> Rescale:
        """The module of a checkpoint."""
        return cls(low=arrays.numbers("low"), high=arrays.numbers("high"))
