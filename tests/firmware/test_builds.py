"""Builds and uploads: difficult names, nothing twice, nothing over the network, and what goes wrong."""

from __future__ import annotations

import re
import shutil
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.device.client import Client
from rltools_embed.device.link import open_link
from rltools_embed.errors import BoardError, BuildError, LinkError, ProjectError
from rltools_embed.firmware import board, platformio, project
from rltools_embed.policy import checkpoint
from rltools_embed.policy.digest import digest
from tests.cases import every_second
from tests.firmware.conftest import make_spec
from tests.firmware.projects import Export, Running, emulated, write_with


@emulated
@pytest.mark.parametrize(
    ("name", "folder"),
    every_second(("host", "qemu_mps2_an386"), ["it's my {project}; ls", 'a"b`touch pwned`', "-e ü %s #1"]),
)
def test_a_folder_with_a_difficult_name_builds_and_runs(
    export: Export, running: Running, tmp_path: Path, name: str, folder: str
) -> None:
    project = export(name, folder=folder)

    with open_link(running(project, name)) as link:
        assert Client(link).hello().board == name
    assert not list(tmp_path.rglob("pwned"))


def test_a_port_with_a_command_in_it_is_refused_and_not_executed(export: Export, tmp_path: Path) -> None:
    folder = export("host")

    with pytest.raises(LinkError, match="is no port of a board on this computer"):
        platformio.upload(folder, "host", 'socket://127.0.0.1:5000"; touch pwned; "')
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_build_connects_to_nothing(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, trace = export("host"), tmp_path / "trace"
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    script = (
        "import pathlib, sys; from rltools_embed.firmware import platformio; "
        "platformio.build(pathlib.Path(sys.argv[1]))"
    )

    command = ["strace", "-f", "-q", "-e", "trace=connect", "-o", trace, sys.executable, "-c", script, folder]
    done = process.run(command, timeout_s=600)

    assert done.exit_code == 0, done.output
    assert [line for line in trace.read_text().splitlines() if "AF_INET" in line] == []


def test_a_folder_that_platformio_would_expand_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"\$"):
        project.write(project.render(make_spec()), tmp_path / "my $HOME")


def test_a_second_build_compiles_nothing(export: Export) -> None:
    folder = export("host")
    first = platformio.build(folder)
    stamp = first.elf.stat().st_mtime_ns

    assert platformio.build(folder).elf.stat().st_mtime_ns == stamp


def test_the_checkpoint_of_a_project_is_read_back(export: Export) -> None:
    folder = export("host")

    policy = checkpoint.load(project.load(folder).checkpoint)

    assert digest(policy) == project.load(folder).policy.digest


# --------------------------------------------------------------------------------------------------- what goes wrong


def test_a_compiler_that_refuses_is_reported_with_its_words_and_the_log(export: Export) -> None:
    folder = export("host")
    (folder / "src/mine.cpp").write_text("int main( { }\n")

    with pytest.raises(BuildError, match="the build for host failed") as caught:
        platformio.build(folder)

    assert "src/mine.cpp:1" in caught.value.hint
    assert "mine.cpp" in (folder / ".pio/build-host.log").read_text()


def test_a_port_that_another_program_uses_is_an_error_of_the_link(export: Export, port: str) -> None:
    folder = export("host")
    number = int(port.rpartition(":")[2])

    with socket.create_server(("127.0.0.1", number)), pytest.raises(LinkError) as caught:
        platformio.upload(folder, "host", port)
    assert caught.value.message == f"port {number} is in use by another program"
    assert "choose another port" in caught.value.hint


@emulated
def test_a_program_beyond_the_flash_is_reported_in_sizes(tmp_path: Path) -> None:
    # Enough for the weights and the least of everything else, but not for all of it.
    small = replace(board.load("qemu_mps2_an386"), flash_bytes=10_200)

    folder = write_with(tmp_path / "project", small)

    with pytest.raises(BoardError, match=r"offers 10200 B of flash, this policy needs 1\d{4} B") as caught:
        platformio.build(folder)
    assert re.match(r"\d{4} B must go: the weights are 504 B; ", caught.value.hint)


@emulated
def test_a_program_beyond_the_flash_that_only_platformio_counts_is_reported_in_sizes(tmp_path: Path) -> None:
    """As on an ESP32, whose linker script has room for any program."""
    small = replace(board.load("qemu_mps2_an386"), flash_bytes=10_200)
    folder = write_with(tmp_path / "project", small)
    script = folder / "include/boards/qemu_mps2_an386/memory.ld"
    text = script.read_text(encoding="utf-8")
    script.write_text(re.sub(r"LENGTH = 10200", "LENGTH = 102000", text), encoding="utf-8")
    assert script.read_text(encoding="utf-8") != text

    with pytest.raises(BoardError, match=r"offers 10200 B of flash, this policy needs 1\d{4} B"):
        platformio.build(folder)


@emulated
def test_a_linker_script_that_changes_links_anew(export: Export) -> None:
    folder = export("qemu_mps2_an386")
    platformio.build(folder)
    script = folder / "include/boards/qemu_mps2_an386/memory.ld"
    text = script.read_text(encoding="utf-8")
    script.write_text(re.sub(r"(FLASH.*LENGTH = )\w+", r"\g<1>8192", text), encoding="utf-8")

    with pytest.raises(BoardError, match="of flash"):
        platformio.build(folder)


@emulated
def test_variables_beyond_the_ram_are_reported_in_sizes(tmp_path: Path) -> None:
    # Enough for the stack and the least of everything else, but not for all of it.
    small = replace(board.load("qemu_mps2_an386"), ram_bytes=18_032)
    folder = write_with(tmp_path / "project", small)

    with pytest.raises(BoardError, match=r"offers 18032 B of RAM, this policy needs 18\d{3} B"):
        platformio.build(folder)


def test_a_board_is_switched_off_without_a_compiler_and_hardware_is_not(
    export: Export, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export("host", "nucleo_f446re")
    url = running(folder, "host")
    monkeypatch.setenv("PATH", "")
    platformio.power_off(folder, "host", url)
    with pytest.raises(LinkError), open_link(url) as link:
        Client(link).hello()
    with pytest.raises(BuildError, match="nucleo_f446re is hardware"):
        platformio.power_off(folder, "nucleo_f446re")
    script = folder / "platforms/rlt_emulated/run_board.py"
    script.rename(script.with_suffix(".away"))
    with pytest.raises(BuildError, match=r"run_board\.py is missing") as caught:
        platformio.power_off(folder, "host", url)
    assert caught.value.hint == "export the project again"
    script.with_suffix(".away").rename(script)
