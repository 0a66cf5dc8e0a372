"""A multilayer perceptron, with or without the log-std of a PPO actor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rltools_embed.policy.arrays import Float32Array, frozen_array
from rltools_embed.policy.cpp import ByteArrays, byte_array, nested
from rltools_embed.policy.layers.dense import Dense
from rltools_embed.policy.layers.kind import READ_ONLY, Module, Primitive, words
from rltools_embed.policy.layers.registry import register


@register
@dataclass(frozen=True, kw_only=True, eq=False)
class Mlp(Module):
    """Dense layers in a row; `log_std` (n,) where a PPO actor keeps its exploration."""

    KINDS = ("mlp", "mlp_unconditional_stddev")
    TAG = 0x03  # of the log-std, which comes after the layers

    layers: tuple[Dense, ...]
    log_std: Float32Array | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("an mlp has at least one layer")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.output_dim != after.input_dim:
                raise ValueError(f"a layer of {after.input_dim} inputs follows one of {before.output_dim} outputs")
        if self.log_std is not None:
            object.__setattr__(self, "log_std", frozen_array("log_std", self.log_std, (self.output_dim,)))

    @property
    def input_dim(self) -> int:
        """How many numbers it takes."""
        return self.layers[0].input_dim

    @property
    def output_dim(self) -> int:
        """How many numbers it gives."""
        return self.layers[-1].output_dim

    @property
    def kind(self) -> str:
        """Its name in a manifest."""
        return self.KINDS[0 if self.log_std is None else 1]

    @property
    def header(self) -> str:
        """The C++ header of its type and operations."""
        return f"rl_tools/nn_models/{self.kind}/operations_generic.h"

    def structure(self) -> bytes:
        """What the digest holds before the numbers."""
        return words(self.output_dim)

    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Those besides the layers'."""
        return {} if self.log_std is None else {"log_std": self.log_std}

    def digest_bytes(self) -> Iterator[bytes]:
        """Its layers' parts of the digest, then that of the log-std."""
        for layer in self.layers:
            yield from layer.digest_bytes()
        if self.log_std is not None:
            yield from super().digest_bytes()

    def number_count(self) -> int:
        """How many numbers it holds, its layers' among them."""
        return super().number_count() + sum(layer.number_count() for layer in self.layers)

    def primitives(self) -> tuple[Primitive, ...]:
        """Its dense layers."""
        return self.layers

    def settings(self) -> dict[str, Any]:
        """What the manifest tells besides the kind."""
        return {"layers": [layer.settings() for layer in self.layers]}

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> Mlp:
        """The module of a checkpoint."""
        layers = (Dense.read(layer, arrays.inside(f"dense_{i}")) for i, layer in enumerate(settings["layers"]))
        has_log_std = settings["kind"] != cls.KINDS[0]
        return cls(layers=tuple(layers), log_std=arrays.numbers("log_std") if has_log_std else None)

    def lines(self) -> Iterator[str]:
        """Its C++ in a checkpoint: a namespace for each layer, then the type and the constant."""
        for index, layer in enumerate(self.layers):
            yield f"namespace dense_{index} {{"
            yield from layer.lines()
            yield f"}}  // namespace dense_{index}"
        types = ", ".join(f"dense_{index}::LAYER" for index in range(len(self.layers)))
        values = nested([f"dense_{index}::layer" for index in range(len(self.layers))])
        model = f"rl_tools::nn_models::{self.kind}::NeuralNetwork"
        if self.log_std is None:
            yield f"using MODULE = {model}<{types}>;"
            yield f"constexpr MODULE module = {{{values}}};"
        else:
            yield from byte_array("log_std", self.log_std)
            yield f"using MODULE = {model}<{READ_ONLY}, {types}>;"
            yield f"constexpr MODULE module = {{{{{values}}}, {{log_std}}}};"
