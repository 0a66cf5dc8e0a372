"""Values as C++ source text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rltools_embed.policy.layers import Float32Array

_BYTES_PER_LINE = 16


def float_literal(value: float) -> str:
    """A float32 with its exact bits; an infinite bound as the largest finite number."""
    largest = float(np.finfo(np.float32).max)
    return f"{float(np.float32(min(max(value, -largest), largest))).hex()}F"


def byte_array(name: str, values: Float32Array) -> Iterator[str]:
    """The lines of an array that holds the numbers as their little-endian bytes, four numbers a line."""
    data = values.astype("<f4").tobytes()
    yield f"alignas(float) constexpr unsigned char {name}[{len(data)}] = {{"
    for start in range(0, len(data), _BYTES_PER_LINE):
        yield "    " + " ".join(f"0x{byte:02x}," for byte in data[start : start + _BYTES_PER_LINE])
    yield "};"


def nested(names: Sequence[str]) -> str:
    """`{a, {b, {c}}}`: the aggregate of a chain."""
    return f"{{{names[0]}}}" if len(names) == 1 else f"{{{names[0]}, {nested(names[1:])}}}"
