"""Programs for one core each, compiled, and run in QEMU: for tests/kernels and benchmarks/."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "cpp" / "include"
BARE_METAL = Path(__file__).resolve().parent / "bare_metal"
XTENSA_PORT = ROOT / "templates" / "ports" / "xtensa_lx60"
ARM_COMPILER = "arm-none-eabi-g++"
LANGUAGE_FLAGS = ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wdouble-promotion")
TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Core:
    """An Arm core, the device tag of its kernels, and a machine of QEMU that has it.

    Attributes:
        name: as GCC's -mcpu.
        tag: the class template in `rl_tools::devices`.
        fpu: as GCC's -mfpu; empty without one.
        without: extensions of the core that the compiler must not use, as GCC writes them behind -mcpu.
        compiler, start_up, libraries: its compiler, its start-up code, flags that name the C library.
    """

    name: str
    tag: str
    fpu: str
    machine: str
    without: str = ""
    flash_origin: int = 0x0000_0000
    ram_origin: int = 0x2000_0000
    memory_bytes: int = 0x40_0000

    start_up: ClassVar[tuple[Path, ...]] = (BARE_METAL / "start.cpp",)
    libraries: ClassVar[tuple[str, ...]] = ("--specs=nano.specs", "--specs=nosys.specs")

    @property
    def compiler(self) -> str:
        return ARM_COMPILER

    @property
    def flags(self) -> tuple[str, ...]:
        abi = ("-mfloat-abi=hard", f"-mfpu={self.fpu}") if self.fpu else ("-mfloat-abi=soft",)
        return (f"-mcpu={self.name}{self.without}", "-mthumb", *abi)

    @property
    def clang_flags(self) -> tuple[str, ...]:
        """The same core for clang, which knows the FPU by its name."""
        abi = "-mfloat-abi=hard" if self.fpu else "-mfloat-abi=soft"
        return ("--target=arm-none-eabi", f"-mcpu={self.name}{self.without}", "-mthumb", abi)

    @property
    def emulator(self) -> tuple[str, ...]:
        return ("qemu-system-arm", "-M", self.machine)


@dataclass(frozen=True, kw_only=True)
class RiscvCore(Core):
    """A RISC-V core.

    Attributes:
        name: as GCC's -march.
        fpu: the letter that the ABI has for it.
        cpu: as QEMU's -cpu.
    """

    machine: str = "virt"
    flash_origin: int = 0x8000_0000  # both are parts of the machine's RAM, which ends where RAM ends
    ram_origin: int = 0x8040_0000
    cpu: str

    start_up: ClassVar[tuple[Path, ...]] = (BARE_METAL / "start_riscv.cpp",)
    libraries: ClassVar[tuple[str, ...]] = ("--specs=picolibc.specs",)

    @property
    def compiler(self) -> str:
        return "riscv64-unknown-elf-gcc"  # its g++ links a C++ library that Debian does not have

    @property
    def flags(self) -> tuple[str, ...]:
        # As before 2019, when the instructions for status registers were not yet an extension without libraries.
        return (f"-march={self.name}", f"-mabi=ilp32{self.fpu}", "-misa-spec=2.2", *_freestanding_headers())

    @property
    def emulator(self) -> tuple[str, ...]:
        return ("qemu-system-riscv32", "-M", self.machine, "-cpu", self.cpu, "-m", "8M", "-bios", "none")


@dataclass(frozen=True, kw_only=True)
class XtensaCore(Core):
    """An Xtensa core, as QEMU and the compiler call it; its start-up code is that of the firmware's port."""

    machine: str = "lx60"
    ram_origin: int = 0x2040_0000  # address 0x40_0000, see xtensa_lx60/vectors.S

    start_up: ClassVar[tuple[Path, ...]] = (
        BARE_METAL / "start_xtensa.cpp",
        XTENSA_PORT / "vectors.S",
        XTENSA_PORT / "c_library.cpp",
    )
    libraries: ClassVar[tuple[str, ...]] = ("-nostdlib", "-Wl,-e,Reset_Handler", "-lgcc")

    @property
    def compiler(self) -> str:
        return f"xtensa-{self.name}-elf-gcc"

    @property
    def flags(self) -> tuple[str, ...]:
        return ("-mlongcalls", "-mtext-section-literals", *_freestanding_headers())

    @property
    def emulator(self) -> tuple[str, ...]:
        return ("qemu-system-xtensa", "-M", self.machine, "-cpu", self.name, "-m", "8M")


@cache
def _headers_of_gcc(target: Core) -> tuple[str, ...]:
    """The C and C++ library of Arm's compiler, for clang."""
    words = _run(target.compiler, *target.flags, "-x", "c++", "-E", "-v", "/dev/null")
    folders = re.findall(r"(?m)^ (/\S+)$", words)
    # The first of GCC's own folders has headers written for GCC alone; clang brings its own.
    return tuple(f"-isystem{folder}" for folder in folders if "/../" in folder)


