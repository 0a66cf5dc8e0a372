"""Frames and messages of the link, as pure functions of bytes.

A frame is COBS-encoded with a zero byte before and after it. Decoded, it is type u8, sequence u16, payload and the
CRC-32 of all before it, little-endian. `LAYOUT` says what every payload holds; its hash travels in the HELLO, so that a
firmware of another version is named before anything else is believed. rl_tools/embed/protocol.h holds the same text.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from rltools_embed.errors import ProtocolError
from rltools_embed.policy.arithmetic import Arithmetic

Floats = NDArray[np.float32]

PROTOCOL_VERSION: Final = 1
RESPONSE_BIT: Final = 0x80
ERROR_TYPE: Final = 0xFF
DIGEST_SIZE: Final = 32

_REBUILD_HINT: Final = "build and flash the project again with this version of rltools_embed"


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


class FieldType(Enum):
    """The value is its name in the layout text."""

    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    DIGEST = f"u8[{DIGEST_SIZE}]"
    FLOATS = "f32[]"
    TEXT = "text"


_STRUCT_CODES: Final = {
    FieldType.U8: "B",
    FieldType.U16: "H",
    FieldType.U32: "I",
    FieldType.U64: "Q",
    FieldType.DIGEST: f"{DIGEST_SIZE}s",
}


class Payload:
    """The layout of one payload: fields of fixed size, then at most one that takes the rest."""

    def __init__(self, **fields: FieldType) -> None:
        self._fields = fields
        codes = [_STRUCT_CODES.get(kind, "") for kind in fields.values()]
        self._fixed = struct.Struct("<" + "".join(codes))
        self._open_ended = "" in codes

    def __str__(self) -> str:
        return "(" + ",".join(f"{name}:{kind.value}" for name, kind in self._fields.items()) + ")"

    def encode(self, *values: int | bytes, rest: bytes = b"") -> bytes:
        """The payload with these values in its fixed fields and `rest` in its open-ended one."""
        if rest and not self._open_ended:
            raise ValueError(f"{self} has no open-ended field")
        return self._fixed.pack(*values) + rest

    def decode(self, payload: bytes) -> tuple[dict[str, int], bytes]:
        """The numbers by field name, and the bytes of the digest or of the open-ended field (a layout has one or both).

        Raises:
            ProtocolError: the size is not the layout's.
        """
        size = self._fixed.size
        if len(payload) < size or (len(payload) > size and not self._open_ended):
            raise ProtocolError(
                f"a payload has {len(payload)} bytes, {self} needs {'at least ' if self._open_ended else ''}{size}",
                _REBUILD_HINT,
            )
        values = cast("tuple[int | bytes, ...]", self._fixed.unpack_from(payload))
        numbers = {name: value for name, value in zip(self._fields, values, strict=False) if isinstance(value, int)}
        return numbers, b"".join(value for value in values if isinstance(value, bytes)) + payload[size:]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The layouts of a request and of its response."""

    request: Payload
    response: Payload


LAYOUT: Final = {
    # The version and the hash stay where they are in every version to come.
    Message.HELLO: Exchange(
        request=Payload(),
        response=Payload(
            protocol_version=FieldType.U16,
            layout_hash=FieldType.U32,
            largest_payload=FieldType.U32,
            observation_dim=FieldType.U32,
            action_dim=FieldType.U32,
            layer_count=FieldType.U16,
            arithmetic=FieldType.U8,
            tick_hz=FieldType.U32,
            digest=FieldType.DIGEST,
            board=FieldType.TEXT,
        ),
    ),
    Message.EVALUATE: Exchange(
        request=Payload(count=FieldType.U16, observations=FieldType.FLOATS),
        response=Payload(count=FieldType.U16, actions=FieldType.FLOATS),
    ),
    Message.TRACE: Exchange(
        request=Payload(layer=FieldType.U16, observation=FieldType.FLOATS),
        response=Payload(layer=FieldType.U16, output=FieldType.FLOATS),
    ),
    Message.BENCHMARK: Exchange(
        request=Payload(repeats=FieldType.U16, observation=FieldType.FLOATS),
        response=Payload(evaluation_ticks=FieldType.U64, empty_ticks=FieldType.U64),
    ),
    Message.SELF_TEST: Exchange(
        request=Payload(),
        response=Payload(examples=FieldType.U32, mismatches=FieldType.U32),
    ),
    Message.STATISTICS: Exchange(
        request=Payload(),
        response=Payload(
            stack_bytes=FieldType.U32,
            stack_used_bytes=FieldType.U32,
            frames_accepted=FieldType.U32,
            frames_rejected=FieldType.U32,
        ),
    ),
    Message.RESET: Exchange(request=Payload(), response=Payload()),
}
REFUSAL: Final = Payload(code=FieldType.U8, request=FieldType.U8)
_VERSION_AND_HASH: Final = struct.Struct("<HI")


def layout_text() -> str:
    """All layouts in the one notation that both ends hash."""
    lines = ["frame(type:u8,sequence:u16,payload,crc32:u32)"]
    lines += [f"{message.name.lower()}={message.value}{of.request}->{of.response}" for message, of in LAYOUT.items()]
    lines += [f"error={ERROR_TYPE}->{REFUSAL}"]
    lines += ["codes(" + ",".join(f"{code.name.lower()}={code.value}" for code in ErrorCode) + ")"]
    return "\n".join(lines) + "\n"


