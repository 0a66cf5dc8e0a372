"""Compiling and running a C++ program of the tests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from rltools_embed import process, resources

COMPILERS = tuple(name for name in ("g++", "clang++") if shutil.which(name))
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wdouble-promotion")


def compile_program(
    source: Path,
    output: Path,
    *,
    compiler: str = COMPILERS[0],
    flags: Sequence[str] = (),
    libraries: Sequence[str] = (),
) -> Path:
    """Compile with every warning an error; the compiler's words become the test's failure."""
    include = f"-I{resources.include_dir()}"
    done = process.run([compiler, "-std=c++17", *WARNINGS, include, *flags, source, *libraries, "-o", output])
    if done.exit_code != 0:
        pytest.fail(f"{compiler} refused {source.name}:\n{done.output[-4000:]}")
    return output
