"""What a program executed between two of its functions: exact counts from QEMU, instructions from objdump."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from benchmarks import cycles
from tests.emulation import emulator

_PLUGIN_SOURCE = Path(__file__).resolve().parent / "block_counts.c"
_LINE = re.compile(r"^ *([0-9a-f]+):\t([0-9a-f ]+)\t(\S+)\t?(.*)$")


def build_plugin(folder: Path) -> Path:
    """The counting plugin, compiled into this folder."""
    plugin = folder / "block_counts.so"
    flags = ("-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden")
    subprocess.run(("gcc", *flags, str(_PLUGIN_SOURCE), "-o", str(plugin)), check=True)
    return plugin


@cache
def disassembly(elf: Path) -> dict[int, tuple[cycles.Instruction, int]]:
    """Every instruction of the program and its size in bytes, by its address."""
    text = subprocess.run(("arm-none-eabi-objdump", "-d", str(elf)), capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        if row := _LINE.match(line):
            operands = re.sub(r"\s*[@;<].*", "", row[4])
            found[int(row[1], 16)] = (cycles.parse(row[3], operands), len(row[2].replace(" ", "")) // 2)
    return found


def blocks(core: emulator.Core, elf: Path, plugin: Path) -> tuple[str, list[cycles.Block]]:
    """What the program wrote, and the blocks that it executed between mark_start() and mark_stop()."""
    marks = emulator.symbols(elf)
    output = elf.with_suffix(".blocks")
    start, stop = (marks[name] & ~1 for name in ("mark_start", "mark_stop"))
    counting = ("-icount", "shift=0", "-plugin", f"{plugin},out={output},start={start:x},stop={stop:x}")
    written = emulator.run(core, elf, *counting)
    return written, [_block(line, disassembly(elf)) for line in output.read_text(encoding="utf-8").splitlines()]


def _block(line: str, instructions: dict[int, tuple[cycles.Instruction, int]]) -> cycles.Block:
    first, *numbers = line.split()
    address = int(first, 16)
    count, executions, fallen_through = (int(number) for number in numbers)
    row = []
    for _ in range(count):
        instruction, size = instructions[address]
        row.append(instruction)
        address += size
    return cycles.Block(instructions=tuple(row), executions=executions, fallen_through=fallen_through)
