"""The whole firmware in simulated time, over serial ports that behave as those of the real cores do.

The programs are tests/cpp/serial_cores; each core's file there names the source of its behaviour.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rltools_embed import process, resources
from rltools_embed.device.frames import Decoder, Frame, encode_frame
from rltools_embed.device.messages import LAYOUT, RESPONSE_BIT, Message
from rltools_embed.firmware import board as boards
from rltools_embed.firmware.board import Framework
from rltools_embed.target import free_port
from tests import board_matrix
from tests.board_matrix import Target, export_target

PROGRAMS = board_matrix.ROOT / "tests" / "cpp" / "serial_cores"
FAST, SLOW, UNREAD, CLOSED = 1_000_000, 20_000, 0, -1


@dataclass(frozen=True, kw_only=True)
class Core:
    """A serial port of a framework.

    Attributes:
        file: its behaviour, in tests/cpp/serial_cores.
        fetched: the host fetches what is sent (USB); from a UART it goes whether somebody reads or not.
        holds: bytes that the core keeps while nobody reads.
    """

    name: str
    board: str
    file: str
    source: str
    holds: int
    fetched: bool = True
    framework: Framework = Framework.ARDUINO
    macros: tuple[str, ...] = ()


_STM32 = "stm32duino 3.0.0-dev b4bae0dfdf: "
_SAMD = "cores/arduino/USB/USBCore.cpp"
_USB_JTAG = "components/esp_driver_usb_serial_jtag/src/usb_serial_jtag.c"
CORES = {
    core.name: core
    for core in (
        Core(
            name="stm32-uart",
            board="nucleo_f446re",
            file="stm32_uart.h",
            source=_STM32 + "cores/arduino/Serial.cpp",
            holds=63,
            fetched=False,
        ),
        Core(
            name="stm32-usb",
            board="disco_f407vg",
            file="stm32_usb.h",
            source=_STM32 + "libraries/USBDevice/src/USBSerial.cpp",
            holds=127,
            macros=("PIO_FRAMEWORK_ARDUINO_ENABLE_CDC", "TIMEOUT_US=500000"),
        ),
        Core(
            name="samd",
            board="zeroUSB",
            file="samd.h",
            source=f"arduino-samd 1.8.14: {_SAMD}",
            holds=64,
            macros=("SIMULATED_USB=simulated_usb", "SAID_WHEN_CLOSED=0xFFFFFFFFU"),
        ),
        Core(
            name="adafruit-samd",
            board="adafruit_feather_m4",
            file="samd.h",
            source=f"Adafruit's SAMD core 1.7.17: {_SAMD}",
            holds=64,
            macros=("SIMULATED_USB=simulated_usb", "SAID_WHEN_CLOSED=0", "ARDUINO_ARCH_SAMD"),
        ),
        Core(
            name="adafruit-tinyusb",
            board="adafruit_feather_m4",
            file="tinyusb.h",
            source="Adafruit_TinyUSB_Arduino 08c7dabed4: src/arduino/Adafruit_USBD_CDC.cpp",
            holds=256,
            macros=("USE_TINYUSB", "TIMEOUT_US=bench::for_ever"),
        ),
        Core(
            name="mbed",
            board="nano33ble",
            file="mbed.h",
            source="ArduinoCore-mbed b4ad4e7218: cores/arduino/USB/PluggableUSBSerial.h",
            holds=64,
        ),
        Core(
            name="arduino-pico",
            board="pico",
            file="tinyusb.h",
            source="arduino-pico 387294c5fe: cores/rp2040/SerialUSB.cpp",
            holds=256,
            macros=("TIMEOUT_US=1000000", "SIMULATED_CYCLES"),
        ),
        Core(
            name="teensy",
            board="teensy41",
            file="teensy.h",
            source="Teensy cores 7f107ee0a3: teensy4/usb_serial.c",
            holds=4 * 2048,
        ),
        Core(
            name="esp32-uart",
            board="esp32dev",
            file="esp32.h",
            source="arduino-esp32 2.0.17: cores/esp32/esp32-hal-uart.c",
            holds=128,
            fetched=False,
        ),
        Core(
            name="esp32-usb",
            board="seeed_xiao_esp32c3",
            file="esp32.h",
            source="arduino-esp32 2.0.17: cores/esp32/HWCDC.cpp",
            holds=256,
        ),
        Core(
            name="idf-uart",
            board="esp32dev",
            file="espidf.h",
            source="ESP-IDF: components/esp_driver_uart/src/uart.c",
            holds=128,
            fetched=False,
            framework=Framework.ESPIDF,
            macros=("FIFO_BYTES=128", "SIMULATED_CYCLES=simulated_cycles"),
        ),
        Core(
            name="idf-usb",
            board="seeed_xiao_esp32c3",
            file="espidf.h",
            source=f"ESP-IDF 0087196f3c: {_USB_JTAG}",
            holds=1024 + 64,
            framework=Framework.ESPIDF,
            macros=("FIFO_BYTES=64", "IS_USB", "SIMULATED_CYCLES=simulated_cycles"),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a program saw.

    Attributes:
        received: the bytes that the host read.
        longest_us: the longest round of the firmware's loop.
        missed: periods of the control loop in which no step began.
        repeats: requests that the host sent again.
    """

    received: bytes
    longest_us: int
    steps: int
    missed: int
    overruns: int
    answered: int
    repeats: int
    done_us: int
    loops: int

    @cached_property
    def frames(self) -> list[Frame]:
        """The intact answers, in order."""
        return [frame for frame in Decoder().feed(self.received) if frame.type & RESPONSE_BIT]

    @property
    def answers(self) -> dict[int, bytes]:
        """The answers' payloads by their sequence numbers; each must come with the same bits however often it comes."""
        found: dict[int, bytes] = {}
        for frame in self.frames:
            if frame.type & 0x7F != Message.STATISTICS:
                assert found.setdefault(frame.sequence, frame.payload) == frame.payload
        return found

    @property
    def dropped(self) -> int:
        """By the firmware's own count, in its last answer about that."""
        reported = [frame.payload for frame in self.frames if frame.type & 0x7F == Message.STATISTICS]
        return LAYOUT[Message.STATISTICS].response.decode(reported[-1]).numbers["answers_dropped"]


