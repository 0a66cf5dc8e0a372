"""Finding a board: those that come with the package, and a file of the user's own."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from rltools_embed import resources
from rltools_embed.errors import BoardError
from rltools_embed.firmware.board.checking import from_table
from rltools_embed.firmware.board.description import Board

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def names() -> tuple[str, ...]:
    """Every board that comes with the package."""
    return tuple(sorted(path.stem for path in resources.boards_dir().glob("*.toml")))


def load(name_or_path: str) -> Board:
    """The board of that name, or the one that a file describes (anything with a slash or ending in `.toml`).

    Raises:
        BoardError: unknown board, or the file cannot be used: it names the file and the key.
    """
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        return _load_file(Path(name_or_path), name_or_path)
    if name_or_path not in names():
        raise BoardError(f"there is no board {name_or_path!r}", _near_boards(name_or_path))
    return _load_file(resources.boards_dir() / f"{name_or_path}.toml", f"{name_or_path}.toml")


def _near_boards(word: str) -> str:
    near = difflib.get_close_matches(word, names(), n=3)
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{guess}`rlt-embed boards` lists them all"


def _load_file(path: Path, source: str) -> Board:
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device"  # which may never end
        raise BoardError(f"{source} is {kind}, not a board file", "name the file itself: my_board.toml")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoardError(f"cannot read the board file {source}: {error.strerror}", _near_boards(path.stem)) from error
    except UnicodeDecodeError as error:
        raise BoardError(
            f"{source} is not UTF-8 text: its byte {error.start} is {error.object[error.start]:#04x}",
            "a board file is TOML: save it as UTF-8, or start from a copy of one of the files in boards/",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BoardError(
            f"{source} is not TOML: {error}", "start from a copy of one of the files in boards/"
        ) from error
    if not table:
        raise BoardError(f"{source} is empty", "start from a copy of one of the files in boards/")
    return from_table(path.stem, table, source)
