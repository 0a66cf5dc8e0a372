"""SAC's head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltools_embed.policy.activations import Activation
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array, finite_float32
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.layers.kind import Standalone
from rltools_embed.policy.layers.registry import register


@register
@dataclass(frozen=True, kw_only=True, eq=False)
class SampleAndSquash(Standalone):
    """SAC's head: 2n inputs (mean, log-std) give n actions, `tanh(mean)` (arXiv:1812.05905)."""

    KINDS = ("sample_and_squash",)
    TAG = 0x04

    output_dim: int
    log_std_lower_bound: float
    log_std_upper_bound: float

    def __post_init__(self) -> None:
        for name in ("log_std_lower_bound", "log_std_upper_bound"):
            object.__setattr__(self, name, finite_float32(name, getattr(self, name)))

    @property
    def input_dim(self) -> int:
        """How many numbers it takes."""
        return 2 * self.output_dim

    def sizes(self) -> tuple[int, ...]:
        """Its sizes in C++ and in the digest."""
        return (self.output_dim,)

    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Its numbers by name, in the digest's order."""
        return {
            "log_std_lower_bound": self.log_std_lower_bound,
            "log_std_upper_bound": self.log_std_upper_bound,
        }

    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        """Outputs (k, m) of inputs (k, n), with the C++ library's bits."""
        return Activation.TANH.evaluate(np.ascontiguousarray(x[:, : self.output_dim]))

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The same in float64, and the variance of the float32 errors."""
        return Activation.TANH.evaluate_float64(x[:, : self.output_dim], variance[:, : self.output_dim])

    def describe(self) -> str:
        """In a few words."""
        return f"squash {self.output_dim}"

    def settings(self) -> dict[str, Any]:
        """What the manifest tells besides the kind."""
        return {"outputs": self.output_dim, **self.numbers()}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> SampleAndSquash:
        """The module of a checkpoint."""
        return cls(
            output_dim=settings["outputs"],
            log_std_lower_bound=settings["log_std_lower_bound"],
            log_std_upper_bound=settings["log_std_upper_bound"],
        )
