"""One function per command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from rltools_embed import __version__, pipeline
from rltools_embed.cli import show
from rltools_embed.doctor import examine
from rltools_embed.errors import ToolchainError
from rltools_embed.files import check_writable, write_atomically
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import evidence
from rltools_embed.firmware.memory import Budget
from rltools_embed.policy import checkpoint
from rltools_embed.policy.digest import digest
from rltools_embed.training import backend as backends
from rltools_embed.training.plot import check as check_plot
from rltools_embed.validation import Counts, Report, Settings
from rltools_embed.validation.page import to_html
from rltools_embed.validation.report import to_json, to_junit

ALGORITHMS = ("sac", "td3", "ppo")
_DIFFERENT = 1
_MOST = 2**31 - 1

_file = click.Path(dir_okay=False, path_type=Path)
_path = click.Path(path_type=Path)
_size = click.IntRange(0, _MOST)
_folder = click.argument("folder", type=click.Path(path_type=Path))
_board_of_project = click.option("--board", help="One of the project's boards; the first by default.")
_port = click.option("--port", help="/dev/ttyACM0, COM3, socket://HOST:PORT, rfc2217://HOST:PORT.")
_framework = click.option(
    "--framework", type=click.Choice([each.value for each in boards.Framework]), help="By default the board's first."
)
_force = click.option("--force", is_flag=True, help="Replace what is in the way.")
_json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program instead of text.")


def _named(context: click.Context, param: click.Parameter, path: Path) -> Path:
    """A folder that has a name: an empty one would be the current folder."""
    if path == Path():
        raise click.BadParameter("it is empty", context, param)
    return path


def _parsed_options(context: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE each: the value as Python's constant, as JSON, or as text."""
    constants: dict[str, Any] = {"True": True, "False": False, "None": None}
    options: dict[str, Any] = {}
    for word in given:
        name, separator, text = word.partition("=")
        if not name or not separator:
            raise click.BadParameter(f"{word!r} is not NAME=VALUE", context, param)
        try:
            options[name] = constants[text] if text in constants else json.loads(text)
        except (ValueError, RecursionError):
            options[name] = text
    return options


def _training_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--algorithm", show_default="sac", type=click.Choice(ALGORITHMS)),
            click.option(
                "--steps",
                type=click.IntRange(1, _MOST),
                help="Environment steps; by default 10000, for ppo 100000.",
            ),
            click.option("--seed", show_default="0", type=click.IntRange(0, _MOST)),
            click.option(
                "--option",
                "options",
                multiple=True,
                metavar="NAME=VALUE",
                callback=_parsed_options,
                help="One of the algorithm's options, e.g. GAMMA=0.98; repeatable.",
            ),
            click.option(
                "--backend",
                type=click.Choice(backends.NAMES),
                help=f"What computes the matrix products; by default {backends.ENVIRONMENT_VARIABLE}, or own.",
            ),
        )
    ):
        command = option(command)
    return command


def _check_options(algorithm: str | None, options: dict[str, Any], steps: int | None, backend: str | None) -> None:
    try:
        backends.chosen(backend)
        pipeline.check_options(algorithm or "sac", options, steps)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error


def _check_plot(path: Path) -> None:
    try:
        check_plot(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _report_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write JSON; - for stdout."),
            click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML."),
            click.option(
                "--report", "html", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML page."
            ),
        )
    ):
        command = option(command)
    return command


