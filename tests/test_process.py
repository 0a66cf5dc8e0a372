"""Programs that we run: watched, limited in time, and ended with all that they started, even when we are killed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.errors import ToolchainError

# Each line but the last is followed by a wait until it was seen.
LINES = """
import pathlib, sys, time
for i in range(3):
    print("line", i, flush=True)
    while i < 2 and not pathlib.Path(sys.argv[1], f"line {i}").exists():
        time.sleep(0.01)
sys.exit(4)
"""


def test_lines_are_seen_as_they_come_and_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LINES, str(tmp_path)]

    done = process.run_watched(command, lambda line: (tmp_path / line).touch(), timeout_s=60)

    assert (done.exit_code, done.output) == (4, "line 0\nline 1\nline 2\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line 0", "line 1", "line 2"]


def test_a_watched_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(ToolchainError, match=r"did not end within 0\.5 s"):
        process.run_watched([sys.executable, "-c", "import time; time.sleep(60)"], lambda line: None, timeout_s=0.5)


def test_a_watched_program_that_is_not_there_is_reported() -> None:
    with pytest.raises(ToolchainError, match="cannot run nowhere"):
        process.run_watched(["nowhere"], lambda line: None, timeout_s=1)


def test_a_watcher_that_fails_leaves_no_program_behind() -> None:
    def fail(line: str) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.run_watched(
            [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"], fail, timeout_s=60
        )
    assert time.monotonic() - start < 30


# ------------------------------------------------------------------------------------------- with all that they started

# A program and a grandchild that hold the pipe; neither hears SIGTERM nor SIGINT. Their numbers stand in a file.
FAMILY = "trap '' TERM INT; sleep 30 & echo $$ $! >pids.new; mv pids.new pids; echo ready; wait; wait"
# The same, and both end when they are asked to, in their own time.
TIDY = "trap 'echo tidy >tidied; kill $!; exit' INT TERM; sleep 30 & echo $$ $! >pids.new; mv pids.new pids; wait"
# A grandchild in a session of its own, as an emulated board: it holds no pipe.
DETACHED = (
    "import pathlib, subprocess, sys, time\n"
    "board = subprocess.Popen(['sleep', '30'], start_new_session=True, stdout=subprocess.DEVNULL, stderr=-3)\n"
    "pathlib.Path('pids').write_text(str(board.pid))\n"
    "print('ready', flush=True)\n"
    "time.sleep(float(sys.argv[1]))\n"
)
RUNS = {
    "run": lambda command, folder: process.run(command, cwd=folder, timeout_s=1.0),
    "run_watched": lambda command, folder: process.run_watched(
        ["env", "-C", folder, *command], lambda line: None, timeout_s=1.0
    ),
}
Run = Callable[[list[str], Path], process.Completed]


def pids_of(folder: Path) -> list[int]:
    """The numbers that the programs wrote, as soon as they are there."""
    assert within(20.0, (folder / "pids").exists)
    return [int(word) for word in (folder / "pids").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def within(limit_s: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def are_gone(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_time_limit_ends_the_grandchild_that_holds_the_pipe_and_ignores_sigterm(run: Run, tmp_path: Path) -> None:
    start = time.monotonic()

    with pytest.raises(ToolchainError, match=r"did not end within 1\.0 s"):
        run(["bash", "-c", FAMILY], tmp_path)

    assert time.monotonic() - start < 2.0
    assert within(1.0, lambda: are_gone(pids_of(tmp_path)))


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_time_limit_is_kept_where_the_program_has_closed_its_output(run: Run, tmp_path: Path) -> None:
    start = time.monotonic()

    with pytest.raises(ToolchainError, match=r"did not end within 1\.0 s"):
        run(["bash", "-c", f"exec >&- 2>&-; {FAMILY}"], tmp_path)

    assert time.monotonic() - start < 2.0
    assert within(1.0, lambda: are_gone(pids_of(tmp_path)))


def test_a_detached_board_survives_the_time_limit_of_the_one_who_started_it(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="did not end within"):
        process.run([sys.executable, "-c", DETACHED, "30"], cwd=tmp_path, timeout_s=1.0)

    (board,) = pids_of(tmp_path)
    assert is_alive(board)
    os.kill(board, signal.SIGKILL)


def test_a_watcher_that_fails_ends_the_grandchild_as_well(tmp_path: Path) -> None:
    def fail(line: str) -> None:
        raise ValueError(line)

    start = time.monotonic()
    with pytest.raises(ValueError, match="ready"):
        process.run_watched(["env", "-C", tmp_path, "bash", "-c", FAMILY], fail, timeout_s=60)

    assert time.monotonic() - start < 3.0
    assert within(1.0, lambda: are_gone(pids_of(tmp_path)))


# A user of ours in a process of its own; argv: what to call, the command.
CALLER = """
import signal, sys
from rltools_embed import process
signal.signal(signal.SIGINT, signal.default_int_handler)
command = sys.argv[2:]
if sys.argv[1] == "run":
    process.run(command, timeout_s=60)
