"""The serial loader of the chips' ROMs, and of esptool's stub once that was loaded ("Serial Protocol" in its manual).

The stub's code is received and not executed: from its start on, commands are answered as it would.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from tests.simulated_esp.chips import Chip

SECTOR_BYTES = 4096
# The flash's answers. RDID: manufacturer 0x20 (XMC), type 0x40, capacity 0x16 (2^22 bytes). RDSFDP: "SFDP".
_FLASH_ANSWERS = {0x9F: 0x16_40_20, 0x5A: 0x5044_4653}
_END, _ESCAPE, _ESCAPED_END, _ESCAPED_ESCAPE = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"
_LARGEST_PACKET = 1 << 20


class _Command(IntEnum):
    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    CHANGE_BAUDRATE = 0x0F
    FLASH_DEFL_BEGIN = 0x10
    FLASH_DEFL_DATA = 0x11
    FLASH_DEFL_END = 0x12
    SPI_FLASH_MD5 = 0x13
    GET_SECURITY_INFO = 0x14


_BAD_FORMAT, _BAD_CHECKSUM = 0x05, 0x07


class _RefusedError(Exception):
    def __init__(self, error: int) -> None:
        self.error = error


@dataclass
class _Write:
    """A write to flash in progress."""

    place: int
    inflate: Callable[[bytes], bytes]


class RomLoader:
    """What answers in download mode.

    Args:
        flash: changed in place.
        send: bytes to the host.
        change_baud: called with the new rate after the answer to CHANGE_BAUDRATE is on its way.
        run: called when the host asks to leave the loader.
    """

    def __init__(
        self,
        chip: Chip,
        flash: bytearray,
        *,
        send: Callable[[bytes], None],
        change_baud: Callable[[int], None],
        run: Callable[[], None],
    ) -> None:
        self._chip = chip
        self._flash = flash
        self._send = send
        self._change_baud = change_baud
        self._run = run
        self._packet: bytearray | None = None
        self._is_stub = False
        self._write: _Write | None = None
        self._flash_command = 0
        self.commands: list[int] = []

    def receive(self, data: bytes) -> None:
        for byte in data:
            if bytes((byte,)) != _END:
                if self._packet is not None and len(self._packet) < _LARGEST_PACKET:
                    self._packet.append(byte)
            elif self._packet:
                packet = bytes(self._packet).replace(_ESCAPED_END, _END).replace(_ESCAPED_ESCAPE, _ESCAPE)
                self._packet = None
                self._execute(packet)
            else:
                self._packet = bytearray()

    def _execute(self, packet: bytes) -> None:
        if len(packet) < 8 or packet[0] != 0:
            return
        _, code, size, checksum = struct.unpack_from("<BBHI", packet)
        body = packet[8:]
        self.commands.append(code)
        try:
            if len(body) != size:
                raise _RefusedError(_BAD_FORMAT)
            self._dispatch(code, body, checksum)
        except (_RefusedError, struct.error, zlib.error) as error:
            self._answer(code, error=error.error if isinstance(error, _RefusedError) else _BAD_FORMAT)

    def _dispatch(self, code: int, body: bytes, checksum: int) -> None:
        if code == _Command.SYNC:
            # Eight times, with a number other than 0: that is how esptool tells the ROM from its stub.
            for _ in range(8):
                self._answer(code, value=0x2012_0707)
        elif code == _Command.READ_REG:
            self._answer(code, value=self._register(struct.unpack("<I", body)[0]))
        elif code == _Command.WRITE_REG:
            address, value = struct.unpack_from("<II", body)
            if address == self._chip.flash_command:
                self._flash_command = value & 0xFF
            self._answer(code)
        elif code == _Command.GET_SECURITY_INFO:
            self._answer(code, body=self._security_info())
        elif code == _Command.SPI_FLASH_MD5:
            self._answer(code, body=self._md5(*struct.unpack_from("<II", body)))
        elif code in (_Command.FLASH_BEGIN, _Command.FLASH_DEFL_BEGIN):
            size, _, _, offset = struct.unpack_from("<IIII", body)
            self._begin_write(offset, size, is_compressed=code == _Command.FLASH_DEFL_BEGIN)
            self._answer(code)
        elif code in (_Command.FLASH_DATA, _Command.FLASH_DEFL_DATA):
            self._write_block(body, checksum)
            self._answer(code)
        elif code == _Command.CHANGE_BAUDRATE:
            self._answer(code)
            self._change_baud(struct.unpack_from("<I", body)[0])
        elif code in (_Command.FLASH_END, _Command.FLASH_DEFL_END):
            self._answer(code)
            if struct.unpack_from("<I", body)[0] == 0:
                self._run()
        elif code == _Command.MEM_END:
            self._answer(code)
            if struct.unpack_from("<II", body)[1] != 0:
                self._is_stub = True
                self._send(_END + b"OHAI" + _END)
        elif code in (
            _Command.MEM_BEGIN,
            _Command.MEM_DATA,
            _Command.SPI_SET_PARAMS,
            _Command.SPI_ATTACH,
        ):
            self._answer(code)
        else:
            raise _RefusedError(_BAD_FORMAT)

    def _answer(self, code: int, *, value: int = 0, body: bytes = b"", error: int | None = None) -> None:
        status = bytes((1, error, 0, 0)) if error is not None else bytes(4)
        body += status[: 2 if self._is_stub else 4]
        packet = struct.pack("<BBHI", 1, code, len(body), value) + body
        self._send(_END + packet.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_END, _ESCAPED_END) + _END)

    def _register(self, address: int) -> int:
        if address == self._chip.flash_data:
            return _FLASH_ANSWERS.get(self._flash_command, 0)
        return self._chip.registers.get(address, 0)

    def _security_info(self) -> bytes:
        if self._chip.security_chip_id is None:
            raise _RefusedError(_BAD_FORMAT)
        return struct.pack("<I8xII", 0, self._chip.security_chip_id, 0)

    def _md5(self, offset: int, size: int) -> bytes:
        digest = hashlib.md5(bytes(self._flash[offset : offset + size]))
        return digest.digest() if self._is_stub else digest.hexdigest().encode()

    def _begin_write(self, offset: int, size: int, *, is_compressed: bool) -> None:
        end = -(-(offset + size) // SECTOR_BYTES) * SECTOR_BYTES
        if offset % SECTOR_BYTES != 0 or end > len(self._flash):
            raise _RefusedError(_BAD_FORMAT)
        self._flash[offset:end] = b"\xff" * (end - offset)
        self._write = _Write(place=offset, inflate=zlib.decompressobj().decompress if is_compressed else bytes)

    def _write_block(self, body: bytes, checksum: int) -> None:
        size = struct.unpack_from("<I", body)[0]
        data = body[16 : 16 + size]
        expected = 0xEF
        for byte in data:
            expected ^= byte
        if self._write is None or len(data) != size or expected != checksum & 0xFF:
            raise _RefusedError(_BAD_CHECKSUM)
        data = self._write.inflate(data)
        # A flash chip can only clear bits; what was not erased would not become what is written.
        place = slice(self._write.place, self._write.place + len(data))
        self._flash[place] = bytes(old & new for old, new in zip(self._flash[place], data, strict=True))
        self._write.place += len(data)
