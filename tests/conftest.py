"""What all tests share: the environment's programs on PATH, and one compiler cache per test run."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from rltools_embed.compiling.cache import ENVIRONMENT_VARIABLE
from rltools_embed.firmware import board, toolchain
from tests.emulation import emulator


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """`python -m pytest` may be started without the virtual environment being active: `rlt-embed` is in its folder.

    The user's own cache stays out of it; the workers share one below the folder that they have in common.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    base = tmp_path_factory.getbasetemp()
    os.environ[ENVIRONMENT_VARIABLE] = str((base if worker_id == "master" else base.parent) / "cache")


@pytest.fixture(autouse=True)
def _needs_the_cores_compiler(request: pytest.FixtureRequest) -> None:
    """A developer's machine may lack the compiler of a core; in CI its absence fails the core's tests."""
    parameters = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    for parameter in parameters:
        compiler = _compiler_of(parameter)
        if compiler and "CI" not in os.environ and shutil.which(compiler, path=toolchain.search_path()) is None:
            pytest.skip(f"{compiler} is not installed")


def _compiler_of(parameter: object) -> str | None:
    """The compiler for what a test is parametrised with, if that is a core or a board with one."""
    if isinstance(parameter, emulator.Core):
        return parameter.compiler
    if isinstance(parameter, str) and parameter.startswith("qemu_") and parameter in board.names():
        return board.load(parameter).core.toolchain.compiler
    return None
