"""An emulated board: `start` puts firmware on it and switches it on, `stop` switches it off.

The board is a process that outlives this one: an emulator, or the firmware itself. Its words are given; in each,
{elf} stands for the firmware, {port} for the TCP port that the process serves, {platform} for this file's folder and
{python} for this Python. What runs on which TCP port stands in a
file per port, in a folder that only this user can read.
"""

import argparse
import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START_TIMEOUT_S = 10.0
GRACE_S = 1.0
POLL_S = 0.02
LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def fail(message):
    sys.exit(f"Error: {message}")


def tcp_port(url):
    match = re.fullmatch(r"socket://(?:127\.0\.0\.1|localhost):(\d{1,5})", url)
    if match is None or not 1024 <= int(match[1]) <= 65535:
        fail(f"the upload port of an emulated board is socket://127.0.0.1:<1024 to 65535>, not {url!r}")
    return int(match[1])


def state_dir():
    """A folder of this user alone: whoever could write there could have us end a process of theirs."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and Path(runtime).is_dir() else Path(tempfile.gettempdir())
    folder = base / f"rlt_emulated_{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        fail(f"{folder} must be a folder that only you can use: remove it")
    return folder


@contextlib.contextmanager
def locked(port):
    """Two uploads to one port come one after the other."""
    with (state_dir() / f"{port}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def started_at(pid):
    """When a process began, to tell it from a later one with the same number; None if there is none."""
    stat_file = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            after_name = stat_file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        state, ticks = after_name[0], after_name[19]
        return None if state == "Z" else ticks
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None


def read_state(path):
    """The process that a file names and that is still the same, and its project; None otherwise."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        pid, began, project = int(state["pid"]), state["began"], str(state["project"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if pid <= 1 or not isinstance(began, str) or started_at(pid) != began:
        return None
    return pid, began, project


def stop(port, project):
    """End this project's board on this port; True if there was one. Another project's board is left alone."""
    path = state_dir() / f"{port}.json"
    running = read_state(path)
    if running is not None:
        pid, began, owner = running
        if owner != project:
            fail(
                f"port {port} is in use by the board of another project, {owner}; "
                f"switch that off, or choose another port (socket://127.0.0.1:<port>)"
            )
        end(pid, began)
    path.unlink(missing_ok=True)
    return running is not None


def end(pid, began):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while started_at(pid) == began:
            # QEMU's STM32 serial port waits for its reader and does not hear SIGTERM meanwhile.
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_S)


def in_use(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As QEMU binds: a connection that lingers from the last run is not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
            raise
    return False


def listens(port):
    """Whether someone listens on the port. Connecting would tell too, but would switch the board on."""
    table = Path("/proc/net/tcp")
    if not table.exists():
        found = subprocess.run(["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"], capture_output=True, check=False)
        return found.returncode == 0
    rows = (line.split() for line in table.read_text(encoding="ascii").splitlines()[1:])
    return any(row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def command(arguments, port):
    """The board's process: its program, found on PATH if it is no path, and its arguments."""
    values = {
        "elf": Path(arguments.elf).resolve(),
        "port": port,
        "platform": Path(__file__).resolve().parent,
        "python": sys.executable,
    }
    words = [re.sub(r"\{(\w+)\}", lambda name: str(values.get(name[1], name[0])), word) for word in arguments.words]
    names = words[0].split("|")  # any of them serves, the first one best
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        fail(f"{' or '.join(names)} is missing: {arguments.advice}")
    return [program, *words[1:]]


def start(arguments):
    port = tcp_port(arguments.port)
    with locked(port):
        stop(port, arguments.project)
        if in_use(port):
            fail(
                f"port {port} is in use by another program; "
                "end it, or choose another port (socket://127.0.0.1:<port>)"
            )
        launch(command(arguments, port), port, arguments.project)
    print(f"{Path(arguments.elf).name} runs; its serial port is {arguments.port}")


def launch(words, port, project):
    log = state_dir() / f"{port}.log"
    with log.open("wb") as output:
        # A session of its own and no inherited files: the board must outlive PlatformIO, which waits for open pipes.
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    state = state_dir() / f"{port}.json"
    running = {"pid": process.pid, "began": started_at(process.pid), "project": project, "command": words}
    state.write_text(json.dumps(running), encoding="utf-8")
    deadline = time.monotonic() + START_TIMEOUT_S
    while not listens(port):
        if process.poll() is not None:
            state.unlink()
            fail(f"{Path(words[0]).name} ended at once:\n{log.read_text(encoding='utf-8', errors='replace')}")
        if time.monotonic() > deadline:
            stop(port, project)
            fail(f"{Path(words[0]).name} did not listen on port {port} within {START_TIMEOUT_S:g} s; its output is in {log}")
        time.sleep(POLL_S)


def switch_off(arguments):
    port = tcp_port(arguments.port)
    with locked(port):
        print(f"{arguments.port} is off" if stop(port, arguments.project) else f"nothing ran on {arguments.port}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    on = actions.add_parser("start")
    on.add_argument("--elf", required=True)
    on.add_argument("--port", required=True)
    on.add_argument("--project", required=True, help="the folder of the project that the board belongs to")
    on.add_argument("--advice", default="install it", help="what helps if the program is missing")
    on.add_argument("words", nargs="+", metavar="word", help="the board's process: its program and arguments")
    on.set_defaults(run=start)
    off = actions.add_parser("stop")
    off.add_argument("--port", required=True)
    off.add_argument("--project", required=True)
    off.set_defaults(run=switch_off)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
