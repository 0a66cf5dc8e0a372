"""The cores that firmware is compiled for: a row each, and the compilers and emulators that they take.

To add a core is to add a row: here, or in a package of one's own (`registry`):

    from rltools_embed.firmware.board import cores

    cores.register(cores.cortex_m("cortex-m35p", cores.Fpu.NONE, cores.Fpu.FPV5_SP, with_fpu="CortexM33"))
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from rltools_embed.firmware.board.registry import Registry


class Architecture:
    """The families of cores, as start-up code tells them apart. Words, not members: an extension may use its own."""

    NATIVE = "native"
    ARM = "arm"
    RISCV = "riscv"
    XTENSA = "xtensa"


class Fpu(Enum):
    """The floating-point unit: GCC's -mfpu on an Arm core."""

    NATIVE = "native"
    NONE = "none"
    FPV4_SP = "fpv4-sp-d16"
    FPV5_SP = "fpv5-sp-d16"
    FPV5 = "fpv5-d16"
    XTENSA_SP = "xtensa-sp"  # single precision, as every ESP32 has that has one


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program of this computer that building or running firmware takes, and how people get it.

    Attributes:
        name: its name on PATH.
        title: what a project's README calls it; empty where the README names it anyway.
        minimum: the oldest version that serves.
        version_flag: makes it print its version.
        debian: the packages that have it.
        macos: the command that installs it on macOS.
        is_tested_on_macos: whether a project's README may name that command.
        command: installs it, in place of packages; `{platform}` stands for the folder of our PlatformIO platform,
            `{folder}` for the one to install into.
        variable: an environment variable that names another program, with its arguments.
        others: programs that serve as well, in this order.
        probe: arguments with which it must get through an empty file, if its library is there; of a package, those
            with which its program prints the package's version, and fails without it.
        without_library: what is wrong if it does not.
        package_of: the program whose package this is; None for a program.
    """

    name: str
    title: str
    minimum: str
    version_flag: str = "--version"
    debian: str = ""
    macos: str = ""
    is_tested_on_macos: bool = True
    command: str = ""
    variable: str = ""
    others: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    without_library: str = ""
    package_of: Program | None = None

    @property
    def advice(self) -> str:
        """How to get it, for people on any system."""
        if self.package_of is not None:
            return f"{self.package_of.advice}; then `{self.command_in_project}`"
        ways = (f"`{self.command_in_project or f'sudo apt-get install {self.debian}'}`", f"`{self.macos}` on macOS")
        return ", or ".join(ways if self.macos else ways[:1])

    @property
    def command_in_project(self) -> str:
        """The command that installs it for this user, with a project's folder as the working directory."""
        return self.command.format(platform="platforms/rlt_emulated", folder="~/.local")


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler with the libraries of its firmware.

    Attributes:
        family: the boards that it is for, as people call them.
        prefix: what the names of the compiler and its companions begin with; `host` for this computer's own.
        driver: the compiler that compiles C++ and links; `gcc` where `g++` would link a library that is not there.
        programs: what must be installed, the compiler first.
        compile_flags, link_flags: those that choose the C library.
        libraries: what is linked at the end.
        takes_arm_headers: whether the C++ headers are those of Arm's compiler, which suit any 32-bit core.
        replaced_tools: SCons' names of tools that are not called as GCC's are, and the programs for them.
        is_optional: whether who has not installed it is in order: only boards of this family cannot be built then.
    """

    family: str
    prefix: str
    driver: str = "g++"
    programs: tuple[Program, ...]
    compile_flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    takes_arm_headers: bool = False
    replaced_tools: tuple[tuple[str, str], ...] = ()
    is_optional: bool = True

    @property
    def compiler(self) -> str:
        """The program that compiles C++ and links."""
        return self.tools["CXX"]

    @property
    def tools(self) -> dict[str, str]:
        """The programs of a build by SCons' names for them."""
        names = {
            "AR": "gcc-ar",
            "AS": "as",
            "CC": "gcc",
            "CXX": self.driver,
            "LINK": self.driver,
            "RANLIB": "gcc-ranlib",
            "OBJCOPY": "objcopy",
            "SIZETOOL": "size",
            "GDB": "gdb",
        }
        return {tool: f"{self.prefix}-{name}" for tool, name in names.items()} | dict(self.replaced_tools)


