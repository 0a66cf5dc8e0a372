"""`flash` and `monitor`."""

from __future__ import annotations

from pathlib import Path

import click

from rltools_embed import pipeline
from rltools_embed.cli.options import board_of_project, boot_timeout, folder, port, to_stderr


@click.command()
@folder
@board_of_project
@port
@boot_timeout
@click.option("--power-off", is_flag=True, help="Switch an emulated board off instead.")
def flash(folder: Path, board: str | None, port: str | None, boot_timeout_s: float | None, power_off: bool) -> None:
    """Build a project and put it on its board; prints the board's port."""
    if power_off:
        pipeline.power_off(folder, board=board, port=port)
        return
    flashed = pipeline.flash(folder, board=board, port=port, watch=to_stderr, boot_timeout_s=boot_timeout_s)
    click.echo(flashed or "")


@click.command()
@folder
@board_of_project
@port
def monitor(folder: Path, board: str | None, port: str | None) -> None:
    """Show what the board prints (PlatformIO's serial monitor)."""
    raise click.exceptions.Exit(pipeline.monitor(folder, board=board, port=port))
