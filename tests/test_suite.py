"""Rules of the suite itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

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
