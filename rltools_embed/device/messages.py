"""The layout of every message, written once: what a request and its answer hold, byte by byte.

Both ends are made from this table. `protocol`, `client` and `memory_link` read it; `messages_header` makes
rl_tools/embed/messages.h from it, and a test compares that file with the table.

The rules by which the protocol grows:

1. A HELLO's answer begins with the version (u16) and the hash of the layout (u32), in every version to come.
2. The head of a payload never changes: fields of fixed size, in order, little-endian. Another head is another version.
3. An answer that does not end in floats goes on with tagged fields: number u8, size u8, value of that size.
   A number from 1 to 255 belongs to one field of one answer for ever, with its name and its type. It is never
   given again, also when the field is no longer sent.
4. A reader skips numbers that it does not know. A missing optional field is None, a missing required one an error.
5. A request has no tagged fields: a firmware that skipped one would do something else than the host wants.
   What needs more is a new request. An older firmware refuses it as an unknown type.
6. The hash covers heads, required fields and required requests. An optional field, a new request, a new error code
   and a new kind of arithmetic change neither hash nor version.

To add a field: a line in `LAYOUT`, an attribute in `protocol`, the value in rl_tools/embed/server.h, and
`python -m rltools_embed.device.messages_header`. The compiler names a field without a value.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum, IntFlag
from functools import cached_property
from typing import Final

from rltools_embed.errors import ProtocolError
from rltools_embed.policy.arithmetic import Arithmetic

PROTOCOL_VERSION: Final = 2
RESPONSE_BIT: Final = 0x80
ERROR_TYPE: Final = 0xFF
DIGEST_SIZE: Final = 32

REBUILD_HINT: Final = "build and flash the project again with this version of rltools_embed"


class Message(IntEnum):
    """The requests; a response's type has RESPONSE_BIT set as well."""

    HELLO = 1
    EVALUATE = 2
    TRACE = 3
    BENCHMARK = 4
    SELF_TEST = 5
    STATISTICS = 6
    RESET = 7


class ErrorCode(IntEnum):
    """Why a board refuses a request."""

    UNKNOWN_TYPE = 1
    BAD_SIZE = 2
    LAYER_OUT_OF_RANGE = 3
    REPLY_TOO_LONG = 4


class ArithmeticFault(IntFlag):
    """How a firmware's floats are other than IEEE 754 says; it tests the operations that its policy uses."""

    SUBNORMAL_OPERAND = 1
    SUBNORMAL_RESULT = 2
    ROUNDING = 4
    SIGN_OF_ZERO = 8
    SPECIAL_NUMBER = 16
    MULTIPLY_ADD = 32
    COMPARISON = 64
    DIVISION = 128
    CONVERSION = 256
    KERNEL = 512
    DEFAULT_NAN = 1024


class FloatMode(IntFlag):
    """What the mode register of a floating-point unit does otherwise than IEEE 754."""

    FLUSHES_SUBNORMALS = 1
    DEFAULT_NAN = 2
    ROUNDS_OTHERWISE = 4


ARITHMETIC_NUMBERS: Final = {Arithmetic.SEPARATE: 0, Arithmetic.FUSED: 1}


class FieldType(Enum):
    """The value is its name in the layout text."""

    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    DIGEST = f"u8[{DIGEST_SIZE}]"
    TEXT = "text"

    @property
    def size(self) -> int | None:
        """Bytes of a value; None for text, whose length is its own."""
        return None if self is FieldType.TEXT else struct.calcsize(_STRUCT_CODES[self])


_STRUCT_CODES: Final = {
    FieldType.U8: "<B",
    FieldType.U16: "<H",
    FieldType.U32: "<I",
    FieldType.U64: "<Q",
    FieldType.DIGEST: f"<{DIGEST_SIZE}s",
}

Value = int | bytes


@dataclass(frozen=True)
class Field:
    """A field of a head: its place is its order."""

    name: str
    type: FieldType

    def __str__(self) -> str:
        return f"{self.name}:{self.type.value}"


@dataclass(frozen=True)
class Tagged:
    """A field that is found by its number.

    Attributes:
        number: 1 to 255, unique within the answer, never given again.
        required: a peer may rely on it; such a field cannot be added without another version.
        part: fields of one part are sent together or not at all; their names begin with it. In C++ they are members of
            what the answer's member of this name points to, if it points to anything.
    """

    number: int
    name: str
    type: FieldType
    required: bool = False
    part: str = ""

    def __str__(self) -> str:
        return f"{self.number}={self.name}:{self.type.value}"


@dataclass
class Values:
    """What a payload held: numbers and byte strings by the names of their fields, and the bytes of its floats."""

    numbers: dict[str, int] = field(default_factory=dict)
    strings: dict[str, bytes] = field(default_factory=dict)
    floats: bytes = b""

    def add(self, name: str, value: Value) -> None:
        """Keep the value of one field."""
        if isinstance(value, int):
            self.numbers[name] = value
        else:
            self.strings[name] = value


