"""A dense layer, of which an mlp is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltools_embed.policy.activations import Activation
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array, frozen_array
from rltools_embed.policy.cpp import ByteArrays, aggregate, byte_array
from rltools_embed.policy.layers.kind import LAYERS, READ_ONLY, Primitive, words
from rltools_embed.policy.layers.registry import register
from rltools_embed.policy.products import affine, affine_float64


@register
@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(Primitive):
    """`activation(weights @ x + biases)`; weights (out, in), biases (out,)."""

    TAG = 0x02

    weights: Float32Array
    biases: Float32Array
    activation: Activation

    def __post_init__(self) -> None:
        if np.ndim(self.weights) != 2 or 0 in np.shape(self.weights):
            raise ValueError(f"weights have shape {np.shape(self.weights)}, not (outputs, inputs)")
        object.__setattr__(self, "weights", frozen_array("weights", self.weights, np.shape(self.weights)))
        object.__setattr__(self, "biases", frozen_array("biases", self.biases, (self.output_dim,)))

    @property
    def input_dim(self) -> int:
        """How many numbers it takes."""
        return int(self.weights.shape[1])

    @property
    def output_dim(self) -> int:
        """How many numbers it gives."""
        return int(self.weights.shape[0])

    def structure(self) -> bytes:
        """What the digest holds before the numbers."""
        return words(self.input_dim, self.output_dim) + bytes([self.activation.value])

    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Its numbers by name, in the digest's order."""
        return {"weights": self.weights, "biases": self.biases}

    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        """Outputs (k, m) of inputs (k, n), with the C++ library's bits."""
        return self.activation.evaluate(affine(self.weights, self.biases, x, arithmetic))

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The same in float64, and the variance of the float32 errors."""
        return self.activation.evaluate_float64(*affine_float64(self.weights, self.biases, x, variance))

    def describe(self) -> str:
        """In a few words."""
        return f"dense {self.input_dim} → {self.output_dim}, {self.activation.name.lower()}"

    @property
    def has_kink(self) -> bool:
        """Whether its activation has one."""
        return self.activation.has_kink

    def settings(self) -> dict[str, Any]:
        """What the manifest tells of it, ready for JSON."""
        return {"inputs": self.input_dim, "outputs": self.output_dim, "activation": self.activation.name}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> Dense:
        """The layer of a checkpoint; as `Module.read`."""
        return cls(
            weights=arrays.numbers("weights", (settings["outputs"], settings["inputs"])),
            biases=arrays.numbers("biases"),
            activation=Activation[settings["activation"]],
        )

    def lines(self) -> Iterator[str]:
        """Its C++ in a checkpoint: the arrays, the type `LAYER`, and the constant `layer` of that type."""
        yield from byte_array("weights", self.weights)
        yield from byte_array("biases", self.biases)
        sizes = f"float, size_t, {self.input_dim}, {self.output_dim}"
        function = f"rl_tools::nn::ActivationFunction::{self.activation.name}"
        space = f"{LAYERS}::dense"
        yield f"using LAYER = {space}::Layer<{space}::Specification<{sizes}, {function}, {READ_ONLY}>>;"
        yield f"constexpr LAYER layer = {aggregate(self.numbers())};"
