"""Which C++ compiler compiles the training interface, and how it is called on each system."""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
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
    "Windows": (
        'install one: Visual Studio Installer, "Desktop development with C++" and "C++ Clang Compiler for Windows" '
        "(faster), and use its command prompt"
    ),
}
# A driver for C, between a target's name and a version: it compiles C++, but does not link its library.
_C_DRIVER = re.compile(r"((?:.*-)?)(gcc|cc|clang)((?:-[\d.]+)?)(?:\.exe)?", re.IGNORECASE)
_FOR_CPP = {"gcc": "g++", "cc": "c++", "clang": "clang++"}
_NAMES = {"Darwin": ("clang++", "g++"), "Windows": ("clang-cl", "cl")}  # the kernels of clang-cl are faster

# Warning 4068 is of unknown pragmas, which are GCC's and Clang's.
_MICROSOFTS_LANGUAGE = (
    "/nologo",
    "/utf-8",
    "/std:c++17",
    "/permissive-",
    "/Zc:__cplusplus",
    "/EHsc",
    "/bigobj",
    "/wd4068",
)


class Dialect(Enum):
    """What a compiler's options are called, and what its output is linked by."""

    GCC = "gcc"
    CLANG = "clang"
    CLANG_CL = "clang-cl"  # Microsoft's options, libraries and linker
    MSVC = "cl"  # Microsoft's own


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

    @property
    def is_microsofts(self) -> bool:
        """Whether it takes Microsoft's options and calls Microsoft's linker."""
        return self.dialect in (Dialect.CLANG_CL, Dialect.MSVC)

    def flags(self, optimisation: str, system: str, machine: str) -> tuple[str, ...]:
        """The flags that decide what code comes out, at `optimisation` (-O1, -O2).

        Contraction to fused multiply-adds is allowed here: the policy's own evaluation pins its roundings itself
        (rl_tools/math/arithmetic.h). Nothing of -ffast-math that could change a result otherwise.
        Microsoft's contract in older versions and not in newer ones; that, too, is left as it is.
        """
        if self.dialect is Dialect.MSVC:
            return (
                *_MICROSOFTS_LANGUAGE,
                "/MD",
                f"/{optimisation.lstrip('-')}",
                "/fp:precise",
                *_microsoft_architecture(machine),
            )
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
        if self.is_microsofts:
            return [*self.command, *flags, "/c", source, f"/Fo{target}"]
        return [*self.command, *flags, source, "-o", target, "-c"]

    def inclusions_command(self, source: Path, listed: Path, flags: Sequence[str]) -> list[str | Path]:
        """The command that writes to `listed` what `source` includes, for `inclusions`."""
        if self.dialect is Dialect.MSVC:
            return [*self.command, *flags, "/Zs", "/sourceDependencies", listed, source]
        if self.dialect is Dialect.CLANG_CL:
            return [*self.command, *flags, "/clang:-MM", f"/clang:-MF{listed}", "/c", source]
        return [*self.command, *flags, "-MM", "-MF", listed, "-c", source]

    def inclusions(self, listed: str, environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
        """The files of such a list but for the compiler's own headers, which all but Microsoft leave out themselves."""
        if self.dialect is Dialect.MSVC:
            system = [Path(folder) for folder in environment.get("INCLUDE", "").split(";") if folder]
            paths = [Path(name) for name in json.loads(listed)["Data"]["Includes"]]
            return tuple(path for path in paths if not any(folder in path.parents for folder in system))
        # A rule for make, with its escapes.
        names = re.findall(r"(?:\\[ #]|\S)+", listed.partition(":")[2])
        return tuple(Path(re.sub(r"\\([ #])|\$(\$)", r"\1\2", name)) for name in names if name != "\\")

    def link_command(
        self, objects: Sequence[Path], target: Path | str, libraries: Sequence[str], system: str
    ) -> list[str | Path]:
        """The command that links a Python module. libpython is not linked where the interpreter brings its symbols."""
        if self.is_microsofts:
            # Python's headers name python3xx.lib to the linker, which stands here.
            folder = Path(sys.base_prefix) / "libs"
            return [*self.command, "/LD", *objects, f"/Fe{target}", *libraries, "/link", f"/LIBPATH:{folder}"]
        shared = ("-bundle", "-undefined", "dynamic_lookup") if system == "Darwin" else ("-shared",)
        return [*self.command, *shared, *objects, "-o", target, *libraries]


def find(environment: Mapping[str, str] = os.environ) -> Compiler:
    """The compiler to use: RL_TOOLS_COMPILER, else CXX, else g++ or clang++, on Windows clang-cl or cl.

    Raises:
        ToolchainError: there is none, or the one that was asked for does not run, or is for C.
    """
    for variable in ("RL_TOOLS_COMPILER", "CXX"):
        chosen = environment.get(variable, "").strip()
        if chosen:
            command = _command(variable, chosen, environment)
            _refuse_c_driver(variable, chosen, command)
            return _identify(command)
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
    if platform.system() == "Windows":
        chosen = chosen.replace("\\", "\\\\")  # in a path, not an escape
    try:
        program, *arguments = shlex.split(chosen)
    except ValueError as error:
        raise ToolchainError(f"{variable} is {chosen!r}: {error}", f"correct or unset {variable}") from error
    found = shutil.which(program, path=path)
    if not found:
        raise ToolchainError(f"{variable} is {chosen!r}, and there is no such program", f"correct or unset {variable}")
    return (found, *arguments)


def _refuse_c_driver(variable: str, chosen: str, command: tuple[str, ...]) -> None:
    if any(part.startswith("--driver-mode=") for part in command):
        return  # Clang is what this says, whatever its name
    # Behind the first option stand paths, which may have any name.
    for part in itertools.takewhile(lambda part: not part.startswith("-"), command):
        if found := _C_DRIVER.fullmatch(Path(part).name):
            prefix, driver, version = found.groups()
            raise ToolchainError(
                f"{variable} is {chosen!r}, a compiler for C: it does not link the C++ library",
                f"use {prefix}{_FOR_CPP[driver.lower()]}{version}",
            )


def _identify(command: tuple[str, ...]) -> Compiler:
    names = {Path(part).stem.lower() for part in command}
    if "cl" in names:
        return Compiler(command=command, dialect=Dialect.MSVC, version=_microsoft_version(command))
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


def _microsoft_version(command: tuple[str, ...]) -> str:
    """What it prints when it is called without arguments. It has no option for that, and its words are the user's."""
    done = process.run(command, timeout_s=30)
    for line in done.output.splitlines():
        if re.search(r"\d+\.\d+\.\d+", line):
            return line.strip()
    raise ToolchainError(
        f"{shlex.join(command)} tells no version (exit code {done.exit_code})",
        "start from Visual Studio's command prompt, or set RL_TOOLS_COMPILER",
    )


def _microsoft_architecture(machine: str) -> tuple[str, ...]:
    """/arch: as this CPU is: it has no "native". Without it code is for every x86-64 processor.

    AVX-512 is left out: loops are what `cl` makes vectors of, and those need not be longer.
    """
    return ("/arch:AVX2",) if machine in ("x86_64", "AMD64") and has_avx2() else ()


def has_avx2() -> bool:
    """Whether this CPU and its system have AVX2 and fused multiply-adds, as NumPy found. False: it does not tell."""
    import numpy as np  # only `cl` needs it

    features = getattr(getattr(getattr(np, "_core", None), "_multiarray_umath", None), "__cpu_features__", {})
    return bool(features.get("AVX2") and features.get("FMA3"))
