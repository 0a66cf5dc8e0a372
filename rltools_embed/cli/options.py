"""Options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rltools_embed.firmware.board import Framework

MOST = 2**31 - 1

file = click.Path(dir_okay=False, path_type=Path)
path = click.Path(path_type=Path)
folder = click.argument("folder", type=path)
board_of_project = click.option("--board", help="One of the project's boards; the first by default.")
port = click.option("--port", help="/dev/ttyACM0, COM3, socket://HOST:PORT, rfc2217://HOST:PORT.")
boot_timeout = click.option(
    "--boot-timeout",
    "boot_timeout_s",
    type=click.FloatRange(0.1, 3600),
    metavar="SECONDS",
    help="So long the board may take to its first answer; by default 10 s, and 20 s after flashing.",
)
framework = click.option(
    "--framework", type=click.Choice([each.value for each in Framework]), help="By default the board's first."
)
force = click.option("--force", is_flag=True, help="Replace what is in the way.")
json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program instead of text.")


def named(context: click.Context, param: click.Parameter, path: Path) -> Path:
    """A folder that has a name: an empty one would be the current folder."""
    if path == Path():
        raise click.BadParameter("it is empty", context, param)
    return path


def to_stderr(line: str) -> None:
    """One line to stderr: progress, while stdout is for the result."""
    click.echo(line, err=True)


def print_json(document: object) -> None:
    """The document on stdout, for a program."""
    click.echo(json.dumps(document, indent=2, default=str))
