"""Cases of a test that CI runs, and those that `make test-all` adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def some(rows: Iterable[tuple[Any, ...]], in_ci: Callable[..., bool]) -> list[Any]:
    """Rows of a parametrisation: those that `in_ci` refuses get the marker `long`."""
    return [pytest.param(*row, marks=() if in_ci(*row) else pytest.mark.long) for row in rows]


def every_second(*axes: Iterable[Any]) -> list[Any]:
    """All combinations, every second of them for CI: every value of an axis is there with some of each other axis's."""
    values = [tuple(axis) for axis in axes]
    indices = [()]
    for axis in values:
        indices = [(*row, i) for row in indices for i in range(len(axis))]
    rows = ((row, tuple(axis[i] for axis, i in zip(values, row, strict=True))) for row in indices)
    return [pytest.param(*chosen, marks=pytest.mark.long if sum(row) % 2 else ()) for row, chosen in rows]
