"""Which programs a build takes, whether they are here, and the command that installs them.

PlatformIO itself fetches what is missing, or tries for a minute and then says nothing of use where there is no network.
So what it would miss is looked for beforehand.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rltools_embed import process, resources
from rltools_embed.errors import ToolchainError
from rltools_embed.firmware.board import Architecture, Board, Core, RunnerKind

MINIMUM_PLATFORMIO = "6.1.19"
MINIMUM_CROSS_COMPILER = "9.3.0"
# The first one that takes a core as a plugin.
MINIMUM_XTENSA_COMPILER = "13.1.0"
MINIMUM_QEMU = "6.2.0"
MINIMUM_HOST_COMPILER = "9.0.0"
# The Core that this version was made with, and its SCons. Both pins move together.
_PLATFORMIO, _SCONS = "6.2.0", "4.11.1"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program or Python package that something takes.

    Attributes:
        found: where it is, or None.
        version: its version as numbers and dots, or None if it is absent or does not tell.
        minimum: the oldest version that serves, or the only one (`exact`).
        fault: why it does not serve although it is there; empty if it does.
        install_hint: the command that installs it here.
    """

    name: str
    found: Path | None
    version: str | None
    minimum: str
    install_hint: str
    exact: bool = False
    fault: str = ""

    @property
    def problem(self) -> str:
        """What is wrong with it, or nothing."""
        if self.found is None:
            return f"{self.name} is missing"
        if self.fault:
            return f"{self.name} ({self.found}): {self.fault}"
        if self.exact and self.version != self.minimum:
            return f"{self.name} {self.version} is installed, PlatformIO asks for exactly {self.minimum}"
        if self.version is not None and _numbers(self.version) < _numbers(self.minimum):
            return f"{self.name} {self.version} is older than {self.minimum}"
        return ""

    @property
    def serves(self) -> bool:
        return not self.problem


def require(tools: Iterable[Tool]) -> None:
    """Go on only if every tool serves.

    Raises:
        ToolchainError: naming each one that does not, with the commands that install them.
    """
    failing = [tool for tool in tools if not tool.serves]
    if failing:
        hints = dict.fromkeys(tool.install_hint for tool in failing)
        raise ToolchainError("; ".join(tool.problem for tool in failing), " && ".join(hints))


def prefix(core: Core) -> str:
    """What the names of the core's cross compiler and its companions begin with."""
    if core.architecture is Architecture.XTENSA:
        return f"{core.value}-elf"
    return "riscv64-unknown-elf" if core.architecture is Architecture.RISCV else "arm-none-eabi"


def emulator(core: Core) -> str:
    """The program of QEMU that has machines with this core."""
    return {
        Architecture.RISCV: "qemu-system-riscv32",
        Architecture.XTENSA: "qemu-system-xtensa",
    }.get(core.architecture, "qemu-system-arm")


def for_build(board: Board) -> tuple[Tool, ...]:
    """What building for this board takes."""
    common = (check_platformio(), check_scons())
    if board.runner.kind is RunnerKind.HOST:
        return (*common, check_host_compiler())
    if board.runner.kind is RunnerKind.QEMU:
        return (*common, *check_compilers(board.core))
    return (check_platformio(),)


def require_packages(folder: Path, board: Board, action: str) -> None:
    """Go on only if PlatformIO has the packages of a hardware board's project, or can get them.

    Args:
        action: `build` or `upload`.

    Raises:
        ToolchainError: naming those that are missing while their host cannot be reached.
    """
    if board.runner.kind is not RunnerKind.HARDWARE:
        return
    program = Path(__file__).with_name("missing_packages.py")
    answer = process.run([sys.executable, program, board.name, action], cwd=folder, timeout_s=60)
    last = answer.output.strip().rpartition("\n")[2]
    if answer.exit_code != 0 or not last.startswith("{"):
        return  # PlatformIO will say in its own words what it makes of this project
    found = json.loads(last)
    if found["unreachable"]:
        raise ToolchainError(
            f"PlatformIO lacks {', '.join(found['missing'])} for {board.name}, "
            f"and cannot download: {found['unreachable']}",
            f"with a network: `pio pkg install -d {_shown(str(folder))} -e {board.name}`; without: copy ~/.platformio "
            "of a computer that has built it, or name folders in platformio.local.ini (platform_packages)",
        )


def for_upload(board: Board) -> tuple[Tool, ...]:
    """What putting firmware on this board takes, beyond building it."""
    return (check_qemu(emulator(board.core)),) if board.runner.kind is RunnerKind.QEMU else ()


def check_platformio() -> Tool:
    """PlatformIO Core, as a package of this Python."""
    return _python_package("platformio", "platformio", MINIMUM_PLATFORMIO, f"platformio=={_PLATFORMIO}")


def check_scons() -> Tool:
    """SCons in the very version that the installed Core asks for."""
    wanted = _scons_of_core()
    return _python_package("scons", "SCons", wanted, f"scons=={wanted}", exact=True)


def check_compilers(core: Core) -> tuple[Tool, ...]:
    """The cross compiler of a core, and Arm's where only that one has the headers of a C++ library."""
    if core.architecture is Architecture.RISCV:
        return (check_riscv_compiler(), check_cross_compiler())
    if core.architecture is Architecture.XTENSA:
        return (check_xtensa_compiler(core), check_cross_compiler())
    return (check_cross_compiler(),)