@dataclass(kw_only=True)
class Programs:
    """Compiled when they are first asked for."""

    folder: Path
    _made: dict[tuple[str, ...], Path] = field(default_factory=dict)
    _folders: int = 0

    def of(self, core: Core, seeds: Mapping[str, tuple[str, str]] | None = None) -> Path:
        """The program of a core; `seeds` are faults: a file of the project, and what is put for what in it."""
        key = (core.name, *map(str, (seeds or {}).items()))
        if key not in self._made:
            self._folders += 1
            place = self.folder / f"{self._folders}"
            self._made[key] = _compile(core, place, seeds or {}, self._precompiled)
        return self._made[key]

    @cached_property
    def _precompiled(self) -> tuple[str, ...]:
        """What all programs have alike, compiled once: half of the time of each."""
        header = self.folder / "common.h"
        header.write_text("".join(f"#include <{name}>\n" for name in (PROGRAMS / "bench.h", *_LIBRARY)))
        done = process.run(["g++", *_FLAGS, f"-I{resources.include_dir()}", "-x", "c++-header", header])
        assert done.exit_code == 0, done.output
        return ("-include", str(header))


_LIBRARY = ("rl_tools/embed/server.h", "rl_tools/embed/control_loop.h")
_FLAGS = ("-std=gnu++17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-int-to-pointer-cast")


