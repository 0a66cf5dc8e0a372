"""The two ways to round a multiply-add; apart from the rest of a policy, because boards name one and need no NumPy."""

from __future__ import annotations

from enum import Enum


class Arithmetic(Enum):
    """How a multiply-add rounds: `separate` after both operations, `fused` once."""

    SEPARATE = "separate"
    FUSED = "fused"
