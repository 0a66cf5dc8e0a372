"""PlatformIO with a stand-in for the vendor's espressif32 platform, in a core folder of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from platformio.dependencies import get_core_dependencies

from rltools_embed import resources
from tests.board_matrix import VENDOR

PLATFORM_VERSION = "6.13.0"


def make_core_dir(folder: Path) -> Path:
    """A PLATFORMIO_CORE_DIR in which espressif32 and PlatformIO's own SCons package are installed."""
    platform = folder / "platforms" / "espressif32"
    platform.parent.mkdir(parents=True)
    shutil.copytree(VENDOR / "platforms" / "espressif32", platform)
    for family in ("esp32", "espidf", "names"):
        shutil.copytree(VENDOR / family, folder / family)
    for header in ("arduino_api.h", "own_names.h"):
        shutil.copy(VENDOR / header, folder)
    # arduino_api.h includes the macros by their place in tests/.
    (folder.parent / "cpp").mkdir(exist_ok=True)
    shutil.copy(VENDOR.parent / "cpp" / "board_macros.h", folder.parent / "cpp")
    _mark(platform, "platform", "espressif32", PLATFORM_VERSION)
    scons = folder / "packages" / "tool-scons"
    shutil.copytree(resources.templates_dir() / "platforms" / "rlt_emulated" / "tool-scons", scons)
    _mark(scons, "tool", "tool-scons", get_core_dependencies()["tool-scons"].lstrip("~^="))
    return folder


def _mark(folder: Path, kind: str, name: str, version: str) -> None:
    """What PlatformIO writes into a package when it installs it."""
    spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
    marker = {"type": kind, "name": name, "version": version, "spec": spec}
    (folder / ".piopm").write_text(json.dumps(marker), encoding="utf-8")
