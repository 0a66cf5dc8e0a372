"""What the tests of projects share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rltools_embed.firmware.spec import ProjectSpec
from rltools_embed.policy.model import Policy
from rltools_embed.target import Target
from tests import boards
from tests.policies import sac_policy
from tests.ports import free_port


def make_spec(
    *names: str, hidden: int = 8, environment: str = "Pendulum-v1", name: str = "demo", policy: Policy | None = None
) -> ProjectSpec:
    policy = policy or sac_policy(hidden=hidden, environment=environment)
    return boards.spec_of(policy, *(names or ("host",)), name=name)


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What runs on which port stands in the user's runtime folder: each test has one of its own."""
    folder = tmp_path_factory.mktemp("runtime")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Write a project into a new folder and return the folder."""

    def write(*names: str, folder: str = "project", **kwargs: Any) -> Path:
        return boards.write(make_spec(*names, **kwargs), tmp_path / folder)

    return write


@pytest.fixture
def port() -> str:
    return f"socket://127.0.0.1:{free_port()}"


@pytest.fixture
def running(port: str) -> Iterator[Callable[[Path, str], str]]:
    """Upload a project's firmware for a board to a port of its own; it is switched off afterwards."""
    with ExitStack() as targets:

        def run(folder: Path, name: str) -> str:
            target = targets.enter_context(Target.open(folder, board=name, port=port))
            assert target.flash() == port
            return port

        yield run
