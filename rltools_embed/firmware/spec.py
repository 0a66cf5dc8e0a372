"""What goes into a project, and what stands in one: data only."""

from __future__ import annotations

import configparser
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rltools_embed.errors import BoardError, ProjectError
from rltools_embed.firmware.board import NAME_PATTERN, Board

if TYPE_CHECKING:
    from rltools_embed.policy.model import Policy

CHECKPOINT = "include/checkpoint.h"
MANIFEST = "rlt_embed.json"
# Our headers and ports. Included as rlt_embed/…, no name of ours is one of a framework's.
SOURCES = "src/rlt_embed"
FORMAT = 1
_FLOAT_BYTES = 4
_FIRST_PORT, _LAST_PORT = 20_000, 29_999


@dataclass(frozen=True, kw_only=True)
class PolicyFacts:
    """What a project tells about its policy (README.md, rlt_embed.json).

    Attributes:
        digest: 64 hexadecimal digits.
        env_id: the Gymnasium environment; any text.
        widest_layer: the most numbers that a layer gives; 0 where an older version's manifest does not tell.
        control_period_s: how often the policy wants to be asked, where that is known.
    """

    digest: str
    observation_dim: int
    action_dim: int
    parameter_count: int
    parameter_bytes: int
    env_id: str
    algorithm: str
    control_period_s: float | None
    widest_layer: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.digest):
            raise ValueError(f"a digest is 64 hexadecimal digits, not {self.digest!r}")

    @classmethod
    def of(cls, policy: Policy) -> PolicyFacts:
        """The facts of this policy."""
        from rltools_embed.policy.digest import digest  # NumPy, which a build does without

        return cls(
            digest=digest(policy),
            observation_dim=policy.observation_dim,
            action_dim=policy.action_dim,
            parameter_count=policy.parameter_count,
            parameter_bytes=_FLOAT_BYTES * policy.parameter_count,
            env_id=policy.provenance.environment,
            algorithm=policy.provenance.algorithm,
            control_period_s=policy.control_period_s,
            widest_layer=max(layer.output_dim for layer in policy.primitives),
        )


@dataclass(frozen=True, kw_only=True)
class ProjectSpec:
    """Everything that a project's files are made of.

    Attributes:
        name: what the project is called; `render.identifier` makes one out of any text.
        boards: at least one; the first is built when no environment is named.
    """

    name: str
    boards: tuple[Board, ...]
    checkpoint_text: str
    policy: PolicyFacts

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME_PATTERN, self.name):
            raise ProjectError(
                f"{self.name!r} cannot be a project's name", "small letters, digits and _, a letter first, at most 40"
            )
        names = [board.name for board in self.boards]
        if not names:
            raise ProjectError("a project needs at least one board", "name one with --board")
        for name in names:
            if names.count(name) > 1:
                raise ProjectError(
                    f"the board {name} is named twice", "name each board once; a file's name is its board's: rename it"
                )


@dataclass(frozen=True, kw_only=True)
class WriteResult:
    """What `write` did: paths inside the project, sorted."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project folder as its `rlt_embed.json` describes it.

    Attributes:
        folder: absolute.
        boards: as they were when the project was exported; the first is the default.
        files: SHA-256 of every generated file, by its path inside the project.
    """

    folder: Path
    name: str
    boards: tuple[Board, ...]
    policy: PolicyFacts
    files: Mapping[str, str]

    @property
    def checkpoint(self) -> Path:
        """The path of the project's checkpoint.h."""
        return self.folder / CHECKPOINT

    def board(self, name: str | None = None) -> Board:
        """The board of that name, or the default one.

        Raises:
            BoardError: the project has no such board.
        """
        for board in self.boards:
            if name is None or board.name == name:
                return board
        raise BoardError(
            f"the project {self.folder} has no board {name!r}",
            f"it has {', '.join(board.name for board in self.boards)}",
        )

    def upload_port(self, board: Board) -> str | None:
        """The port of platformio.local.ini, else of platformio.ini; None where PlatformIO looks for it itself."""
        settings = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            settings.read([self.folder / "platformio.ini", self.folder / "platformio.local.ini"], encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ProjectError(f"{self.folder}: cannot read the project's settings: {error}") from error
        for section in (f"env:{board.name}", "env"):
            port = settings.get(section, "upload_port", fallback="").strip()
            if port:
                return port
        return None


def upload_ports(name: str, of: tuple[Board, ...]) -> dict[str, str | None]:
    """The port of each board, by its name: the same for the same project and board, different within a project."""
    ports: dict[str, str | None] = {}
    taken: set[int] = set()
    for board in of:
        if not board.runner.is_process:
            ports[board.name] = None
            continue
        digest = hashlib.sha256(f"{name}/{board.name}".encode()).digest()
        port = _FIRST_PORT + int.from_bytes(digest[:4], "big") % (_LAST_PORT - _FIRST_PORT + 1)
        while port in taken:
            port = _FIRST_PORT if port == _LAST_PORT else port + 1
        taken.add(port)
        ports[board.name] = f"socket://127.0.0.1:{port}"
    return ports


def content_digest(content: bytes) -> str:
    """SHA-256 of a file's bytes, as the manifest lists it."""
    return hashlib.sha256(content).hexdigest()


def check_inside(path: str, source: Path) -> None:
    """Refuse a path that would leave the project.

    Raises:
        ProjectError: naming `source`, where the path stands.
    """
    parts = PurePosixPath(path).parts
    if path.startswith("/") or "\\" in path or not parts or ".." in parts or str(PurePosixPath(path)) != path:
        raise ProjectError(f"{source}: {path!r} is not a path inside the project", "export into a new folder")
