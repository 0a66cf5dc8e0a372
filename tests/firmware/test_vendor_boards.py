"""Hardware boards without hardware: every rendered source compiles as the vendors' frameworks would have it compiled.

The vendors' headers are stand-ins with the signatures of the real ones (tests/vendor/README.md).
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from platformio.project.config import ProjectConfig

from rltools_embed import resources
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import evidence, project
from rltools_embed.firmware.board import Architecture, Framework, Placement, RunnerKind
from rltools_embed.firmware.evidence import Level
from tests import board_matrix
from tests.board_matrix import Target, compile_board, compiler_of, export_target
from tests.cases import every_second
from tests.firmware.conftest import make_spec
from tests.policy.test_compile_matrix import GCC_8

TARGETS = tuple(board_matrix.targets())
ESPRESSIF = tuple(target for target in TARGETS if "espressif32" in target.board.platformio.platform)


def name_of(target: Target) -> str:
    return target.name


def target_of(board: str, framework: Framework = Framework.ARDUINO) -> Target:
    return Target(board=boards.load(board).on(framework))


@pytest.mark.parametrize("target", TARGETS, ids=name_of)
def test_every_source_compiles_for_the_boards_core(target: Target, tmp_path: Path) -> None:
    folder = export_target(target, tmp_path / "project")

    done = compile_board(folder, target.board, compiler_of(target.board), "-fsyntax-only")

    assert done.exit_code == 0, done.output


# Arduino on an ESP32 is GCC 8.4.
@pytest.mark.parametrize("target", ESPRESSIF, ids=name_of)
def test_every_source_compiles_with_a_gcc_of_the_arduino_cores_age(target: Target, tmp_path: Path) -> None:
    if not (GCC_8 / "complete").exists():
        reason = "GCC 8 is not in .venv/gcc-8: `.ci/gcc-8 .venv/gcc-8` fetches it or says why it cannot"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    compiler = (str(GCC_8 / "usr/bin/arm-none-eabi-g++"), "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=softfp")
    folder = export_target(target, tmp_path / "project")

    done = compile_board(folder, target.board, compiler, "-fsyntax-only")

    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", ["nucleo_f446re", "esp32-c3-devkitm-1"])
def test_the_policys_code_and_numbers_are_in_the_sections_that_the_board_file_names(name: str, tmp_path: Path) -> None:
    placement = Placement(code=".iram1.policy", weights=".dram1.policy")
    target = target_of(name)
    placed = Target(board=replace(target.board, placement=placement))
    folder = export_target(placed, tmp_path / "project")

    done = compile_board(folder, placed.board, compiler_of(placed.board), "-S")

    assert done.exit_code == 0, done.output
    assembly = (folder / "policy.s").read_text()
    numbers = assembly.partition(".dram1.policy")[2]
    assert "placed_numbers" in numbers.partition(".size")[0]
    code = assembly.partition('.section\t.iram1.policy,"ax"')[2]
    assert "_ZN6Policy8evaluateEPKfPf:" in code
    # Everything is inside: the function calls nothing of ours but what is for NaN alone and kept apart for that.
    body = code.partition("_ZN6Policy8evaluateEPKfPf:")[2].partition(".size")[0]
    called = {line.split()[-1] for line in body.splitlines() if line.strip().startswith(("bl\t", "call\t"))}
    assert not {each for each in called if "rl_tools" in each and "relu_of_nan" not in each}


def test_weights_in_a_memory_of_their_own_are_copied_there(tmp_path: Path) -> None:
    target = target_of("genericSTM32F405RG")
    ccm = Placement(weights_origin=0x1000_0000, weights_bytes=65_536)
    placed = Target(board=replace(target.board, placement=ccm))

    done = compile_board(export_target(placed, tmp_path / "x"), placed.board, compiler_of(placed.board), "-S")

    assert done.exit_code == 0, done.output
    load = (tmp_path / "x/policy.s").read_text().partition("_ZN6Policy4loadEv:")[2].partition(".size")[0]
    assert "#268435456" in load or "0x10000000" in load  # 0x10000000 as the compiler prints it


# A check that cannot fail proves nothing: what is seeded here must be found.
@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("BOARD_SERIAL.begin(board::baud)", "BOARD_SERIAL.open(board::baud)", "open"),
        ("delay(1)", "delay_ms(1)", "delay_ms"),
        ("BOARD_SERIAL.read()", "BOARD_SERIAL.read(1)", "read"),
    ],
)
def test_a_call_that_the_vendors_header_lacks_is_found(tmp_path: Path, before: str, after: str, words: str) -> None:
    target = target_of("esp32dev")
    folder = export_target(target, tmp_path / "project")
    port = folder / "src/rlt_embed/ports/arduino/port.cpp"
    assert before in port.read_text()
    port.write_text(port.read_text().replace(before, after))

    done = compile_board(folder, target.board, compiler_of(target.board), "-fsyntax-only")

    assert done.exit_code != 0
    assert words in done.output


OLD_PLACES = {
    "board": "include",  # below, in include/boards/<board>/, which was the first folder then and is the last now
    "placement": "include",
    "identity": "include",
    "control": "src",
    "policy": "src",
    "port": "src",
    "wrapped_floats": "src",
}


# As earlier versions laid our headers out.
@pytest.mark.parametrize(
    ("target", "name"),
    every_second((target_of("nucleo_f446re"), target_of("esp32dev", Framework.ESPIDF)), OLD_PLACES),
    ids=lambda value: value if isinstance(value, str) else name_of(value),
)
def test_a_header_of_ours_that_hides_one_of_the_frameworks_is_found(target: Target, name: str, tmp_path: Path) -> None:
    folder = export_target(target, tmp_path / "project")
    (ours,) = folder.glob(f"*/**/rlt_embed/{name}.h")
    old = folder / OLD_PLACES[name] / f"{name}.h"
    old.write_text(ours.read_text().replace("../../include/", ""))

    done = compile_board(folder, target.board, compiler_of(target.board), "-fsyntax-only")

    assert done.exit_code != 0
    assert f"another <{name}.h> than the framework's was found first" in done.output


@pytest.mark.parametrize("target", TARGETS, ids=name_of)
def test_only_the_port_sees_the_frameworks_headers(target: Target, tmp_path: Path) -> None:
    folder = export_target(target, tmp_path / "project")

    done = compile_board(folder, target.board, compiler_of(target.board), "-M")

    assert done.exit_code == 0, done.output
    rules = done.output.replace("\\\n", " ").splitlines()
    seeing = {rule.partition(":")[0] for rule in rules if str(board_matrix.VENDOR) in rule}
    assert seeing == {"port.o"}


def code_bytes(folder: Path, target: Target) -> int:
    """The machine code of policy.cpp, as the board's flags have it compiled."""
    done = compile_board(folder, target.board, compiler_of(target.board), "-c", "-ffunction-sections")
    assert done.exit_code == 0, done.output
    with (folder / "policy.o").open("rb") as stream:
        sections = [each for each in ELFFile(stream).iter_sections() if each.name.startswith(".text")]
    return sum(int(each["sh_size"]) for each in sections)


