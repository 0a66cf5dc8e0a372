"""Hardware boards with their vendors' own frameworks: built, run where an emulator has the chip, and validated.

    python -m tests.real_frameworks [--board NAME]... [--stand-ins WORDS] [--write]
    python -m tests.real_frameworks --examples [--board NAME]...

Each board's project is exported and built as a user builds it, with the packages that PlatformIO has in its core folder
or, where its registry is reached, installs there. A board whose packages are missing gets a row that names them.
Who lays packages out by hand and lacks a part of them says with --stand-ins what was built in its place.
QEMU 10 comes from .ci/qemu-10. For RP2040 boards the environment variable RP2040JS names a folder with
node_modules/rp2040js and bootrom.mjs, the boot ROM as in rp2040js's demo; without it they are built and do not run.
With --examples the robots of examples/ are built instead, for their boards; nothing of them is run or recorded.
With --write, what was seen goes to boards/evidence.json and docs/real_boards.md; rows of other boards stay.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from elftools.elf.elffile import ELFFile

from rltools_embed import process, resources
from rltools_embed.errors import BuildError, RltEmbedError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import evidence, platformio, project
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.evidence import FrameworkBuild
from rltools_embed.firmware.platformio import Firmware
from rltools_embed.target import free_port
from rltools_embed.validation import Counts, Report, Settings, validate
from tests import policies
from tests.board_matrix import ROOT, core_of, hardware
from tests.boards import spec_of
from tests.robots import ROBOTS, Robot

QEMU_MINIMUM = (10, 0)
# An emulated core without floating-point instructions takes most of a second for an inference.
SLOW_RANDOM = 64
POLICY = policies.sac_policy(environment="Pendulum-v1")


@dataclass(frozen=True)
class _Idiom:
    """Instructions by which a kernel is recognised; of the generic one the compiler makes fewer than `least`."""

    pattern: str
    least: int
    words: str


_PANEL_LOADS = _Idiom(r"\tv?ldmia\S*\t[^\n]*\{s\d+-s\d+\}", 8, "loads of several numbers")
_SOFT_PRODUCTS = _Idiom(
    r"<_*(?:wrap_+|real_+)?(?:aeabi_fmul|mulsf3)\w*>\n?", 8, "calls of the library's multiplication"
)
_PRODUCTS = _Idiom(r"\t(?:f?mul|madd)\.s\t", 8, "multiplications")
# By the device that a policy is compiled for. Of ESP32's cores there is none but the portable kernel.
_IDIOMS: Mapping[str, _Idiom] = {
    "CortexM0Plus": _SOFT_PRODUCTS,
    "CortexM3": _SOFT_PRODUCTS,
    "CortexM4F": _PANEL_LOADS,
    "CortexM33": _PANEL_LOADS,
    "CortexM55": _Idiom(r"\tv\S+\t[^\n]*\bq\d", 16, "instructions with vectors"),
    "CortexM7F": _Idiom(r"\tvmla\.f32\t", 40, "multiplications that add"),
    "RISCV": _SOFT_PRODUCTS,
    "Xtensa": _SOFT_PRODUCTS,
    "XtensaF": _PRODUCTS,
}


class Emulator(Protocol):
    """What can run a board's program."""

    control: str
    changed: str

    def title(self) -> str | None:
        """Emulator, version and machine; None where it is not installed."""

    def command(self, elf: Path, port: int) -> list[str | Path]:
        """The words that start it with its serial port on this TCP port."""

    def boot_s(self) -> float:
        """How long it may take until it listens."""


