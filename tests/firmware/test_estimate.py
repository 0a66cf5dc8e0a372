"""What cannot fit a board is refused by name before anything is rendered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rltools_embed.errors import BoardError
from rltools_embed.firmware import board, project
from rltools_embed.firmware.board import Board, Placement
from rltools_embed.firmware.sizes import estimate
from tests.firmware.conftest import make_spec


def render_for(target: Board, *, hidden: int = 64) -> None:
    project.render(replace(make_spec(hidden=hidden), boards=(target,)))


@pytest.mark.parametrize(
    ("name", "changed", "words", "hint"),
    [
        ("qemu_netduinoplus2", {"flash_bytes": 16_384}, "offers 16384 B of flash, this policy needs 27700 B", "6884 B"),
        (
            "qemu_netduinoplus2",
            {"ram_bytes": 4_096, "stack_bytes": 2_048},
            "offers 4096 B of RAM, this policy needs 4364 B, 2048 B of it stack",
            "smaller hidden layers",
        ),
        ("bluepill_f103c8", {"ram_bytes": 1_024}, "offers 1024 B of RAM, this policy needs 1292 B", "hidden layers"),
        (
            "bluepill_f103c8",
            {"ram_bytes": 16_384, "placement": Placement(weights=".data")},
            "offers 16384 B of RAM, this policy needs 19492 B",
            "a larger board",
        ),
        (
            "disco_f407vg",
            {"placement": Placement(weights_origin=0x1000_0000, weights_bytes=16_384)},
            r"offers 16384 B for weights \(placement.weights_bytes\), this policy has 18200 B of them",
            "leave the weights in flash",
        ),
    ],
)
def test_a_policy_that_cannot_fit_is_refused_by_name(
    name: str, changed: dict[str, object], words: str, hint: str
) -> None:
    target = replace(board.load(name), **changed)  # type: ignore[arg-type]  # fields of several types

    with pytest.raises(BoardError, match=f"{name} {words}") as caught:
        render_for(target)
    assert hint in caught.value.hint


def test_weights_in_ram_count_as_ram() -> None:
    facts = make_spec(hidden=64).policy
    in_flash = board.load("esp32dev")
    in_ram = replace(in_flash, placement=Placement(weights=".dram1.policy"))

    assert estimate(in_ram, facts).ram_bytes == estimate(in_flash, facts).ram_bytes + facts.parameter_bytes


def test_every_board_has_room_for_a_small_policy() -> None:
    for name in board.names():
        render_for(board.load(name), hidden=8)