LAYOUT_HASH: Final = zlib.crc32(layout_text().encode())


def floats_to_bytes(values: Floats) -> bytes:
    """The bits of float32 `values`, little-endian; nothing is rounded, no NaN is changed."""
    if values.dtype != np.float32:
        raise TypeError(f"the link carries float32, not {values.dtype}")
    return values.astype("<f4", copy=False).tobytes()


def floats_from_bytes(data: bytes) -> Floats:
    """The inverse of `floats_to_bytes`, flat and writable.

    Raises:
        ProtocolError: not a whole number of floats.
    """
    if len(data) % 4:
        raise ProtocolError(f"{len(data)} bytes are not a whole number of floats", _REBUILD_HINT)
    return np.frombuffer(data, "<f4").astype(np.float32)


_ARITHMETIC_NUMBERS: Final = {Arithmetic.SEPARATE: 0, Arithmetic.FUSED: 1}
_ARITHMETIC_BY_NUMBER: Final = {number: arithmetic for arithmetic, number in _ARITHMETIC_NUMBERS.items()}


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What the firmware says it is.

    Attributes:
        largest_payload: bytes, of a request as of a response.
        tick_hz: ticks per second of the clock that BENCHMARK counts with.
        digest: SHA-256 in hexadecimal that the firmware computed over the policy in its flash.
        board: the board file's name.
    """

    largest_payload: int
    observation_dim: int
    action_dim: int
    layer_count: int
    arithmetic: Arithmetic
    tick_hz: int
    digest: str
    board: str
    protocol_version: int = PROTOCOL_VERSION
    layout_hash: int = LAYOUT_HASH

    @property
    def largest_batch(self) -> int:
        """Observations in one EVALUATE, such that request and response fit."""
        widest = max(self.observation_dim, self.action_dim)
        return min((self.largest_payload - 2) // (4 * widest), 0xFFFF)

    def encode(self) -> bytes:
        """The payload of the response."""
        return LAYOUT[Message.HELLO].response.encode(
            self.protocol_version,
            self.layout_hash,
            self.largest_payload,
            self.observation_dim,
            self.action_dim,
            self.layer_count,
            _ARITHMETIC_NUMBERS[self.arithmetic],
            self.tick_hz,
            bytes.fromhex(self.digest),
            rest=self.board.encode(),
        )

    @classmethod
    def decode(cls, payload: bytes) -> Hello:
        """The inverse of `encode`.

        Raises:
            ProtocolError: first of all if version or layout are not ours; else if a field makes no sense.
        """
        _refuse_another_version(payload)
        numbers, texts = LAYOUT[Message.HELLO].response.decode(payload)
        arithmetic = _ARITHMETIC_BY_NUMBER.get(numbers.pop("arithmetic"))
        if arithmetic is None:
            raise ProtocolError("the board names an arithmetic that does not exist", _REBUILD_HINT)
        board = texts[DIGEST_SIZE:].decode(errors="replace")
        hello = cls(**numbers, arithmetic=arithmetic, digest=texts[:DIGEST_SIZE].hex(), board=board)
        if hello.observation_dim < 1 or hello.action_dim < 1 or hello.largest_batch < 1:
            raise ProtocolError(
                f"{board} offers {hello.observation_dim} observations, {hello.action_dim} actions and payloads of "
                f"{hello.largest_payload} bytes: not one evaluation fits",
                _REBUILD_HINT,
            )
        return hello


def _refuse_another_version(payload: bytes) -> None:
    if len(payload) < _VERSION_AND_HASH.size:
        raise ProtocolError(f"the board's HELLO has {len(payload)} bytes", _REBUILD_HINT)
    version, layout_hash = _VERSION_AND_HASH.unpack_from(payload)
    if version != PROTOCOL_VERSION:
        raise ProtocolError(f"the firmware speaks protocol {version}, this program {PROTOCOL_VERSION}", _REBUILD_HINT)
    if layout_hash != LAYOUT_HASH:
        raise ProtocolError(
            f"the firmware lays its messages out as {layout_hash:08x}, this program as {LAYOUT_HASH:08x}", _REBUILD_HINT
        )


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Ticks that `repeats` evaluations took, and as many empty rounds of the same loop."""

    repeats: int
    evaluation_ticks: int
    empty_ticks: int
    tick_hz: int

    @property
    def ticks_per_evaluation(self) -> float:
        """Without the loop and the reading of the clock."""
        return (self.evaluation_ticks - self.empty_ticks) / self.repeats

    @property
    def seconds_per_evaluation(self) -> float:
        """By the board's own clock."""
        return self.ticks_per_evaluation / self.tick_hz


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """The examples embedded in the firmware, and how many of them came out with other bits."""

    examples: int
    mismatches: int


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The device's own counters. `stack_bytes` 0: the port does not measure the stack."""

    stack_bytes: int
    stack_used_bytes: int
    frames_accepted: int
    frames_rejected: int


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error answer: the code and the type of the request it is about, as numbers, known or not."""

    code: int
    request: int

    @property
    def reason(self) -> str:
        """The code in words."""
        known = {code.value: code.name.lower().replace("_", " ") for code in ErrorCode}
        return known.get(self.code, f"error code {self.code}")

    @classmethod
    def decode(cls, payload: bytes) -> Refusal:
        """Raises ProtocolError if the size is wrong."""
        numbers, _ = REFUSAL.decode(payload)
        return cls(**numbers)
