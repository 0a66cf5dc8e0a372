"""What a project does for who has PlatformIO and not our package."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from rltools_embed.device.client import Client
from rltools_embed.device.link import open_link
from tests.firmware.projects import Export, emulated, pio, run_own_program


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_pio_test_has_the_board_test_itself(export: Export, port: str, name: str) -> None:
    folder = export(name)
    (folder / "platformio.local.ini").write_text(f"[env:{name}]\nupload_port = {port}\ntest_port = {port}\n")

    tested = pio(folder, "test")
    pio(folder, "run", "-t", "poweroff")

    assert tested.exit_code == 0, tested.output
    assert "2 test cases: 2 succeeded" in tested.output


def test_pio_test_fails_for_a_policy_whose_examples_are_wrong(export: Export, port: str) -> None:
    folder = export("host")
    (folder / "platformio.local.ini").write_text(f"[env:host]\nupload_port = {port}\ntest_port = {port}\n")
    source = folder / "src/policy.cpp"
    right = "return Placed::self_test(examples);"
    source.write_text(source.read_text().replace(right, right.replace(";", " + 1U;")))

    tested = pio(folder, "test")
    pio(folder, "run", "-t", "poweroff")

    assert tested.exit_code == 1
    assert "FAIL the_examples_give_the_expected_bits" in tested.output
    assert "2 test cases: 1 failed, 1 succeeded" in tested.output


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_plain_platformio_builds_uploads_and_switches_off_without_our_package(
    export: Export, port: str, name: str
) -> None:
    folder = export(name)

    built = pio(folder, "run")
    uploaded = pio(folder, "run", "-t", "upload", "--upload-port", port)
    with open_link(port) as link:
        hello = Client(link).hello()
    off = pio(folder, "run", "-t", "poweroff", "--upload-port", port)

    assert built.exit_code == 0, built.output
    assert uploaded.exit_code == 0, uploaded.output
    assert hello.board == name
    assert f"{port} is off" in off.output


def test_the_monitor_shows_what_the_firmware_says(export: Export, port: str) -> None:
    folder = export("host")
    (folder / "platformio.local.ini").write_text(f"[env:host]\nupload_port = {port}\nmonitor_port = {port}\n")
    # Again and again: pyserial drops what arrives while it opens a socket.
    run_own_program(
        folder,
        port,
        """
        #include <unistd.h>
        void firmware_setup() {}
        void firmware_loop() {
            port::write(reinterpret_cast<const std::uint8_t*>("tick\\r\\n"), 6);
            usleep(100000);
        }
        """,
    )

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "platformio", "device", "monitor"])
    shown = b""
    deadline = time.monotonic() + 120
    while shown.count(b"tick") < 3 and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 1000)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    pio(folder, "run", "-t", "poweroff")

    assert shown.count(b"tick") >= 3


def test_a_project_that_was_moved_still_builds(export: Export, tmp_path: Path) -> None:
    folder = export("host")
    assert pio(folder, "run").exit_code == 0

    moved = folder.rename(tmp_path / "moved")
    (moved / "src/rlt_embed/identity.h").touch()

    done = pio(moved, "run")
    assert done.exit_code == 0, done.output


@pytest.mark.skipif(shutil.which("clang++") is None, reason="needs clang++")
def test_the_host_builds_with_clang_too(export: Export) -> None:
    done = pio(export("host"), "run", "-v", CXX="clang++")

    assert done.exit_code == 0, done.output
    assert "clang++ -o" in done.output
    assert "warning" not in done.output
