"""The C++ side of `messages`: `python -m rltools_embed.device.messages_header` writes rl_tools/embed/messages.h.

A request becomes a struct that reads its fields from bytes, an answer one that writes them from a struct of values. The
server names each value like its field, so a field without a value, or with too wide a one, does not compile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum, IntFlag
from itertools import accumulate, groupby
from typing import Final

from rltools_embed import resources
from rltools_embed.device.messages import (
    ARITHMETIC_NUMBERS,
    DIGEST_SIZE,
    ERROR_TYPE,
    FRAME_CHECKSUM,
    FRAME_HEADER,
    LAYOUT,
    PROTOCOL_VERSION,
    REFUSAL,
    RESPONSE_BIT,
    ArithmeticFault,
    ErrorCode,
    Exchange,
    FieldType,
    Message,
    Payload,
    Tagged,
    layout_text,
)

_TYPES: Final = {
    FieldType.U8: "uint8_t",
    FieldType.U16: "uint16_t",
    FieldType.U32: "uint32_t",
    FieldType.U64: "uint64_t",
}
_COLUMNS: Final = 120
_INDENT: Final = 4

_BEGIN: Final = """\
// Every message of the link, byte by byte. Generated from the table in rltools_embed/device/messages.py, which has the
// rules by which it grows: change the table, then run `python -m rltools_embed.device.messages_header`.
#pragma once

