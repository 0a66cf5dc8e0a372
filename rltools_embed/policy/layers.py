"""The modules that a policy is made of, as frozen data. Every array is float32, C-ordered, finite and read-only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rltools_embed.errors import CheckpointError

Float32Array: TypeAlias = npt.NDArray[np.float32]


class Activation(Enum):
    """Activation functions, numbered as in the digest."""

    IDENTITY = 0
    RELU = 1
    GELU = 2
    TANH = 3
    FAST_TANH = 4
    SIGMOID = 5


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """`activation(weights @ x + biases)`; weights (out, in), biases (out,)."""

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
        return int(self.weights.shape[1])

    @property
    def output_dim(self) -> int:
        return int(self.weights.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Standardize:
    """`(x - mean) * precision`; both (n,)."""

    mean: Float32Array
    precision: Float32Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", frozen_array("mean", self.mean, (np.size(self.mean),)))
        object.__setattr__(self, "precision", frozen_array("precision", self.precision, (self.input_dim,)))

    @property
    def input_dim(self) -> int:
        return int(self.mean.shape[0])

    output_dim = input_dim


@dataclass(frozen=True, kw_only=True, eq=False)
class Mlp:
    """Dense layers in a row; `log_std` (n,) where a PPO actor keeps its exploration."""

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
        return self.layers[0].input_dim

    @property
    def output_dim(self) -> int:
        return self.layers[-1].output_dim


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleAndSquash:
    """SAC's head: 2n inputs (mean, log-std) give n actions, `tanh(mean)` (arXiv:1812.05905)."""

    output_dim: int
    log_std_lower_bound: float
    log_std_upper_bound: float

    def __post_init__(self) -> None:
        for name in ("log_std_lower_bound", "log_std_upper_bound"):
            object.__setattr__(self, name, _finite_float32(name, getattr(self, name)))

    @property
    def input_dim(self) -> int:
        return 2 * self.output_dim


@dataclass(frozen=True, kw_only=True, eq=False)
class Td3Sampling:
    """TD3's head: the input clamped to [-1, 1]; `std` is the exploration noise (arXiv:1802.09477)."""

    output_dim: int
    std: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", _finite_float32("std", self.std))

    @property
    def input_dim(self) -> int:
        return self.output_dim


@dataclass(frozen=True, kw_only=True, eq=False)
class Rescale:
    """From [-1, 1] to the environment's action bounds `low`..`high`, both (n,), clamped."""

    low: Float32Array
    high: Float32Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", frozen_array("low", self.low, (np.size(self.low),)))
        object.__setattr__(self, "high", frozen_array("high", self.high, (self.input_dim,)))
        if not np.all(self.low < self.high):
            raise ValueError("every low bound must be below its high bound")

    @property
    def input_dim(self) -> int:
        return int(self.low.shape[0])

    output_dim = input_dim


@dataclass(frozen=True, kw_only=True, eq=False)
class Gru:
    """A gated recurrent unit (arXiv:1406.1078), the reset gate after the product, as in PyTorch.

    `r = sigmoid(Wr x + br + Ur h + cr)`, `z` likewise, `n = tanh(Wn x + bn + r * (Un h + cn))`,
    `h' = (1 - z) * n + z * h`; the gates' rows in the order r, z, n.

    Attributes:
        weights_input: (3h, n), W. Its biases (3h,), b.
        weights_hidden: (3h, h), U. Its biases (3h,), c.
        initial_state: (h,), the state before the first observation of an episode.
    """

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
        return int(np.shape(self.weights_input)[1])

    @property
    def output_dim(self) -> int:
        return int(np.shape(self.initial_state)[0])


Module: TypeAlias = Standardize | Mlp | Gru | SampleAndSquash | Td3Sampling | Rescale
Primitive: TypeAlias = Standardize | Dense | Gru | SampleAndSquash | Td3Sampling | Rescale


def _finite_float32(name: str, value: float) -> float:
    rounded = float(np.float32(value))
    if not math.isfinite(rounded):
        raise CheckpointError(f"{name} is {value}", "it must be a finite float32")
    return rounded


def primitives(modules: tuple[Module, ...]) -> Iterator[Primitive]:
    """The layers that a trace shows: an mlp counts as its dense layers."""
    for module in modules:
        if isinstance(module, Mlp):
            yield from module.layers
        else:
            yield module


def number_count(module: Module | Dense) -> int:
    """How many float32 numbers a module holds."""
    if isinstance(module, Mlp):
        own = 0 if module.log_std is None else module.log_std.size
        return own + sum(number_count(layer) for layer in module.layers)
    if isinstance(module, Dense):
        return module.weights.size + module.biases.size
    if isinstance(module, Gru):
        arrays = (module.weights_input, module.biases_input, module.weights_hidden, module.biases_hidden)
        return module.initial_state.size + sum(array.size for array in arrays)
    if isinstance(module, Standardize | Rescale):
        return 2 * module.input_dim
    return 2 if isinstance(module, SampleAndSquash) else 1


def describe(primitive: Primitive) -> str:
    """A layer in a few words, for reports: `dense 64 → 2, relu`."""
    if isinstance(primitive, Dense):
        activation = primitive.activation.name.lower()
        return f"dense {primitive.input_dim} → {primitive.output_dim}, {activation}"
    if isinstance(primitive, Gru):
        return f"gru {primitive.input_dim} → {primitive.output_dim}"
    words = {Standardize: "standardize", SampleAndSquash: "squash", Td3Sampling: "clamp", Rescale: "rescale"}
    return f"{words[type(primitive)]} {primitive.output_dim}"
