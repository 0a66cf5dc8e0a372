"""Real boards for tests: a project is exported, built, started on a free port, and switched off at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rltools_embed import text as render
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import platformio, project
from rltools_embed.firmware.spec import PolicyFacts, ProjectSpec
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy


def export(policy: Policy, folder: Path, *names: str) -> Path:
    """A project for the boards of these names."""
    spec = ProjectSpec(
        name=render.identifier(policy.name),
        boards=tuple(boards.load(name) for name in names),
        checkpoint_text=checkpoint.dumps(policy),
        policy=PolicyFacts.of(policy),
    )
    project.write(project.render(spec), folder, owned=project.render_owned(spec))
    return folder


@contextmanager
def running(folder: Path, name: str | None = None) -> Iterator[str]:
    """The project's firmware on its board, as long as the block lasts; gives the port."""
    port = platformio.free_port()
    platformio.upload(folder, name, port)
    try:
        yield port
    finally:
        platformio.power_off(folder, name, port)
