"""Observation normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array, frozen_array
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.layers.kind import Standalone
from rltools_embed.policy.layers.registry import register
from rltools_embed.policy.products import UNIT_ROUNDOFF


@register
@dataclass(frozen=True, kw_only=True, eq=False)
class Standardize(Standalone):
    """`(x - mean) * precision`; both (n,)."""

    KINDS = ("standardize",)
    TAG = 0x01

    mean: Float32Array
    precision: Float32Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", frozen_array("mean", self.mean, (np.size(self.mean),)))
        object.__setattr__(self, "precision", frozen_array("precision", self.precision, (self.input_dim,)))

    @property
    def input_dim(self) -> int:
        """How many numbers it takes."""
        return int(self.mean.shape[0])

    output_dim = input_dim

    def sizes(self) -> tuple[int, ...]:
        """Its sizes in C++ and in the digest."""
        return (self.input_dim,)

    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Its numbers by name, in the digest's order."""
        return {"mean": self.mean, "precision": self.precision}

    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        """Outputs (k, m) of inputs (k, n), with the C++ library's bits."""
        return (x - self.mean) * self.precision

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The same in float64, and the variance of the float32 errors."""
        precision = self.precision.astype(np.float64)
        values = (x - self.mean) * precision
        rounding = np.square(UNIT_ROUNDOFF * (np.abs(x) + np.abs(self.mean)) * precision)
        return values, variance * np.square(precision) + 2 * rounding

    def describe(self) -> str:
        """In a few words."""
        return f"standardize {self.output_dim}"

    def settings(self) -> dict[str, Any]:
        """What the manifest tells besides the kind."""
        return {"outputs": self.output_dim}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> Standardize:
        """The module of a checkpoint."""
        return cls(mean=arrays.numbers("mean"), precision=arrays.numbers("precision"))
