"""`rlt-embed boards`, several boards in one project, and budgets on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rltools_embed import resources
from rltools_embed.device import usb_ports
from rltools_embed.firmware import board as boards
from rltools_embed.policy import checkpoint
from tests import policies
from tests.cli.conftest import RltEmbed


@pytest.fixture
def checkpoint_file(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.h"
    path.write_text(checkpoint.dumps(policies.sac_policy(hidden=8)), encoding="utf-8")
    return path


def test_the_list_tells_of_every_board_what_it_is_and_how_far_it_is_proven(rlt_embed: RltEmbed) -> None:
    lines = {line.split()[0]: line for line in rlt_embed("boards").output.splitlines()[1:]}

    assert set(lines) == set(boards.names())
    cells = ["xtensa-lx6", "xtensa-sp", "240", "1024", "320", "arduino,", "espidf", "separate", "simulated"]
    assert lines["esp32dev"].split()[1:] == cells
    assert lines["qemu_mps2_an386"].rstrip().endswith("emulated")
    host = "native native - - - a process separate this computer"
    assert lines["host"].split()[1:] == host.split()


def test_the_list_as_json_has_every_key_of_the_files_and_the_evidence(rlt_embed: RltEmbed) -> None:
    entries = {entry["name"]: entry for entry in json.loads(rlt_embed("boards", "--json").output)}

    assert set(entries) == set(boards.names())
    esp32 = entries["esp32dev"]
    assert esp32["platformio"]["frameworks"] == ["arduino", "espidf"]
    assert esp32["proven"]["proof"] == "simulated"
    assert entries["host"]["proven"]["proof"] == "this computer"
    assert "every source compiles" in esp32["proven"]["detail"]
    assert "outputs have the bits of the reference" in entries["qemu_microbit"]["proven"]["detail"]


def test_a_board_file_of_ones_own_is_checked(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    text = (resources.boards_dir() / "esp32dev.toml").read_text()
    mine.write_text(text)
    fine = rlt_embed("boards", "--check", mine)
    mine.write_text(text.replace("usb_ids", "usb_idz"))
    wrong = rlt_embed("boards", "--check", mine)

    assert fine.exit_code == 0
    assert fine.output.splitlines()[1].split()[0] == "mine"
    assert fine.output.rstrip().endswith("nothing")  # nobody has proven this one
    assert wrong.exit_code == 4
    assert "serial.usb_idz is not a key of a board file" in wrong.output
    assert "did you mean usb_ids?" in wrong.output


def test_a_file_that_is_not_there_is_reported(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    done = rlt_embed("boards", "--check", tmp_path / "absent")

    assert done.exit_code == 4
    assert "cannot read the board file" in done.output


def test_several_boards_and_a_framework_make_one_project(
    rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path
) -> None:
    arguments = ("--board", "esp32dev", "--board", "esp32-c6-devkitc-1", "--framework", "espidf")
    done = rlt_embed("export", checkpoint_file, *arguments, "-o", tmp_path / "out")

    assert done.exit_code == 0, done.output
    words = (
        "esp32-c6-devkitc-1, before the build:\n"
        "flash    at least 10004 of 1048576 B (1.0 %), 504 B of weights\n"
        "RAM      at least 620 of 327680 B (0.2 %) besides the stack\n"
        "stack    kept by ESP-IDF, not measured on this board\n"
    )
    assert words in done.output
    assert (tmp_path / "out" / "README.md").read_text().count("| kept by ESP-IDF, not measured on this board |") == 2
    assert (tmp_path / "out" / "platformio.ini").read_text().count("framework = espidf") == 2


def test_a_framework_that_a_board_lacks_is_reported(rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path) -> None:
    arguments = ("--board", "teensy41", "--framework", "espidf")
    done = rlt_embed("export", checkpoint_file, *arguments, "-o", tmp_path / "out")

    assert done.exit_code == 4
    assert "teensy41 has no framework espidf" in done.output
    assert not (tmp_path / "out").exists()


def test_a_budget_fails_the_build_by_name(rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert rlt_embed("export", checkpoint_file, "--board", "host", "-o", out).exit_code == 0

    kept = rlt_embed("build", out, "--max-flash", "1000000")
    broken = rlt_embed("build", out, "--max-flash", "1000")

    assert kept.exit_code == 0, kept.output
    assert broken.exit_code == 4
    assert "--max-flash allows 1000 B" in broken.output


@pytest.mark.skipif(bool(usb_ports()), reason="a board may be connected to this computer")
def test_a_board_that_is_not_connected_is_reported_before_anything_is_built(
    rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert rlt_embed("export", checkpoint_file, "--board", "esp32dev", "-o", out).exit_code == 0

    for command in ("flash", "validate"):
        done = rlt_embed(command, out)

        assert done.exit_code == 8, done.output
        assert "no port has the USB id of esp32dev (10c4:ea60" in done.output
    assert not (out / ".pio").exists()