_TAG: Final = struct.Struct("<BB")
_LONGEST_TAGGED_VALUE: Final = 0xFF


@dataclass(frozen=True, kw_only=True)
class Payload:
    """The layout of one payload: a head, then floats, tagged fields, or nothing.

    Attributes:
        head: fields of fixed size, in order.
        floats: the name of the float32 numbers behind the head; empty if there are none.
        takes_tagged: tagged fields follow, of which `tagged` are known.
    """

    head: tuple[Field, ...] = ()
    floats: str = ""
    takes_tagged: bool = False
    tagged: tuple[Tagged, ...] = ()

    def __post_init__(self) -> None:
        names = [*(each.name for each in self.head), *(each.name for each in self.tagged)]
        numbers = [each.number for each in self.tagged]
        if len(set(names)) != len(names) or len(set(numbers)) != len(numbers):
            raise ValueError(f"two fields have one name or one number: {names}, {numbers}")
        if not all(1 <= number <= 0xFF for number in numbers):
            raise ValueError(f"numbers of fields are 1 to 255, not {numbers}")
        if (self.tagged and not self.takes_tagged) or (self.floats and self.takes_tagged):
            raise ValueError("tagged fields follow the head of an answer without floats, and nothing else")

    def __str__(self) -> str:
        """What is fixed and required, in the notation that both ends hash."""
        parts = [str(each) for each in (*self.head, *(each for each in self.tagged if each.required))]
        parts += [f"{self.floats}:f32[]"] if self.floats else []
        parts += ["..."] if self.takes_tagged else []
        return "(" + ",".join(parts) + ")"

    @cached_property
    def head_struct(self) -> struct.Struct:
        """The head for Python's `struct`."""
        return struct.Struct("<" + "".join(_STRUCT_CODES[each.type][1:] for each in self.head))

    def encode(self, *, floats: bytes = b"", **values: Value | None) -> bytes:
        """The payload with these values by the names of their fields; an optional field that is None is left out."""
        in_head = [each.name for each in self.head]
        unknown = values.keys() - {*in_head, *(each.name for each in self.tagged)}
        if unknown or (floats and not self.floats):
            raise ValueError(f"{self} has no field {', '.join(sorted(unknown)) or 'for floats'}")
        required = [*in_head, *(each.name for each in self.tagged if each.required)]
        missing = [name for name in required if values.get(name) is None]
        if missing:
            raise ValueError(f"{self} needs a value for {', '.join(missing)}")
        encoded = [self.head_struct.pack(*(values[name] for name in in_head)), floats]
        for each in self.tagged:
            value = values.get(each.name)
            if value is not None:
                encoded.append(_encode_tagged(each, value))
        return b"".join(encoded)

    def decode(self, payload: bytes) -> Values:
        """The values by the names of their fields. Tagged fields that are not known are skipped.

        Raises:
            ProtocolError: the head is cut, a required field is missing, or bytes are left that are no field.
        """
        size = self.head_struct.size
        if len(payload) < size or (len(payload) > size and not self.floats and not self.takes_tagged):
            needed = f"{'at least ' if self.floats or self.takes_tagged else ''}{size}"
            reason = self._first_missing(len(payload))
            raise ProtocolError(f"a payload has {len(payload)} bytes, {self} needs {needed}: {reason}", REBUILD_HINT)
        values = Values()
        for each, value in zip(self.head, self.head_struct.unpack_from(payload), strict=True):
            values.add(each.name, value)
        if self.takes_tagged:
            self._decode_tagged(payload[size:], values)
        else:
            values.floats = payload[size:]
        return values

    def _first_missing(self, size: int) -> str:
        end = 0
        for each in self.head:
            end += each.type.size or 0
            if end > size:
                return f"{each.name} is missing"
        return f"{size - end} bytes are left over"

    def _decode_tagged(self, encoded: bytes, values: Values) -> None:
        known = {each.number: each for each in self.tagged}
        seen = set()
        for number, value in _tagged_values(encoded):
            each = known.get(number)
            if each is None:
                continue
            if number in seen:
                raise ProtocolError(f"the field {each.name} ({number}) comes twice", REBUILD_HINT)
            seen.add(number)
            values.add(each.name, _decode_value(each, value))
        missing = [f"{each.name} ({each.number})" for each in self.tagged if each.required and each.number not in seen]
        if missing:
            raise ProtocolError(f"a payload lacks the required field {', '.join(missing)}", REBUILD_HINT)


def _encode_tagged(each: Tagged, value: Value) -> bytes:
    encoded = value if isinstance(value, bytes) else struct.pack(_STRUCT_CODES[each.type], value)
    if len(encoded) > _LONGEST_TAGGED_VALUE or each.type.size not in (None, len(encoded)):
        raise ValueError(f"{len(encoded)} bytes are not a value of the field {each}")
    return _TAG.pack(each.number, len(encoded)) + encoded


