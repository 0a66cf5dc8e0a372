"""The modules that a policy is made of, as frozen data: one file for each kind.

Another kind is another file here, imported below, and a C++ header. `kind.py` says what it brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rltools_embed.policy.activations import Activation
from rltools_embed.policy.arrays import Float32Array, frozen_array
from rltools_embed.policy.layers.dense import Dense
from rltools_embed.policy.layers.gru import Gru
from rltools_embed.policy.layers.kind import Layer, Module, Primitive, Recurrent
from rltools_embed.policy.layers.mlp import Mlp
from rltools_embed.policy.layers.rescale import Rescale
from rltools_embed.policy.layers.sample_and_squash import SampleAndSquash
from rltools_embed.policy.layers.standardize import Standardize
from rltools_embed.policy.layers.td3_sampling import Td3Sampling

__all__ = [
    "Activation",
    "Dense",
    "Float32Array",
    "Gru",
    "Layer",
    "Mlp",
    "Module",
    "Primitive",
    "Recurrent",
    "Rescale",
    "SampleAndSquash",
    "Standardize",
    "Td3Sampling",
    "describe",
    "frozen_array",
    "number_count",
    "primitives",
]


def primitives(layers: Iterable[Layer]) -> Iterator[Primitive]:
    """The layers that a trace shows: an mlp counts as its dense layers."""
    for layer in layers:
        yield from layer.primitives()


def number_count(layer: Layer) -> int:
    """How many float32 numbers a module or a layer holds."""
    return layer.number_count()


def describe(primitive: Primitive) -> str:
    """A layer in a few words, for reports: `dense 64 → 2, relu`."""
    return primitive.describe()
