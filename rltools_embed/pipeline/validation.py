"""The validation at the end, alone or after all the other stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rltools_embed import checks
from rltools_embed.environments.source import Given
from rltools_embed.firmware import platformio, project, toolchain
from rltools_embed.pipeline.building import build
from rltools_embed.pipeline.folders import load_run
from rltools_embed.pipeline.projects import board_of, spec_of, write_project
from rltools_embed.pipeline.targets import flash, power_off
from rltools_embed.pipeline.training import Hooks, RunKeywords, alone_in, plan_of, train, with_fields
from rltools_embed.policy.model import Policy
from rltools_embed.progress import Progress, silent
from rltools_embed.target import Target
from rltools_embed.training import TrainingPlan
from rltools_embed.validation import Report, Settings
from rltools_embed.validation import validate as _validate

if TYPE_CHECKING:
    from typing import Unpack


def validate(
    folder: str | Path | Target,
    *,
    board: str | None = None,
    port: str | None = None,
    source: str | Path | None = None,
    settings: Settings | None = None,
    progress: Progress = silent,
    boot_timeout_s: float | None = None,
) -> Report:
    """Compare what a project's board computes with what its policy should give.

    Args:
        folder: of an exported project, or what `run` wrote; or an open target, which stays open.
        source: a run's folder or a checkpoint file that says what should be on the board; else the project's own.
        boot_timeout_s: so long the board may take to its first answer, see `Target.open`.

    Raises:
        ProjectError, BoardError, CheckpointError, LinkError, ProtocolError: nothing could be measured.
    """
    policy = load_run(source) if source is not None else None
    return _validate(
        folder,
        board=board,
        port=port,
        policy=policy,
        settings=settings,
        progress=progress,
        boot_timeout_s=boot_timeout_s,
    )


def run(
    environment: TrainingPlan | str | Given,
    output: str | Path,
    *,
    board: str,
    framework: str | None = None,
    port: str | None = None,
    hooks: Hooks | None = None,
    force: bool = False,
    announce: Callable[[str], None] = lambda stage: None,
    boot_timeout_s: float | None = None,
    **keywords: Unpack[RunKeywords],
) -> Report:
    """Train, export, build, flash and validate: `output/run` and `output/firmware`.

    An emulated board is switched off at the end. What a later stage needs is checked before the first one starts.

    Args:
        environment: a plan; or what the plan is for, with its settings as keywords, as in `train`.
        hooks: what the stages call: training all of it, the others `on_message` and `progress`.
        announce: called with the name of each stage as it begins.
        boot_timeout_s: so long the board may take to its first answer, see `Target.open`.
        keywords: the plan's settings, see `train`, and callbacks, on_message and progress of `Hooks` by themselves.

    Raises:
        TypeError, ValueError: an unknown argument, or a setting that the plan refuses.
        RltEmbedError: as the stages.
    """
    own = ("board", "framework", "port", "hooks", "force", "announce", "boot_timeout_s")
    checks.refuse_unknown("run", keywords, (*RunKeywords.__annotations__, *own))
    settings: dict[str, Any] = dict(keywords)
    hooks = with_fields(hooks or Hooks(), settings)
    plan = plan_of(environment, settings)
    target = board_of(board, framework)
    toolchain.require((*toolchain.for_build(target), *toolchain.for_upload(target)))
    is_process = target.runner.is_process
    # A port of its own: a board that runs for somebody else is neither stopped nor measured.
    where = port or (platformio.free_port() if is_process else None)
    folder = Path(output)
    firmware = folder / "firmware"

    def preflight(policy: Policy) -> None:
        project.check(project.render(spec_of(policy, (target,))), firmware, force=force)
        hooks.preflight(policy)

    with alone_in(folder):
        announce("train")
        trained = train(plan, folder / "run", hooks=replace(hooks, preflight=preflight), force=force)
        announce("export")
        write_project(trained.policy, firmware, (target,), force=force)
        announce("build")
        build(firmware, board=target.name, watch=hooks.on_message)
        announce("flash")
        flashed = flash(firmware, board=target.name, port=where, watch=hooks.on_message, boot_timeout_s=boot_timeout_s)
        try:
            announce("validate")
            return _validate(
                firmware,
                board=target.name,
                port=flashed,
                policy=trained.policy,
                progress=hooks.progress,
                boot_timeout_s=boot_timeout_s,
            )
        finally:
            if is_process:
                power_off(firmware, board=target.name, port=where)