def _tagged_values(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    begin = 0
    while begin < len(encoded):
        number, size = _TAG.unpack_from(encoded, begin) if len(encoded) - begin >= _TAG.size else (0, 0)
        end = begin + _TAG.size + size
        if number == 0 or end > len(encoded):
            raise ProtocolError(f"{len(encoded) - begin} bytes at the end of a payload are no field", REBUILD_HINT)
        yield number, encoded[begin + _TAG.size : end]
        begin = end


def _decode_value(each: Tagged, encoded: bytes) -> Value:
    if each.type.size not in (None, len(encoded)):
        raise ProtocolError(
            f"the field {each.name} ({each.number}) has {len(encoded)} bytes, a {each.type.value} has {each.type.size}",
            REBUILD_HINT,
        )
    if each.type in (FieldType.TEXT, FieldType.DIGEST):
        return encoded
    return int.from_bytes(encoded, "little")


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The layouts of a request and of its response.

    Attributes:
        required: every firmware of this version answers the request. A request that is added later is not.
    """

    request: Payload
    response: Payload
    required: bool = True


def _fields(head: Mapping[str, FieldType]) -> tuple[Field, ...]:
    return tuple(Field(name, kind) for name, kind in head.items())


def _request(*, floats: str = "", **head: FieldType) -> Payload:
    return Payload(head=_fields(head), floats=floats)


def _answer(*tagged: Tagged, floats: str = "", **head: FieldType) -> Payload:
    return Payload(head=_fields(head), floats=floats, takes_tagged=not floats, tagged=tagged)


def _part(name: str, *fields: Tagged) -> tuple[Tagged, ...]:
    return tuple(replace(each, part=name) for each in fields)


FRAME_HEADER: Final = _request(type=FieldType.U8, sequence=FieldType.U16)
FRAME_CHECKSUM: Final = Field("crc32", FieldType.U32)

LAYOUT: Final = {
    Message.HELLO: Exchange(
        request=_request(),
        response=_answer(
            Tagged(1, "board", FieldType.TEXT, required=True),
            Tagged(2, "arithmetic_faults", FieldType.U32),
            Tagged(3, "float_mode", FieldType.U8),
            protocol_version=FieldType.U16,
            layout_hash=FieldType.U32,
            largest_payload=FieldType.U32,
            observation_dim=FieldType.U32,
            action_dim=FieldType.U32,
            layer_count=FieldType.U16,
            arithmetic=FieldType.U8,
            tick_hz=FieldType.U32,
            digest=FieldType.DIGEST,
        ),
    ),
    Message.EVALUATE: Exchange(
        request=_request(count=FieldType.U16, floats="observations"),
        response=_answer(count=FieldType.U16, floats="actions"),
    ),
    Message.TRACE: Exchange(
        request=_request(layer=FieldType.U16, floats="observation"),
        response=_answer(layer=FieldType.U16, floats="output"),
    ),
    Message.BENCHMARK: Exchange(
        request=_request(repeats=FieldType.U16, floats="observation"),
        response=_answer(evaluation_ticks=FieldType.U64, empty_ticks=FieldType.U64),
    ),
    Message.SELF_TEST: Exchange(
        request=_request(),
        response=_answer(examples=FieldType.U32, mismatches=FieldType.U32),
    ),
    Message.STATISTICS: Exchange(
        request=_request(),
        response=_answer(
            Tagged(1, "frames_overlong", FieldType.U32),
            Tagged(2, "answers_dropped", FieldType.U32),
            *_part(
                "control",
                Tagged(3, "control_period_us", FieldType.U32),
                Tagged(4, "control_steps", FieldType.U32),
                Tagged(5, "control_fallbacks", FieldType.U32),
                Tagged(6, "control_overruns", FieldType.U32),
                Tagged(7, "control_late_steps", FieldType.U32),
                Tagged(8, "control_worst_lateness_us", FieldType.U32),
                Tagged(9, "control_total_lateness_us", FieldType.U64),
                Tagged(10, "control_worst_execution_us", FieldType.U32),
            ),
            stack_bytes=FieldType.U32,
            stack_used_bytes=FieldType.U32,
            frames_accepted=FieldType.U32,
            frames_rejected=FieldType.U32,
        ),
    ),
    Message.RESET: Exchange(request=_request(), response=_answer()),
}
REFUSAL: Final = _answer(code=FieldType.U8, request=FieldType.U8)


def layout_text(layout: Mapping[Message, Exchange] = LAYOUT) -> str:
    """What is fixed and required, in the one notation that both ends hash."""
    lines = [f"frame{str(FRAME_HEADER)[:-1]},payload,{FRAME_CHECKSUM})"]
    required = ((message, exchange) for message, exchange in layout.items() if exchange.required)
    lines += [f"{message.name.lower()}={message.value}{of.request}->{of.response}" for message, of in required]
    lines += [f"error={ERROR_TYPE}->{REFUSAL}"]
    return "\n".join(lines) + "\n"


LAYOUT_HASH: Final = zlib.crc32(layout_text().encode())
