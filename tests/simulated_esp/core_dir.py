"""A PlatformIO core folder in which `espressif32` builds for, and uploads to, the simulated boards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from platformio.dependencies import get_core_dependencies

from rltools_embed import resources

_HERE = Path(__file__).resolve().parent
_TESTS = _HERE.parent


def make_core_dir(folder: Path) -> Path:
    """The folder, for PLATFORMIO_CORE_DIR."""
    platform = folder / "platforms" / "espressif32"
    shutil.copytree(_HERE / "platform", platform)
    core = platform / "core"
    shutil.copytree(_HERE / "core", core)
    ports = resources.templates_dir() / "ports"
    shutil.copytree(ports / "bare_metal", core / "bare_metal")
    for name in ("vectors.S", "c_library.cpp"):
        shutil.copy(ports / "xtensa_lx60" / name, core / "esp32" / name)
    # The declarations that projects are compiled with everywhere, with the macros that come with them.
    for vendors in ("esp32", "names"):
        shutil.copytree(_TESTS / "vendor" / vendors, core / "vendor" / vendors)
    for header in ("arduino_api.h", "own_names.h"):
        shutil.copy(_TESTS / "vendor" / header, core / "vendor")
    (core / "cpp").mkdir()
    shutil.copy(_TESTS / "cpp" / "board_macros.h", core / "cpp")
    version = json.loads((platform / "platform.json").read_text(encoding="utf-8"))["version"]
    _mark(platform, "platform", "espressif32", version)
    scons = folder / "packages" / "tool-scons"
    shutil.copytree(resources.templates_dir() / "platforms" / "rlt_emulated" / "tool-scons", scons)
    _mark(scons, "tool", "tool-scons", get_core_dependencies()["tool-scons"].lstrip("~^="))
    return folder


def _mark(folder: Path, kind: str, name: str, version: str) -> None:
    """What PlatformIO writes into a package when it installs it."""
    spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
    marker = {"type": kind, "name": name, "version": version, "spec": spec}
    (folder / ".piopm").write_text(json.dumps(marker), encoding="utf-8")
