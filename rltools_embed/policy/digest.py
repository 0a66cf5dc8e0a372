"""The digest of a policy's structure and numbers (docs/architecture.md, "The digest").

`rl_tools/embed/digest.h` computes the same on the target, from the numbers in its flash.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from rltools_embed.policy.layers import (
    Dense,
    Float32Array,
    Gru,
    Mlp,
    Module,
    Rescale,
    SampleAndSquash,
    Standardize,
    Td3Sampling,
)
from rltools_embed.policy.model import Policy


def digest(policy: Policy) -> str:
    """SHA-256 over the structure and every number, as 64 hexadecimal digits."""
    sha = hashlib.sha256()
    for module in policy.layers:
        for chunk in _chunks(module):
            sha.update(chunk)
    return sha.hexdigest()


def _chunks(module: Module | Dense) -> Iterator[bytes]:
    match module:
        case Standardize():
            yield struct.pack("<BI", 0x01, module.input_dim)
            yield _bytes(module.mean)
            yield _bytes(module.precision)
        case Dense():
            yield struct.pack("<BIIB", 0x02, module.input_dim, module.output_dim, module.activation.value)
            yield _bytes(module.weights)
            yield _bytes(module.biases)
        case Mlp():
            for layer in module.layers:
                yield from _chunks(layer)
            if module.log_std is not None:
                yield struct.pack("<BI", 0x03, module.output_dim)
                yield _bytes(module.log_std)
        case SampleAndSquash():
            bounds = (module.log_std_lower_bound, module.log_std_upper_bound)
            yield struct.pack("<BIff", 0x04, module.output_dim, *bounds)
        case Td3Sampling():
            yield struct.pack("<BIf", 0x05, module.output_dim, module.std)
        case Rescale():
            yield struct.pack("<BI", 0x06, module.input_dim)
            yield _bytes(module.low)
            yield _bytes(module.high)
        case Gru():
            yield struct.pack("<BII", 0x07, module.input_dim, module.output_dim)
            for array in (module.weights_input, module.biases_input, module.weights_hidden, module.biases_hidden):
                yield _bytes(array)
            yield _bytes(module.initial_state)


def _bytes(array: Float32Array) -> bytes:
    return array.astype("<f4").tobytes()