@dataclass(frozen=True, kw_only=True)
class Qemu:
    """A machine of QEMU with the chip of a board, or one whose memory and serial port are where the chip has them.

    Attributes:
        machine: QEMU's name of it.
        serial: the number of the serial port that the board's framework uses.
        control: what is added to the user's src/control.cpp because the machine lacks something.
        changed: the same in words.
    """

    machine: str
    serial: int
    control: str = ""
    changed: str = ""

    def title(self) -> str | None:
        """With the version."""
        found = find_qemu()
        return None if found is None else f"QEMU {found[1]}, {self.machine}"

    def command(self, elf: Path, port: int) -> list[str | Path]:
        """The CPU starts when a client connects, so nothing that the firmware says is lost."""
        found = find_qemu()
        assert found is not None
        quiet = ["-display", "none", "-monitor", "none", "-audio", "none"]
        others = ["-serial", "null"] * self.serial
        serial = f"tcp:127.0.0.1:{port},server=on,wait=on,nodelay=on"
        return [found[0], "-M", self.machine, "-kernel", elf, *quiet, *others, "-serial", serial]

    def boot_s(self) -> float:
        """It listens before it runs."""
        return 20.0


@dataclass(frozen=True, kw_only=True)
class Rp2040js:
    """A Raspberry Pi Pico in rp2040js, its USB port as on a cable; the binary is unchanged."""

    control: str = ""
    changed: str = ""

    def title(self) -> str | None:
        """With the package's version."""
        folder = self._folder()
        if folder is None or shutil.which("node") is None:
            return None
        package = folder / "node_modules" / "rp2040js" / "package.json"
        if not package.is_file() or not (folder / "bootrom.mjs").is_file():
            return None
        return f"rp2040js {json.loads(package.read_text(encoding='utf-8'))['version']}, over USB"

    def command(self, elf: Path, port: int) -> list[str | Path]:
        """Node with the program that stands beside this file."""
        folder = self._folder()
        assert folder is not None
        script = Path(__file__).parent / "emulation" / "rp2040.mjs"
        return ["node", script, elf.with_suffix(".bin"), str(port), folder / "bootrom.mjs"]

    def boot_s(self) -> float:
        """The firmware boots and its USB port is configured first."""
        return 120.0

    def _folder(self) -> Path | None:
        name = os.environ.get("RP2040JS")
        return None if name is None else Path(name)


# QEMU has no clock tree: whoever waits for it waits for ever.
_NO_CLOCKS = {
    "control": 'extern "C" void SystemClock_Config(void) {}\n',
    "changed": "`SystemClock_Config` is emptied in the user's `src/control.cpp`",
}
# Not here: genericSTM32F405RG, the chip of olimex-stm32-h405. stm32duino resets USART1 first, by a write to RCC's
# APB2RSTR, and QEMU 10.0.2 ends there with a segmentation fault (qemu_set_irq, reset line 164).
MACHINES: Mapping[str, Emulator] = {
    "nucleo_f401re": Qemu(machine="olimex-stm32-h405", serial=1, **_NO_CLOCKS),
    "nucleo_f446re": Qemu(machine="olimex-stm32-h405", serial=1, **_NO_CLOCKS),
    "nucleo_l476rg": Qemu(machine="b-l475e-iot01a", serial=1, **_NO_CLOCKS),
    "pico": Rp2040js(),
}


# ------------------------------------------------------------------------------------------------------- building


def row_of(board: Board, folder: Path) -> FrameworkBuild:
    """Export, build, look into the program, run it if a machine has the chip."""
    assert board.framework is not None
    row = FrameworkBuild(board=board.name, framework=board.framework.value, commit=_commit())
    spec = replace(spec_of(POLICY, board.name), boards=(board,))
    project.write(project.render(spec), folder, owned=project.render_owned(spec))
    try:
        firmware = platformio.build(folder)
    except RltEmbedError as error:
        return replace(row, missing=why_not_built(error, folder))
    log = (folder / f".pio/build-{board.name}.log").read_text(encoding="utf-8")
    kernel, failed = kernel_of(firmware.elf, board)
    row = replace(row, packages=packages_of(log, firmware.elf), kernel=kernel, failed=failed)
    row = replace(row, parts=parts_of(firmware.elf, board))
    # Last: making the commands removes the program.
    row = replace(row, **sizes_of(firmware), flags=flags_of(folder, board))
    machine = MACHINES.get(board.name)
    return row if machine is None else run(row, folder, board, machine)