@cache
def _freestanding_headers() -> tuple[str, ...]:
    """The C++ headers of Arm's compiler: Debian has none for RISC-V, and those that we include suit any 32-bit core."""
    words = _run(ARM_COMPILER, "-mcpu=cortex-m3", "-mthumb", "-x", "c++", "-E", "-v", "/dev/null")
    folders = (line.strip() for line in words.splitlines() if line.startswith(" /"))
    return tuple(f"-isystem{folder}" for folder in folders if "/c++/" in folder)


# QEMU has no machine with a Cortex-M0+; its instructions are a subset of the Cortex-M3's.
CORES = (
    Core(name="cortex-m0plus", tag="CortexM0Plus", fpu="", machine="mps2-an385"),
    Core(name="cortex-m3", tag="CortexM3", fpu="", machine="mps2-an385"),
    Core(name="cortex-m4", tag="CortexM4F", fpu="fpv4-sp-d16", machine="mps2-an386"),
    Core(name="cortex-m7", tag="CortexM7F", fpu="fpv5-d16", machine="mps2-an500"),
    Core(
        name="cortex-m33",
        tag="CortexM33",
        fpu="fpv5-sp-d16",
        machine="mps2-an505",
        flash_origin=0x1000_0000,
        ram_origin=0x3800_0000,
    ),
    Core(
        name="cortex-m55",
        tag="CortexM55",
        fpu="auto",
        machine="mps3-an547",
        ram_origin=0x3000_0000,
        memory_bytes=0x8_0000,
    ),
    # The core of the ESP32-C3; QEMU's lowrisc-ibex refuses every instruction that is not RV32IMC.
    RiscvCore(name="rv32imc", tag="RISCV", fpu="", cpu="lowrisc-ibex"),
    RiscvCore(name="rv32imafc", tag="RISCVF", fpu="f", cpu="rv32"),
    # The class of the ESP32-S2, and the nearest to the ESP32 and the ESP32-S3.
    XtensaCore(name="dc233c", tag="Xtensa", fpu=""),
    XtensaCore(name="de233_fpu", tag="XtensaF", fpu="xtensa-sp"),
)


def core(name: str) -> Core:
    """The core of this name."""
    return next(core for core in CORES if core.name == name)


def compile_program(target: Core, source: Path, elf: Path, *flags: str, clang: bool = False) -> Path:
    """The program of `source` with the start-up code of bare_metal/; returns `elf`.

    Args:
        clang: compile `source` by clang++ instead of GCC, which still links (Arm cores only).

    Raises:
        RuntimeError: the compiler refused, with its words.
    """
    if clang:
        compiled = elf.with_suffix(".o")
        _run(
            "clang++",
            *target.clang_flags,
            *LANGUAGE_FLAGS,
            *WARNINGS,
            *flags,
            f"-I{INCLUDE}",
            f"-I{BARE_METAL}",
            *_headers_of_gcc(target),
            "-c",
            str(source),
            "-o",
            str(compiled),
        )
        source = compiled
    memory = {
        "__flash_origin": target.flash_origin,
        "__flash_bytes": target.memory_bytes,
        "__ram_origin": target.ram_origin,
        "__ram_bytes": target.memory_bytes,
    }
    symbols = [f"-Wl,--defsym={name}={value:#x}" for name, value in memory.items()]
    _run(
        target.compiler,
        *target.flags,
        *LANGUAGE_FLAGS,
        *WARNINGS,
        "-ffunction-sections",
        "-fdata-sections",
        *flags,
        f"-I{INCLUDE}",
        f"-I{BARE_METAL}",
        str(source),
        *map(str, target.start_up),
        "-nostartfiles",
        *target.libraries,
        "-Wl,--gc-sections",
        "-Wl,--no-warn-rwx-segments",
        f"-T{BARE_METAL / 'machine.ld'}",
        *symbols,
        "-o",
        str(elf),
    )
    return elf


def run(target: Core, elf: Path, *options: str) -> str:
    """What the program writes.

    Raises:
        RuntimeError: it faulted, or main() returned something else than 0; with what it wrote.
    """
    quiet = ("-nographic", "-monitor", "none", "-serial", "none")
    semihosting = ("-semihosting-config", "enable=on,target=native")
    return _run(*target.emulator, *quiet, *semihosting, *options, "-kernel", str(elf))


def symbols(elf: Path) -> dict[str, int]:
    """Address by demangled name."""
    lines = _run("arm-none-eabi-nm", "--demangle", str(elf)).splitlines()
    rows = [line.split(maxsplit=2) for line in lines]
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3}


def section_sizes(elf: Path) -> dict[str, int]:
    """Bytes by section."""
    rows = (line.split() for line in _run("arm-none-eabi-size", "-A", "-d", str(elf)).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdigit()}


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0:
        words: Sequence[str] = (done.stdout + done.stderr).splitlines()
        raise RuntimeError("\n".join([" ".join(command)[:300], *words[-40:]]))
    return done.stdout + done.stderr
