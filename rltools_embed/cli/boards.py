"""`boards` and `doctor`: what there is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from rltools_embed.cli import show
from rltools_embed.cli.options import file as file_type
from rltools_embed.cli.options import json_flag, print_json
from rltools_embed.doctor import examine
from rltools_embed.errors import ToolchainError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import evidence


@click.command(name="boards")
@click.option("--check", "file", type=file_type, help="Check a board file of your own instead.")
@json_flag
def list_boards(file: Path | None, as_json: bool) -> None:
    """List the boards that come with the package, and the evidence for each."""
    listed = [boards.load(str(file.absolute()))] if file else [boards.load(name) for name in boards.names()]
    known = evidence.load()
    if as_json:
        print_json([_board_entry(board, evidence.of(board, known)) for board in listed])
    else:
        show.board_table(listed, known)


def _board_entry(board: boards.Board, seen: evidence.Evidence) -> dict[str, Any]:
    # The keys are those of the first version: programs read them.
    entry = {"proof": seen.level.value, "detail": seen.detail}
    return {"name": board.name, "proven": entry, **boards.to_table(board)}


@click.command()
@json_flag
def doctor(as_json: bool) -> None:
    """Tell what is there, what is missing, and how to get it."""
    findings = examine()
    if as_json:
        entries = [
            {
                "purpose": finding.purpose,
                "optional": finding.is_optional,
                "serves": finding.tool.serves,
                **asdict(finding.tool),
            }
            for finding in findings
        ]
        print_json(entries)
    else:
        show.findings(findings)
    if not all(finding.is_in_order for finding in findings):
        raise click.exceptions.Exit(ToolchainError.exit_code)