elif sys.argv[1] == "run_watched":
    process.run_watched(command, lambda line: None, timeout_s=60)
else:
    process.run_attached(command)
"""


def heed_interrupts() -> None:
    """A test run in the background of a shell passes its deafness to SIGINT on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def begin(folder: Path, which: str, *program: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CALLER, which, *program]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )


def kill(caller: subprocess.Popen[bytes]) -> None:
    time.sleep(0.3)  # on a busy computer a program may be further than the one who started it
    caller.kill()
    caller.wait()


@pytest.mark.parametrize("which", ["run", "run_watched"])
def test_nothing_is_left_when_we_are_killed(which: str, tmp_path: Path) -> None:
    caller = begin(tmp_path, which, "bash", "-c", FAMILY)
    family = pids_of(tmp_path)
    assert not are_gone(family)

    kill(caller)

    assert within(4.0, lambda: are_gone(family))


def test_a_program_at_the_terminal_ends_when_we_are_killed(tmp_path: Path) -> None:
    caller = begin(tmp_path, "run_attached", "bash", "-c", "echo $$ >pids.new; mv pids.new pids; exec sleep 30")
    family = pids_of(tmp_path)

    kill(caller)

    assert within(4.0, lambda: are_gone(family))


def test_a_detached_board_lives_on_when_we_are_killed(tmp_path: Path) -> None:
    caller = begin(tmp_path, "run", sys.executable, "-c", DETACHED, "30")
    (board,) = pids_of(tmp_path)

    kill(caller)

    time.sleep(1.5)  # the guard has ended the group by then
    assert is_alive(board)
    os.kill(board, signal.SIGKILL)


@pytest.mark.parametrize("which", ["run", "run_watched"])
def test_an_interrupt_lets_programs_tidy_up(which: str, tmp_path: Path) -> None:
    caller = begin(tmp_path, which, "bash", "-c", TIDY)
    family = pids_of(tmp_path)

    caller.send_signal(signal.SIGINT)

    assert caller.wait(timeout=10) != 0
    assert (tmp_path / "tidied").read_text() == "tidy\n"
    assert within(1.0, lambda: are_gone(family))


def test_an_interrupt_ends_the_deaf_as_well(tmp_path: Path) -> None:
    caller = begin(tmp_path, "run", "bash", "-c", FAMILY)
    family = pids_of(tmp_path)

    caller.send_signal(signal.SIGINT)

    assert caller.wait(timeout=10) != 0
    assert within(1.0, lambda: are_gone(family))


# The interrupt comes when the program runs and subprocess.Popen has not returned yet.
EARLY = """
import os, pathlib, signal, subprocess, sys, time
Popen = subprocess.Popen
class Interrupted(Popen):
    def __init__(self, command, *others, **options):
        super().__init__(command, *others, **options)
        if command[0] == "bash":
            while not pathlib.Path("pids").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
subprocess.Popen = Interrupted
"""


ALONE = "echo $$ >pids.new; mv pids.new pids; exec sleep 30"


@pytest.mark.parametrize(("which", "program"), [("run", FAMILY), ("run_attached", ALONE)])
def test_an_interrupt_while_the_program_starts_leaves_nothing_behind(which: str, program: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", EARLY + CALLER, which, "bash", "-c", program]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    with (tmp_path / "errors").open("wb") as errors:  # not a pipe: who is left would hold it
        subprocess.run(command, cwd=tmp_path, env=environment, stderr=errors, check=False, timeout=50)

    assert "KeyboardInterrupt" in (tmp_path / "errors").read_text()
    assert within(1.0, lambda: are_gone(pids_of(tmp_path)))


@pytest.mark.parametrize("which", ["run_watched", "run_attached"])
def test_ctrl_c_in_a_terminal_ends_the_program(which: str, tmp_path: Path) -> None:
    caller, terminal = pty.fork()
    if caller == 0:  # pragma: no cover
        os.chdir(tmp_path)
        heed_interrupts()
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        os.execv(sys.executable, [sys.executable, "-c", CALLER, which, "bash", "-c", TIDY])
    family = pids_of(tmp_path)

    os.write(terminal, b"\x03")

    assert within(8.0, lambda: os.waitpid(caller, os.WNOHANG) != (0, 0))
    os.close(terminal)
    assert (tmp_path / "tidied").exists()
    assert within(1.0, lambda: are_gone(family))


def test_what_a_program_leaves_running_on_purpose_is_not_ended(tmp_path: Path) -> None:
    background = "sleep 30 >/dev/null 2>&1 & echo $! >pids"

    assert process.run(["bash", "-c", background], cwd=tmp_path, timeout_s=20).exit_code == 0

    (left,) = pids_of(tmp_path)
    assert is_alive(left)
    os.kill(left, signal.SIGKILL)


def test_a_last_line_without_an_end_and_bytes_that_are_no_text_are_kept() -> None:
    done = process.run(["bash", "-c", r"printf 'one\r\ntwo\xff'"], timeout_s=20)

    assert done.output == "one\ntwo\ufffd"
