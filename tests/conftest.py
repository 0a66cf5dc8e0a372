"""What all tests share: the environment's programs on PATH, one compiler cache per test run, and what is selected."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeGuard

import pytest

from rltools_embed.compiling.cache import ENVIRONMENT_VARIABLE
from rltools_embed.firmware import board, toolchain
from tests import selection
from tests.emulation import emulator

_REFUSALS = pytest.StashKey[Path]()
_SECONDS = pytest.StashKey[dict[str, float]]()
_BUILDS = pytest.StashKey[selection.Builds]()
RECORD = "RECORD_SECONDS"


def pytest_configure(config: pytest.Config) -> None:
    """`python -m pytest` may be started without the virtual environment being active: `rlt-embed` is in its folder."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # Hundreds of Python processes follow, most of them PlatformIO's: each would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder = tempfile.TemporaryDirectory(prefix="refusals-")
    config.add_cleanup(folder.cleanup)
    config.stash[_REFUSALS] = Path(folder.name)
    config.stash[_SECONDS] = {}
    if RECORD in os.environ:
        costs = Path(os.environ.setdefault("RECORD_SECONDS_COSTS", f"{folder.name}/costs"))  # the workers' too
        costs.mkdir(exist_ok=True)
        config.stash[_BUILDS] = selection.Builds(costs)
        config.stash[_BUILDS].watch()
    selection.write_refusals(Path(folder.name), os.environ["PATH"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before -m is applied."""
    seconds = selection.read_seconds()
    selection.mark_emulated(items)
    selection.mark_slow(items, seconds)
    selection.longest_first(items, seconds)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Around fixtures, too: no cross compiler for a test without the marker; what it took is kept."""
    begin = selection.cpu_seconds()
    if item.get_closest_marker("emulated"):
        result = yield
    else:
        with selection.first_on_path(item.config.stash[_REFUSALS]):
            result = yield
    took = selection.cpu_seconds() - begin
    if builds := item.config.stash.get(_BUILDS, None):
        took += builds.take()
    seconds, name = item.config.stash[_SECONDS], selection.function_of(item.nodeid)
    seconds[name] = max(seconds.get(name, 0.0), took)
    return result


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With RECORD_SECONDS=1 the times join those of seconds.json, with RECORD_SECONDS=all they are all it has.

    A worker of pytest-xdist hands its own over.
    """
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["seconds"] = json.dumps(config.stash[_SECONDS])
    elif RECORD in os.environ:
        old = {} if os.environ[RECORD] == "all" else selection.read_seconds()
        merged = selection.merge_seconds(old, config.stash[_SECONDS])
        selection.SECONDS.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker ended: its times to those of the others."""
    seconds = node.config.stash[_SECONDS]
    for name, took in json.loads(getattr(node, "workeroutput", {}).get("seconds", "{}")).items():
        seconds[name] = max(seconds.get(name, 0.0), took)


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """The user's own caches stay out of it; the workers share those below the folder that they have in common.

    A build finds an object by the contents of all that it is made of, so no test gets another one than it would make.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    os.environ[ENVIRONMENT_VARIABLE] = str(shared / "cache")
    os.environ["PLATFORMIO_BUILD_CACHE_DIR"] = str(_object_cache(shared / "objects"))


def _object_cache(folder: Path) -> Path:
    """SCons's folder of objects, as it is when there is nothing in it: two builds that make it at once would fail."""
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    (made / "config").write_text(json.dumps({"prefix_len": 2}), encoding="utf-8")
    try:
        made.rename(folder)
    except OSError:  # another worker was first
        shutil.rmtree(made)
    return folder


@pytest.fixture(autouse=True)
def _needs_the_cores_compiler(request: pytest.FixtureRequest) -> None:
    """A developer's machine may lack the compiler of a core; in CI its absence fails the core's tests."""
    parameters = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    for parameter in parameters:
        compiler = _compiler_of(parameter)
        if compiler and "CI" not in os.environ and shutil.which(compiler, path=toolchain.search_path()) is None:
            pytest.skip(f"{compiler} is not installed")
        is_run = "CI" not in os.environ and request.node.get_closest_marker("emulated") is not None
        for tool in _emulators_of(parameter) if is_run else ():
            if not tool.serves:
                pytest.skip(tool.problem)


def _emulators_of(parameter: object) -> tuple[toolchain.Tool, ...]:
    """What runs the board that a test is parametrised with."""
    return toolchain.for_upload(board.load(parameter)) if _is_emulated_board(parameter) else ()


def _compiler_of(parameter: object) -> str | None:
    """The compiler for what a test is parametrised with, if that is a core or a board with one."""
    if isinstance(parameter, emulator.Core):
        return parameter.compiler
    return board.load(parameter).core.toolchain.compiler if _is_emulated_board(parameter) else None


def _is_emulated_board(parameter: object) -> TypeGuard[str]:
    """Whether it names a board that is no program of this computer, and that no vendor's platform builds."""
    return isinstance(parameter, str) and parameter in board.names() and board.load(parameter).port.is_bare_metal
