"""A TOML table read key by key: every refusal names the file, the key and what was expected."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from rltools_embed.errors import BoardError
from rltools_embed.firmware.board.registry import Registry, Row

EnumT = TypeVar("EnumT", bound=Enum)


_FACTORS = {"k": 1_000, "ki": 1_024, "m": 1_000_000, "mi": 1_048_576, "g": 1_000_000_000, "gi": 1 << 30, "": 1}


# What a number that is too small was probably counted in.
_LARGER_UNITS = {"hertz": (1_000_000, 1_000), "bytes": (1_024,)}


def _in_unit(value: object, unit: str, least: int, most: int) -> str:
    """What `512 KB`, `180 MHz`, 180 or 131072.0 would be as the whole number that is asked for."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, str):
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?)(b|byte|bytes|hz)?", value.strip().replace("_", "").lower())
        if parts is None or parts[2] not in _FACTORS:
            return ""
        # Whoever writes KB of a memory means 1024.
        prefix = parts[2] if parts[3] == "hz" or not parts[2] else f"{parts[2][0]}i"
        number = float(parts[1]) * _FACTORS[prefix]
    elif isinstance(value, int) and 0 < value < least:
        number = next((value * many for many in _LARGER_UNITS.get(unit, ()) if least <= value * many <= most), 0)
    elif isinstance(value, float) and math.isfinite(value):
        number = value
    else:
        return ""
    is_one = number == int(number) and least <= number <= most
    return f"; did you mean {int(number)}?" if is_one else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: the nearest known one if there is one, then all of them."""
    choices = sorted(known)
    # A key with its unit left out, or with another one: flash for flash_bytes, clock_mhz for clock_hz.
    stems = {choice.partition("_")[0]: choice for choice in choices}
    same = difflib.get_close_matches(word.lower(), choices, n=1)
    near = same or [stems[stem] for stem in difflib.get_close_matches(word.lower().partition("_")[0], stems, n=1)]
    guess = f"did you mean {near[0]}? " if near else ""
    return f"{guess}known: {', '.join(choices)}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a board file.

    Attributes:
        source: the file as the user knows it, for messages.
        prefix: the table's own name and a dot, or nothing for the top level.
        keys: every key that may stand in this table.
        values: what the file says.
    """

    source: str
    prefix: str
    keys: tuple[str, ...]
    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse a key that may not stand here, with the nearest one that may."""
        for key in self.values:
            if key not in self.keys:
                raise BoardError(
                    f"{self.source}: {self.prefix}{key} is not a key of a board file", did_you_mean(key, self.keys)
                )

    def has(self, key: str) -> bool:
        """Whether the file has the key."""
        return key in self.values

    def table(self, key: str, keys: tuple[str, ...]) -> Table:
        """The table inside this one; an absent one is empty, so that its keys are then missing one by one."""
        value = self.values.get(key, {})
        if not isinstance(value, Mapping):
            raise self._wrong(key, f"a table [{self.prefix}{key}]", value)
        return Table(source=self.source, prefix=f"{self.prefix}{key}.", keys=keys, values=value)

    def text(self, key: str, pattern: str, meaning: str) -> str:
        """A string that the regular expression matches as a whole.

        Args:
            meaning: what it should be, for messages.

        Raises:
            BoardError: it is missing, or it is something else; so do the functions below.
        """
        value = self._required(key, meaning)
        # A trailing newline would slip past `$` in re.match; fullmatch has no such gap.
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self._wrong(key, meaning, value)
        return value

    def texts(self, key: str, pattern: str, meaning: str) -> tuple[str, ...]:
        """A list of strings; absent means empty."""
        value = self.values.get(key, [])
        if not isinstance(value, list | tuple):
            raise self._wrong(key, f"a list, each {meaning}", value)
        for item in value:
            if not isinstance(item, str) or not re.fullmatch(pattern, item):
                raise self._wrong(key, f"a list, each {meaning}", item)
        return tuple(value)

    def integer(self, key: str, least: int, most: int, unit: str) -> int:
        """A whole number from `least` to `most`; `unit` is what it counts, for messages."""
        meaning = f"a whole number of {unit} from {least} to {most}"
        value = self._required(key, meaning)
        # bool is an int in Python, not in a board file.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(key, f"{meaning}{_in_unit(value, unit, least, most)}", value)
        return value

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self._required(key, "true or false")
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false, without quotes", value)
        return value

    def choices(self, key: str, kind: type[EnumT]) -> tuple[EnumT, ...]:
        """A list of one or more, each at most once."""
        names = [str(member.value) for member in kind]
        meaning = f"a list of one or more of {', '.join(names)}"
        value = self._required(key, meaning)
        if not isinstance(value, list | tuple) or not value or len(set(map(str, value))) != len(value):
            raise self._wrong(key, meaning, value)
        for item in value:
            if item not in names:
                raise BoardError(
                    f"{self.source}: {self.prefix}{key} has {item!r}, which is not one of {', '.join(names)}",
                    did_you_mean(str(item), names),
                )
        return tuple(kind(item) for item in value)

    def choice(self, key: str, kind: type[EnumT]) -> EnumT:
        """A member of the enumeration, by its value."""
        return kind(self._one_of(key, [str(member.value) for member in kind]))

    def row(self, key: str, registry: Registry[Row]) -> Row:
        """The row of a registry, by its name."""
        value = self.values.get(key)
        row = registry.find(value) if isinstance(value, str) else None
        return row or registry[self._one_of(key, registry.names())]

    def _one_of(self, key: str, names: Sequence[str]) -> str:
        value = self._required(key, f"one of {', '.join(names)}")
        if not isinstance(value, str) or value not in names:
            raise BoardError(
                f"{self.source}: {self.prefix}{key} = {value!r} is not one of {', '.join(names)}",
                did_you_mean(str(value), names),
            )
        return value

    def _required(self, key: str, meaning: str) -> Any:
        if key not in self.values:
            raise BoardError(f"{self.source}: {self.prefix}{key} is missing", f"it is {meaning}")
        return self.values[key]

    def _wrong(self, key: str, meaning: str, value: object) -> BoardError:
        return BoardError(f"{self.source}: {self.prefix}{key} = {value!r} cannot be used", f"it is {meaning}")
