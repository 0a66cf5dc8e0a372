"""A board's header names the kernels of its core."""

from __future__ import annotations

import re

import pytest

from rltools_embed.firmware import board as boards
from rltools_embed.firmware import project
from tests.firmware.conftest import make_spec

TAGS = {
    "host": "ARM",
    "qemu_lm3s6965evb": "CortexM3",
    "qemu_microbit": "CortexM0Plus",
    "qemu_mps2_an385": "CortexM3",
    "qemu_mps2_an386": "CortexM4F",
    "qemu_mps2_an500": "CortexM7F",
    "qemu_mps2_an505": "CortexM33",
    "qemu_mps3_an547": "CortexM55",
    "qemu_netduino2": "CortexM3",
    "qemu_netduinoplus2": "CortexM4F",
    "qemu_stm32vldiscovery": "CortexM3",
}


def test_every_board_is_here() -> None:
    assert tuple(sorted(TAGS)) == boards.names()


@pytest.mark.parametrize(("board", "tag"), TAGS.items())
def test_the_board_file_chooses_the_kernels(board: str, tag: str) -> None:
    header = project.render(make_spec(board))[f"include/boards/{board}/board.h"].decode()
    assert re.findall(r"rl_tools::devices::(\w+)", header) == [tag]