def why_not_built(error: RltEmbedError, folder: Path) -> str:
    """What is missing, or the first error of a build that began; without places of this computer."""
    if not isinstance(error, BuildError):
        return error.message.partition(", and cannot download")[0]
    errors = [line for line in error.hint.splitlines() if re.search(r"\berror\b", line, re.IGNORECASE)]
    first = (errors or error.hint.splitlines() or ["PlatformIO named no error"])[0].replace(str(folder), "")
    without_folders = re.sub(r"(?<![\w.])/(?:[^/ :]+/)+", "", first.strip())
    return f"the build failed: {without_folders}"


def sizes_of(firmware: Firmware) -> dict[str, int]:
    """The program's sizes, and the framework's share: what it has besides our own estimate."""
    sizes, least = firmware.memory, firmware.estimate
    if sizes is None:
        return {}
    ours_flash = least.flash_bytes - least.framework_flash_bytes
    ours_ram = least.ram_bytes - least.framework_ram_bytes
    return {
        "flash_bytes": sizes.flash_bytes,
        "ram_bytes": sizes.ram_bytes,
        "framework_flash_bytes": sizes.flash_bytes - ours_flash,
        "framework_ram_bytes": sizes.ram_bytes - ours_ram,
    }


def packages_of(log: str, elf: Path) -> tuple[str, ...]:
    """Platform and framework as PlatformIO's log names them, the compiler as it wrote itself into the program."""
    platform = re.search(r"^PLATFORM: (.+?) \(([^)]+)\)", log, re.MULTILINE)
    frameworks = re.findall(r"^ - (framework-\S+) @ (\S+)(?: \(([^)]+)\))?", log, re.MULTILINE)
    found = [f"{platform[1]} {platform[2]}"] if platform else []
    found += [f"{name} {version}{f' ({other})' if other else ''}" for name, version, other in frameworks]
    with elf.open("rb") as file:
        comment = ELFFile(file).get_section_by_name(".comment")
        written = [part.decode() for part in comment.data().split(b"\0") if part] if comment is not None else []
    return (*found, written[0] if written else "unknown compiler")


_WATCHED_FLAGS = re.compile(r"-O\S|-std=\S+|-ffp-contract=\S+|-ffast-math|-m(cpu|fpu|float-abi)=\S+|--param=\S+")


def flags_of(folder: Path, board: Board) -> tuple[str, ...]:
    """Those flags of src/policy.cpp that decide bits and speed, in their order: the last one of a kind counts."""
    command = [sys.executable, "-m", "platformio", "run", "-d", folder, "-e", board.name, "-t", "compiledb"]
    done = process.run(command, timeout_s=600)
    database = folder / "compile_commands.json"
    if done.exit_code != 0 or not database.is_file():
        return ("not known: PlatformIO made no compile_commands.json",)
    for entry in json.loads(database.read_text(encoding="utf-8")):
        if Path(entry["file"]).name == "policy.cpp":
            words = entry.get("arguments") or entry["command"].split()
            return watched_flags(words)
    return ("not known: compile_commands.json does not name policy.cpp",)


def watched_flags(words: Sequence[str]) -> tuple[str, ...]:
    """Each flag once, where it stands last: PlatformIO gives ESP-IDF's twice, and the later ones count."""
    watched = [word for word in words if _WATCHED_FLAGS.fullmatch(word)]
    return tuple(reversed(dict.fromkeys(reversed(watched))))


