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
from dataclasses import dataclass, replace
from pathlib import Path

from rltools_embed import process, resources
from rltools_embed.errors import ToolchainError
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.board.cores import HOST_COMPILER, Program

MINIMUM_PLATFORMIO = "6.1.19"
# The Core that this version was made with, and its SCons. Both pins move together.
PLATFORMIO, SCONS = "6.2.0", "4.11.1"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program or Python package that something takes.

    Attributes:
        found: where it is, or None.
        version: its version as numbers and dots, or None if it is absent or does not tell.
        minimum: the oldest version that serves, or the only one (`exact`).
        fault: why it does not serve although it is there, or what else is missing for it; empty if nothing is wrong.
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
            return f"{self.name} is missing{f': {self.fault}' if self.fault else ''}"
        if self.fault:
            return f"{self.name} ({self.found}): {self.fault}"
        if self.exact and self.version != self.minimum:
            return f"{self.name} {self.version} is installed, PlatformIO asks for exactly {self.minimum}"
        if self.version is not None and _numbers(self.version) < _numbers(self.minimum):
            return f"{self.name} {self.version} is older than {self.minimum}"
        return ""

    @property
    def serves(self) -> bool:
        """Whether it is there, whole, and new enough."""
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


def for_build(board: Board) -> tuple[Tool, ...]:
    """What building for this board takes; a vendor's compiler is fetched by PlatformIO."""
    if board.runner.has_framework:
        return (check_platformio(),)
    return (check_platformio(), check_scons(), *(check(program) for program in board.core.toolchain.programs))


def for_upload(board: Board) -> tuple[Tool, ...]:
    """What putting firmware on this board takes, beyond building it."""
    return tuple(check(program) for program in board.runner.programs(board))


def require_packages(folder: Path, board: Board, action: str) -> None:
    """Go on only if PlatformIO has the packages of a hardware board's project, or can get them.

    Args:
        action: `build` or `upload`.

    Raises:
        ToolchainError: naming those that are missing while their host cannot be reached.
    """
    if not board.runner.has_framework:
        return
    program = Path(__file__).with_name("missing_packages.py")
    answer = process.run([sys.executable, program, board.name, action], cwd=folder, timeout_s=60)
    last = answer.output.strip().rpartition("\n")[2]
    if answer.exit_code != 0 or not last.startswith("{"):
        return  # PlatformIO will say in its own words what it makes of this project
    packages = json.loads(last)
    if packages["unreachable"]:
        raise ToolchainError(
            f"PlatformIO lacks {', '.join(packages['missing'])} for {board.name}, "
            f"and cannot download: {packages['unreachable']}",
            f"with a network: `pio pkg install -d {_shown(str(folder))} -e {board.name}`; without: copy ~/.platformio "
            "of a computer that has built it, or name folders in platformio.local.ini (platform_packages)",
        )


def check_platformio() -> Tool:
    """PlatformIO Core, as a package of this Python."""
    return _python_package("platformio", "platformio", MINIMUM_PLATFORMIO, f"platformio=={PLATFORMIO}")


def check_scons() -> Tool:
    """SCons in the very version that the installed Core asks for."""
    wanted = _scons_of_core()
    return _python_package("scons", "SCons", wanted, f"scons=={wanted}", exact=True)


def check(program: Program) -> Tool:
    """A program that a core or a runner takes, and the library that it comes with; or a package of a program."""
    if program.package_of is not None:
        return _check_package(program, check(program.package_of))
    # "ccache g++" names a program and its argument.
    chosen = os.environ.get(program.variable, "").split() if program.variable else []
    commands = [chosen] if chosen else [[name] for name in (program.name, *program.others)]
    command = next((words for words in commands if shutil.which(words[0], path=search_path())), commands[0])
    found = shutil.which(command[0], path=search_path())
    tool = Tool(
        name=command[0],
        found=None if found is None else Path(found),
        version=None,
        minimum=program.minimum,
        install_hint=_install_hint(program),
    )
    if found is None:
        return tool
    answer = process.run([found, *command[1:], program.version_flag], timeout_s=20)
    numbers = re.search(r"\d+(\.\d+)+", answer.output)
    tool = replace(tool, version=numbers[0] if numbers else None)
    if answer.exit_code != 0:
        return replace(tool, fault=f"it ends with exit code {answer.exit_code}")
    if program.probe and process.run([found, *program.probe, os.devnull]).exit_code != 0:
        return replace(tool, fault=program.without_library)
    return tool


def _check_package(program: Program, owner: Tool) -> Tool:
    """A package of the program `owner`, which finds it; missing where that one does not serve."""
    hint = _install_hint(program)
    tool = Tool(name=program.name, found=None, version=None, minimum=program.minimum, install_hint=hint)
    if owner.found is None or not owner.serves:
        return replace(tool, fault=owner.problem, install_hint=f"{owner.install_hint} && {hint}")
    answer = process.run([owner.found, *program.probe], timeout_s=20)
    numbers = re.search(r"\d+(\.\d+)+", answer.output)
    if answer.exit_code != 0 or numbers is None:
        return tool
    return replace(tool, found=owner.found, version=numbers[0])


def check_host_compiler() -> Tool:
    """The C++ compiler of this computer: CXX if that is set, else g++, clang++ or c++."""
    return check(HOST_COMPILER)


def check_python_headers() -> Tool:
    """Python.h, which Debian packages apart from Python: training compiles an extension module."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return Tool(
        name="Python.h",
        found=header if header.is_file() else None,
        version=".".join(str(part) for part in sys.version_info[:3]),
        minimum="3.10",
        install_hint=_install("python3-dev", "brew install python"),
    )


def search_path() -> str:
    """PATH, and the folder of this Python's programs: a virtual environment need not be activated."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))


def _scons_of_core() -> str:
    """SCons as PyPI numbers it (4.11.1), out of Core's requirement (~4.41101.0)."""
    if importlib.util.find_spec("platformio") is None:
        return SCONS
    from platformio.dependencies import get_core_dependencies

    digits = re.fullmatch(r"\D*\d+\.(\d+)(\d\d)(\d\d)\..*", get_core_dependencies()["tool-scons"])
    return ".".join(str(int(part)) for part in digits.groups()) if digits else SCONS


def _python_package(name: str, module: str, minimum: str, requirement: str, *, exact: bool = False) -> Tool:
    hint = f"{_shown(sys.executable)} -m pip install {requirement}"
    spec = importlib.util.find_spec(module)
    origin = Path(spec.origin) if spec is not None and spec.origin is not None else None
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        origin, version = None, None
    return Tool(name=name, found=origin, version=version, minimum=minimum, install_hint=hint, exact=exact)


def _install_hint(program: Program) -> str:
    if program.command:
        platform = resources.templates_dir() / "platforms" / "rlt_emulated"
        folder = sys.prefix if sys.prefix != sys.base_prefix else str(Path.home() / ".local")
        words = program.command.split()
        return " ".join(_shown(word.format(platform=platform, folder=folder)) for word in words)
    return _install(program.debian, program.macos)


def _install(apt: str, macos: str) -> str:
    if sys.platform == "darwin":
        return macos
    if shutil.which("apt-get"):
        return f"sudo apt-get install {apt}"
    return f"install with your package manager what Debian calls {apt}"


def _shown(path: str) -> str:
    return f'"{path}"' if " " in path else path


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
