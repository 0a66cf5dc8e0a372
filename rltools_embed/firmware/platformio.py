"""PlatformIO as a program: build a project, put the firmware on its board, switch an emulated board off."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

from rltools_embed import process
from rltools_embed.errors import BoardError, BuildError, LinkError
from rltools_embed.firmware import call_depth, elf, manifest, sizes, toolchain
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.elf import Budget, Memory
from rltools_embed.firmware.sizes import Estimate, estimate
from rltools_embed.firmware.spec import Project

TIMEOUT_S = 1800.0
Watch: TypeAlias = Callable[[str], None]
_LAST_LINES = 15
# The platform of the boards that are processes prints it when the program is built.
_STARTING = re.compile(r"^Starting \S*firmware\.elf", re.MULTILINE)
_RUN_BOARD = Path("platforms", "rlt_emulated", "run_board.py")
# Nothing we start asks the network: no telemetry, no question for a newer Core.
_ENVIRONMENT = {
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "9999",
    "PLATFORMIO_NO_ANSI": "true",
    "PLATFORMIO_DISABLE_PROGRESSBAR": "true",
}


@dataclass(frozen=True, kw_only=True)
class Firmware:
    """A program that is ready for its board.

    Attributes:
        memory: its sizes; None where they cannot be read (the host's program on macOS).
        estimate: what it was expected to take at least.
        stack_used_bytes: of the deepest chain of calls, where a budget for the stack was given.
    """

    board: Board
    elf: Path
    memory: Memory | None
    estimate: Estimate
    stack_used_bytes: int | None = None


def build(
    project_dir: Path, environment: str | None = None, *, budget: Budget | None = None, watch: Watch | None = None
) -> Firmware:
    """Compile the project for one of its boards, the default one if none is named.

    Args:
        budget: what the program may take of the board.
        watch: gets PlatformIO's lines as they come.

    Raises:
        ToolchainError: something that the build takes is missing; nothing was started.
        BuildError: the compiler or the linker refused; the message names the log.
        BoardError: the project has no such board, or the program does not fit it or the budget.
    """
    opened = manifest.load(project_dir)
    board = opened.board(environment)
    toolchain.require(toolchain.for_build(board))
    toolchain.require_packages(opened.folder, board, "build")
    budget = budget or Budget()
    flags = call_depth.FLAG if budget.stack_bytes is not None else ""
    log = _run(opened, board, "build", (), watch, flags)
    if log.failed:
        _refuse_build(opened, board, log, flags)
    return _firmware(opened, board, budget, flags)


def _refuse_build(opened: Project, board: Board, log: _Log, flags: str = "") -> NoReturn:
    """Raise what the compiler or the linker refused."""
    if flags and flags in log.output:
        raise BoardError(
            f"the compiler of {board.name} is too old to tell how deep the stack goes: it has no {flags}",
            "leave --max-stack out; a validation measures the stack on the board",
        )
    _refuse_overflow(board, log.output, estimate(board, opened.policy))
    raise BuildError(f"the build for {board.name} failed; all of it is in {log.path}", log.last_lines)


def _firmware(opened: Project, board: Board, budget: Budget, flags: str = "") -> Firmware:
    """What was built, if it fits."""
    program = _workspace(opened) / "build" / board.name / "firmware.elf"
    if not program.is_file():
        raise BuildError(f"the build for {board.name} left no {program}")
    memory = elf.measure(program)
    if memory is not None:
        elf.check_program(board, memory)
    used = call_depth.deepest(program.parent) if flags else None
    budget.check(board, memory, used)
    return Firmware(
        board=board,
        elf=program,
        memory=memory,
        estimate=estimate(board, opened.policy),
        stack_used_bytes=used,
    )


def upload(
    project_dir: Path, environment: str | None = None, port: str | None = None, *, watch: Watch | None = None
) -> str | None:
    """Build, then put the firmware on its board; an emulated board is switched on.

    Args:
        watch: gets PlatformIO's lines as they come.

    Returns:
        The board's port, where it is known.

    Raises:
        ToolchainError, BuildError, BoardError: as `build`.
        LinkError: the board's port is in use or absent.
    """
    opened = manifest.load(project_dir)
    board = opened.board(environment)
    _check_port(board, port)
    toolchain.require((*toolchain.for_build(board), *toolchain.for_upload(board)))
    toolchain.require_packages(opened.folder, board, "upload")
    arguments = _upload_arguments("upload", port)
    if board.runner.is_process:
        # One run: a bare board's linker refuses what does not fit, so that nothing wrong is switched on.
        log = _run(opened, board, "upload", arguments, watch)
        if log.failed and not _STARTING.search(log.output):
            _refuse_build(opened, board, log)
        if not log.failed:
            _firmware(opened, board, Budget())
    else:
        build(project_dir, environment, watch=watch)
        log = _run(opened, board, "upload", ("-t", "nobuild", *arguments), watch)
    if log.failed:
        _refuse_port(log.output)
        raise BuildError(f"the upload to {board.name} failed; all of it is in {log.path}", log.last_lines)
    return port or opened.upload_port(board)


def power_off(project_dir: Path, environment: str | None = None, port: str | None = None) -> None:
    """End what runs on an emulated board's port; nothing happens if nothing does.

    Neither PlatformIO nor a compiler is needed.

    Raises:
        BuildError: it could not be ended, or the board is hardware.
        LinkError: another project's board runs on that port.
    """
    opened = manifest.load(project_dir)
    board = opened.board(environment)
    if not board.runner.is_process:
        raise BuildError(f"{board.name} is hardware, which cannot be switched off from here", "unplug it")
    _check_port(board, port)
    where = port or opened.upload_port(board)
    if where is None:
        raise LinkError(f"the port of {board.name} is not known", "name it with --port")
    script = opened.folder / _RUN_BOARD
    if not script.is_file():
        raise BuildError(f"{script} is missing", "export the project again")
    done = process.run([sys.executable, script, "stop", "--port", where, "--project", opened.folder])
    if done.exit_code != 0:
        _refuse_port(done.output)
        raise BuildError(f"{board.name} could not be switched off: {done.output.strip()}", "see `rlt-embed doctor`")


def _upload_arguments(target: str, port: str | None) -> tuple[str, ...]:
    return ("-t", target, *(("--upload-port", port) if port else ()))


@dataclass(frozen=True, kw_only=True)
class _Log:
    path: Path
    output: str
    failed: bool

    @property
    def last_lines(self) -> str:
        # PlatformIO ends with a table that says only that it failed.
        before = self.output.partition("[FAILED]")[0].splitlines()[:-1]
        lines = [line for line in before if line.strip()]
        errors = [line for line in lines[:-_LAST_LINES] if re.search(r"\berror\b", line, re.IGNORECASE)]
        return "\n".join((*errors[:3], *lines[-_LAST_LINES:]))


def _run(
    opened: Project, board: Board, what: str, arguments: tuple[str, ...], watch: Watch | None = None, flags: str = ""
) -> _Log:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "platformio",
        "run",
        "-d",
        opened.folder,
        "-e",
        board.name,
        *arguments,
    ]
    workspace = _workspace(opened)
    # A user's own variables for other projects must not move what we look for afterwards.
    folders = {
        "PLATFORMIO_WORKSPACE_DIR": str(workspace),
        "PLATFORMIO_BUILD_DIR": str(workspace / "build"),
        "PATH": toolchain.search_path(),
    }
    if (opened.folder / "platforms").is_dir():
        folders["PLATFORMIO_PLATFORMS_DIR"] = str(opened.folder / "platforms")
    # An object out of a cache comes without what the compiler wrote beside it.
    extra = {"PLATFORMIO_BUILD_FLAGS": flags, "PLATFORMIO_BUILD_CACHE_DIR": ""} if flags else {}
    variables = {**_ENVIRONMENT, **folders, **extra}
    # The first build with a vendor's framework downloads its compiler, an upload takes a while: both print progress.
    done = (
        process.run(command, environment=variables, timeout_s=TIMEOUT_S)
        if watch is None or not board.runner.has_framework
        else process.run_watched(command, watch, environment=variables, timeout_s=TIMEOUT_S)
    )
    path = workspace / f"{what}-{board.name}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text(done.output, encoding="utf-8")
    return _Log(path=path, output=done.output, failed=done.exit_code != 0)


def _workspace(opened: Project) -> Path:
    return opened.folder / ".pio"


def free_port() -> str:
    """The URL of a port of this computer that nobody listens on, for an emulated board."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"socket://127.0.0.1:{probe.getsockname()[1]}"


def _check_port(board: Board, port: str | None) -> None:
    if port is None or not board.runner.is_process:
        return
    if not re.fullmatch(r"socket://(127\.0\.0\.1|localhost):\d{4,5}", port):
        raise LinkError(f"{port!r} is no port of a board on this computer", "name one as socket://127.0.0.1:<port>")


def _refuse_port(output: str) -> None:
    """Raise what run_board.py reports about a port as an error of the link."""
    refused = re.search(r"^Error: (port \d+ is in use[^;\n]*); (.+)$", output, re.MULTILINE)
    if refused:
        raise LinkError(refused[1], refused[2])


def _refuse_overflow(board: Board, output: str, least: Estimate) -> None:
    """Raise a program that is too large with both sizes.

    The linker prints by how much a region is exceeded, and the board has the rest; PlatformIO prints the size.
    """
    framework = f", the framework's share about {least.framework_flash_bytes} B" if least.framework_flash_bytes else ""
    regions = (("FLASH", "program", "flash", board.flash_bytes), ("RAM", "data", "RAM", board.ram_bytes))
    for region, name, kind, offered in regions:
        if offered is None:
            continue
        excess = re.search(rf"region `{region}' overflowed by (\d+) bytes", output)
        size = re.search(rf"The {name} size \((\d+) bytes\) is greater than maximum allowed", output)
        needs = offered + int(excess[1]) if excess else int(size[1]) if size else 0
        hint = f"{needs - offered} B must go: "
        if kind == "flash":
            hint += f"the weights are {least.weights_bytes} B{framework}; smaller hidden layers have fewer weights"
        else:
            hint += "train with smaller hidden layers, or choose a larger board"
        sizes.check_size(board, kind, offered, needs, hint=hint)