class _InOrder(click.Group):
    """Help lists the commands in the order of the work, not of the alphabet."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rlt-embed")
def cli() -> None:
    """Train a policy, put it on a microcontroller, prove that it computes the same bits."""


@cli.command()
@click.argument("environment")
@_training_options
@click.option("-o", "--output", required=True, type=_path, callback=_named, help="Folder of the run.")
@click.option("--save", type=_file, help="File for the whole run, to resume from; kept when interrupted.")
@click.option("--resume", type=_file, help="File of --save to go on from. It can run code: use those that you trust.")
@click.option("--plot", type=_file, help="Draw the learning curve: .png, .svg or .pdf. Needs the extra [plot].")
@_force
@_json_flag
def train(
    environment: str,
    algorithm: str | None,
    steps: int | None,
    seed: int | None,
    options: dict[str, Any],
    backend: str | None,
    output: Path,
    save: Path | None,
    resume: Path | None,
    plot: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Train a policy on the Gymnasium ENVIRONMENT (an id) and write checkpoint.h."""
    if resume is None:
        _check_options(algorithm, options, steps, backend)
    if plot is not None:
        _check_plot(plot)
    with show.watching("training") as watched:
        run = pipeline.train(
            environment,
            output,
            algorithm=algorithm,
            steps=steps,
            seed=seed,
            options=options,
            backend=backend,
            save=save,
            resume=resume,
            plot=plot,
            force=force,
            on_message=watched.say,
            progress=watched.progress,
        )
    if as_json:
        curve = pipeline.as_table(run.learning_curve)
        show.as_json({"checkpoint": run.checkpoint, "digest": digest(run.policy), "learning_curve": curve})
    else:
        click.echo(run.checkpoint)


@cli.command()
@click.argument("source", type=click.Path(path_type=Path))
@_json_flag
def inspect(source: Path, as_json: bool) -> None:
    """Check a checkpoint (a file, a run or a project) and show what it holds."""
    policy = pipeline.inspect(source)
    if as_json:
        show.as_json(checkpoint.manifest(policy))
    else:
        show.policy(policy)


@cli.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--board", "board", multiple=True, required=True, help="A board's name or a board file; repeatable.")
@_framework
@click.option("-o", "--output", required=True, type=_path, callback=_named, help="Folder of the project.")
@_force
@_json_flag
def export(
    source: Path, board: tuple[str, ...], framework: str | None, output: Path, force: bool, as_json: bool
) -> None:
    """Render the PlatformIO project of a run or a checkpoint."""
    exported = pipeline.export(source, output, board=board, framework=framework, force=force)
    if as_json:
        names = [target.name for target in exported.project.boards]
        show.as_json({"folder": exported.project.folder, "boards": names, **asdict(exported.files)})
    else:
        show.export(exported)


@cli.command()
@_folder
@_board_of_project
@click.option("--max-flash", type=_size, help="Fail if the program takes more bytes of flash.")
@click.option("--max-ram", type=_size, help="Fail if its variables take more bytes of RAM.")
@click.option("--max-stack", type=_size, help="Fail if its deepest chain of calls takes more bytes of stack.")
@_json_flag
def build(
    folder: Path,
    board: str | None,
    max_flash: int | None,
    max_ram: int | None,
    max_stack: int | None,
    as_json: bool,
) -> None:
    """Compile a project."""
    budget = Budget(flash_bytes=max_flash, ram_bytes=max_ram, stack_bytes=max_stack)
    built = pipeline.build(folder, board=board, budget=budget, watch=_to_stderr)
    if as_json:
        sizes = None if built.memory is None else asdict(built.memory)
        entry = {"board": built.board.name, "elf": built.elf, "memory": sizes}
        show.as_json({**entry, "stack_used_bytes": built.stack_used_bytes})
    else:
        show.build(built)


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


@cli.command()
@_folder
@_board_of_project
@_port
@click.option("--power-off", is_flag=True, help="Switch an emulated board off instead.")
def flash(folder: Path, board: str | None, port: str | None, power_off: bool) -> None:
    """Build a project and put it on its board; prints the board's port."""
    if power_off:
        pipeline.power_off(folder, board=board, port=port)
        return
    click.echo(pipeline.flash(folder, board=board, port=port, watch=_to_stderr) or "")