def check_cross_compiler() -> Tool:
    """Arm's bare-metal GCC with its C and C++ libraries, which Debian packages one by one."""
    tool = _program(
        "arm-none-eabi-g++",
        MINIMUM_CROSS_COMPILER,
        ("arm-none-eabi-g++", "-dumpfullversion"),
        apt="gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
        brew="--cask gcc-arm-embedded",
    )
    if tool.found is None:
        return tool
    # Preprocessing finds what is missing, in a fifth of the time that compiling takes.
    headers = process.run([tool.found, "-M", "-x", "c++", "-include", "cmath", os.devnull])
    if headers.exit_code == 0:
        return tool
    return _replaced_fault(tool, "its C++ library is missing (it cannot include <cmath>)")


def check_riscv_compiler() -> Tool:
    """The bare-metal GCC of RISC-V, and a C library; Debian has no C++ library for it."""
    tool = _program(
        "riscv64-unknown-elf-gcc",
        MINIMUM_CROSS_COMPILER,
        ("riscv64-unknown-elf-gcc", "-dumpfullversion"),
        apt="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
        brew="riscv64-elf-gcc",
    )
    if tool.found is None:
        return tool
    library = ("--specs=picolibc.specs", "-march=rv32imc", "-mabi=ilp32", "-fsyntax-only", "-include", "string.h")
    headers = process.run([tool.found, *library, "-x", "c", os.devnull])
    return tool if headers.exit_code == 0 else _replaced_fault(tool, "its C library, picolibc, is missing")


def check_xtensa_compiler(core: Core = Core.XTENSA_DE233_FPU) -> Tool:
    """The GCC of one of QEMU's Xtensa cores, which no distribution packages: a script of ours makes it of Debian's."""
    name = f"{prefix(core)}-gcc"
    script = resources.templates_dir() / "platforms" / "rlt_emulated" / "xtensa" / "install_compiler"
    folder = sys.prefix if sys.prefix != sys.base_prefix else str(Path.home() / ".local")
    hint = f"bash {_shown(str(script))} {_shown(folder)}"
    return _program(name, MINIMUM_XTENSA_COMPILER, (name, "-dumpfullversion"), hint=hint)


def check_qemu(program: str = "qemu-system-arm") -> Tool:
    """The emulator: `qemu-system-arm`, or the one of another architecture."""
    package = program if program == "qemu-system-arm" else "qemu-system-misc"
    return _program(program, MINIMUM_QEMU, (program, "--version"), apt=package, brew="qemu")


def check_host_compiler() -> Tool:
    """The C++ compiler of this computer: CXX if that is set, else g++, clang++ or c++."""
    # "ccache g++" names a program and its argument.
    chosen = os.environ.get("CXX", "").split()
    commands = [chosen] if chosen else [["g++"], ["clang++"], ["c++"]]
    command = next((words for words in commands if shutil.which(words[0])), commands[0])
    hint = "xcode-select --install" if sys.platform == "darwin" else _install("g++", "gcc")
    return _program(command[0], MINIMUM_HOST_COMPILER, (*command, "--version"), hint=hint)


def check_python_headers() -> Tool:
    """Python.h, which Debian packages apart from Python: training compiles an extension module."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return Tool(
        name="Python.h",
        found=header if header.is_file() else None,
        version=".".join(str(part) for part in sys.version_info[:3]),
        minimum="3.10",
        install_hint=_install("python3-dev", "python"),
    )


def search_path() -> str:
    """PATH, and the folder of this Python's programs: a virtual environment need not be activated."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))


def _scons_of_core() -> str:
    """SCons as PyPI numbers it (4.11.1), out of Core's requirement (~4.41101.0)."""
    if importlib.util.find_spec("platformio") is None:
        return _SCONS
    from platformio.dependencies import get_core_dependencies

    digits = re.fullmatch(r"\D*\d+\.(\d+)(\d\d)(\d\d)\..*", get_core_dependencies()["tool-scons"])
    return ".".join(str(int(part)) for part in digits.groups()) if digits else _SCONS


def _python_package(name: str, module: str, minimum: str, requirement: str, *, exact: bool = False) -> Tool:
    hint = f"{_shown(sys.executable)} -m pip install {requirement}"
    spec = importlib.util.find_spec(module)
    origin = Path(spec.origin) if spec is not None and spec.origin is not None else None
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        origin, version = None, None
    return Tool(name=name, found=origin, version=version, minimum=minimum, install_hint=hint, exact=exact)


def _program(
    name: str, minimum: str, version_command: tuple[str, ...], *, apt: str = "", brew: str = "", hint: str = ""
) -> Tool:
    hint = hint or _install(apt, brew)
    found = shutil.which(name, path=search_path())
    if found is None:
        return Tool(name=name, found=None, version=None, minimum=minimum, install_hint=hint)
    answer = process.run([found, *version_command[1:]], timeout_s=20)
    numbers = re.search(r"\d+(\.\d+)+", answer.output)
    tool = Tool(
        name=name,
        found=Path(found),
        version=numbers[0] if numbers else None,
        minimum=minimum,
        install_hint=hint,
    )
    return tool if answer.exit_code == 0 else _replaced_fault(tool, f"it ends with exit code {answer.exit_code}")


def _replaced_fault(tool: Tool, fault: str) -> Tool:
    return Tool(
        name=tool.name,
        found=tool.found,
        version=tool.version,
        minimum=tool.minimum,
        install_hint=tool.install_hint,
        exact=tool.exact,
        fault=fault,
    )


def _install(apt: str, brew: str) -> str:
    if sys.platform == "darwin":
        return f"brew install {brew}"
    if shutil.which("apt-get"):
        return f"sudo apt-get install {apt}"
    return f"install with your package manager what Debian calls {apt}"


def _shown(path: str) -> str:
    return f'"{path}"' if " " in path else path


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
