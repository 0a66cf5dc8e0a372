"""How sizes are said, wherever they are shown."""

from __future__ import annotations

from rltools_embed.firmware.board import Board, Framework, RunnerKind

_FRAMEWORK_NAMES = {Framework.ARDUINO: "Arduino", Framework.ESPIDF: "ESP-IDF"}


def said(used_bytes: int, offered_bytes: int | None) -> str:
    """`29424 of 524288 B (5.6 %)`; without a limit, `29424 B`."""
    if not offered_bytes:
        return f"{used_bytes} B"
    return f"{used_bytes} of {offered_bytes} B ({100 * used_bytes / offered_bytes:.1f} %)"


def stack_said(board: Board) -> str:
    """Who keeps the stack of the firmware, and whether a validation measures it."""
    if board.stack_bytes is not None:
        return f"{board.stack_bytes} B kept; a validation measures what is used"
    if board.runner.kind is RunnerKind.HOST or board.framework is None:
        return "this computer's, not measured"
    return f"kept by {_FRAMEWORK_NAMES[board.framework]}, not measured on this board"
