"""How much flash and RAM a program takes, read from its ELF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from rltools_embed.errors import BoardError
from rltools_embed.firmware import sizes
from rltools_embed.firmware.board import Board

# What linker scripts call the sections that only keep memory free: .stack, .stack_dummy and .stack1_dummy (CMSIS,
# pico-sdk), ._user_heap_stack (stm32duino), .heap (mbed and pico-sdk: all RAM that is left).
_STACK_SECTIONS = (".stack", "._user_heap_stack")
_HEAP_SECTION = ".heap"
# ESP-IDF's scripts: .flash.rodata is marked writable and is not, .flash_rodata_dummy only keeps addresses free.
_FLASH_SECTIONS = (".flash.", ".flash_")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Sizes of a program.

    Attributes:
        flash_bytes: code, constants (the weights among them) and the initial values of variables.
        ram_bytes: variables, without the stack and without a heap that takes what is left.
        stack_bytes: what the linker keeps for the stack; how much of it is used only the running board can tell.
    """

    flash_bytes: int
    ram_bytes: int
    stack_bytes: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a program may take, below what the board offers; None: all of it.

    Attributes:
        stack_bytes: of the deepest call, as the compiler reports it (call_depth.py).
    """

    flash_bytes: int | None = None
    ram_bytes: int | None = None
    stack_bytes: int | None = None

    def check(self, board: Board, memory: Memory | None, stack_used_bytes: int | None) -> None:
        """Compare a built program with the budget.

        Raises:
            BoardError: it takes more, or how much it takes is not known.
        """
        uses = (
            ("flash", self.flash_bytes, memory.flash_bytes if memory else None),
            ("RAM", self.ram_bytes, memory.ram_bytes if memory else None),
            ("stack", self.stack_bytes, stack_used_bytes),
        )
        for kind, allowed, used in uses:
            if allowed is None:
                continue
            option = f"--max-{kind.lower()}"
            if used is None:
                raise BoardError(f"the {kind} of {board.name}'s program is not known", f"leave {option} out")
            if used > allowed:
                raise BoardError(
                    f"{board.name}: the program takes {used} B of {kind}, {option} allows {allowed} B",
                    f"{used - allowed} B too many: train with smaller hidden layers, or raise {option}",
                )


def measure(elf: Path) -> Memory | None:
    """The sizes of the program, or None where it is not an ELF file (the host's program on macOS)."""
    try:
        with elf.open("rb") as stream:
            return _measure(ELFFile(stream))
    except ELFError:
        return None


def _measure(elf: ELFFile) -> Memory:
    flash = ram = stack = 0
    for section in elf.iter_sections():
        if not section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
            continue
        size = int(section["sh_size"])
        writable = bool(section["sh_flags"] & SH_FLAGS.SHF_WRITE)
        in_file = section["sh_type"] != "SHT_NOBITS"
        if section.name.startswith(_STACK_SECTIONS):
            stack += size
            continue
        if section.name.startswith(_HEAP_SECTION):
            continue
        # Initial values stand in flash and are copied to RAM; constructor tables are writable by name only.
        flash += size if in_file else 0
        constant = section.name.endswith("_array") or section.name.startswith(_FLASH_SECTIONS)
        ram += size if writable and not constant else 0
    return Memory(flash_bytes=flash, ram_bytes=ram, stack_bytes=stack)


def check_program(board: Board, memory: Memory) -> None:
    """Compare a built program with what the board offers.

    Raises:
        BoardError: flash or RAM does not suffice.
    """
    needs = (
        ("flash", board.flash_bytes, memory.flash_bytes),
        ("RAM", board.ram_bytes, memory.ram_bytes + memory.stack_bytes),
    )
    for kind, offered, needed in needs:
        sizes.check_size(board, kind, offered, needed)
