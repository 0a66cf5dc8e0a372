"""`export` and `build`: quick, so they wait for nothing that they do not use."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from rltools_embed import pipeline
from rltools_embed.cli import sizes
from rltools_embed.cli.options import (
    MOST,
    board_of_project,
    folder,
    force,
    framework,
    json_flag,
    named,
    path,
    print_json,
    to_stderr,
)
from rltools_embed.firmware.elf import Budget

_SIZE = click.IntRange(0, MOST)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--board", "board", multiple=True, required=True, help="A board's name or a board file; repeatable.")
@framework
@click.option("-o", "--output", required=True, type=path, callback=named, help="Folder of the project.")
@force
@json_flag
def export(
    source: Path, board: tuple[str, ...], framework: str | None, output: Path, force: bool, as_json: bool
) -> None:
    """Render the PlatformIO project of a run or a checkpoint."""
    exported = pipeline.export(source, output, board=board, framework=framework, force=force)
    if as_json:
        names = [target.name for target in exported.project.boards]
        print_json({"folder": exported.project.folder, "boards": names, **asdict(exported.files)})
    else:
        sizes.export(exported)


@click.command()
@folder
@board_of_project
@click.option("--max-flash", type=_SIZE, help="Fail if the program takes more bytes of flash.")
@click.option("--max-ram", type=_SIZE, help="Fail if its variables take more bytes of RAM.")
@click.option("--max-stack", type=_SIZE, help="Fail if its deepest chain of calls takes more bytes of stack.")
@json_flag
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
    built = pipeline.build(folder, board=board, budget=budget, watch=to_stderr)
    if as_json:
        memory = None if built.memory is None else asdict(built.memory)
        entry = {"board": built.board.name, "elf": built.elf, "memory": memory}
        print_json({**entry, "stack_used_bytes": built.stack_used_bytes})
    else:
        sizes.build(built)