def kernel_of(elf: Path, board: Board) -> tuple[str, str]:
    """The kernel that the policy's machine code has, in words, and what is wrong with it.

    The symbols name the device that the policy was compiled for, which chooses the kernel; the kernel itself is
    recognised by instructions that the compiler does not make of the generic one.
    """
    wanted = board.core.tag(board.fpu)
    idiom = _IDIOMS[wanted]
    objdump = core_of(board)[0].toolchain.tools["OBJCOPY"].replace("objcopy", "objdump")
    functions = re.split(r"^[0-9a-f]+ <", process.run([objdump, "-d", "-C", elf]).output, flags=re.MULTILINE)
    ours = [text for text in functions if re.match(r"(Policy::|.*rl_tools::(nn|evaluate|embed))", text)]
    devices = {name for text in ours for name in re.findall(r"rl_tools::devices::(\w+)<", text)}
    text = "\n".join(line for each in ours for line in each.splitlines()[1:])
    seen = len(re.findall(idiom.pattern, text))
    count = len(re.findall(r"^ *[0-9a-f]+:\t", text, re.MULTILINE))
    words = (
        f"kernel of {' and '.join(sorted(devices)) or 'no known device'}: {seen} {idiom.words} in {count} instructions"
    )
    if wanted not in devices:
        return words, f"the policy is not compiled for {wanted}"
    if seen < idiom.least:
        return words, f"the kernel of {wanted} has at least {idiom.least} {idiom.words}, and the program {seen}"
    return words, ""


# Of a symbol's demangled name; the first pattern that is found counts.
_PARTS = (
    ("weights", r"numbers_in_flash|^policy::layer"),
    ("examples", r"^policy::example"),
    ("digest", r"Policy::digest|Sha256|[Dd]igest"),
    ("arithmetic check", r"arithmetic_check|arithmetic_faults"),
    ("link", r"Server<|Frame|cobs|crc32|^firmware_(loop|setup)\("),
    ("evaluation", r"^Policy::|rl_tools::(nn|math|evaluate|embed)"),
)


def parts_of(elf: Path, board: Board) -> dict[str, int]:
    """Bytes of flash that our own parts take, by the names of the symbols; inlined code counts where it is."""
    nm = core_of(board)[0].toolchain.tools["OBJCOPY"].replace("objcopy", "nm")
    symbols = re.findall(r"^[0-9a-f]+ ([0-9a-f]+) ([a-zA-Z]) (.+)$", process.run([nm, "-S", "-C", elf]).output, re.M)
    parts = dict.fromkeys((name for name, _ in _PARTS), 0)
    for size, kind, symbol in symbols:
        part = next((name for name, pattern in _PARTS if re.search(pattern, symbol)), None)
        if part is not None and kind not in "bB":
            parts[part] += int(size, 16)
    return parts


def _commit() -> str:
    done = process.run(["git", "-C", ROOT, "describe", "--always", "--dirty"])
    return done.output.strip() if done.exit_code == 0 else "unknown"


# -------------------------------------------------------------------------------------------------------- running


def find_qemu() -> tuple[Path, str] | None:
    """QEMU 10 or newer for Arm with its version: that of .ci/qemu-10, or the machine's own."""
    for found in (ROOT / ".venv/qemu-10/bin/qemu-system-arm", shutil.which("qemu-system-arm")):
        if found is None or not Path(found).is_file():
            continue
        version = re.search(r"version (\d+)\.(\d+)\.(\d+)", process.run([found, "--version"]).output)
        if version and (int(version[1]), int(version[2])) >= QEMU_MINIMUM:
            return Path(found), version[0].removeprefix("version ")
    return None


@contextmanager
def switched_on(emulator: Emulator, elf: Path) -> Iterator[str]:
    """The program in its emulator, as long as the block lasts; gives the port."""
    url = free_port()
    port = int(url.rpartition(":")[2])
    with tempfile.TemporaryFile() as log:
        started = subprocess.Popen(emulator.command(elf, port), stdout=log, stderr=log)
        try:
            _await(port, started, emulator.boot_s())
            yield url
        finally:
            started.kill()
            started.wait()


