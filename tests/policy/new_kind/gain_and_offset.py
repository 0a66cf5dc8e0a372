"""A kind of layer that the package does not have, and that a test registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltools_embed.policy import functions
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array, finite_float32, frozen_array
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.layers.kind import Standalone
from rltools_embed.policy.products import UNIT_ROUNDOFF, multiply_add


@dataclass(frozen=True, kw_only=True, eq=False)
class GainAndOffset(Standalone):
    """`offset + gain * x`, both (n,), clamped to [-limit, limit]."""

    KINDS = ("gain_and_offset",)
    TAG = 0xF0

    gain: Float32Array
    offset: Float32Array
    limit: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "gain", frozen_array("gain", self.gain, (np.size(self.gain),)))
        object.__setattr__(self, "offset", frozen_array("offset", self.offset, (self.input_dim,)))
        object.__setattr__(self, "limit", finite_float32("limit", self.limit))

    @property
    def input_dim(self) -> int:
        return int(np.size(self.gain))

    output_dim = input_dim

    def sizes(self) -> tuple[int, ...]:
        return (self.input_dim,)

    def numbers(self) -> Mapping[str, Float32Array | float]:
        return {"gain": self.gain, "offset": self.offset, "limit": self.limit}

    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        offsets = np.tile(self.offset, (len(x), 1))
        limit = np.float32(self.limit)
        return functions.clamp(multiply_add(offsets, self.gain, x, arithmetic), -limit, limit)

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        gain, offset = self.gain.astype(np.float64), self.offset.astype(np.float64)
        rounding = 2 * np.square(UNIT_ROUNDOFF * (np.abs(gain * x) + np.abs(offset)))
        return np.clip(offset + gain * x, -self.limit, self.limit), variance * np.square(gain) + rounding

    def describe(self) -> str:
        return f"gain and offset {self.output_dim}"

    def settings(self) -> dict[str, Any]:
        return {"outputs": self.output_dim, "limit": self.limit}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> GainAndOffset:
        return cls(gain=arrays.numbers("gain"), offset=arrays.numbers("offset"), limit=settings["limit"])
