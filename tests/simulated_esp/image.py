"""The image format of Espressif's ROMs ("Firmware Image Format" in esptool's documentation)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = 0xE9
_CHECKSUM_SEED = 0xEF
_HEADER_BYTES = 24
_MOST_SEGMENTS = 16


class ImageError(Exception):
    """What the ROM says of an image that it does not boot."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """Segments as (address, bytes), and where execution begins."""

    entry: int
    segments: tuple[tuple[int, bytes], ...]


def parse(flash: bytes, offset: int) -> Image:
    """The image at `offset`, after the ROM's checks: header, checksum, digest.

    Raises:
        ImageError: with the ROM's words.
    """
    magic, count, _, _, entry = struct.unpack_from("<BBBBI", flash, offset)
    if magic != _MAGIC or count > _MOST_SEGMENTS:
        raise ImageError(f"invalid header: 0x{struct.unpack_from('<I', flash, offset)[0]:08x}")
    has_digest = flash[offset + _HEADER_BYTES - 1] == 1
    segments = tuple(_segments(flash, offset + _HEADER_BYTES, count))
    end = offset + _HEADER_BYTES + sum(8 + len(data) for _, data in segments)
    end += 15 - (end - offset) % 16  # the checksum is the last byte of a block of 16
    checksum = _CHECKSUM_SEED
    for _, data in segments:
        for byte in data:
            checksum ^= byte
    if flash[end] != checksum:
        raise ImageError(f"Checksum failed. Calculated 0x{checksum:x} stored 0x{flash[end]:x}")
    if has_digest and hashlib.sha256(flash[offset : end + 1]).digest() != flash[end + 1 : end + 33]:
        raise ImageError("SHA-256 comparison failed")
    return Image(entry=entry, segments=segments)


def _segments(flash: bytes, place: int, count: int) -> Iterator[tuple[int, bytes]]:
    for _ in range(count):
        address, size = struct.unpack_from("<II", flash, place)
        if place + 8 + size > len(flash):
            raise ImageError(f"invalid segment length 0x{size:x}")
        yield address, bytes(flash[place + 8 : place + 8 + size])
        place += 8 + size
