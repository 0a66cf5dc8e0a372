"""A project read from its rlt_embed.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rltools_embed.errors import BoardError, ProjectError
from rltools_embed.firmware import board
from rltools_embed.firmware.spec import FORMAT, MANIFEST, PolicyFacts, Project, check_inside


def load(folder: Path) -> Project:
    """The project in that folder.

    Raises:
        ProjectError: the folder was not made by an export, or its manifest is damaged.
    """
    manifest = folder / MANIFEST
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(
            f"{folder} is not an exported project: cannot read {MANIFEST}: {error.strerror}",
            "make one with `rlt-embed export`",
        ) from error
    except ValueError as error:
        raise ProjectError(f"{manifest} is damaged: {error}", "export into a new folder") from error
    try:
        return _project(folder.resolve(), content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProjectError(f"{manifest} is damaged: {error!r}", "export into a new folder") from error
    except BoardError as error:
        raise ProjectError(f"{manifest} is damaged: {error.message}", "export into a new folder") from error


def folder_of(path: Path) -> Path:
    """The project itself, or the one inside the folder that `run` wrote."""
    inside = path / "firmware"
    return inside if not (path / MANIFEST).exists() and (inside / MANIFEST).exists() else path


def _project(folder: Path, content: Mapping[str, Any]) -> Project:
    if content["format"] != FORMAT:
        raise ProjectError(
            f"{folder / MANIFEST} has format {content['format']!r}, this version reads {FORMAT}",
            "export into a new folder",
        )
    files = {str(path): str(digest) for path, digest in content["files"].items()}
    for path in files:
        check_inside(path, folder / MANIFEST)
    return Project(
        folder=folder,
        name=str(content["name"]),
        boards=tuple(board.from_table(name, table, MANIFEST) for name, table in content["boards"].items()),
        policy=PolicyFacts(**content["policy"]),
        files=files,
    )