def _await(port: int, started: subprocess.Popen[bytes], limit_s: float) -> None:
    """Until somebody listens, without a connection, which would start QEMU's machine."""
    listening = f":{port:04X}"
    deadline = time.monotonic() + limit_s
    while started.poll() is None and time.monotonic() < deadline:
        lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        if any(listening in line.split()[1] and line.split()[3] == "0A" for line in lines):
            return
        time.sleep(0.05)
    raise RltEmbedError(f"the emulator does not listen: exit code {started.poll()}", "run its command by hand")


def run(row: FrameworkBuild, folder: Path, board: Board, emulator: Emulator) -> FrameworkBuild:
    """Run, validate; where the machine needs a change, build again. The sizes stay those of the unchanged program."""
    title = emulator.title()
    if title is None:
        return row
    if emulator.control:
        control = folder / "src" / "control.cpp"
        control.write_text(control.read_text(encoding="utf-8") + emulator.control, encoding="utf-8")
    row = replace(row, ran_on=title, changed=emulator.changed)
    try:
        firmware = platformio.build(folder)
        with switched_on(emulator, firmware.elf) as port:
            settings = Settings(counts=Counts(random=SLOW_RANDOM), benchmark_repeats=0)
            report = validate(folder, board=board.name, port=port, settings=settings)
    except RltEmbedError as error:
        return replace(row, failed=error.message)
    return with_report(row, report)


def with_report(row: FrameworkBuild, report: Report) -> FrameworkBuild:
    """The row with what a validation found."""
    found = (f"{check.name}: {check.message}" for check in report.checks if not check.passed)
    failed = "; ".join((*([row.failed] if row.failed else []), *found))
    total = report.total
    if total is None:
        return replace(row, failed=failed)
    return replace(row, outputs=total.outputs, equal=total.equal, failed=failed)


# -------------------------------------------------------------------------------------------------------- examples


def example_row(robot: Robot, board: Board, folder: Path) -> FrameworkBuild:
    """A robot of examples/ built for a board, as its README says."""
    row = FrameworkBuild(board=board.name, framework=robot.framework.value, commit=_commit())
    spec = replace(spec_of(robot.policy, board.name), boards=(board,))
    project.write(project.render(spec), folder, owned=project.render_owned(spec))
    robot.copy_to(folder)
    try:
        firmware = platformio.build(folder)
    except BuildError as error:
        return replace(row, failed=error.message)
    except RltEmbedError as error:
        return replace(row, missing=why_not_built(error, folder))
    log = (folder / f".pio/build-{board.name}.log").read_text(encoding="utf-8")
    return replace(row, packages=packages_of(log, firmware.elf), **sizes_of(firmware))


def example_rows(names: Sequence[str]) -> Iterator[FrameworkBuild]:
    """Every robot on those of its boards that are named; on all of them if none is. Each is printed."""
    for robot in ROBOTS.values():
        for name in robot.boards:
            if names and name not in names:
                continue
            with tempfile.TemporaryDirectory(prefix="real-") as folder:
                row = example_row(robot, boards.load(name).on(robot.framework), Path(folder) / robot.name)
            words = f"{name}: not built: {row.failed}" if row.failed else line(row)
            print(f"{robot.name} on {words}", flush=True)  # noqa: T201
            yield row


# ------------------------------------------------------------------------------------------------------- reporting


def line(row: FrameworkBuild) -> str:
    """One board in words, for the terminal."""
    if row.missing:
        return f"{row.board} ({row.framework}): not built: {row.missing}"
    ran = f"; {row.equal} of {row.outputs} outputs bit equal on {row.ran_on}" if row.outputs else ""
    failed = f"; {row.failed}" if row.failed else ""
    size = f"{row.flash_bytes} B of flash, {row.ram_bytes} B of RAM"
    return f"{row.board} ({row.framework}): built, {size}, {', '.join(row.packages)}{ran}{failed}"


