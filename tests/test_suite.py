"""Rules of the suite itself."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rltools_embed.compiling.cache import Cache
from tests import selection
from tests.emulation import emulator

TESTS = Path(__file__).parent


def imported_modules(source: str) -> Iterator[str]:
    """The names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_benchmarks(source: str) -> bool:
    return any(name.partition(".")[0] == "benchmarks" for name in imported_modules(source))


def test_no_test_imports_a_benchmark() -> None:
    importing = [path.name for path in TESTS.rglob("*.py") if imports_benchmarks(path.read_text(encoding="utf-8"))]
    assert importing == []


@pytest.mark.parametrize(
    "source",
    ["import benchmarks", "from benchmarks import pages", "def f():\n    import benchmarks.pages as pages"],
)
def test_an_import_of_a_benchmark_is_noticed(source: str) -> None:
    assert imports_benchmarks(source)


def test_without_the_marker_no_cross_compiler_and_no_emulator_starts() -> None:
    refused = sorted(path.name for path in Path(os.environ["PATH"].partition(os.pathsep)[0]).iterdir())
    assert len(refused) >= 4
    for program in refused:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        assert done.returncode == 97, program
        assert "needs the marker 'emulated'" in done.stderr


@pytest.mark.emulated
def test_with_the_marker_they_start() -> None:
    assert subprocess.run(["arm-none-eabi-g++", "--version"], capture_output=True, check=False).returncode == 0


def test_every_cross_tool_on_the_path_is_refused(tmp_path: Path) -> None:
    installed, refusals = tmp_path / "installed", tmp_path / "refusals"
    installed.mkdir()
    refusals.mkdir()
    for name in ("qemu-system-xtensa", "xtensa-dc233c-elf-gcc", "g++"):
        (installed / name).write_text("#!/bin/sh\n")
        (installed / name).chmod(0o755)

    selection.write_refusals(refusals, str(installed))

    refused = {path.name for path in refusals.iterdir()}
    assert {"qemu-system-xtensa", "xtensa-dc233c-elf-gcc", "arm-none-eabi-g++"} <= refused
    assert "g++" not in refused
    before = os.environ["PATH"]
    with selection.first_on_path(refusals):
        assert shutil.which("qemu-system-xtensa") == str(refusals / "qemu-system-xtensa")
    assert os.environ["PATH"] == before


def names_one() -> list[str]:
    return ["riscv64-unknown-elf-gcc", "-c"]


def refers_to_one() -> object:
    return [names_one() for _ in range(2)]


def refers_to_cores() -> object:
    return emulator.CORES


def refers_to_none() -> object:
    return selection.SLOW_S, "g++", "qemu_mps2_an386"


def test_who_names_a_cross_tool_needs_one() -> None:
    found = [selection.names_cross_tool(each) for each in (names_one, refers_to_one, refers_to_cores, refers_to_none)]
    assert found == [True, True, True, False]


@dataclass
class Item:
    """What the selection uses of a test."""

    nodeid: str
    markers: list[str] = field(default_factory=list)

    def add_marker(self, name: str) -> None:
        self.markers.append(name)


SECONDS = {"b.py::long": 30.0, "b.py::short": 0.4, "c.py::middle": 5.0}


def test_what_took_long_is_marked_slow() -> None:
    items = [Item("b.py::long[case-1]"), Item("b.py::short"), Item("c.py::middle"), Item("c.py::new")]
    selection.mark_slow(items, SECONDS)  # type: ignore[arg-type]
    assert [item.markers for item in items] == [["slow"], [], ["slow"], []]


def test_the_file_with_the_longest_test_begins_and_files_stay_whole() -> None:
    items = [Item(name) for name in ("a.py::new", "c.py::x", "c.py::middle", "b.py::short", "b.py::long[1]")]
    selection.longest_first(items, SECONDS)  # type: ignore[arg-type]
    expected = ["b.py::short", "b.py::long[1]", "c.py::x", "c.py::middle", "a.py::new"]
    assert [item.nodeid for item in items] == expected


def test_new_times_replace_old_ones_and_short_ones_go() -> None:
    old = {"a.py::x": 3.0, "a.py::y": 4.0, "a.py::z": 2.0}
    merged = selection.merge_seconds(old, {"a.py::y": 0.1, "a.py::z": 1.26})
    assert merged == {"a.py::x": 3.0, "a.py::z": 1.3}


def test_what_is_taken_from_the_cache_counts_as_if_it_were_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cache, "get_or_build", Cache.get_or_build)  # put back at the end
    costs = tmp_path / "costs"
    costs.mkdir()
    builds = selection.Builds(costs)
    builds.watch()
    cache = Cache.open(tmp_path / "cache")

    def build(path: Path) -> None:
        sum(range(3_000_000))
        path.write_bytes(b"built")

    cache.get_or_build("key", ".so", build)
    (cost,) = costs.iterdir()
    assert builds.take() == 0.0  # the time of the test itself
    cache.get_or_build("key", ".so", build)
    cache.get_or_build("key", ".so", build)
    assert builds.take() == float(cost.read_text()) > 0.0
    assert builds.take() == 0.0