def host_program(folder: Path, seeds: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """The host's firmware and its client as two threads of one process, under ThreadSanitizer."""
    export_target(Target(board=boards.load("host")), folder)
    _plant(folder, seeds or {})
    includes = (folder / "src", folder / "include/boards/host", folder / "include", resources.include_dir())
    flags = (*(f"-I{path}" for path in includes), *_files(folder, "host"), "-O1", "-g", "-fsanitize=thread", "-pthread")
    program = folder / "firmware"
    done = process.run(["g++", *_FLAGS, *flags, PROGRAMS / "host_main.cpp", "-o", program])
    assert done.exit_code == 0, done.output
    return program


def _plant(folder: Path, seeds: Mapping[str, tuple[str, str]]) -> None:
    shutil.copyfile(PROGRAMS / "policy.h", folder / "src/rlt_embed/policy.h")
    for name, (before, after) in seeds.items():
        place = folder / name
        assert before in place.read_text(), (name, before)
        place.write_text(place.read_text().replace(before, after))


def _files(folder: Path, port: str) -> tuple[str, ...]:
    return (
        f'-DFIRMWARE="{folder / "src/firmware.cpp"}"',
        f'-DPORT_FILE="{folder / "src/rlt_embed/ports" / port / "port.cpp"}"',
    )


def _compile(core: Core, folder: Path, seeds: Mapping[str, tuple[str, str]], flags: Sequence[str]) -> Path:
    target = Target(board=boards.load(core.board).on(core.framework))
    export_target(target, folder)
    port = folder / "src/rlt_embed/ports" / target.board.port.name
    for chip in port.glob("chip_*.h"):  # this computer has another instruction for it, and no reset
        text = chip.read_text().replace('asm volatile("dsb" ::: "memory");', "")
        chip.write_text(text.replace("for (;;) {\n    }", "std::_Exit(7);"))
    _plant(folder, seeds)
    includes = (folder / "src", folder / f"include/boards/{core.board}", folder / "include")
    macros = (
        *board_matrix.vendor_flags(target.board),
        *(f"-D{macro}" for macro in core.macros),
        *_files(folder, target.board.port.name),
        f'-DCORE="{PROGRAMS / core.file}"',
    )
    # A fault in a header of the library is in the project's own copy, for which nothing was compiled before.
    is_seeded = any(name.startswith("lib/") for name in seeds)
    library = folder / "lib/rl_tools/include" if is_seeded else resources.include_dir()
    flags = () if is_seeded else flags
    program = folder / "firmware"
    paths = (f"-I{path}" for path in (*includes, library))
    done = process.run(["g++", *_FLAGS, *flags, *paths, *macros, PROGRAMS / "main.cpp", "-o", program])
    assert done.exit_code == 0, done.output
    return program


def request(message: Message, sequence: int, payload: bytes = b"") -> bytes:
    return encode_frame(Frame(message, sequence, payload))


def evaluation(sequence: int) -> bytes:
    """Answered with 150 numbers: more than any core but Teensy's and ESP-IDF's holds."""
    return request(Message.EVALUATE, sequence, struct.pack("<Hff", 1, float(sequence), 0.5))


def conversation(evaluations: int) -> list[bytes]:
    """A hello, evaluations, and at the end the firmware's statistics."""
    return [
        request(Message.HELLO, 1),
        *(evaluation(2 + i) for i in range(evaluations)),
        request(Message.STATISTICS, 2 + evaluations),
    ]


def run(program: Path, script: str, requests: Sequence[bytes], *words: str) -> Run:
    """Runs the script to its end: `MS:BYTES_PER_SECOND,…,END_MS:0`."""
    done = process.run([program, script, ",".join(words), *(each.hex() for each in requests)], timeout_s=60)
    assert done.exit_code == 0, (done.exit_code, done.output[-500:])
    values = dict(line.split(" ", 1) if " " in line else (line, "") for line in done.output.splitlines())
    received = bytes.fromhex(values.pop("received"))
    return Run(received=received, **{name: int(value) for name, value in values.items()})


def run_host(program: Path, *words: str) -> dict[str, int]:
    """The rounds of the loop while nobody read, and the answers dropped; `exit_code` as ThreadSanitizer has it."""
    done = process.run([program, free_port().rpartition(":")[2], *words], timeout_s=120)
    lines = [line.split() for line in done.output.splitlines() if line.startswith(("rounds ", "dropped "))]
    seen = {name: int(value) for name, value in lines}
    return {**seen, "exit_code": done.exit_code}
