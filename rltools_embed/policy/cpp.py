"""Values as C++ source text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rltools_embed.policy.layers import Float32Array

_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\?')
_BYTES_PER_LINE = 16


def c_string(text: str) -> str:
    """A string literal with exactly these bytes (UTF-8), quotes included.

    Everything but plain printable characters becomes a three-digit octal escape, which, unlike a hexadecimal one, ends
    by itself. The question mark too: two of them begin a trigraph.
    """
    data = text.encode("utf-8", "replace")
    return '"' + "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in data) + '"'


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
