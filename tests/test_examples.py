"""The examples run as their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rltools_embed.firmware import board as boards
from rltools_embed.policy import checkpoint
from tests import board_matrix, policies
from tests.cpp_program import COMPILERS, compile_program

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def test_train_and_reload(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "train_and_reload" / "train.py", "300"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "checkpoint.h").is_file()
    assert "action [" in done.stdout


def test_cpp_environment(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "cpp_environment" / "train.py", "ppo", "4096"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mean return -" in done.stdout
    assert checkpoint.load(tmp_path / "cpp_pendulum" / "checkpoint.h").control_period_s == 0.05


def test_hardware_in_the_loop(tmp_path: Path) -> None:
    policy = policies.sac_policy(hidden=8, environment="Pendulum-v1")
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    command = [sys.executable, EXAMPLES / "hardware_in_the_loop" / "pendulum.py", "checkpoint.h"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "self test: SelfTest(examples=8, mismatches=0)" in done.stdout
    assert "return: -" in done.stdout
    assert "by the board's clock" in done.stdout


@pytest.mark.parametrize("compiler", COMPILERS)
def test_embed_checkpoint(tmp_path: Path, compiler: str) -> None:
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policies.sac_policy()), encoding="utf-8")
    source = EXAMPLES / "embed_checkpoint" / "main.cpp"
    program = compile_program(source, tmp_path / "example", compiler=compiler, flags=("-O2", f"-I{tmp_path}"))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "made-up: 8 of 8 examples have the expected bits" in done.stdout
    assert "action[0] = " in done.stdout


def test_board_bringup_is_one_file_that_makes_a_project_whose_sources_compile(tmp_path: Path) -> None:
    board = boards.load(str(EXAMPLES / "board_bringup" / "feather_f405.toml"))
    target = board_matrix.Target(board=board)

    folder = board_matrix.export_target(target, tmp_path / "project")
    done = board_matrix.compile_board(folder, board, board_matrix.compiler_of(board), "-fsyntax-only")

    assert done.exit_code == 0, done.output
    assert "board = adafruit_feather_f405" in (folder / "platformio.ini").read_text()
