"""Frames of the link: how bytes are found again in a stream that may lose, add or change some.

A frame is COBS-encoded with a zero byte before and after it. Decoded, it is type u8, sequence u16, payload and the
CRC-32 of all before it, little-endian. What a payload holds stands in `messages`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from rltools_embed.device.messages import FRAME_CHECKSUM, FRAME_HEADER, Payload

_HEADER: Final = FRAME_HEADER.head_struct
_CHECKSUM: Final = Payload(head=(FRAME_CHECKSUM,)).head_struct
FRAME_OVERHEAD: Final = _HEADER.size + _CHECKSUM.size
_LONGEST_COBS_RUN: Final = 254


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame whose CRC was right."""

    type: int
    sequence: int
    payload: bytes


def cobs_encode(data: bytes) -> bytes:
    """`data` without a zero byte (Cheshire and Baker, IEEE/ACM Trans. Networking 7(2), 1999)."""
    encoded = bytearray()
    stretches = data.split(b"\0")
    for number, stretch in enumerate(stretches, start=1):
        while len(stretch) > _LONGEST_COBS_RUN or (len(stretch) == _LONGEST_COBS_RUN and number < len(stretches)):
            encoded += b"\xff" + stretch[:_LONGEST_COBS_RUN]
            stretch = stretch[_LONGEST_COBS_RUN:]
        encoded.append(len(stretch) + 1)
        encoded += stretch
    return bytes(encoded)


def cobs_decode(encoded: bytes) -> bytes | None:
    """The inverse of `cobs_encode`; None if `encoded` was cut. It holds no zero byte."""
    decoded = bytearray()
    begin, size = 0, len(encoded)
    while begin < size:
        code = encoded[begin]
        end = begin + code
        if end > size:
            return None
        decoded += encoded[begin + 1 : end]
        if code <= _LONGEST_COBS_RUN and end < size:
            decoded.append(0)
        begin = end
    return bytes(decoded)


def encode_frame(frame: Frame) -> bytes:
    """The bytes on the wire, both delimiters included."""
    body = _HEADER.pack(frame.type, frame.sequence) + frame.payload
    return b"\0" + cobs_encode(body + _CHECKSUM.pack(zlib.crc32(body))) + b"\0"


class Decoder:
    """Finds frames in a stream that arrives in pieces of any size, among anything else.

    Attributes:
        accepted: frames found.
        rejected: stretches between two delimiters that were none.
    """

    def __init__(self, longest: int = 1 << 20) -> None:
        """`longest` is the most bytes that are kept while the end of a frame is awaited."""
        self._longest = longest
        self._stretch = bytearray()
        self._overlong = False
        self.accepted = 0
        self.rejected = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end within `data`."""
        *ended, unfinished = data.split(b"\0")
        frames = []
        for piece in ended:
            self._extend(piece)
            frame = self._end()
            if frame is not None:
                frames.append(frame)
        self._extend(unfinished)
        return frames

    def _extend(self, piece: bytes) -> None:
        self._stretch += piece
        if len(self._stretch) > self._longest:
            self._stretch.clear()
            self._overlong = True

    def _end(self) -> Frame | None:
        if not self._stretch and not self._overlong:
            return None
        frame = None if self._overlong else self._parse(bytes(self._stretch))
        self._stretch.clear()
        self._overlong = False
        if frame is None:
            self.rejected += 1
        else:
            self.accepted += 1
        return frame

    def _parse(self, stretch: bytes) -> Frame | None:
        decoded = cobs_decode(stretch)
        if decoded is None or len(decoded) < FRAME_OVERHEAD or not self._is_intact(decoded):
            return None
        kind, sequence = _HEADER.unpack_from(decoded)
        return Frame(kind, sequence, decoded[_HEADER.size : -_CHECKSUM.size])

    def _is_intact(self, decoded: bytes) -> bool:
        return zlib.crc32(decoded[: -_CHECKSUM.size]) == int.from_bytes(decoded[-_CHECKSUM.size :], "little")