def test_stm32duinos_limit_of_inlining_costs_our_sources_no_flash(tmp_path: Path) -> None:
    target = target_of("bluepill_f103c8")
    folder = export_target(target, tmp_path / "project", hidden=64)
    settings = folder / "platformio.ini"
    small = code_bytes(folder, target)

    settings.write_text(settings.read_text().replace("--param=max-inline-insns-single=70", ""))

    assert small < 4_000  # 3.1 kB seen, with GCC 12.2
    assert code_bytes(folder, target) > small + 2_000  # 5.8 kB seen


def test_only_what_stm32duino_compiles_has_its_limit_of_inlining_set_back() -> None:
    for target in TARGETS:
        settings = project.render(replace(make_spec(), boards=(target.board,)))["platformio.ini"].decode()

        assert ("max-inline-insns-single=70" in settings) == ("ststm32" in target.board.platformio.platform), target


# PlatformIO's atmelsam and nordicnrf52 take GCC 7.2.1 for them; a family that is not here has 8.2 or newer.
@pytest.mark.parametrize("name", ["zeroUSB", "nano33ble"])
def test_a_board_whose_platform_has_an_old_gcc_names_a_newer_one(name: str, tmp_path: Path) -> None:
    folder = export_target(target_of(name), tmp_path / "project")

    settings = ProjectConfig(str(folder / "platformio.ini"))

    assert settings.get(f"env:{name}", "platform_packages") == ["platformio/toolchain-gccarmnoneeabi@~1.90301.0"]


# --------------------------------------------------------------------------------------------------------- evidence


def test_every_board_has_its_evidence_and_no_more_than_was_seen() -> None:
    known = evidence.load()

    assert set(known) == set(boards.names())
    rows = [row for row in evidence.framework_builds() if row.board not in board_matrix.SIMULATED]
    built, ran = {row.board for row in rows if not row.missing}, {row.board for row in rows if row.passed}
    for name, found in known.items():
        kind = boards.load(name).runner.kind
        assert found.level is not Level.HARDWARE  # no board was ever connected
        assert (found.level is Level.EMULATED) == boards.load(name).port.is_bare_metal, (name, found)
        assert (found.level is Level.THIS_COMPUTER) == (kind is RunnerKind.HOST)
        assert (found.level is Level.SIMULATED) == (name in board_matrix.SIMULATED)
        assert (found.level in (Level.VENDOR_PACKAGES, Level.VENDOR_EMULATED)) == (name in built), name
        assert (found.level is Level.VENDOR_EMULATED) == (name in ran), name
        assert found.level is not Level.NOTHING
        assert found.detail


def test_a_board_of_the_users_own_is_not_known_by_its_name() -> None:
    known, ours = evidence.load(), boards.load("esp32dev")

    assert evidence.of(ours, known).level is Level.SIMULATED
    assert evidence.of(replace(ours, flash_bytes=2 << 20), known).level is Level.NOTHING
    assert evidence.of(replace(ours, name="mine"), known).level is Level.NOTHING


def test_the_readmes_table_is_what_the_evidence_says() -> None:
    text = (board_matrix.ROOT / "README.md").read_text(encoding="utf-8")

    assert board_matrix.readme_with(board_matrix.table(dict(evidence.load()))) == text


def test_a_board_of_ones_own_is_known_by_nothing(tmp_path: Path) -> None:
    mine = replace(boards.load("esp32dev"), name="mine")

    assert evidence.of(mine, evidence.load()).level is Level.NOTHING


def test_the_evidence_names_a_compiler_for_the_boards_own_architecture() -> None:
    document = json.loads((resources.boards_dir() / evidence.FILE).read_text())
    prefixes = {Architecture.ARM: "arm-none-eabi", Architecture.RISCV: "riscv64", Architecture.XTENSA: "xtensa"}

    for name in board_matrix.hardware():
        prefix = prefixes[boards.load(name).core.architecture]
        assert f"compiles with {prefix}" in document["boards"][name]["detail"], name
