"""The command that tries the vendors' frameworks: what it says of a board, and that its page is what it recorded."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from rltools_embed.errors import BoardError, BuildError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import evidence
from rltools_embed.firmware.sizes import check_fit, estimate
from rltools_embed.target import memory_target
from rltools_embed.validation import Settings, validate
from tests import board_matrix, policies, real_frameworks
from tests.firmware.conftest import make_spec
from tests.robots import ROBOTS, Robot

ROWS = evidence.framework_builds()


def test_the_page_is_what_was_recorded() -> None:
    page = (real_frameworks.ROOT / "docs" / "real_boards.md").read_text(encoding="utf-8")

    assert real_frameworks.page([asdict(row) for row in ROWS]) == page


def test_a_record_claims_no_more_than_it_holds() -> None:
    for row in ROWS:
        assert row.commit
        assert bool(row.missing) != bool(row.packages), row.board
        assert row.passed == (0 < row.outputs == row.equal and not row.failed), row.board
        assert bool(row.outputs) <= bool(row.ran_on), row.board


def test_packages_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    board = boards.load("nucleo_f446re")

    row = real_frameworks.row_of(board.on(board.platformio.frameworks[0]), tmp_path / "project")

    assert "ststm32" in row.missing
    assert not row.packages
    assert not row.passed


@pytest.mark.parametrize("robot", ROBOTS.values(), ids=ROBOTS)
def test_a_robots_missing_packages_are_named(robot: Robot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    board = boards.load("esp32dev").on(robot.framework)

    row = real_frameworks.example_row(robot, board, tmp_path / "project")

    assert "espressif32" in row.missing
    assert not row.packages
    assert not row.failed


def test_a_build_that_fails_is_recorded_by_its_first_error_without_a_place(tmp_path: Path) -> None:
    hint = f"{tmp_path}/src/x.c:3:1: error: no such thing in /opt/vendor/include/y.h\nscons: building terminated"

    refused = real_frameworks.why_not_built(BuildError(f"failed; all of it is in {tmp_path}/log", hint), tmp_path)

    assert refused == "the build failed: x.c:3:1: error: no such thing in y.h"


def test_versions_are_read_from_the_log_and_the_program(tmp_path: Path) -> None:
    log = """\
PLATFORM: ST STM32 (19.6.0) > ST Nucleo F446RE
HARDWARE: STM32F446RET6 180MHz, 128KB RAM, 512KB Flash
PACKAGES:
 - framework-arduinoststm32 @ 4.21200.0 (2.12.0)
 - framework-cmsis @ 2.60300.0
 - toolchain-gccarmnoneeabi @ 1.120301.0 (12.3.1)