#include <rl_tools/embed/crc32.h>
#include <rl_tools/embed/little_endian.h>
#include <rl_tools/embed/tagged.h>

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {
"""


def header(layout: Mapping[Message, Exchange] = LAYOUT, *, version: int = PROTOCOL_VERSION) -> str:
    """The text of rl_tools/embed/messages.h for this table."""
    parts = [
        _BEGIN,
        f"inline constexpr uint16_t protocol_version = {version};\n",
        _enumeration("Message", {message.name: message.value for message in layout}),
        f"// A response carries the request's type with this bit set, so nobody takes an echo for an answer.\n"
        f"inline constexpr uint8_t response_bit = {RESPONSE_BIT:#04x};\n"
        f"inline constexpr uint8_t error_type = {ERROR_TYPE};\n",
        _enumeration("ErrorCode", _numbers(ErrorCode)),
        _enumeration("Arithmetic", {kind.name: number for kind, number in ARITHMETIC_NUMBERS.items()}),
        _enumeration("ArithmeticFault", _numbers(ArithmeticFault), kind="uint32_t"),
        f"inline constexpr size_t digest_size = {DIGEST_SIZE};\n"
        f"inline constexpr size_t frame_checksum_size = {FRAME_CHECKSUM.type.size};\n",
        "// What is fixed and required, as text. Its hash travels in the HELLO.\n" + _text(layout_text(layout)),
        "inline constexpr uint32_t layout_hash = crc32(layout, sizeof layout - 1);\n",
        _struct("FrameHeader", FRAME_HEADER, reads=True, writes=True),
    ]
    for message, exchange in layout.items():
        name = message.name.title().replace("_", "")
        parts.append(_struct(f"{name}Request", exchange.request, reads=True))
        parts.append(_struct(f"{name}Response", exchange.response, writes=True))
    parts.append(_struct("Refusal", REFUSAL, writes=True))
    parts.append("}  // namespace rl_tools::embed\n")
    return "\n".join(parts)


def _numbers(names: type[IntEnum | IntFlag]) -> dict[str, int]:
    return {name: each.value for name, each in names.__members__.items()}


def _enumeration(name: str, numbers: Mapping[str, int], kind: str = "uint8_t") -> str:
    lines = "".join(f"    {each.lower()} = {number},\n" for each, number in numbers.items())
    return f"enum class {name} : {kind} {{\n{lines}}};\n"


def _text(text: str) -> str:
    """The constant `layout`, in string literals that fit into a line."""
    literals = [literal for line in text.splitlines() for literal in _literals(line + "\\n")]
    return "inline constexpr char layout[] =\n" + "\n".join(literals) + ";\n"


def _literals(line: str) -> Iterator[str]:
    room = _COLUMNS - _INDENT - len('"";')
    while line:
        cut = len(line) if len(line) <= room else line.rindex(",", 0, room) + 1
        yield f'    "{line[:cut]}"'
        line = line[cut:]


def _struct(name: str, payload: Payload, *, reads: bool = False, writes: bool = False) -> str:
    sizes = [each.type.size or 0 for each in payload.head]
    lines = [f"static constexpr size_t head_size = {sum(sizes)};"]
    if payload.floats or payload.takes_tagged:
        lines += _size(payload)
    if reads:
        lines += _readers(payload, sizes)
    if writes and (payload.head or payload.tagged):
        lines += _writer(payload)
    body = "".join(f"{' ' * _INDENT}{line}\n" for line in lines)
    return f"struct {name} {{\n{body}}};\n"


def _size(payload: Payload) -> Iterable[str]:
    """The size of a payload by what varies: how many floats, how long a text."""
    if payload.floats:
        parameters, terms = [payload.floats], [f"4 * {payload.floats}"]
    else:
        parameters = [each.name for each in payload.tagged if each.type.size is None]
        values = Counter(str(each.name if each.type.size is None else each.type.size) for each in payload.tagged)
        terms = [f"{f'{count} * ' if count > 1 else ''}tagged_size({value})" for value, count in values.items()]
    listed = ", ".join(f"size_t {name}" for name in parameters)
    return _function(f"size_t size({listed})", " + ".join(["head_size", *terms]))


def _readers(payload: Payload, sizes: Iterable[int]) -> Iterable[str]:
    offsets = accumulate(sizes, initial=0)
    for each, offset in zip(payload.head, offsets, strict=False):
        kind = _TYPES[each.type]
        place = f"bytes + {offset}" if offset else "bytes"
        yield from _function(f"{kind} {each.name}(const uint8_t* bytes)", f"load_little_endian<{kind}>({place})")
    if payload.floats:
        yield from _function(f"const uint8_t* {payload.floats}(const uint8_t* bytes)", "bytes + head_size")


def _function(signature: str, result: str) -> Iterable[str]:
    """A constant expression in one line, or in three where that is too long."""
    begin = f"[[nodiscard]] static constexpr {signature} {{"
    line = f"{begin} return {result}; }}"
    return (line,) if len(line) + _INDENT <= _COLUMNS else (begin, f"    return {result};", "}")


def _writer(payload: Payload) -> Iterable[str]:
    yield "template <typename WRITER, typename VALUES>"
    yield "static void write(WRITER& writer, const VALUES& values) {"
    for each in payload.head:
        if each.type is FieldType.DIGEST:
            yield f"    static_assert(sizeof values.{each.name} == digest_size);"
            yield f"    writer.put_bytes(values.{each.name}, digest_size);"
        else:
            yield f"    writer.put({_TYPES[each.type]}{{values.{each.name}}});"
    for part, fields in groupby(payload.tagged, key=lambda tagged: tagged.part):
        puts = [f"    put_tagged(writer, {tagged.number}, {_tagged_value(tagged)});" for tagged in fields]
        yield from (
            [f"    if (values.{part} != nullptr) {{", *(f"    {put}" for put in puts), "    }"] if part else puts
        )
    yield "}"


def _tagged_value(tagged: Tagged) -> str:
    name = f"{tagged.part}->{tagged.name.removeprefix(f'{tagged.part}_')}" if tagged.part else tagged.name
    return f"{_TYPES[tagged.type]}{{values.{name}}}" if tagged.type in _TYPES else f"values.{name}"


if __name__ == "__main__":
    path = resources.include_dir() / "rl_tools" / "embed" / "messages.h"
    path.write_text(header(), encoding="utf-8", newline="\n")