HEADER = """\
# Boards with their vendors' frameworks

Written by `python -m tests.real_frameworks --write`; a row says what was seen at its commit.
The policy is a SAC actor 3-64-64-1 with made-up weights: 17.9 kB of numbers.
"Framework" is what a program takes besides our own estimate, so it is the framework's share.
Where a machine of an emulator has the chip's memory and serial port, the program ran there and was validated.
An emulator has no time, no pins and no USB: those are not shown.

| board | framework, version | compiler | flash, RAM (framework) | ran on | outputs bit equal | commit |
|---|---|---|---|---|---|---|
"""


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """docs/real_boards.md."""
    table, details, missing = [], [], []
    for row in sorted(rows, key=lambda row: (row["board"], row["framework"])):
        name = f"`{row['board']}`"
        if row["missing"]:
            missing.append(f"- {name}, {row['framework']}: {row['missing']}")
            continue
        bits = f"{row['equal']} of {row['outputs']}" if row["outputs"] else "-"
        sizes = (
            f"{row['flash_bytes']} ({row['framework_flash_bytes']}), {row['ram_bytes']} ({row['framework_ram_bytes']})"
        )
        packages = ", ".join(row["packages"][:-1])
        cells = (name, packages, row["packages"][-1], sizes, row["ran_on"] or "-", bits, row["commit"])
        table.append(f"| {' | '.join(cells)} |")
        details.append(f"- {name}: {row['kernel']}; flags of `policy.cpp`: `{' '.join(row['flags'])}`.")
        parts = ", ".join(f"{name} {size}" for name, size in row["parts"].items())
        details += [f"  Bytes of flash: {parts}."] if parts else []
        details += [f"  Stand-in: {each}." for each in row["stand_ins"].split("; ") if each]
        details += [f"  For the machine: {row['changed']}."] if row["changed"] else []
        details += [f"  Failed: {row['failed']}."] if row["failed"] else []
    parts = [HEADER + "\n".join(table)]
    parts += ["## What the programs show\n\n" + "\n".join(details)] if details else []
    parts += ["## Not built\n\n" + "\n".join(missing)] if missing else []
    return "\n\n".join(parts) + "\n"


def record(rows: Sequence[FrameworkBuild]) -> None:
    """The rows in place of those of the same boards and frameworks."""
    path = resources.boards_dir() / evidence.FILE
    document = json.loads(path.read_text(encoding="utf-8"))
    known = {(row["board"], row["framework"]): row for row in document.get("frameworks", [])}
    for row in rows:
        known[row.board, row.framework] = asdict(row)
    document["frameworks"] = [known[key] for key in sorted(known)]
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (ROOT / "docs" / "real_boards.md").write_text(page(document["frameworks"]), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Exit code 1: a board that was built did not give the host's bits."""
    parser = argparse.ArgumentParser(prog="python -m tests.real_frameworks", description=__doc__.splitlines()[0])
    parser.add_argument("--board", action="append", metavar="NAME", help="one of the boards; all if not given")
    parser.add_argument("--examples", action="store_true", help="build the robots of examples/ instead")
    parser.add_argument("--write", action="store_true", help="write evidence.json and docs/real_boards.md")
    parser.add_argument(
        "--stand-ins", default="", metavar="WORDS", help="what stood in for the vendor's own parts, with '; ' between"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.board or ()) - set(hardware())
    if unknown:
        parser.error(f"not a hardware board: {', '.join(sorted(unknown))}; known: {', '.join(hardware())}")
    if options.examples:
        if options.write:
            parser.error("--write records boards, not examples: leave one of the two out")
        return 1 if any(row.failed for row in tuple(example_rows(options.board or ()))) else 0
    rows = []
    for name in options.board or hardware():
        loaded = boards.load(name)
        for framework in loaded.platformio.frameworks:
            with tempfile.TemporaryDirectory(prefix="real-") as folder:
                row = row_of(loaded.on(framework), Path(folder) / name)
                rows.append(row if row.missing else replace(row, stand_ins=options.stand_ins))
            print(line(rows[-1]), flush=True)  # noqa: T201
    if options.write:
        record(rows)
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
