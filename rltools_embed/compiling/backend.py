"""What computes training's matrix products: our own kernels, or a BLAS; where each BLAS is, and how it is linked.

A policy's evaluation is ours in each case.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rltools_embed import process
from rltools_embed.errors import ToolchainError

ENVIRONMENT_VARIABLE = "RLT_BACKEND"
# "blas" is the first of the others that is here and right.
NAMES = ("own", "mkl", "openblas", "accelerate", "blas")

_INSTALL_MKL = "pip install 'rltools_embed[mkl]' (x86-64)"
_INSTALL_OPENBLAS = {
    "Linux": "sudo apt install libopenblas-dev, or set OpenBLAS_ROOT",
    "Darwin": "brew install openblas, and set OpenBLAS_ROOT to what `brew --prefix openblas` says",
}


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A way to compute products.

    Attributes:
        name: as users choose it; title: as messages call it.
        macro: what tells the C++ headers (rl_tools/rl/nn/multiply.h); empty: our own kernels.
        libraries: what the linker is given.
        version: the library's own; empty where it does not tell.
        path: the library's file.
        hint: what to try where it cannot be linked.
    """

    name: str
    title: str
    macro: str = ""
    libraries: tuple[str, ...] = ()
    version: str = ""
    path: str = ""
    hint: str = ""

    @property
    def compile_flags(self) -> tuple[str, ...]:
        """What the C++ compiler is passed for it."""
        return (f"-D{self.macro}",) if self.macro else ()

    @property
    def identity(self) -> str:
        """Another one may give other bits. Our own kernels are known by their headers."""
        return " ".join(part for part in (self.title, self.version, self.path) if part) if self.macro else ""

    @property
    def found(self) -> str:
        """The message that it was found."""
        return f"{self.title} found." + (f" Version: {self.version}" if self.version else "")


OWN = Backend(name="own", title="own kernels")


def chosen(backend: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The backend's name: the argument, else RLT_BACKEND, else our own kernels.

    Raises:
        ValueError: there is none of this name.
    """
    asked = backend if backend is not None else environment.get(ENVIRONMENT_VARIABLE, "").strip() or OWN.name
    if asked not in NAMES:
        source = "backend" if backend is not None else ENVIRONMENT_VARIABLE
        raise ValueError(f"{source} is {asked!r}: it must be one of {', '.join(NAMES)}")
    return asked


def of_rltools(backend: str | None, *, enable_blas: bool, force_blas: bool) -> str | None:
    """The argument `backend`, as RLtools' two arguments of the same purpose leave or decide it.

    Raises:
        ValueError: two of them contradict each other.
    """
    if force_blas and not enable_blas:
        raise ValueError("force_blas is True and enable_blas is False: leave one of them out")
    if force_blas and backend is not None:
        raise ValueError(f"force_blas is True and backend is {backend!r}: leave one of them out")
    if not enable_blas and backend not in (None, OWN.name):
        raise ValueError(f"enable_blas is False and backend is {backend!r}: leave one of them out")
    if force_blas:
        return "blas"
    return backend if enable_blas else OWN.name


def candidates(name: str, system: str) -> tuple[str, ...]:
    """The backends to try for `name`, in this order."""
    if name != "blas":
        return (name,)
    return ("accelerate", "openblas") if system == "Darwin" else ("mkl", "openblas")


def locate(name: str, system: str, environment: Mapping[str, str] = os.environ) -> Backend:
    """How `name` is linked here. That it works is for a program to show (`compiler`).

    Raises:
        ToolchainError: it is not here; the hint says how to get it.
    """
    if name == "mkl":
        return _mkl()
    if name == "accelerate":
        if system != "Darwin":
            raise ToolchainError("Accelerate is a part of macOS only", "use mkl or openblas")
        libraries: tuple[str, ...] = ("-framework", "Accelerate")
        return Backend(name=name, title="Accelerate", macro="RL_TOOLS_BLAS_ACCELERATE", libraries=libraries)
    libraries = _openblas_libraries(environment)
    hint = _INSTALL_OPENBLAS.get(system, "install OpenBLAS, or set OpenBLAS_ROOT")
    return Backend(name="openblas", title="OpenBLAS", macro="RL_TOOLS_BLAS_OPENBLAS", libraries=libraries, hint=hint)


def _mkl() -> Backend:
    """Intel's MKL, as PyPI's `mkl` installs it: by its one library that chooses the others when it is loaded."""
    import importlib.metadata  # who trains with our own kernels does without

    try:
        found = importlib.metadata.distribution("mkl")
    except importlib.metadata.PackageNotFoundError:
        raise ToolchainError("MKL is not installed", _INSTALL_MKL) from None
    for entry in found.files or ():
        if entry.name.startswith("libmkl_rt."):
            library = Path(str(found.locate_file(entry))).resolve()
            if library.is_file():
                libraries = (str(library), *_run_path(str(library.parent)))
                return Backend(
                    name="mkl",
                    title="MKL",
                    macro="RL_TOOLS_BLAS_MKL",
                    libraries=libraries,
                    version=found.version,
                    hint=_INSTALL_MKL,
                )
    raise ToolchainError(f"MKL {found.version} is installed without its libmkl_rt", f"{_INSTALL_MKL} again")


def _openblas_libraries(environment: Mapping[str, str]) -> tuple[str, ...]:
    """From OpenBLAS_ROOT (as CMake knows it), else what pkg-config says, else what the linker finds by itself."""
    root = environment.get("OpenBLAS_ROOT", "").strip()
    if root:
        folder = str((Path(root).expanduser() / "lib").resolve())
        return (f"-L{folder}", *_run_path(folder), "-lopenblas")
    program = shutil.which("pkg-config", path=environment.get("PATH"))
    if program:
        done = process.run([program, "--libs", "openblas"], timeout_s=30)
        if done.exit_code == 0:
            libraries = shlex.split(done.output)
            folders = [flag.removeprefix("-L") for flag in libraries if flag.startswith("-L")]
            return (*libraries, *(part for folder in folders for part in _run_path(folder)))
    return ("-lopenblas",)


def _run_path(folder: str) -> tuple[str, ...]:
    # Not -Wl, which splits at a comma in the path.
    return ("-Xlinker", "-rpath", "-Xlinker", folder)