@cli.command()
@_folder
@_board_of_project
@_port
@click.option("--source", type=click.Path(path_type=Path), help="Run or checkpoint that should be on the board.")
@click.option("--random", "random_count", type=click.IntRange(0, _MOST), help="Number of random observations.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, _MOST))
@_report_options
def validate(
    folder: Path,
    board: str | None,
    port: str | None,
    source: Path | None,
    random_count: int | None,
    seed: int,
    json_path: str | None,
    junit: Path | None,
    html: Path | None,
) -> None:
    """Compare the board's outputs with the host's, bit for bit. Exit code 0: the same, 1: measured and different."""
    _check_destinations(json_path, junit, html)
    counts = Counts() if random_count is None else Counts(random=random_count)
    with show.watching("validating") as watched:
        report = pipeline.validate(
            folder,
            board=board,
            port=port,
            source=source,
            settings=Settings(counts=counts, seed=seed),
            progress=watched.progress,
        )
    _publish(report, json_path, junit, html)


@cli.command()
@click.argument("environment")
@_training_options
@click.option("--board", required=True, help="A board's name or a board file.")
@_framework
@click.option("-o", "--output", required=True, type=_path, callback=_named, help="Folder for everything.")
@_port
@_force
@_report_options
def run(
    environment: str,
    algorithm: str | None,
    steps: int | None,
    seed: int | None,
    options: dict[str, Any],
    backend: str | None,
    board: str,
    framework: str | None,
    output: Path,
    port: str | None,
    force: bool,
    json_path: str | None,
    junit: Path | None,
    html: Path | None,
) -> None:
    """Train, export, build, flash and validate in one go."""
    _check_options(algorithm, options, steps, backend)
    _check_destinations(json_path, junit, html)
    with show.watching("running") as watched:
        report = pipeline.run(
            environment,
            output,
            board=board,
            framework=framework,
            algorithm=algorithm,
            steps=steps,
            seed=seed,
            options=options,
            backend=backend,
            port=port,
            force=force,
            announce=lambda stage: watched.say(f"── {stage}"),
            on_message=watched.say,
            progress=watched.progress,
        )
    _publish(report, json_path, junit, html)


def _check_destinations(*paths: str | Path | None) -> None:
    """A report that cannot be written is told before the board is asked anything."""
    for path in paths:
        if path is not None and path != "-":
            check_writable(Path(path).parent)


def _publish(report: Report, json_path: str | None, junit: Path | None, html: Path | None) -> None:
    if json_path == "-":
        click.echo(to_json(report), nl=False)
    else:
        show.report(report)
    if json_path not in (None, "-"):
        write_atomically(Path(str(json_path)), to_json(report))
    if junit is not None:
        write_atomically(junit, to_junit(report))
    if html is not None:
        write_atomically(html, to_html(report))
    if not report.passed:
        raise click.exceptions.Exit(_DIFFERENT)


@cli.command(name="boards")
@click.option("--check", "file", type=_file, help="Check a board file of your own instead.")
@_json_flag
def list_boards(file: Path | None, as_json: bool) -> None:
    """List the boards that come with the package, and how far each is proven."""
    found = [boards.load(str(file.absolute()))] if file else [boards.load(name) for name in boards.names()]
    proven = evidence.load()
    if as_json:
        show.as_json([_board_entry(board, evidence.of(board, proven)) for board in found])
    else:
        show.board_table(found, proven)


def _board_entry(board: boards.Board, found: evidence.Evidence) -> dict[str, Any]:
    proven = {"proof": found.proof.value, "detail": found.detail}
    return {"name": board.name, "proven": proven, **boards.to_table(board)}


@cli.command()
@_json_flag
def doctor(as_json: bool) -> None:
    """Tell what is there, what is missing, and how to get it."""
    found = examine()
    if as_json:
        entries = [
            {
                "purpose": finding.purpose,
                "optional": finding.is_optional,
                "serves": finding.tool.serves,
                **asdict(finding.tool),
            }
            for finding in found
        ]
        show.as_json(entries)
    else:
        show.findings(found)
    if not all(finding.is_in_order for finding in found):
        raise click.exceptions.Exit(ToolchainError.exit_code)


@cli.command()
@_folder
@_board_of_project
@_port
def monitor(folder: Path, board: str | None, port: str | None) -> None:
    """Show what the board prints (PlatformIO's serial monitor)."""
    raise click.exceptions.Exit(pipeline.monitor(folder, board=board, port=port))
