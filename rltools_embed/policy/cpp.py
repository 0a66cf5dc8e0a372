"""Values as C++ source text, and the byte arrays of such a text as values again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rltools_embed.errors import CheckpointError
from rltools_embed.policy.arrays import Float32Array

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


def aggregate(numbers: Mapping[str, Float32Array | float]) -> str:
    """`{{mean}, {precision}}`, or `{-0x1.4p+4F}`: an array stands by its name, a number as a literal."""
    members = (
        f"{{{name}}}" if isinstance(value, np.ndarray) else float_literal(value) for name, value in numbers.items()
    )
    return f"{{{', '.join(members)}}}"


@dataclass(frozen=True, kw_only=True)
class ByteArrays:
    """The byte arrays of a checkpoint, seen from one of its namespaces.

    Attributes:
        contents: by name with all namespaces: `layer_0::dense_1::weights`.
        scope: the namespace, with `::` at its end; empty: all of them.
    """

    contents: Mapping[str, bytes]
    scope: str = ""

    def inside(self, namespace: str) -> ByteArrays:
        """The same arrays, seen from a namespace in this one."""
        return ByteArrays(contents=self.contents, scope=f"{self.scope}{namespace}::")

    def numbers(self, name: str, shape: tuple[int, ...] = (-1,)) -> Float32Array:
        """The numbers of an array; one size may be -1 and follows from the others.

        Raises:
            KeyError: there is no such array.
            ValueError: it has another number of elements.
            CheckpointError: a number is not finite.
        """
        full_name = self.scope + name
        numbers = np.frombuffer(self.contents[full_name], dtype="<f4").reshape(shape)
        if not np.isfinite(numbers).all():
            index = [int(i) for i in np.argwhere(~np.isfinite(numbers))[0]]
            raise CheckpointError(
                f"{full_name}{index} is {numbers[tuple(index)]}", "a policy must be finite: train again"
            )
        return numbers.astype(np.float32)
