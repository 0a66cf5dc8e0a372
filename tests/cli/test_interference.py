"""What else may happen while a command works: another command, an interruption, a place that cannot be written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rltools_embed import load_checkpoint_from_path, resources
from rltools_embed.firmware.platformio import free_port
from tests.cli.conftest import RltEmbed

COMMAND = (sys.executable, "-m", "rltools_embed")


def heed_interrupts() -> None:
    """A test run in the background of a shell passes its deafness to SIGINT on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def begin(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=heed_interrupts,
    )


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    """The same environment and board in two folders: each proves its own policy."""
    arguments = ("run", "Pendulum-v1", "--steps", "300", "--board", "host")
    runs = [begin(*arguments, "--seed", str(seed), "-o", tmp_path / str(seed), "--json", "-") for seed in (1, 2)]
    reported = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], reported
    digests = [json.loads(out)["digest_found"] for out, _ in reported]
    assert digests[0] != digests[1]


def test_second_command_in_the_same_folder_is_refused(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    first = begin("train", "Pendulum-v1", "--steps", "4000", "-o", tmp_path / "run")
    assert first.stderr is not None
    try:
        while "Step: 1000/4000" not in first.stderr.readline():
            assert first.poll() is None
        first.send_signal(signal.SIGSTOP)  # or it could be done before the second one looks
        second = rlt_embed("train", "Pendulum-v1", "--steps", "200", "-o", tmp_path / "run")
        assert second.exit_code == 11
        assert "another rlt-embed is at work" in second.output
    finally:
        first.send_signal(signal.SIGCONT)
        first.communicate()
    assert first.returncode == 0
    assert load_checkpoint_from_path(tmp_path / "run" / "checkpoint.h").provenance.steps == 4000


def test_interrupted_training_keeps_its_policy(tmp_path: Path) -> None:
    training = begin("train", "Pendulum-v1", "--steps", "100000", "-o", tmp_path / "run")
    assert training.stderr is not None
    while "Step: 1000/100000" not in training.stderr.readline():
        assert training.poll() is None
    training.send_signal(signal.SIGINT)
    _, reported = training.communicate(timeout=600)
    assert training.returncode == 130
    assert "keeping the policy as it is" in reported
    steps = load_checkpoint_from_path(tmp_path / "run" / "checkpoint.h").provenance.steps
    assert steps is not None
    assert 1000 <= steps < 100_000


@pytest.mark.parametrize("arguments", [("-o", "/proc/nowhere"), ("-o", "out", "--json", "/proc/nowhere/r.json")])
def test_place_that_cannot_be_written_is_reported_before_training(
    rlt_embed: RltEmbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = rlt_embed("run", "Pendulum-v1", "--board", "host", *arguments)
    assert done.exit_code == 11
    assert "cannot write into /proc/nowhere" in done.output
    assert "Step:" not in done.output


def test_run_checks_the_firmware_folder_before_training(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    foreign = tmp_path / "out" / "firmware" / "mine.txt"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    done = rlt_embed("run", "Pendulum-v1", "--board", "host", "-o", tmp_path / "out")
    assert done.exit_code == 11
    assert "was not made by an export" in done.output
    assert "Step:" not in done.output
    assert foreign.read_text() == "mine"


@pytest.mark.emulated
def test_run_checks_that_the_policy_fits_before_training(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    text = (resources.boards_dir() / "qemu_mps2_an386.toml").read_text()
    small = tmp_path / "small.toml"
    small.write_text(text.replace("flash_bytes = 4_194_304", "flash_bytes = 16_384"))
    done = rlt_embed("run", "Pendulum-v1", "--board", small, "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "offers 16384 B of flash" in done.output
    assert "Step:" not in done.output


def test_flash_leaves_the_board_of_another_project_alone(rlt_embed: RltEmbed, short_run: Path, tmp_path: Path) -> None:
    port = free_port()
    for name in ("one", "two"):
        assert rlt_embed("export", short_run, "--board", "host", "-o", tmp_path / name).exit_code == 0
    assert rlt_embed("flash", tmp_path / "one", "--port", port).exit_code == 0
    try:
        second = rlt_embed("flash", tmp_path / "two", "--port", port)
        assert second.exit_code == 8
        assert "the board of another project" in second.output
        assert rlt_embed("validate", tmp_path / "one", "--port", port).exit_code == 0
    finally:
        assert rlt_embed("flash", tmp_path / "one", "--port", port, "--power-off").exit_code == 0


def test_environment_of_a_module_is_imported_first(
    rlt_embed: RltEmbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_envs.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('Mine-v0', 'gymnasium.envs.classic_control:PendulumEnv', max_episode_steps=50)\n"
    )
    done = rlt_embed("train", "my_envs:Mine-v0", "--steps", "200", "-o", tmp_path / "run", PYTHONPATH=str(tmp_path))
    assert done.exit_code == 0, done.output
    assert load_checkpoint_from_path(tmp_path / "run" / "checkpoint.h").provenance.environment == "Mine-v0"
