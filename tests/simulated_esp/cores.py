"""What executes the firmware: QEMU's nearest Xtensa core, with RAM at the ESP32's addresses, and Unicorn's RV32IMC."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import unicorn
from unicorn import riscv_const

from tests.simulated_esp.chips import Chip
from tests.simulated_esp.image import Image

Send = Callable[[bytes], None]


class XtensaCore:
    """QEMU's de233_fpu in the machine lx60, whose RAM is large enough to have the ESP32's addresses in it.

    The serial port, the counter and the reset are the machine's, so the firmware is linked for those.
    """

    def __init__(self, chip: Chip, image: Image, *, send: Send, restart: Callable[[XtensaCore], None]) -> None:
        self._send = send
        self._restart = restart
        self._is_stopped = False
        self._folder = tempfile.TemporaryDirectory()
        load = []
        for number, (address, data) in enumerate(image.segments):
            part = Path(self._folder.name) / f"{number}.bin"
            part.write_bytes(data)
            load += ["-device", f"loader,file={part},addr={address:#x},force-raw=on"]
        # A reset that the firmware asks for ends QEMU: the chip's ROM comes first.
        self._process = subprocess.Popen(
            [
                *("qemu-system-xtensa", "-M", "lx60", "-cpu", "de233_fpu", "-m", "1280M", "-no-reboot"),
                *("-display", "none", "-monitor", "none", "-serial", "stdio"),
                *load,
                *("-device", f"loader,addr={image.entry:#x},cpu-num=0"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        threading.Thread(target=self._forward, daemon=True).start()

    def receive(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def stop(self) -> None:
        self._is_stopped = True
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _forward(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read(4096):
            self._send(data)
        if not self._is_stopped:
            self._restart(self)


class RiscvCore:
    """Unicorn's RV32IMC with the ESP32-C3's RAM, serial port, system timer and software reset."""

    UART, TIMER, CONTROL = 0x6000_0000, 0x6002_3000, 0x6000_8000
    FIFO, STATUS = 0x00, 0x1C
    TIMER_HZ = 16_000_000
    _PAGE = 0x1000
    _FIFO_BYTES = 127

    def __init__(self, chip: Chip, image: Image, *, send: Send, restart: Callable[[RiscvCore], None]) -> None:
        self._send = send
        self._restart = restart
        self._received: deque[int] = deque()
        self._is_stopped = False
        self._entry = image.entry
        self._emulator = emulator = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        (data_begin, data_end), (code_begin, code_end) = chip.memory
        emulator.mem_map(data_begin, data_end - data_begin, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        emulator.mem_map(code_begin, code_end - code_begin, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        for address, data in image.segments:
            emulator.mem_write(address, data)
        emulator.mmio_map(self.UART, self._PAGE, self._read_uart, None, self._write_uart, None)
        emulator.mmio_map(self.TIMER, self._PAGE, self._read_timer, None, lambda *_: None, None)
        emulator.mmio_map(self.CONTROL, self._PAGE, lambda *_: 0, None, self._write_control, None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def receive(self, data: bytes) -> None:
        self._received.extend(data)

    def stop(self) -> None:
        self._is_stopped = True
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            # In slices: nothing else can end a program that never touches a register.
            begin = self._entry
            while not self._is_stopped:
                self._emulator.emu_start(begin, 0xFFFF_FFFF, count=5_000_000)
                begin = self._emulator.reg_read(riscv_const.UC_RISCV_REG_PC)
        except unicorn.UcError as error:
            place = self._emulator.reg_read(riscv_const.UC_RISCV_REG_PC)
            self._send(f"Guru Meditation Error: {error} at 0x{place:08x}\r\n".encode())

    def _read_uart(self, _emulator: unicorn.Uc, offset: int, _size: int, _data: Any) -> int:
        if offset == self.FIFO:
            return self._received.popleft() if self._received else 0
        if offset == self.STATUS and not self._received:
            time.sleep(0.0005)  # the firmware waits for a byte: give the processor to somebody else
        return min(len(self._received), self._FIFO_BYTES) if offset == self.STATUS else 0

    def _write_uart(self, _emulator: unicorn.Uc, offset: int, _size: int, value: int, _data: Any) -> None:
        if offset == self.FIFO:
            self._send(bytes((value & 0xFF,)))

    def _read_timer(self, _emulator: unicorn.Uc, offset: int, _size: int, _data: Any) -> int:
        ticks = int(time.monotonic() * self.TIMER_HZ)
        # UNIT0_OP says that the value is valid, UNIT0_VALUE_HI and _LO are the value.
        return {0x04: 1 << 29, 0x40: (ticks >> 32) & 0xF_FFFF, 0x44: ticks & 0xFFFF_FFFF}.get(offset, 0)

    def _write_control(self, emulator: unicorn.Uc, offset: int, _size: int, value: int, _data: Any) -> None:
        if offset == 0 and value >> 31:  # RTC_CNTL_OPTIONS0: SW_SYS_RST
            self._is_stopped = True
            emulator.emu_stop()
            threading.Thread(target=self._restart, args=(self,), daemon=True).start()
