"""`validate`, and `run` for all stages in one go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rltools_embed import pipeline
from rltools_embed.cli import show
from rltools_embed.cli.options import MOST, board_of_project, boot_timeout, folder, force, framework, named, path, port
from rltools_embed.cli.training_options import plan_of, training_options
from rltools_embed.device.link import usb_serial_number
from rltools_embed.files import check_writable, write_atomically
from rltools_embed.validation import Counts, Report, Settings
from rltools_embed.validation.formats import to_evidence, to_json, to_junit
from rltools_embed.validation.page import to_html


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


@click.command()
@folder
@board_of_project
@port
@boot_timeout
@click.option("--source", type=click.Path(path_type=Path), help="Run or checkpoint that should be on the board.")
@click.option("--random", "random_count", type=click.IntRange(0, MOST), help="Number of random observations.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, MOST))
@click.option(
    "--evidence", type=click.Path(dir_okay=False, path_type=Path), help="Write what this run shows of the board."
)
@click.option("--unit", help="Which board it was, for --evidence; the USB serial number if not given.")
@_report_options
def validate(
    folder: Path,
    board: str | None,
    port: str | None,
    boot_timeout_s: float | None,
    source: Path | None,
    random_count: int | None,
    seed: int,
    evidence: Path | None,
    unit: str | None,
    json_path: str | None,
    junit: Path | None,
    html: Path | None,
) -> None:
    """Compare the board's outputs with the host's, bit for bit.

    Exit code 0: the same; 1: measured and different; 12: no difference, but not everything could be measured.
    """
    if unit is not None and evidence is None:
        raise click.UsageError("--unit says which board --evidence is of; name a file with --evidence")
    _check_destinations(json_path, junit, html, evidence)
    counts = Counts() if random_count is None else Counts(random=random_count)
    with show.watching("validating") as watched:
        report = pipeline.validate(
            folder,
            board=board,
            port=port,
            source=source,
            settings=Settings(counts=counts, seed=seed),
            progress=watched.progress,
            boot_timeout_s=boot_timeout_s,
        )
    if evidence is not None:
        write_atomically(evidence, to_evidence(report, unit=unit or usb_serial_number(report.port)))
    _publish(report, json_path, junit, html)


@click.command()
@click.argument("environment")
@training_options
@click.option("--board", required=True, help="A board's name or a board file.")
@framework
@click.option("-o", "--output", required=True, type=path, callback=named, help="Folder for everything.")
@port
@boot_timeout
@force
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
    boot_timeout_s: float | None,
    force: bool,
    json_path: str | None,
    junit: Path | None,
    html: Path | None,
) -> None:
    """Train, export, build, flash and validate in one go."""
    plan = plan_of(environment, algorithm=algorithm, steps=steps, seed=seed, options=options, backend=backend)
    _check_destinations(json_path, junit, html)
    with show.watching("running") as watched:
        report = pipeline.run(
            plan,
            output,
            board=board,
            framework=framework,
            port=port,
            hooks=pipeline.Hooks(on_message=watched.say, progress=watched.progress),
            force=force,
            announce=lambda stage: watched.say(f"── {stage}"),
            boot_timeout_s=boot_timeout_s,
        )
    _publish(report, json_path, junit, html)


def _check_destinations(*paths: str | Path | None) -> None:
    """Refuse a report that cannot be written before the board is asked anything."""
    for each in paths:
        if each is not None and each != "-":
            check_writable(Path(each).parent)


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
        raise click.exceptions.Exit(report.outcome.exit_code)
