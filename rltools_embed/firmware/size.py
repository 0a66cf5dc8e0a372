"""How sizes are said, wherever they are shown: used, of how many, and the share."""

from __future__ import annotations


def said(used_bytes: int, offered_bytes: int | None) -> str:
    """`29424 of 524288 B (5.6 %)`; without a limit, `29424 B`."""
    if not offered_bytes:
        return f"{used_bytes} B"
    return f"{used_bytes} of {offered_bytes} B ({100 * used_bytes / offered_bytes:.1f} %)"
