"""Rows by name that another package can add to: cores, ports and runners.

A package of one's own adds a row when its module is imported, and names that module in the entry-point group
`rltools_embed.firmware`:

    [project.entry-points."rltools_embed.firmware"]
    my_boards = "my_package.boards"

Its module is imported when a board file has a name that is not known yet, and when all names are listed.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from functools import cache
from typing import Generic, TypeVar

from rltools_embed.errors import BoardError

GROUP = "rltools_embed.firmware"
Row = TypeVar("Row")


@cache
def load_extensions() -> None:
    """Import what other packages name in the entry-point group, once per process.

    Raises:
        BoardError: one of them cannot be imported.
    """
    for entry in importlib.metadata.entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:  # whatever a foreign module raises
            raise BoardError(
                f"{entry.value}, an extension of {GROUP}, cannot be imported: {error!r}",
                "mend or uninstall the package that has it",
            ) from error


class Registry(Generic[Row]):
    """Rows in the order in which they were added, each by the name that board files use for it."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def add(self, name: str, row: Row) -> None:
        """Add a row.

        Raises:
            ValueError: the name belongs to another row.
        """
        if self._rows.setdefault(name, row) != row:
            raise ValueError(f"{name} is taken by {self._rows[name]!r}")

    def find(self, name: str) -> Row | None:
        """The row of that name, an extension's as well; None if there is none."""
        if name not in self._rows:
            load_extensions()
        return self._rows.get(name)

    def __getitem__(self, name: str) -> Row:
        """The row of a name that is known.

        Raises:
            KeyError: it is not.
        """
        return self._rows[name]

    def names(self) -> tuple[str, ...]:
        """All names, those of extensions as well."""
        load_extensions()
        return tuple(self._rows)

    def __iter__(self) -> Iterator[Row]:
        """The rows that were added so far."""
        return iter(tuple(self._rows.values()))
