"""Cores whose compiler a developer's machine may lack."""

from __future__ import annotations

import shutil
import sys

import pytest

from benchmarks import emulator


@pytest.fixture(autouse=True)
def _needs_the_cores_compiler(request: pytest.FixtureRequest) -> None:
    """On Linux `.ci/system-packages` has installed every compiler: there its absence fails the test."""
    core = getattr(request.node, "callspec", None) and request.node.callspec.params.get("core")
    if isinstance(core, emulator.Core) and sys.platform != "linux" and shutil.which(core.compiler) is None:
        pytest.skip(f"{core.compiler} is not installed")
