"""What all tests share: the environment's programs on PATH, and one compiler cache per test run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rltools_embed.training.cache import ENVIRONMENT_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """`python -m pytest` may be started without the virtual environment being active: `rlt-embed` is in its folder.

    The user's own cache stays out of it; the workers share one below the folder that they have in common.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    base = tmp_path_factory.getbasetemp()
    os.environ[ENVIRONMENT_VARIABLE] = str((base if worker_id == "master" else base.parent) / "cache")
