"""What the tests of projects share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rltools_embed.firmware import board, platformio, project
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy
from tests.policies import sac_policy
from tests.ports import free_port


def make_spec(
    *names: str, hidden: int = 8, environment: str = "Pendulum-v1", name: str = "demo", policy: Policy | None = None
) -> project.ProjectSpec:
    policy = policy or sac_policy(hidden=hidden, environment=environment)
    return project.ProjectSpec(
        name=name,
        boards=tuple(board.load(each) for each in names or ("host",)),
        checkpoint_text=checkpoint.dumps(policy),
        policy=project.PolicyFacts.of(policy),
    )


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
        output = tmp_path / folder
        spec = make_spec(*names, **kwargs)
        project.write(project.render(spec), output, owned=project.render_owned(spec))
        return output

    return write


@pytest.fixture
def port() -> str:
    return f"socket://127.0.0.1:{free_port()}"


@pytest.fixture
def running(port: str, tmp_path: Path) -> Iterator[Callable[[Path, str], str]]:
    """Upload a project's firmware for a board to a port of its own; it is switched off afterwards."""
    started: list[tuple[Path, str]] = []

    def run(folder: Path, name: str) -> str:
        started.append((folder, name))
        assert platformio.upload(folder, name, port) == port
        return port

    yield run
    for folder, name in started:
        platformio.power_off(folder, name, port)