@dataclass(frozen=True, kw_only=True)
class Core:
    """A core: its instruction set, the kernels for it, how to compile for it, what emulates it.

    Attributes:
        name: as board files call it: GCC's -mcpu for Arm, its -march for RISC-V, `xtensa-` and the core's name for
            Xtensa.
        architecture: a port's start-up code is for one.
        fpus: the floating-point units that it may have.
        device_header: the header of its device tag, below rl_tools/devices/.
        with_fpu, without_fpu: the tag's name where the core has a unit, and where it has none.
        toolchain: its compiler.
        flags: choose the core.
        fpu_flags: choose the unit, where it has one; `{fpu}` stands for the unit's name.
        build_flags: for our sources in every build for this core, with a vendor's framework too.
        has_cycle_counter: whether the core itself counts cycles.
        emulator: what has machines with this core; None: nothing.
        emulator_flags: what the emulator takes for it besides a machine.
    """

    name: str
    architecture: str
    fpus: tuple[Fpu, ...]
    device_header: str
    with_fpu: str = ""
    without_fpu: str = ""
    toolchain: Toolchain = field(repr=False)
    flags: tuple[str, ...] = ()
    fpu_flags: tuple[str, ...] = ()
    build_flags: tuple[str, ...] = ()
    has_cycle_counter: bool = True
    emulator: Program | None = field(default=None, repr=False)
    emulator_flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a row that names no tag for one of its units: a programming mistake, so ValueError."""
        for fpu in self.fpus:
            if not self.tag(fpu):
                raise ValueError(f"the core {self.name} has no device tag for the unit {fpu.value}")

    def tag(self, fpu: Fpu) -> str:
        """The device tag in `rl_tools::devices` of this core with that unit."""
        return self.without_fpu if fpu is Fpu.NONE else self.with_fpu

    def compiler_flags(self, fpu: Fpu) -> tuple[str, ...]:
        """The flags that make the toolchain compile for this core with that unit."""
        unit = () if fpu is Fpu.NONE else tuple(flag.replace("{fpu}", fpu.value) for flag in self.fpu_flags)
        return (*self.flags, *unit)


CORES: Registry[Core] = Registry()


def register(core: Core) -> Core:
    """Make a core known: board files may name it, and `Core.CORTEX_M4` is the row of `cortex-m4`.

    Raises:
        ValueError: the name belongs to another core.
    """
    CORES.add(core.name, core)
    setattr(Core, core.name.upper().replace("-", "_"), core)
    return core


_CROSS_COMPILER_MINIMUM = "9.3.0"
_XTENSA_COMPILER_MINIMUM = "13.1.0"  # the first one that takes a core as a plugin
_QEMU_MINIMUM = "6.2.0"

HOST_COMPILER = Program(
    name="g++",
    title="",
    minimum="9.0.0",
    debian="g++",
    macos="xcode-select --install",
    variable="CXX",
    others=("clang++", "c++"),
)
# Arm's bare-metal GCC with its C and C++ libraries, which Debian packages one by one. Preprocessing finds what is
# missing, in a fifth of the time that compiling takes.
ARM_COMPILER = Program(
    name="arm-none-eabi-g++",
    title="Arm compiler",
    minimum=_CROSS_COMPILER_MINIMUM,
    version_flag="-dumpfullversion",
    debian="gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
    macos="brew install --cask gcc-arm-embedded",
    probe=("-M", "-x", "c++", "-include", "cmath"),
    without_library="its C++ library is missing (it cannot include <cmath>)",
)
# Debian has no C++ library for other bare-metal compilers.
ARM_HEADERS = replace(ARM_COMPILER, title="C++ headers for it: Arm's", is_tested_on_macos=False)
RISCV_COMPILER = Program(
    name="riscv64-unknown-elf-gcc",
    title="RISC-V compiler",
    minimum=_CROSS_COMPILER_MINIMUM,
    version_flag="-dumpfullversion",
    debian="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    macos="brew install riscv64-elf-gcc",
    is_tested_on_macos=False,
    probe=(
        *("--specs=picolibc.specs", "-march=rv32imc", "-mabi=ilp32"),
        *("-fsyntax-only", "-include", "string.h", "-x", "c"),
    ),
    without_library="its C library, picolibc, is missing",
)
QEMU_ARM = Program(
    name="qemu-system-arm", title="QEMU", minimum=_QEMU_MINIMUM, debian="qemu-system-arm", macos="brew install qemu"
)
QEMU_RISCV = replace(QEMU_ARM, name="qemu-system-riscv32", debian="qemu-system-misc")
QEMU_XTENSA = replace(QEMU_ARM, name="qemu-system-xtensa", debian="qemu-system-misc")

HOST = Toolchain(family="", prefix="host", programs=(HOST_COMPILER,), is_optional=False)
ARM = Toolchain(
    family="Cortex-M",
    prefix="arm-none-eabi",
    programs=(ARM_COMPILER,),
    link_flags=("--specs=nano.specs", "--specs=nosys.specs"),
    is_optional=False,
)
RISCV = Toolchain(
    family="RISC-V",
    prefix="riscv64-unknown-elf",
    driver="gcc",
    programs=(RISCV_COMPILER, ARM_HEADERS),
    compile_flags=("--specs=picolibc.specs",),
    link_flags=("--specs=picolibc.specs",),
    takes_arm_headers=True,
)


def xtensa_toolchain(core: str) -> Toolchain:
    """GCC for one of QEMU's Xtensa cores, which no distribution packages: a script of ours makes it of Debian's.

    It has the headers of a C library but no library.
    """
    compiler = Program(
        name=f"{core}-elf-gcc",
        title="Xtensa compiler",
        minimum=_XTENSA_COMPILER_MINIMUM,
        version_flag="-dumpfullversion",
        command="bash {platform}/xtensa/install_compiler {folder}",
        is_tested_on_macos=False,
    )
    return Toolchain(
        family="Xtensa",
        prefix=f"{core}-elf",
        driver="gcc",
        programs=(compiler, ARM_HEADERS),
        link_flags=("-nostdlib",),
        libraries=("gcc",),
        takes_arm_headers=True,
    )


def cortex_m(
    name: str, *fpus: Fpu, with_fpu: str = "", without_fpu: str = "SoftFloatARM", has_cycle_counter: bool = True
) -> Core:
    """The row of a Cortex-M, compiled by Arm's GCC and emulated by QEMU.

    Args:
        name: as GCC's -mcpu.
        with_fpu, without_fpu: the device tags in rl_tools/devices/arm.h.
    """
    return Core(
        name=name,
        architecture=Architecture.ARM,
        fpus=fpus,
        device_header="arm",
        with_fpu=with_fpu,
        without_fpu=without_fpu,
        toolchain=ARM,
        flags=(f"-mcpu={name}", "-mthumb"),
        fpu_flags=("-mfloat-abi=hard", "-mfpu={fpu}"),
        has_cycle_counter=has_cycle_counter,
        emulator=QEMU_ARM,
    )


def riscv(march: str) -> Core:
    """The row of a 32-bit RISC-V without an FPU, by its -march."""
    return Core(
        name=march,
        architecture=Architecture.RISCV,
        fpus=(Fpu.NONE,),
        device_header="riscv",
        with_fpu="RISCVF",
        without_fpu="RISCV",
        toolchain=RISCV,
        # As before 2019, when the instructions for status registers were not yet an extension without libraries.
        flags=(f"-march={march}", "-mabi=ilp32", "-misa-spec=2.2"),
        emulator=QEMU_RISCV,
        emulator_flags=("-bios", "none"),  # then the machine begins with the firmware
    )


def xtensa(name: str, *fpus: Fpu) -> Core:
    """The row of an Xtensa core; only QEMU's have a compiler here, an ESP32's comes with its framework."""
    return Core(
        name=name,
        architecture=Architecture.XTENSA,
        fpus=fpus,
        device_header="esp32",
        with_fpu="XtensaF",
        without_fpu="Xtensa",
        toolchain=xtensa_toolchain(name),
        # The compiler is for one core. Calls reach any address, literals lie among the code.
        flags=("-mlongcalls", "-mtext-section-literals"),
        emulator=QEMU_XTENSA,
    )


NATIVE = register(
    Core(
        name="native",
        architecture=Architecture.NATIVE,
        fpus=(Fpu.NATIVE,),
        device_header="arm",
        with_fpu="ARM",
        without_fpu="ARM",
        toolchain=HOST,
    )
)
CORTEX_M0 = register(cortex_m("cortex-m0", Fpu.NONE, without_fpu="CortexM0Plus", has_cycle_counter=False))
CORTEX_M0PLUS = register(cortex_m("cortex-m0plus", Fpu.NONE, without_fpu="CortexM0Plus", has_cycle_counter=False))
CORTEX_M3 = register(cortex_m("cortex-m3", Fpu.NONE, without_fpu="CortexM3"))
CORTEX_M4 = register(cortex_m("cortex-m4", Fpu.NONE, Fpu.FPV4_SP, with_fpu="CortexM4F"))
CORTEX_M7 = register(cortex_m("cortex-m7", Fpu.NONE, Fpu.FPV5_SP, Fpu.FPV5, with_fpu="CortexM7F"))
CORTEX_M33 = register(cortex_m("cortex-m33", Fpu.NONE, Fpu.FPV5_SP, with_fpu="CortexM33"))
CORTEX_M55 = register(
    replace(
        cortex_m("cortex-m55", Fpu.NONE, Fpu.FPV5_SP, Fpu.FPV5, with_fpu="CortexM55"),
        # The vector unit flushes subnormal numbers to zero: only our kernel, which looks for that, may use it.
        build_flags=("-fno-tree-vectorize",),
    )
)
RV32IMC = register(riscv("rv32imc"))  # ESP32-C3
RV32IMAC = register(riscv("rv32imac"))  # ESP32-C6
XTENSA_LX6 = register(xtensa("xtensa-lx6", Fpu.XTENSA_SP))  # ESP32
XTENSA_LX7 = register(xtensa("xtensa-lx7", Fpu.NONE, Fpu.XTENSA_SP))  # ESP32-S2, ESP32-S3
XTENSA_DC233C = register(xtensa("xtensa-dc233c", Fpu.NONE))  # QEMU's, without an FPU
XTENSA_DE233_FPU = register(xtensa("xtensa-de233_fpu", Fpu.XTENSA_SP))  # QEMU's nearest to the ESP32
