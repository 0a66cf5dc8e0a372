"""What a person sees of an export and a build: flash and RAM against the board, expected and as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rltools_embed.firmware.platformio import Firmware
from rltools_embed.firmware.sizes import estimate, size_text, stack_text
from rltools_embed.text import printable

if TYPE_CHECKING:
    from rltools_embed.pipeline.projects import Export


def export(exported: Export) -> None:
    """What an export wrote and where, and the least that each board's firmware takes."""
    files = exported.files
    names = ", ".join(board.name for board in exported.project.boards)
    click.echo(
        f"{printable(str(exported.project.folder))}: project {exported.project.name} for {names} "
        f"({len(files.written)} files written, {len(files.unchanged)} unchanged, {len(files.removed)} removed)"
    )
    for board in exported.project.boards:
        least = estimate(board, exported.project.policy)
        click.echo(f"{board.name}, before the build:")
        framework = f", {least.framework_flash_bytes} B of the framework" if least.framework_flash_bytes else ""
        flash = f"at least {size_text(least.flash_bytes, board.flash_bytes)}, {least.weights_bytes} B of weights"
        click.echo(f"flash    {flash}{framework}")
        click.echo(f"RAM      at least {size_text(least.ram_bytes, board.ram_bytes)} besides the stack")
        click.echo(f"stack    {stack_text(board)}")


def build(firmware: Firmware) -> None:
    """The sizes of a firmware against its board, and what was expected of it."""
    board, sizes, least = firmware.board, firmware.memory, firmware.estimate
    flash = _measured(sizes.flash_bytes if sizes else None, board.flash_bytes)
    ram = _measured(sizes.ram_bytes if sizes else None, board.ram_bytes)
    click.echo(printable(str(firmware.elf)))
    click.echo(f"flash    {flash}; at least {least.flash_bytes} B were expected")
    click.echo(f"RAM      {ram} besides the stack; at least {least.ram_bytes} B were expected")
    if firmware.stack_used_bytes is None:
        click.echo(f"stack    {stack_text(board)}; --max-stack adds up the deepest chain of calls")
    else:
        deepest = size_text(firmware.stack_used_bytes, board.stack_bytes)
        click.echo(f"stack    {deepest} in the deepest chain of calls, interrupts and libraries not counted")


def _measured(used_bytes: int | None, offered_bytes: int | None) -> str:
    return "not known" if used_bytes is None else size_text(used_bytes, offered_bytes)
