"""TD3's head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltools_embed.policy import functions
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array, finite_float32
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.layers.kind import Standalone
from rltools_embed.policy.layers.registry import register


@register
@dataclass(frozen=True, kw_only=True, eq=False)
class Td3Sampling(Standalone):
    """TD3's head: the input clamped to [-1, 1]; `std` is the exploration noise (arXiv:1802.09477)."""

    KINDS = ("td3_sampling",)
    TAG = 0x05

    output_dim: int
    std: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", finite_float32("std", self.std))

    @property
    def input_dim(self) -> int:
        """How many numbers it takes."""
        return self.output_dim

    def sizes(self) -> tuple[int, ...]:
        """Its sizes in C++ and in the digest."""
        return (self.output_dim,)

    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Its numbers by name, in the digest's order."""
        return {"std": self.std}

    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        """Outputs (k, m) of inputs (k, n), with the C++ library's bits."""
        return functions.clamp(x, np.float32(-1.0), np.float32(1.0))

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The same in float64, and the variance of the float32 errors."""
        return np.clip(x, -1.0, 1.0), variance

    def describe(self) -> str:
        """In a few words."""
        return f"clamp {self.output_dim}"

    def settings(self) -> dict[str, Any]:
        """What the manifest tells besides the kind."""
        return {"outputs": self.output_dim, "std": self.std}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> Td3Sampling:
        """The module of a checkpoint."""
        return cls(output_dim=settings["outputs"], std=settings["std"])
