"""A gated recurrent unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltools_embed.policy import functions
from rltools_embed.policy.activations import Activation
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array, frozen_array
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.layers.kind import Recurrent, Standalone
from rltools_embed.policy.layers.registry import register
from rltools_embed.policy.products import UNIT_ROUNDOFF, affine, affine_float64, multiply_add


@register
@dataclass(frozen=True, kw_only=True, eq=False)
class Gru(Recurrent, Standalone):
    """A gated recurrent unit (arXiv:1406.1078), the reset gate after the product, as in PyTorch.

    `r = sigmoid(Wr x + br + Ur h + cr)`, `z` likewise, `n = tanh(Wn x + bn + r * (Un h + cn))`,
    `h' = (1 - z) * n + z * h`; the gates' rows in the order r, z, n.

    Attributes:
        weights_input: (3h, n), W. Its biases (3h,), b.
        weights_hidden: (3h, h), U. Its biases (3h,), c.
        initial_state: (h,), the state before the first observation of an episode.
    """

    KINDS = ("gru",)
    TAG = 0x07

    weights_input: Float32Array
    biases_input: Float32Array
    weights_hidden: Float32Array
    biases_hidden: Float32Array
    initial_state: Float32Array

    def __post_init__(self) -> None:
        if np.ndim(self.initial_state) != 1 or not np.size(self.initial_state):
            raise ValueError(f"initial_state has shape {np.shape(self.initial_state)}, not (hidden,)")
        if np.ndim(self.weights_input) != 2 or not np.size(self.weights_input):
            raise ValueError(f"weights_input have shape {np.shape(self.weights_input)}, not (3 * hidden, inputs)")
        hidden = self.output_dim
        shapes = {
            "weights_input": (3 * hidden, self.input_dim),
            "biases_input": (3 * hidden,),
            "weights_hidden": (3 * hidden, hidden),
            "biases_hidden": (3 * hidden,),
            "initial_state": (hidden,),
        }
        for name, shape in shapes.items():
            object.__setattr__(self, name, frozen_array(name, getattr(self, name), shape))

    @property
    def input_dim(self) -> int:
        """How many numbers it takes."""
        return int(np.shape(self.weights_input)[1])

    @property
    def output_dim(self) -> int:
        """How many numbers it gives."""
        return int(np.shape(self.initial_state)[0])

    def sizes(self) -> tuple[int, ...]:
        """Its sizes in C++ and in the digest."""
        return (self.input_dim, self.output_dim)

    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Its numbers by name, in the digest's order."""
        return {
            "weights_input": self.weights_input,
            "biases_input": self.biases_input,
            "weights_hidden": self.weights_hidden,
            "biases_hidden": self.biases_hidden,
            "initial_state": self.initial_state,
        }

    def step(self, x: Float32Array, state: Float32Array, arithmetic: Arithmetic) -> tuple[Float32Array, Float32Array]:
        """The output is the next state: both (k, h)."""
        from_input = affine(self.weights_input, self.biases_input, x, arithmetic)
        from_state = affine(self.weights_hidden, self.biases_hidden, state, arithmetic)
        h = self.output_dim
        r = functions.sigmoid(from_input[:, :h] + from_state[:, :h])
        z = functions.sigmoid(from_input[:, h : 2 * h] + from_state[:, h : 2 * h])
        n = functions.tanh(multiply_add(from_input[:, 2 * h :], r, from_state[:, 2 * h :], arithmetic))
        next_state = multiply_add(n, z, state - n, arithmetic)
        return next_state, next_state

    def step_float64(
        self, x: Float64Array, variance: Float64Array, state: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """The next state (k, h) as the unit is defined, `(1 - z) * n + z * h`, and its variance."""
        h = self.output_dim
        a, var_a = affine_float64(self.weights_input, self.biases_input, x, variance)
        c, var_c = affine_float64(self.weights_hidden, self.biases_hidden, state, np.zeros_like(state))
        gates = 1.0 / (1.0 + np.exp(-(a + c)[:, : 2 * h]))
        # The steepest slope of the sigmoid is 1/4.
        var_gates = (var_a + var_c + np.square(UNIT_ROUNDOFF * (np.abs(a) + np.abs(c))))[:, : 2 * h] / 16.0
        var_gates = var_gates + np.square(8 * UNIT_ROUNDOFF * gates)
        (r, z), (var_r, var_z) = np.split(gates, 2, axis=1), np.split(var_gates, 2, axis=1)
        a, c, var_a, var_c = (array[:, 2 * h :] for array in (a, c, var_a, var_c))
        n = np.tanh(a + r * c)
        var_n = (
            var_a + np.square(r) * var_c + np.square(c) * var_r + 2 * np.square(UNIT_ROUNDOFF * (np.abs(a) + np.abs(c)))
        )
        var_n = Activation.TANH.variance_after(n, var_n)
        rounding = 4 * np.square(UNIT_ROUNDOFF * (np.abs(n) + np.abs(state)))
        blended = np.square(1.0 - z) * var_n + np.square(state - n) * var_z + rounding
        return (1.0 - z) * n + z * state, blended

    def describe(self) -> str:
        """In a few words."""
        return f"gru {self.input_dim} → {self.output_dim}"

    def settings(self) -> dict[str, Any]:
        """What the manifest tells besides the kind."""
        return {"inputs": self.input_dim, "outputs": self.output_dim}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> Gru:
        """The module of a checkpoint."""
        inputs, hidden = settings["inputs"], settings["outputs"]
        return cls(
            weights_input=arrays.numbers("weights_input", (3 * hidden, inputs)),
            biases_input=arrays.numbers("biases_input"),
            weights_hidden=arrays.numbers("weights_hidden", (3 * hidden, hidden)),
            biases_hidden=arrays.numbers("biases_hidden"),
            initial_state=arrays.numbers("initial_state"),
        )

    def initialiser(self) -> str:
        """The products are two dense layers."""
        return "{{{weights_input}, {biases_input}}, {{weights_hidden}, {biases_hidden}}, {initial_state}}"
