"""A board's header names the kernels of its core."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rltools_embed import resources
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import project
from rltools_embed.firmware.board import Core, Fpu
from rltools_embed.firmware.board.cores import CORES
from tests.emulation import emulator
from tests.firmware.conftest import make_spec

TAGS = {
    "adafruit_feather_m4": "CortexM4F",
    "bluepill_f103c8": "CortexM3",
    "disco_f407vg": "CortexM4F",
    "esp32-c3-devkitm-1": "RISCV",
    "esp32-c6-devkitc-1": "RISCV",
    "esp32-s3-devkitc-1": "XtensaF",
    "esp32dev": "XtensaF",
    "genericSTM32F405RG": "CortexM4F",
    "host": "ARM",
    "nano33ble": "CortexM4F",
    "nucleo_f401re": "CortexM4F",
    "nucleo_f446re": "CortexM4F",
    "nucleo_g431rb": "CortexM4F",
    "nucleo_h743zi": "CortexM7F",
    "nucleo_l476rg": "CortexM4F",
    "pico": "CortexM0Plus",
    "qemu_lm3s6965evb": "CortexM3",
    "qemu_microbit": "CortexM0Plus",
    "qemu_mps2_an385": "CortexM3",
    "qemu_mps2_an386": "CortexM4F",
    "qemu_mps2_an500": "CortexM7F",
    "qemu_mps2_an505": "CortexM33",
    "qemu_mps3_an547": "CortexM55",
    "qemu_netduino2": "CortexM3",
    "qemu_netduinoplus2": "CortexM4F",
    "qemu_olimex_stm32_h405": "CortexM4F",
    "qemu_b_l475e_iot01a": "CortexM4F",
    "qemu_riscv32_virt": "RISCV",
    "qemu_stm32vldiscovery": "CortexM3",
    "qemu_xtensa_de233_fpu": "XtensaF",
    "qemu_xtensa_lx60": "Xtensa",
    "rp2040js_pico": "CortexM0Plus",
    "rpipico2": "CortexM33",
    "seeed_xiao_esp32c3": "RISCV",
    "teensy40": "CortexM7F",
    "teensy41": "CortexM7F",
    "zeroUSB": "CortexM0Plus",
}


def test_every_board_is_here() -> None:
    assert tuple(sorted(TAGS)) == boards.names()


@pytest.mark.parametrize(("board", "tag"), TAGS.items())
def test_the_board_file_chooses_the_kernels(board: str, tag: str) -> None:
    header = project.render(make_spec(board))[f"include/boards/{board}/rlt_embed/device.h"].decode()
    assert re.findall(r"rl_tools::devices::(\w+)", header) == [tag]


@pytest.mark.parametrize(("core", "fpu"), [(core, fpu) for core in CORES for fpu in core.fpus])
def test_every_core_has_a_tag_that_its_header_defines(core: Core, fpu: Fpu) -> None:
    spec = make_spec("qemu_mps2_an386")
    board = replace(spec.boards[0], core=core, fpu=fpu)

    header = project.render(replace(spec, boards=(board,)))[f"include/boards/{board.name}/rlt_embed/device.h"].decode()

    (include,) = re.findall(r"#include <(rl_tools/devices/\w+\.h)>", header)
    (tag,) = re.findall(r"rl_tools::devices::(\w+)", header)
    assert f"struct {tag} :" in (resources.include_dir() / include).read_text()


def test_kernels_are_tested_with_the_tags_and_flags_that_boards_get() -> None:
    rows = {core.name.removeprefix("xtensa-"): core for core in CORES}
    tested = [core for core in emulator.CORES if core.name in rows]

    assert len(tested) == 9  # all but rv32imafc, which no board has
    for core in tested:
        row = rows[core.name]
        assert core.tag == row.tag(row.fpus[-1] if core.fpu else Fpu.NONE)
        assert core.compiler == row.toolchain.compiler
        # The kernels' tests need no instructions for status registers.
        assert {*row.flags} - {"-misa-spec=2.2"} <= {*core.flags}
