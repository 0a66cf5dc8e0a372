"""Packages of a hardware board that stand in a folder of this computer, as platformio.local.ini names them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rltools_embed.errors import ToolchainError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import missing_packages, platformio, toolchain
from tests import policies
from tests.boards import export
from tests.standin import make_core_dir

POLICY = policies.sac_policy(hidden=8, environment="Pendulum-v1")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A platform in a folder of this computer, of which PlatformIO knows nothing yet."""
    platform = make_core_dir(tmp_path / "elsewhere" / "core") / "platforms/espressif32"
    (platform / ".piopm").unlink()
    core_dir = make_core_dir(tmp_path / "platformio" / "core")
    shutil.rmtree(core_dir / "platforms")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core_dir))
    return platform


def project_with(folder: Path, *lines: str) -> Path:
    project = export(POLICY, folder, "esp32dev")
    (project / "platformio.local.ini").write_text("\n".join(("[env:esp32dev]", *lines)) + "\n")
    return project


@pytest.mark.parametrize("spelling", ["symlink://{}", "espressif32=symlink://{}", "file://{}"])
def test_a_platform_in_a_folder_is_taken_as_platformio_takes_it(tmp_path: Path, elsewhere: Path, spelling: str) -> None:
    project = project_with(tmp_path / "project", f"platform = {spelling.format(elsewhere)}")

    for _ in range(2):  # the second time PlatformIO knows it
        toolchain.require_packages(project, boards.load("esp32dev"), "upload")
        assert platformio.build(project).elf.is_file()


def test_a_platform_beside_the_project_is_taken(tmp_path: Path, elsewhere: Path) -> None:
    project = project_with(
        tmp_path / "project", f"platform = symlink://{os.path.relpath(elsewhere, tmp_path / 'project')}"
    )

    toolchain.require_packages(project, boards.load("esp32dev"), "build")


@pytest.mark.parametrize("scheme", ["symlink", "file"])
def test_packages_in_folders_are_taken(tmp_path: Path, elsewhere: Path, scheme: str) -> None:
    tool = tmp_path / "tool"
    tool.mkdir()
    (tool / "package.json").write_text('{"name": "tool-mine", "version": "1.0.0"}')
    platform, package = f"platform = symlink://{elsewhere}", f"platform_packages = tool-mine@{scheme}://{tool}"
    project = project_with(tmp_path / "project", platform, package)

    toolchain.require_packages(project, boards.load("esp32dev"), "build")


@pytest.mark.parametrize("scheme", ["symlink", "file"])
@pytest.mark.parametrize("kind", ["platform", "package"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, elsewhere: Path, scheme: str, kind: str) -> None:
    gone = f"{scheme}://{tmp_path / 'gone'}"
    lines = {
        "platform": [f"platform = {gone}"],
        "package": [f"platform = symlink://{elsewhere}", f"platform_packages = tool-mine@{gone}"],
    }
    project = project_with(tmp_path / "project", *lines[kind])

    with pytest.raises(ToolchainError) as caught:
        toolchain.require_packages(project, boards.load("esp32dev"), "build")

    assert f"nothing is at {gone}" in caught.value.message


def test_an_address_without_a_host_is_left_to_platformio() -> None:
    assert missing_packages.unreachable(["git+file:///nowhere/platform.git"]) is None
