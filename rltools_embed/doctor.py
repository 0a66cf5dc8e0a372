"""What is there, what is missing, and how to get it."""

from __future__ import annotations

from dataclasses import dataclass

from rltools_embed.firmware import board as boards
from rltools_embed.firmware import toolchain
from rltools_embed.firmware.board.cores import CORES, HOST, Program, Toolchain
from rltools_embed.firmware.toolchain import Tool


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One tool and what it is needed for; without an optional one, only the boards of another core cannot be built."""

    tool: Tool
    purpose: str
    is_optional: bool = False

    @property
    def is_in_order(self) -> bool:
        """Whether nothing needs to be done: the tool serves, or is an optional one that is absent."""
        return self.tool.serves or (self.is_optional and self.tool.found is None)


def examine() -> tuple[Finding, ...]:
    """Every tool that some stage needs."""
    return (
        Finding(tool=toolchain.check_host_compiler(), purpose="training, and the host board"),
        Finding(tool=toolchain.check_python_headers(), purpose="training"),
        Finding(tool=toolchain.check_platformio(), purpose="building any board"),
        Finding(tool=toolchain.check_scons(), purpose="building without PlatformIO's registry"),
        *(
            Finding(
                tool=toolchain.check(program),
                purpose=f"emulated {tools.family} boards",
                is_optional=tools.is_optional,
            )
            for program, tools in _of_cores()
        ),
        *(
            Finding(tool=toolchain.check(program), purpose=f"the emulated board {name}", is_optional=True)
            for program, name in _of_runners()
        ),
    )


def _of_cores() -> tuple[tuple[Program, Toolchain], ...]:
    """The compilers and emulators of all cores, each with the first toolchain that takes it.

    What one command installs is listed once: of the compilers for QEMU's Xtensa cores the last.
    """
    programs: dict[str, tuple[Program, Toolchain]] = {}
    toolchains = {CORES[name].toolchain: CORES[name] for name in CORES.names() if CORES[name].toolchain != HOST}
    for tools, core in toolchains.items():
        for program in (*tools.programs, *(() if core.emulator is None else (core.emulator,))):
            key = program.command or program.name
            _, first = programs.get(key, (program, tools))
            programs[key] = program, first
    return tuple(programs.values())


def _of_runners() -> tuple[tuple[Program, str], ...]:
    """What else runs a board of ours: not the emulator of its core, in whichever version."""
    programs: dict[str, tuple[Program, str]] = {}
    for board in map(boards.load, boards.names()):
        of_core = "" if board.core.emulator is None else board.core.emulator.name
        others = (each for each in board.runner.programs(board) if of_core not in (each.name, *each.others))
        programs |= {program.name: (program, board.name) for program in others}
    return tuple(programs.values())
