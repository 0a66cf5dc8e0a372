from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import link_boards
import link_native
import pytest

from rltools_embed.device.memory_link import Board


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`program(source, *flags)` compiles a native test program, once per session."""
    folder = tmp_path_factory.mktemp("link")
    built: dict[tuple[str, ...], Path] = {}

    def build(source: str, *flags: str) -> Path:
        key = (source, *flags)
        if key not in built:
            built[key] = link_native.build(source, folder / str(len(built)), *flags)
        return built[key]

    return build


@pytest.fixture(scope="session")
def native_board(program: Callable[..., Path]) -> Iterator[link_native.LockstepBoard]:
    """The C++ server with y[i] = 2 x[i mod 3] + i. A `MemoryLink` on it starts with a reset."""
    board = link_native.LockstepBoard(program("server_main.cpp", "-O1"))
    yield board
    board.close()


@pytest.fixture(params=["native", "python"])
def board(request: pytest.FixtureRequest) -> Board:
    return request.getfixturevalue("native_board") if request.param == "native" else link_boards.python_board()
