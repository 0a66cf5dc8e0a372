"""One cache of compiled interfaces for the whole session: the tests below share a few small sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rltools_embed.compiling.cache import ENVIRONMENT_VARIABLE


@pytest.fixture(scope="session")
def cache_directory(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    base = tmp_path_factory.getbasetemp()
    # Every worker of pytest-xdist has a base of its own below one that all share.
    return (base if worker_id == "master" else base.parent) / "training cache"


@pytest.fixture(autouse=True)
def session_cache(cache_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(cache_directory))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a compiler fails: what is refused before that was refused early."""
    monkeypatch.setenv("RL_TOOLS_COMPILER", "no-such-compiler++")
