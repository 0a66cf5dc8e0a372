"""From a policy to a project. A build of it is a module of its own, since it waits for neither NumPy nor templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rltools_embed import text
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import project
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.spec import PolicyFacts, Project, ProjectSpec, WriteResult
from rltools_embed.pipeline.folders import load_run
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy


@dataclass(frozen=True, kw_only=True)
class Export:
    """A project that was written."""

    project: Project
    files: WriteResult


def export(
    source: str | Path,
    output: str | Path,
    *,
    board: str | Sequence[str],
    framework: str | None = None,
    force: bool = False,
) -> Export:
    """Render the PlatformIO project of a policy for one or several boards.

    Args:
        source: a run's folder or a checkpoint file.
        board: names of boards, or paths of board files.
        framework: arduino or espidf, for all of them; None: the first that each board file names.
        force: also replace generated files that were edited since.

    Raises:
        BoardError: unknown board, wrong board file, or the policy does not fit.
        CheckpointError: the checkpoint is damaged.
        ProjectError: `output` holds files that would be lost.
    """
    policy = load_run(source)
    names = (board,) if isinstance(board, str) else tuple(board)
    return write_project(policy, Path(output), tuple(board_of(name, framework) for name in names), force=force)


def board_of(name: str, framework: str | None) -> Board:
    """The board of that name or file, on that framework; None: the first that its file names.

    Raises:
        BoardError: there is none, or it does not have the framework.
    """
    board = boards.load(name)
    return board if framework is None else board.on(boards.Framework(framework))


def write_project(policy: Policy, output: Path, targets: tuple[Board, ...], *, force: bool) -> Export:
    """Render and write the project of a policy for these boards; see `export`."""
    spec = spec_of(policy, targets)
    written = project.write(project.render(spec), output, owned=project.render_owned(spec), force=force)
    return Export(project=project.load(output), files=written)


def spec_of(policy: Policy, targets: tuple[Board, ...]) -> ProjectSpec:
    """What the project of a policy for these boards is made of."""
    return ProjectSpec(
        name=text.identifier(policy.name),
        boards=targets,
        checkpoint_text=checkpoint.dumps(policy),
        policy=PolicyFacts.of(policy),
    )
