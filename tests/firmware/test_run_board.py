"""The life of an emulated board: run_board.py as PlatformIO starts it, with a small program in place of firmware."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rltools_embed import process, resources
from rltools_embed.firmware.board import cores
from rltools_embed.process import Completed
from tests.ports import free_port

RUN_BOARD = resources.templates_dir() / "platforms" / "rlt_emulated" / "run_board.py"

LISTENS = """\
import os, signal, socket, sys
{prelude}
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        client, _ = server.accept()
        client.sendall(str(os.getpid()).encode())
        client.close()
"""
# As runners.Host starts firmware.
WORDS = ("--", "{elf}", "{port}")
OURS = ("--project", "/somewhere/ours")


def run_board(*words: str | Path, **environment: str) -> Completed:
    return process.run([sys.executable, RUN_BOARD, *words], environment=environment, timeout_s=600)


def program(folder: Path, text: str) -> Path:
    path = folder / "firmware.elf"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o700)
    return path


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    return program(tmp_path, LISTENS.format(prelude=""))


@pytest.fixture
def url() -> Iterator[str]:
    url = f"socket://127.0.0.1:{free_port()}"
    yield url
    run_board("stop", "--port", url, *OURS)


def start(firmware: Path, url: str) -> Completed:
    return run_board("start", "--elf", firmware, "--port", url, *OURS, *WORDS)


def ask_pid(url: str) -> int:
    with socket.create_connection(("127.0.0.1", port_of(url)), timeout=10) as client:
        return int(client.recv(100))


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def state_file(runtime: Path, url: str) -> Path:
    return runtime / f"rlt_emulated_{os.getuid()}" / f"{port_of(url)}.json"


def test_a_started_board_outlives_the_one_who_started_it(firmware: Path, url: str) -> None:
    done = start(firmware, url)

    assert done.exit_code == 0, done.output
    assert is_alive(ask_pid(url))


def test_stop_ends_the_board_and_frees_the_port(firmware: Path, url: str) -> None:
    start(firmware, url)
    pid = ask_pid(url)

    done = run_board("stop", "--port", url, *OURS)

    assert (done.exit_code, done.output) == (0, f"{url} is off\n")
    assert not is_alive(pid)
    with pytest.raises(ConnectionRefusedError):
        ask_pid(url)


def test_stopping_what_does_not_run_is_no_error(url: str) -> None:
    done = run_board("stop", "--port", url, *OURS)

    assert (done.exit_code, done.output) == (0, f"nothing ran on {url}\n")


def test_an_upload_replaces_what_runs(firmware: Path, url: str) -> None:
    start(firmware, url)
    first = ask_pid(url)

    done = start(firmware, url)

    assert done.exit_code == 0, done.output
    assert ask_pid(url) != first
    assert not is_alive(first)


def test_a_board_that_ignores_sigterm_is_ended_all_the_same(tmp_path: Path, url: str) -> None:
    deaf = program(tmp_path, LISTENS.format(prelude="signal.signal(signal.SIGTERM, signal.SIG_IGN)"))
    start(deaf, url)
    pid = ask_pid(url)

    assert run_board("stop", "--port", url, *OURS).exit_code == 0
    assert not is_alive(pid)


@pytest.mark.parametrize("action", ["start", "stop"])
def test_the_board_of_another_project_is_left_alone(firmware: Path, url: str, action: str) -> None:
    start(firmware, url)
    pid = ask_pid(url)

    elf, words = (("--elf", firmware), WORDS) if action == "start" else ((), ())
    done = run_board(action, *elf, "--port", url, "--project", "/somewhere/else", *words)

    assert done.exit_code != 0
    assert f"port {port_of(url)} is in use by the board of another project, /somewhere/ours" in done.output
    assert ask_pid(url) == pid


def test_a_port_of_another_program_is_reported_and_left_alone(firmware: Path, url: str) -> None:
    with socket.create_server(("127.0.0.1", port_of(url))) as other:
        done = start(firmware, url)

        assert done.exit_code != 0
        assert f"Error: port {port_of(url)} is in use by another program" in done.output
        assert other.fileno() >= 0


def test_the_words_of_a_board_name_its_firmware_its_port_and_the_python(firmware: Path, url: str) -> None:
    done = run_board("start", "--elf", firmware, "--port", url, *OURS, "--", "{python}", "{elf}", "{port}")

    assert done.exit_code == 0, done.output
    assert is_alive(ask_pid(url))


def test_firmware_that_ends_at_once_is_reported_with_its_words(tmp_path: Path, url: str) -> None:
    done = start(program(tmp_path, "import sys\nsys.exit('no flash today')\n"), url)

    assert done.exit_code != 0
    assert "ended at once" in done.output
    assert "no flash today" in done.output


def test_a_state_file_of_a_process_that_is_gone_is_stale(firmware: Path, url: str, state_of_its_own: Path) -> None:
    start(firmware, url)
    pid = ask_pid(url)
    os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.02)
    assert state_file(state_of_its_own, url).exists()

    assert start(firmware, url).exit_code == 0
    assert is_alive(ask_pid(url))


def test_a_recycled_process_number_is_not_ended(firmware: Path, url: str, state_of_its_own: Path) -> None:
    start(firmware, url)
    board = ask_pid(url)
    state = state_file(state_of_its_own, url)
    # The number now belongs to this very test, which began at another time than the board.
    state.write_text(json.dumps({**json.loads(state.read_text()), "pid": os.getpid()}))

    assert run_board("stop", "--port", url, *OURS).output == f"nothing ran on {url}\n"
    os.kill(board, signal.SIGKILL)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x", "began": "1"}', '{"pid": -1, "began": "1"}', "\0"])
def test_a_damaged_state_file_is_passed_over(firmware: Path, url: str, state_of_its_own: Path, content: str) -> None:
    run_board("stop", "--port", url, *OURS)
    state_file(state_of_its_own, url).write_text(content)

    assert start(firmware, url).exit_code == 0


def test_a_state_folder_that_others_can_write_is_refused(firmware: Path, url: str, state_of_its_own: Path) -> None:
    folder = state_file(state_of_its_own, url).parent
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)

    done = start(firmware, url)
    folder.chmod(0o700)

    assert done.exit_code != 0
    assert "only you can use" in done.output


@pytest.mark.parametrize(
    "port", ["/dev/ttyACM0", "socket://10.0.0.1:5557", "socket://127.0.0.1:0", "socket://127.0.0.1:x"]
)
def test_a_port_that_no_emulated_board_has_is_refused(firmware: Path, port: str) -> None:
    done = start(firmware, port)

    assert done.exit_code != 0
    assert "the upload port of an emulated board is socket://127.0.0.1:" in done.output


def test_a_missing_qemu_is_reported_with_the_command_that_installs_it(firmware: Path, url: str, tmp_path: Path) -> None:
    advice = ("--advice", cores.QEMU_ARM.advice)
    words = ("--", "qemu-system-arm", "-M", "mps2-an386", "-kernel", "{elf}")
    done = run_board("start", "--elf", firmware, "--port", url, *OURS, *advice, *words, PATH=str(tmp_path))

    assert done.exit_code != 0
    assert "qemu-system-arm is missing: `sudo apt-get install qemu-system-arm`, or `brew install qemu`" in done.output
