"""Which tests `make check` runs, and in what order all run: see CONTRIBUTING.md.

A test whose code has the name of a cross compiler or an emulator in it gets the marker `emulated`. A test that starts
one without the marker gets a program that fails. A test that took long when times were last recorded (seconds.json)
gets the marker `slow`.
"""

from __future__ import annotations

import inspect
import json
import os
import resource
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

import pytest

from rltools_embed.compiling.cache import Cache
from tests import standin
from tests.emulation import emulator

SECONDS = Path(__file__).with_name("seconds.json")
# Tests that take less are not in the file.
LEAST_RECORDED_S = 0.5
SLOW_S = 0.5
CROSS_TOOLS = ("arm-none-eabi-", "riscv64-unknown-elf-", "xtensa-", "qemu-system-")
# These are looked for even where they are not installed.
_COMMON = ("arm-none-eabi-gcc", "arm-none-eabi-g++", "riscv64-unknown-elf-gcc", "qemu-system-arm")
# PlatformIO builds with cross compilers behind these.
_BUILD_FOR_CORES = (standin.make_core_dir,)
_REFUSAL = """\
#!/bin/sh
echo "$0: a test that uses a cross compiler or an emulator needs the marker 'emulated'" >&2
exit 97
"""


# ------------------------------------------------------------------------------------- without cross compilers


def names_cross_tool(function: Callable[..., object], seen: set[object] | None = None) -> bool:
    """Whether this code, or code of tests/ that it refers to, has the name of a cross tool or a core in it."""
    seen = set() if seen is None else seen
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if function in _BUILD_FOR_CORES:
        return True
    if code is None or code in seen or not _is_ours(code.co_filename):
        return False
    seen.add(code)
    names, constants = _names_and_constants(code)
    known = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    # `module.function` is two names: the module's are looked up, too, if it is one of ours.
    modules = [known[name] for name in names if inspect.ismodule(known.get(name))]
    ours = [vars(module) for module in modules if _is_ours(getattr(module, "__file__", None))]
    values = [place[name] for place in (known, *ours) for name in names if name in place]
    return any(map(_is_of_a_cross_tool, (*constants, *values))) or any(
        names_cross_tool(value, seen) for value in values if inspect.isfunction(value)
    )


def _is_ours(file: str | None) -> bool:
    """A file of tests/, but for tests/conftest.py, whose fixtures are everyone's."""
    return file is not None and SECONDS.parent in Path(file).parents and Path(file) != SECONDS.with_name("conftest.py")


def _names_and_constants(code: CodeType) -> tuple[set[str], list[object]]:
    """Of a function and of those within it."""
    names, constants = set(code.co_names), list(code.co_consts)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more_names, more_constants = _names_and_constants(inner)
            names |= more_names
            constants += more_constants
    return names, constants


def _is_of_a_cross_tool(value: object) -> bool:
    if isinstance(value, tuple):
        return any(map(_is_of_a_cross_tool, value))
    name = value.name if isinstance(value, Path) else value
    return isinstance(value, emulator.Core) or (isinstance(name, str) and name.startswith(CROSS_TOOLS))


def mark_emulated(items: Iterable[pytest.Item]) -> None:
    """The marker `emulated` for what has a cross tool or a core in its code, its fixtures or its parameters."""
    for item in items:
        if not isinstance(item, pytest.Function) or item.get_closest_marker("emulated"):
            continue
        fixtures = [each.func for row in item._fixtureinfo.name2fixturedefs.values() for each in row]
        parameters = tuple(item.callspec.params.values()) if hasattr(item, "callspec") else ()
        if _is_of_a_cross_tool(parameters) or any(map(names_cross_tool, (item.function, *fixtures))):
            item.add_marker("emulated")


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


class Builds:
    """What the entries of the compilers' cache cost: who takes one ready-made would have to build it alone.

    Without that, the test after a slow one that `make check` leaves out would have its build to do.
    """

    def __init__(self, costs: Path) -> None:
        self._costs = costs
        self._taken: dict[str, float] = {}

    def take(self) -> float:
        """CPU seconds of the builds that were taken ready-made since the last call, each once."""
        total = sum(self._taken.values())
        self._taken.clear()
        return total

    def watch(self) -> None:
        """From now on, in this process."""
        build_or_take = Cache.get_or_build

        def get_or_build(
            cache: Cache, key: str, suffix: str, build: Callable[[Path], None], *, force: bool = False
        ) -> tuple[Path, bool]:
            begin = cpu_seconds()
            path, was_there = build_or_take(cache, key, suffix, build, force=force)
            cost = self._costs / f"{key}{suffix}"
            if not was_there:
                cost.write_text(f"{cpu_seconds() - begin}", encoding="utf-8")
            elif cost.exists():
                self._taken[cost.name] = float(cost.read_text(encoding="utf-8"))
            return path, was_there

        Cache.get_or_build = get_or_build  # type: ignore[method-assign]


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
