"""The proof at the end, alone or after all the other stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rltools_embed.firmware import platformio, project, toolchain
from rltools_embed.pipeline.folders import load_run, project_folder
from rltools_embed.pipeline.projects import board_of, build, spec_of, write_project
from rltools_embed.pipeline.targets import flash, power_off
from rltools_embed.pipeline.training import Source, alone_in, train
from rltools_embed.policy.model import Policy
from rltools_embed.progress import Progress, Say, print_line, silent
from rltools_embed.validation import Report, Settings
from rltools_embed.validation import validate as _validate


def validate(
    folder: str | Path,
    *,
    board: str | None = None,
    port: str | None = None,
    source: str | Path | None = None,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Report:
    """Compare what a project's board computes with what its policy should give.

    Args:
        source: a run's folder or a checkpoint file that says what should be on the board; else the project's own.

    Raises:
        ProjectError, BoardError, CheckpointError, LinkError, ProtocolError: nothing could be measured.
    """
    policy = load_run(source) if source is not None else None
    return _validate(
        project_folder(folder), board=board, port=port, policy=policy, settings=settings, progress=progress
    )


def run(
    environment: str | Source,
    output: str | Path,
    *,
    board: str,
    framework: str | None = None,
    algorithm: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    backend: str | None = None,
    port: str | None = None,
    force: bool = False,
    announce: Callable[[str], None] = lambda stage: None,
    on_message: Say = print_line,
    progress: Progress = silent,
) -> Report:
    """Train, export, build, flash and validate: `output/run` and `output/firmware`.

    An emulated board is switched off at the end. What a later stage needs is checked before the first one starts.

    Args:
        announce: called with the name of each stage as it begins.
    """
    target = board_of(board, framework)
    toolchain.require((*toolchain.for_build(target), *toolchain.for_upload(target)))
    is_process = target.runner.is_process
    # A port of its own: a board that runs for somebody else is neither stopped nor measured.
    where = port or (platformio.free_port() if is_process else None)
    folder = Path(output)
    firmware = folder / "firmware"

    def preflight(policy: Policy) -> None:
        project.check(project.render(spec_of(policy, (target,))), firmware, force=force)

    with alone_in(folder):
        announce("train")
        trained = train(
            environment,
            folder / "run",
            algorithm=algorithm,
            steps=steps,
            seed=seed,
            options=options,
            backend=backend,
            force=force,
            preflight=preflight,
            on_message=on_message,
            progress=progress,
        )
        announce("export")
        write_project(trained.policy, firmware, (target,), force=force)
        announce("build")
        build(firmware, board=target.name, watch=on_message)
        announce("flash")
        flashed = flash(firmware, board=target.name, port=where, watch=on_message)
        try:
            announce("validate")
            return _validate(firmware, board=target.name, port=flashed, policy=trained.policy, progress=progress)
        finally:
            if is_process:
                power_off(firmware, board=target.name, port=where)
