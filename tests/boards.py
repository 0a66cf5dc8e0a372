"""Projects of real boards for tests: written, and running as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rltools_embed import text
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import project
from rltools_embed.firmware.spec import PolicyFacts, ProjectSpec
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy
from rltools_embed.target import Target, free_port


def spec_of(policy: Policy, *names: str, name: str | None = None) -> ProjectSpec:
    """What a project of this policy, for the boards of these names, is made of; `name` is the project's own."""
    return ProjectSpec(
        name=text.identifier(policy.name) if name is None else name,
        boards=tuple(boards.load(each) for each in names),
        checkpoint_text=checkpoint.dumps(policy),
        policy=PolicyFacts.of(policy),
    )


def write(spec: ProjectSpec, folder: Path) -> Path:
    """The project in this folder."""
    project.write(project.render(spec), folder, owned=project.render_owned(spec))
    return folder


def export(policy: Policy, folder: Path, *names: str) -> Path:
    """A project for the boards of these names."""
    return write(spec_of(policy, *names), folder)


@contextmanager
def running(folder: Path, name: str | None = None) -> Iterator[str]:
    """The project's firmware on its board, on a free port, as long as the block lasts; gives the port."""
    with Target.open(folder, board=name, port=free_port()) as target:
        target.flash()
        yield target.port
