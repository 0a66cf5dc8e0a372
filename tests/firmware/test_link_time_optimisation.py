"""`-flto` in build_flags: every embedded port still links, and what can run here gives the bits of the reference.

The frameworks' ports are linked without their framework: what the framework has stays undefined.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from rltools_embed import process
from rltools_embed.firmware import board as boards
from rltools_embed.firmware.board import Board, Framework, Placement
from rltools_embed.validation import Settings, validate
from tests.board_matrix import Target, compile_board, compiler_of, core_of, export_target, link_board, vendor_flags
from tests.firmware.projects import Export, Running, emulated

# A port each; of Cortex-M the M0, whose branches and literals are the shortest.
BOARDS = (
    "host",
    "qemu_microbit",
    "qemu_riscv32_virt",
    "qemu_xtensa_de233_fpu",
    pytest.param("qemu_mps2_an386", marks=pytest.mark.long),
)


@emulated
@pytest.mark.parametrize("name", BOARDS)
def test_firmware_with_link_time_optimisation_gives_the_same_bits(export: Export, running: Running, name: str) -> None:
    folder = export(name)
    settings = folder / "platformio.ini"
    text = settings.read_text(encoding="utf-8")
    assert "  -O2\n" in text
    settings.write_text(text.replace("\nbuild_flags =\n", "\nbuild_flags =\n  -flto\n", 1), encoding="utf-8")

    report = validate(folder, port=running(folder, name), settings=Settings(benchmark_repeats=1))
    assert report.passed


# ------------------------------------------------------------------------------------------ on a vendor's framework

ARDUINO, ESPIDF = ("setup", "loop"), ("app_main",)
# arduino-esp32 declares both as functions of C++.
ARDUINO_ESP32 = ("_Z5setupv", "_Z4loopv")
PLACEMENT = Placement(code=".iram1.policy", weights=".dram1.policy")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A hardware board on a framework.

    Attributes:
        roots: the symbols that the framework calls.
        needs: what of the framework or of the core the firmware must still use: the serial port, whose `write` is
            virtual and so not among the symbols, and the reset.
    """

    name: str
    framework: Framework = Framework.ARDUINO
    roots: tuple[str, ...] = ARDUINO
    needs: tuple[str, ...]

    @property
    def board(self) -> Board:
        """With a place for the policy's code and numbers."""
        return replace(boards.load(self.name).on(self.framework), placement=PLACEMENT)


M4 = Case(name="nucleo_f446re", needs=("HardwareSerial::read()", "HardwareSerial::availableForWrite()", "dsb"))
CASES = (
    M4,
    Case(name="zeroUSB", needs=("Serial_::read()", "SerialUSB", "dsb")),
    Case(
        name="esp32-c3-devkitm-1",
        roots=ARDUINO_ESP32,
        needs=("Serial::read()", "HardwareSerial::availableForWrite()", "::restart()"),
    ),
    Case(
        name="esp32-c3-devkitm-1",
        framework=Framework.ESPIDF,
        roots=ESPIDF,
        needs=("uart_read_bytes", "uart_tx_chars", "esp_restart"),
    ),
)


def faults_of(case: Case, folder: Path) -> list[str]:
    """What is wrong with the linked program of the exported project in `folder`; empty if nothing is."""
    program = folder / "linked.elf"
    compiler = compiler_of(case.board)
    compiled = compile_board(folder, case.board, compiler, "-c", "-flto", "-ffunction-sections", "-fdata-sections")
    assert compiled.exit_code == 0, compiled.output
    linked = link_board(folder, case.board, program, *case.roots)
    if linked.exit_code != 0:
        return [linked.output]

    undefined = sorted(set(re.findall(r"undefined references? to `(.*?)'", linked.output)))
    assert undefined, linked.output
    objdump = core_of(case.board)[0].toolchain.tools["OBJCOPY"].replace("objcopy", "objdump")
    instructions = process.run([objdump, "-d", program]).output
    used = "\n".join((*undefined, *re.findall(r"\tdsb\t", instructions)))
    faults = [line for line in linked.output.splitlines() if "warning:" in line and "undefined reference" not in line]
    faults += [f"{name} is undefined, and no vendor has it" for name in undefined if not is_of_framework(name, case)]
    faults += [f"{name} is not used" for name in case.needs if name not in used]
    return faults + misplaced(program, case)


def is_of_framework(name: str, case: Case) -> bool:
    """Whether the compiler's or the C library's own functions have this name, or a stand-in's header declares it."""
    if re.match(r"__|mem|str", name):
        return True
    word = name.partition("(")[0].rpartition("::")[2]
    headers = Path(vendor_flags(case.board)[0].removeprefix("-I"))
    files = (*headers.rglob("*.h"), *headers.parent.glob("*.h"))
    return any(re.search(rf"\b{word}\b", file.read_text(encoding="utf-8")) for file in files)


def misplaced(program: Path, case: Case) -> list[str]:
    """The framework's entry points must be global functions, the policy's code and numbers in their sections."""
    with program.open("rb") as stream:
        elf = ELFFile(stream)
        symbols = [each for each in elf.get_section_by_name(".symtab").iter_symbols() if each["st_size"] > 0]
        code, numbers = (elf.get_section_index(name) for name in (PLACEMENT.code, PLACEMENT.weights))
    roots = {each.name for each in symbols if each["st_info"]["bind"] == "STB_GLOBAL"}
    faults = [f"{name} is not there" for name in case.roots if name not in roots]
    for name, section in (("6Policy8evaluate", code), ("placed_numbers", numbers)):
        places = {each["st_shndx"] for each in symbols if name in each.name}
        faults += [] if section is not None and places == {section} else [f"{name} is in the wrong section"]
    return faults


@emulated
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.framework.value}")
def test_firmware_for_a_framework_links_with_link_time_optimisation(case: Case, tmp_path: Path) -> None:
    folder = export_target(Target(board=case.board), tmp_path / "project")

    assert faults_of(case, folder) == []


# Compiled file by file, neither is a fault.
@emulated
@pytest.mark.parametrize(
    ("file", "before", "after", "fault"),
    [
        (
            "include/boards/*/rlt_embed/placement.h",
            ", gnu::noinline, gnu::flatten",
            "",
            "6Policy8evaluate is in the wrong section",
        ),
        (
            "src/rlt_embed/ports/arduino/chip_cortex_m.h",
            'inline void reset() {\n    asm volatile("dsb"',
            'extern "C" void finish() { asm volatile("dsb"); }\ninline void reset() {\n    asm volatile("bl finish"',
            "finish is undefined, and no vendor has it",
        ),
    ],
    ids=["inlined", "called by assembly alone"],
)
def test_what_link_time_optimisation_would_break_is_found(
    tmp_path: Path, file: str, before: str, after: str, fault: str
) -> None:
    folder = export_target(Target(board=M4.board), tmp_path / "project")
    (seeded,) = folder.glob(file)
    assert before in seeded.read_text()
    seeded.write_text(seeded.read_text().replace(before, after))

    assert fault in faults_of(M4, folder)
