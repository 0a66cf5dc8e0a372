"""Which C++ compiler compiles the training interface, and how it is called on each system."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rltools_embed import process
from rltools_embed.errors import ToolchainError

_WHERE_TO_GET = {
    "Linux": "install one: sudo apt install g++",
    "Darwin": "install one: xcode-select --install, or brew install gcc",
    "Windows": 'install one: Visual Studio Installer, "C++ Clang Compiler for Windows", and use its command prompt',
}
_NAMES = {"Darwin": ("clang++", "g++"), "Windows": ("clang-cl",)}


class Dialect(Enum):
    """What a compiler's options are called, and what its output is linked by."""

    GCC = "gcc"
    CLANG = "clang"
    CLANG_CL = "clang-cl"  # Microsoft's options, libraries and linker


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """A C++ compiler.

    Attributes:
        command: how it is called, without a shell.
        dialect: what its options are called.
        version: its own first line.
    """

    command: tuple[str, ...]
    dialect: Dialect
    version: str

    def flags(self, optimisation: str, system: str, machine: str) -> tuple[str, ...]:
        """The flags that decide what code comes out, at `optimisation` (-O1, -O2).

        Contraction to fused multiply-adds is allowed here: the policy's own evaluation pins its roundings itself
        (rl_tools/arithmetic.h). Nothing of -ffast-math that could change a result otherwise.
        """
        rounding = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
        tuned: tuple[str, ...] = ("-march=native",)
        if machine in ("x86_64", "AMD64", "i686"):
            # Where there are 64-byte registers our kernels use them; all compilers would otherwise split them.
            tuned = ("-march=native", "-mprefer-vector-width=512")
        elif machine in ("aarch64", "arm64"):
            tuned = ("-mcpu=native",)
        if self.dialect is Dialect.CLANG_CL:
            clang = (optimisation, *rounding, *tuned)
            # Beyond /O2 and the like it takes Clang's own flags behind this prefix; /MD is the run time of Python.
            return ("/std:c++17", "/EHsc", "/MD", *(f"/clang:{flag}" for flag in clang))
        common = (optimisation, "-std=c++17", "-fPIC", "-fvisibility=hidden", *rounding, *tuned)
        # Two interfaces in one process must not share their static data.
        own = ("-fno-gnu-unique",) if self.dialect is Dialect.GCC and system != "Darwin" else ()
        return (*common, *own)

    @property
    def loop_flags(self) -> tuple[str, ...]:
        """What -O2 lacks for training.

        GCC's leaves scalar what Adam and the losses need as vectors; its -O3 compiles for half as long again, and
        trains no faster.
        """
        return ("-ftree-vectorize", "-fvect-cost-model=dynamic") if self.dialect is Dialect.GCC else ()

    def object_command(self, source: Path, target: Path, flags: Sequence[str]) -> list[str | Path]:
        """The command that compiles `source` to the object `target`."""
        if self.dialect is Dialect.CLANG_CL:
            return [*self.command, *flags, "/c", source, f"/Fo{target}"]
        return [*self.command, *flags, source, "-o", target, "-c"]

    def link_command(
        self, objects: Sequence[Path], target: Path | str, libraries: Sequence[str], system: str
    ) -> list[str | Path]:
        """The command that links a Python module. libpython is not linked where the interpreter brings its symbols."""
        if self.dialect is Dialect.CLANG_CL:
            # Python's headers name python3xx.lib to the linker, which stands here.
            folder = Path(sys.base_prefix) / "libs"
            return [*self.command, "/LD", *objects, f"/Fe{target}", *libraries, "/link", f"/LIBPATH:{folder}"]
        shared = ("-bundle", "-undefined", "dynamic_lookup") if system == "Darwin" else ("-shared",)
        return [*self.command, *shared, *objects, "-o", target, *libraries]


def find(environment: Mapping[str, str] = os.environ) -> Compiler:
    """The compiler to use: RL_TOOLS_COMPILER, else CXX, else g++ or clang++, on Windows clang-cl.

    Raises:
        ToolchainError: there is none, or the one that was asked for does not run or cannot compile the interface.
    """
    for variable in ("RL_TOOLS_COMPILER", "CXX"):
        chosen = environment.get(variable, "").strip()
        if chosen:
            return _identify(_command(variable, chosen, environment))
    names = _NAMES.get(platform.system(), ("g++", "clang++"))
    for name in names:
        found = shutil.which(name, path=environment.get("PATH"))
        if found:
            return _identify((found,))
    hint = _WHERE_TO_GET.get(platform.system(), "install g++ or clang++, or set RL_TOOLS_COMPILER")
    raise ToolchainError(f"no C++ compiler: there is no {' and no '.join(names)} in PATH", hint)


def _command(variable: str, chosen: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    path = environment.get("PATH")
    whole = shutil.which(chosen, path=path)
    if whole:
        return (whole,)
    # "ccache g++" is as common as a path with a space in it; the latter was tried first.
    try:
        program, *arguments = shlex.split(chosen)
    except ValueError as error:
        raise ToolchainError(f"{variable} is {chosen!r}: {error}", f"correct or unset {variable}") from error
    found = shutil.which(program, path=path)
    if not found:
        raise ToolchainError(f"{variable} is {chosen!r}, and there is no such program", f"correct or unset {variable}")
    return (found, *arguments)


def _identify(command: tuple[str, ...]) -> Compiler:
    names = {Path(part).stem.lower() for part in command}
    if "cl" in names:
        raise ToolchainError(
            f"{shlex.join(command)} is Microsoft's compiler, which has no vector types: it cannot compile the kernels",
            _WHERE_TO_GET["Windows"],
        )
    done = process.run([*command, "--version"], timeout_s=30)
    version = done.output.strip().splitlines()[0] if done.output.strip() else ""
    if done.exit_code != 0 or not version:
        raise ToolchainError(
            f"{shlex.join(command)} --version ended with exit code {done.exit_code}",
            "set RL_TOOLS_COMPILER to a working g++ or clang++",
        )
    if "clang-cl" in names or "--driver-mode=cl" in command:
        dialect = Dialect.CLANG_CL
    else:
        dialect = Dialect.CLANG if "clang" in version.lower() else Dialect.GCC
    return Compiler(command=command, dialect=dialect, version=version)
