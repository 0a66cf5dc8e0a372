"""Which tests `make check` runs, and in what order all run: see CONTRIBUTING.md.

What a test needs is found by itself where it can be. Who starts a cross compiler or an emulator without the marker
`emulated` gets one that fails. Who took long when times were last recorded (seconds.json) gets the marker `slow`.
"""

from __future__ import annotations

import json
import os
import resource
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS = Path(__file__).with_name("seconds.json")
# Tests that take less are not in the file.
LEAST_RECORDED_S = 0.5
SLOW_S = 2.0
CROSS_TOOLS = ("arm-none-eabi-", "riscv64-unknown-elf-", "xtensa-", "qemu-system-")
# These are looked for even where they are not installed.
_COMMON = ("arm-none-eabi-gcc", "arm-none-eabi-g++", "riscv64-unknown-elf-gcc", "qemu-system-arm")
_REFUSAL = """\
#!/bin/sh
echo "$0: a test that uses a cross compiler or an emulator needs the marker 'emulated'" >&2
exit 97
"""


# ------------------------------------------------------------------------------------- without cross compilers


def write_refusals(folder: Path, search_path: str) -> None:
    """Into `folder` a program that only fails, for every cross tool that this search path has."""
    names = set(_COMMON)
    for directory in search_path.split(os.pathsep):
        if Path(directory).is_dir():
            names |= {path.name for path in Path(directory).iterdir() if path.name.startswith(CROSS_TOOLS)}
    for name in names:
        (folder / name).write_text(_REFUSAL, encoding="utf-8")
        (folder / name).chmod(0o755)


@contextmanager
def first_on_path(folder: Path) -> Iterator[None]:
    """The programs of `folder` before all others, as long as the block lasts."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


# ------------------------------------------------------------------------------------------------ recorded times


def function_of(node_id: str) -> str:
    """The test without its parameters: all cases of one share an entry."""
    return node_id.partition("[")[0]


def read_seconds(path: Path = SECONDS) -> dict[str, float]:
    """CPU seconds of the longest case, by test function."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def merge_seconds(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """`new` in place of what `old` has on the same tests, sorted, without what is short."""
    merged = {**old, **new}
    return {name: round(merged[name], 1) for name in sorted(merged) if merged[name] >= LEAST_RECORDED_S}


def cpu_seconds() -> float:
    """Of this process and of all that it started and that ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def mark_slow(items: Iterable[pytest.Item], seconds: Mapping[str, float]) -> None:
    """The marker `slow` for what took long."""
    for item in items:
        if seconds.get(function_of(item.nodeid), 0.0) >= SLOW_S:
            item.add_marker("slow")


def longest_first(items: list[pytest.Item], seconds: Mapping[str, float]) -> None:
    """Files by their longest test, so that no worker begins a long one when the other is done.

    Tests of one file stay together and in their order: they share what their fixtures made.
    """
    longest: defaultdict[str, float] = defaultdict(float)
    for name, took in seconds.items():
        file = name.partition("::")[0]
        longest[file] = max(longest[file], took)
    items.sort(key=lambda item: -longest[item.nodeid.partition("::")[0]])
