"""What a person sees of an export and a build: flash and RAM against the board, expected and as they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rltools_embed.firmware.platformio import Firmware
from rltools_embed.firmware.sizes import estimate, said, stack_text

if TYPE_CHECKING:
    from rltools_embed.pipeline.projects import Export


def export(found: Export) -> None:
    """What an export wrote and where, and the least that each board's firmware takes."""
    files = found.files
    names = ", ".join(board.name for board in found.project.boards)
    click.echo(
        f"{_printable(found.project.folder)}: project {found.project.name} for {names} "
        f"({len(files.written)} files written, {len(files.unchanged)} unchanged, {len(files.removed)} removed)"
    )
    for board in found.project.boards:
        least = estimate(board, found.project.policy)
        click.echo(f"{board.name}, before the build:")
        click.echo(
            f"flash    at least {said(least.flash_bytes, board.flash_bytes)}, {least.weights_bytes} B of weights"
        )
        click.echo(f"RAM      at least {said(least.ram_bytes, board.ram_bytes)} besides the stack")
        click.echo(f"stack    {stack_text(board)}")


def build(found: Firmware) -> None:
    """The sizes of a firmware against its board, and what was expected of it."""
    board, sizes, least = found.board, found.memory, found.estimate
    flash = _measured(sizes.flash_bytes if sizes else None, board.flash_bytes)
    ram = _measured(sizes.ram_bytes if sizes else None, board.ram_bytes)
    click.echo(_printable(found.elf))
    click.echo(f"flash    {flash}; at least {least.flash_bytes} B were expected")
    click.echo(f"RAM      {ram} besides the stack; at least {least.ram_bytes} B were expected")
    if found.stack_used_bytes is None:
        click.echo(f"stack    {stack_text(board)}; --max-stack adds up the deepest chain of calls")
    else:
        deepest = said(found.stack_used_bytes, board.stack_bytes)
        click.echo(f"stack    {deepest} in the deepest chain of calls, interrupts and libraries not counted")


def _measured(used_bytes: int | None, offered_bytes: int | None) -> str:
    return "not known" if used_bytes is None else said(used_bytes, offered_bytes)


def _printable(path: Path) -> str:
    """A path made safe to print: nothing in it may steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in str(path))