"""
    elf = tmp_path / "firmware.elf"
    compiled = real_frameworks.process.run(["g++", "-c", "-x", "c++", "/dev/null", "-o", elf])
    assert compiled.exit_code == 0

    *packages, compiler = real_frameworks.packages_of(log, elf)

    assert packages == ["ST STM32 19.6.0", "framework-arduinoststm32 4.21200.0 (2.12.0)", "framework-cmsis 2.60300.0"]
    assert compiler.startswith("GCC: ")


def test_a_flag_stands_where_it_counts() -> None:
    # As PlatformIO compiles src/policy.cpp with ESP-IDF 5.5.3.
    theirs, ours = ("-Og", "-std=gnu++2b"), ("-std=gnu++17", "-ffp-contract=off")
    words = ("-O2", *theirs, "-Wall", *ours, "-Og", "-O2")

    flags = real_frameworks.watched_flags(words)

    assert flags == ("-std=gnu++2b", *ours, "-Og", "-O2")


def test_the_page_names_what_stood_in_for_a_vendors_part() -> None:
    row = evidence.FrameworkBuild(board="esp32-c3-devkitm-1", framework="espidf", packages=("idf", "GCC"))

    assert "Stand-in" not in real_frameworks.page([asdict(row)])
    page = real_frameworks.page([asdict(replace(row, stand_ins="a C library; a compiler"))])
    assert "  Stand-in: a C library.\n  Stand-in: a compiler." in page


@pytest.mark.emulated
@pytest.mark.parametrize("name", ["nucleo_f446re", "teensy41"])
def test_a_program_without_its_cores_kernel_is_found(tmp_path: Path, name: str) -> None:
    board = boards.load(name)
    target = board_matrix.Target(board=board.on(board.platformio.frameworks[0]))
    folder = board_matrix.export_target(target, tmp_path / "project", hidden=64)

    def linked(program: Path) -> Path:
        compiled = board_matrix.compile_board(folder, target.board, board_matrix.compiler_of(board), "-c")
        done = board_matrix.link_board(folder, target.board, program, "setup", "loop")
        assert (compiled.exit_code, done.exit_code) == (0, 0), compiled.output + done.output
        return program

    program = linked(tmp_path / "right.elf")
    parts = real_frameworks.parts_of(program, target.board)
    assert 17_900 < parts["weights"] < 18_600
    assert 500 < parts["digest"] < 4_000
    assert min(parts.values()) > 100
    right, problem = real_frameworks.kernel_of(program, target.board)
    assert not problem
    tag = board.core.tag(board.fpu)
    assert right.startswith(f"kernel of {tag}: ")

    (device,) = folder.glob("include/boards/*/rlt_embed/device.h")
    device.write_text(device.read_text().replace(f"devices::{tag}<", "devices::ARM<"))
    wrong, problem = real_frameworks.kernel_of(linked(tmp_path / "wrong.elf"), target.board)
    assert wrong.startswith("kernel of ARM: 0 ")
    assert problem == f"the policy is not compiled for {tag}"


def test_a_validation_that_fails_is_no_success() -> None:
    row = evidence.FrameworkBuild(board="nucleo_f446re", framework="arduino", packages=("x",), ran_on="QEMU")
    policy = policies.td3_policy()
    settings = Settings(benchmark_repeats=0)
    with memory_target(policy) as good, memory_target(policy, alter=lambda index, output: output + 1) as wrong:
        right, different = (
            real_frameworks.with_report(row, validate(each, settings=settings)) for each in (good, wrong)
        )

    assert right.passed
    assert right.equal == right.outputs > 1000
    assert not different.passed
    assert "bits" in different.failed
    assert "1 board" not in real_frameworks.line(different)


def test_what_a_framework_takes_is_part_of_the_estimate() -> None:
    row = next(row for row in ROWS if not row.missing)
    board = boards.load(row.board)
    facts = make_spec(hidden=64).policy

    known = estimate(board, facts)
    changed = estimate(replace(board, name="mine"), facts)

    assert 0 < known.framework_flash_bytes < row.framework_flash_bytes
    assert known.flash_bytes - changed.flash_bytes == known.framework_flash_bytes
    assert changed.framework_flash_bytes == 0


def test_a_policy_that_leaves_the_framework_no_room_is_refused_at_export() -> None:
    board = boards.load("bluepill_f103c8")
    share = estimate(board, make_spec(hidden=64).policy).framework_flash_bytes
    assert share > 15_000

    check_fit(board, make_spec(hidden=64).policy)
    with pytest.raises(BoardError, match=rf"offers 65536 B of flash, .* {share} B of it the framework"):
        check_fit(board, make_spec(hidden=100).policy)


def test_the_workflow_names_every_hardware_board_once() -> None:
    workflow = (real_frameworks.ROOT / "examples" / "ci" / "real_frameworks.yml").read_text(encoding="utf-8")

    assert "python -m tests.real_frameworks ${{ matrix.family }} --write" in workflow
    assert sorted(re.findall(r"--board (\S+?)[ \"]", workflow)) == sorted(real_frameworks.hardware())
