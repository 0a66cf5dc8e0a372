"""A development board: the chip, its flash, and the transistors by which DTR and RTS reset it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from tests.simulated_esp import image
from tests.simulated_esp.chips import Chip
from tests.simulated_esp.cores import RiscvCore, XtensaCore
from tests.simulated_esp.rom_loader import RomLoader

FLASH_BYTES = 4 << 20
ROM_BAUD = 115_200
# A capacitor holds the reset for a moment after the line is released; only then the chip looks at IO0.
_RISE_S = 0.005


class _Core(Protocol):
    def receive(self, data: bytes) -> None: ...

    def stop(self) -> None: ...


class Board:
    """Powered on when made; `close` takes the power away.

    Args:
        flash: what the flash holds; erased if not given.
    """

    def __init__(self, chip: Chip, flash: bytes = b"") -> None:
        self.chip = chip
        self.flash = bytearray(flash.ljust(FLASH_BYTES, b"\xff"))
        self.boots: list[str] = []
        self.loader: RomLoader | None = None
        self._baud = ROM_BAUD
        self._core: _Core | None = None
        self._lines = (False, False)
        self._rising: threading.Timer | None = None
        self._lock = threading.RLock()
        self._sent = bytearray()
        self._has_sent = threading.Condition()
        self._boot(is_download=False)

    def set_lines(self, dtr: bool, rts: bool) -> None:
        """RTS alone pulls the reset, DTR alone pulls IO0; together they do nothing."""
        with self._lock:
            was_reset, is_reset = self._lines == (False, True), (dtr, rts) == (False, True)
            self._lines = (dtr, rts)
            if is_reset:
                self._halt()
            elif was_reset:
                self._rising = threading.Timer(_RISE_S, self._release)
                self._rising.start()

    def receive(self, data: bytes, baud: int) -> None:
        """Bytes from the host, which sends at `baud`."""
        with self._lock:
            if abs(baud - self._baud) * 50 > self._baud:
                data = bytes(byte ^ 0x5A for byte in data)  # at another speed the bits are others
            if self._core is not None:
                self._core.receive(data)
            elif self.loader is not None:
                self.loader.receive(data)

    def read(self, baud: int, timeout_s: float) -> bytes:
        """What the chip has sent, as a host sees it that listens at `baud`; empty if nothing comes in time."""
        with self._has_sent:
            self._has_sent.wait_for(lambda: self._sent, timeout_s)
            data = bytes(self._sent)
            self._sent.clear()
        return data if abs(baud - self._baud) * 50 <= self._baud else bytes(byte ^ 0x5A for byte in data)

    def waiting(self) -> int:
        return len(self._sent)

    def close(self) -> None:
        with self._lock:
            self._halt()

    def _send(self, data: bytes) -> None:
        with self._has_sent:
            self._sent += data
            self._has_sent.notify_all()

    def _halt(self) -> None:
        if self._rising is not None:
            self._rising.cancel()
        if self._core is not None:
            self._core.stop()
        self._core = self.loader = self._rising = None

    def _release(self) -> None:
        with self._lock:
            dtr, rts = self._lines
            if (dtr, rts) != (False, True) and self._rising is not None:
                self._rising = None
                self._boot(is_download=dtr and not rts)

    def _boot(self, *, is_download: bool) -> None:
        self._baud = ROM_BAUD
        mode = b"0x4 (DOWNLOAD(USB/UART0/1))" if is_download else b"0xc (SPI_FAST_FLASH_BOOT)"
        self._send(self.chip.banner + b"rst:0x1 (POWERON),boot:" + mode + b"\r\n")
        self.boots.append("download" if is_download else "flash")
        if is_download:
            self._send(b"waiting for download\r\n")
            self.loader = RomLoader(
                self.chip, self.flash, send=self._send, change_baud=self._change_baud, run=self._run_flash
            )
            return
        try:
            loaded = image.parse(bytes(self.flash), self.chip.image_offset)
        except image.ImageError as error:
            self._send(f"{error}\r\n".encode())
            return
        for address, data in loaded.segments:
            if not any(begin <= address and address + len(data) <= end for begin, end in self.chip.memory):
                self._send(f"load:0x{address:08x} is not RAM\r\n".encode())
                return
            self._send(f"load:0x{address:08x},len:0x{len(data):x}\r\n".encode())
        self._send(f"entry 0x{loaded.entry:08x}\r\n".encode())
        core: Callable[..., _Core] = XtensaCore if self.chip.name == "esp32" else RiscvCore
        self._core = core(self.chip, loaded, send=self._send, restart=self._restart)

    def _change_baud(self, baud: int) -> None:
        # The answer leaves at the old speed.
        deadline = time.monotonic() + 1
        while self._sent and time.monotonic() < deadline:
            time.sleep(0.001)
        self._baud = baud

    def _run_flash(self) -> None:
        self.loader = None
        self._boot(is_download=False)

    def _restart(self, core: _Core) -> None:
        """The firmware asked for it."""
        with self._lock:
            if core is self._core:
                self._halt()
                self._boot(is_download=False)
