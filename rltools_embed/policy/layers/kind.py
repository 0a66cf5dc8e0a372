"""What a kind of layer brings: its numbers, their bytes, its evaluation, its C++ and its words in a checkpoint.

A kind is one class, on `Primitive`, `Recurrent` or `Module`, and one C++ header with `evaluate` and `add_to_digest`.
`registry.register` makes it known. `tests/policy/test_layer_kinds.py` asks every registered kind for every part,
and adds one of its own.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.arrays import Float32Array, Float64Array
from rltools_embed.policy.cpp import ByteArrays, aggregate, byte_array

LAYERS = "rl_tools::nn::layers"
READ_ONLY = "rl_tools::parameters::ReadOnly"


class Layer(ABC):
    """What holds numbers. Kinds are frozen dataclasses; every array is read-only.

    Attributes:
        TAG: the first byte of its part of the digest, another one for every kind.
    """

    TAG: ClassVar[int]

    if TYPE_CHECKING:
        # A field in some kinds and a property in others: a property here would become the field's default.
        @property
        def input_dim(self) -> int:
            """How many numbers it takes."""

        @property
        def output_dim(self) -> int:
            """How many numbers it gives."""

    @abstractmethod
    def structure(self) -> bytes:
        """What the digest holds between the tag and the numbers: sizes by `words`, and what else chooses the code."""

    @abstractmethod
    def numbers(self) -> Mapping[str, Float32Array | float]:
        """Every number that it holds, by the names of its fields, in the order of the digest."""

    @abstractmethod
    def primitives(self) -> tuple[Primitive, ...]:
        """The layers that a trace shows of it."""

    def digest_bytes(self) -> Iterator[bytes]:
        """Its part of the digest: tag, structure, numbers as little-endian float32."""
        yield bytes([self.TAG]) + self.structure()
        for numbers in self.numbers().values():
            yield np.asarray(numbers, "<f4").tobytes()

    def number_count(self) -> int:
        """How many float32 numbers it holds."""
        return sum(int(np.size(numbers)) for numbers in self.numbers().values())


class Primitive(Layer):
    """A layer that a trace shows: one step of a policy's evaluation."""

    def primitives(self) -> tuple[Primitive, ...]:
        """Itself."""
        return (self,)

    @abstractmethod
    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        """Outputs (k, output_dim) of inputs (k, input_dim), bit for bit as the C++ library computes them."""

    @abstractmethod
    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The same by NumPy's own functions in float64, and the variance of the float32 errors: both (k, output_dim).

        Args:
            variance: (k, input_dim), of the errors of `x`. See `reference.Float64Actions`.
        """

    @abstractmethod
    def describe(self) -> str:
        """In a few words, for reports: `dense 64 → 2, relu`."""

    @property
    def has_kink(self) -> bool:
        """Whether an output's slope jumps where the output begins to be positive; validation samples both sides."""
        return False


class Recurrent(Primitive):
    """A primitive layer whose output depends on the steps before. The state belongs to the caller.

    Attributes:
        initial_state: (s,), the state before the first observation of an episode.
    """

    initial_state: Float32Array

    @abstractmethod
    def step(self, x: Float32Array, state: Float32Array, arithmetic: Arithmetic) -> tuple[Float32Array, Float32Array]:
        """Outputs (k, output_dim) and the next states (k, s), for inputs (k, input_dim) and states (k, s)."""

    @abstractmethod
    def step_float64(
        self, x: Float64Array, variance: Float64Array, state: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Outputs (k, output_dim) in float64 from an exact state (k, s), and the variance of the float32 errors."""

    def evaluate(self, x: Float32Array, arithmetic: Arithmetic) -> Float32Array:
        """One step from the initial state."""
        return self.step(x, self.initial_states(len(x)), arithmetic)[0]

    def evaluate_float64(self, x: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
        """One step from the initial state."""
        return self.step_float64(x, variance, self.initial_states(len(x)).astype(np.float64))

    def initial_states(self, count: int) -> Float32Array:
        """The initial state for `count` episodes: (count, s)."""
        return np.tile(self.initial_state, (count, 1))


class Module(Layer):
    """What a policy is a tuple of, and what a checkpoint names.

    Attributes:
        KINDS: its names in a manifest; more than one where the C++ types differ.
    """

    KINDS: ClassVar[tuple[str, ...]]

    @property
    def kind(self) -> str:
        """Its name in a manifest, which is its namespace in C++."""
        return self.KINDS[0]

    @property
    def header(self) -> str:
        """The C++ header of its type and operations, as it is included."""
        return f"rl_tools/nn/layers/{self.kind}/operations_generic.h"

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What the manifest tells besides the kind, ready for JSON: what `read` needs, sizes above all."""

    @classmethod
    @abstractmethod
    def read(cls, settings: Mapping[str, Any], arrays: ByteArrays) -> Module:
        """The module of a checkpoint: `settings` from its manifest, and its byte arrays.

        Raises:
            KeyError, TypeError, ValueError: the manifest does not fit the arrays.
            CheckpointError: a number is not finite.
        """

    @abstractmethod
    def lines(self) -> Iterator[str]:
        """Its C++ in a checkpoint: the arrays, the type `MODULE`, and the constant `module` of that type."""


class Standalone(Primitive, Module):
    """A module that is one primitive layer: its C++ type is a `Layer<Specification<float, size_t, sizes...>>`."""

    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """The sizes in the specification of its C++ type, which are those in the digest."""

    def structure(self) -> bytes:
        """Its sizes."""
        return words(*self.sizes())

    def lines(self) -> Iterator[str]:
        """The arrays byte by byte; a number that is none stands in the constant."""
        arrays = {name: value for name, value in self.numbers().items() if isinstance(value, np.ndarray)}
        for name, array in arrays.items():
            yield from byte_array(name, array)
        space = f"{LAYERS}::{self.kind}"
        arguments = ["float", "size_t", *map(str, self.sizes()), *([READ_ONLY] if arrays else [])]
        yield f"using MODULE = {space}::Layer<{space}::Specification<{', '.join(arguments)}>>;"
        yield f"constexpr MODULE module = {self.initialiser()};"

    def initialiser(self) -> str:
        """The constant's value: the numbers in their order."""
        return aggregate(self.numbers())


def words(*values: int) -> bytes:
    """Each as an unsigned 32-bit number, little-endian."""
    return struct.pack(f"<{len(values)}I", *values)
