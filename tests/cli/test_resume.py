"""`train --save`, `--resume` and `--plot`: an interrupted run goes on, and ends as one that was not."""

from __future__ import annotations

import importlib.util
import json
import platform
import signal
from pathlib import Path

import pytest

from rltools_embed import load_checkpoint_from_path
from tests.cli.conftest import RltEmbed
from tests.cli.test_interference import begin

TRAIN = ("train", "Pendulum-v1", "--seed", "3")


def test_a_run_that_is_made_longer_equals_a_long_one(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    options = ("--algorithm", "td3", "--option", "GAMMA=0.98")
    whole = rlt_embed(*TRAIN, *options, "--steps", "500", "-o", tmp_path / "whole")
    part = rlt_embed(*TRAIN, *options, "--steps", "310", "-o", tmp_path / "part", "--save", tmp_path / "run.state")
    assert (whole.exit_code, part.exit_code) == (0, 0), whole.output + part.output
    state = ("--resume", tmp_path / "run.state", "--save", tmp_path / "run.state")
    rest = rlt_embed("train", "Pendulum-v1", *state, "--steps", "500", "-o", tmp_path / "rest")
    assert rest.exit_code == 0, rest.output
    ends = [(tmp_path / name / "checkpoint.h").read_bytes() for name in ("whole", "rest")]
    assert ends[0] == ends[1]
    settings = [json.loads((tmp_path / name / "run.json").read_text())["settings"] for name in ("whole", "rest")]
    assert settings[0] == settings[1]
    assert settings[0]["options"] == {"GAMMA": 0.98}
    curves = [json.loads((tmp_path / name / "run.json").read_text())["learning_curve"] for name in ("whole", "rest")]
    assert [[point["step"] for point in curve] for curve in curves] == [[500], [310, 500]]
    assert curves[0][-1] == curves[1][-1]
    assert len(curves[0][-1]["returns"]) == 10


def test_evaluations_are_set_kept_in_a_saved_run_and_left_out(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    def curve(*words: str | Path) -> list[tuple[int, int]]:
        done = rlt_embed("train", "Pendulum-v1", *words, "--option", "N_WARMUP_STEPS=9", "-o", folder)
        assert done.exit_code == 0, done.output
        rows = json.loads((folder / "run.json").read_text())["learning_curve"]
        return [(row["step"], len(row["returns"])) for row in rows]

    folder, state = tmp_path / "run", tmp_path / "run.state"
    words = ("--evaluation-interval", "15", "--evaluation-episodes", "2")
    assert curve("--steps", "20", *words, "--save", state) == [(15, 2), (20, 2)]
    assert json.loads((folder / "run.json").read_text())["settings"]["evaluation"]["episodes"] == 2
    other = rlt_embed("train", "Pendulum-v1", "--steps", "20", "--option", "N_WARMUP_STEPS=9", "-o", folder)
    assert (other.exit_code, "holds a run with other settings" in other.output) == (11, True), other.output
    folder = tmp_path / "longer"
    assert curve("--resume", state, "--steps", "30") == [(15, 2), (20, 2), (30, 2)]
    folder = tmp_path / "changed"
    assert curve("--resume", state, "--steps", "30", "--evaluation-episodes", "1")[2:] == [(30, 1)]
    folder = tmp_path / "none"
    assert curve("--steps", "20", "--no-evaluation") == []


def test_an_interrupted_run_goes_on_to_the_same_end(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    folder, state = tmp_path / "run", tmp_path / "deep" / "run.state"
    training = begin(*TRAIN, "--steps", "3000", "-o", folder, "--save", state)
    assert training.stderr is not None
    while "Step: 1000/3000" not in training.stderr.readline():
        assert training.poll() is None
    training.send_signal(signal.SIGINT)
    _, reported = training.communicate(timeout=600)
    assert training.returncode == 130, reported
    steps = load_checkpoint_from_path(folder / "checkpoint.h").provenance.steps
    assert steps is not None
    assert 1000 <= steps < 3000
    # The same folder: it is the same run.
    rest = rlt_embed("train", "Pendulum-v1", "--resume", state, "-o", folder)
    assert rest.exit_code == 0, rest.output
    whole = rlt_embed(*TRAIN, "--steps", "3000", "-o", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    names = ("checkpoint.h", "run.json")
    assert all((folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes() for name in names)


@pytest.fixture(scope="module")
def state(rlt_embed: RltEmbed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    done = rlt_embed(*TRAIN, "--steps", "200", "-o", folder / "run", "--save", folder / "run.state")
    assert done.exit_code == 0, done.output
    return folder / "run.state"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--algorithm", "ppo"), "holds a run of algorithm sac, not ppo"),
        (("--seed", "4"), "holds a run of seed 3, not 4"),
        (("--option", "GAMA=1"), "cannot go on so: 'GAMA' is not an option: did you mean GAMMA?"),
        (("--option", "ACTOR_HIDDEN_DIM=32"), "was saved with ACTOR_HIDDEN_DIM 64, not 32"),
    ],
)
def test_what_a_saved_run_cannot_become_is_refused(
    rlt_embed: RltEmbed, state: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = rlt_embed("train", "Pendulum-v1", "--resume", state, *arguments, "-o", tmp_path / "run")
    assert done.exit_code == 5, done.output
    assert words in done.output
    assert "Traceback" not in done.output


def test_a_file_that_is_cut_off_and_one_that_is_missing_are_refused(
    rlt_embed: RltEmbed, state: Path, tmp_path: Path
) -> None:
    (tmp_path / "cut.state").write_bytes(state.read_bytes()[:-1])
    for name, words in (("cut.state", "is cut off or damaged"), ("none.state", "cannot read")):
        done = rlt_embed("train", "Pendulum-v1", "--resume", tmp_path / name, "-o", tmp_path / "run")
        assert done.exit_code == 5
        assert words in done.output


def test_a_state_that_cannot_be_written_is_reported_before_training(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    done = rlt_embed(*TRAIN, "-o", tmp_path / "run", "--save", "/proc/nowhere/run.state")
    assert done.exit_code == 11
    assert "cannot write into /proc/nowhere" in done.output
    assert "Step:" not in done.output


def test_a_plot_is_drawn_or_refused_before_training(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    wrong = rlt_embed(*TRAIN, "-o", tmp_path / "run", "--plot", tmp_path / "curve.jpg")
    assert wrong.exit_code == 2
    assert "a plot ends in .png, .svg, .pdf" in wrong.output
    drawn = rlt_embed(*TRAIN, "--steps", "300", "-o", tmp_path / "run", "--plot", tmp_path / "plots" / "curve.png")
    if importlib.util.find_spec("matplotlib") is None:
        assert drawn.exit_code == 6
        assert "pip install 'rltools_embed[plot]'" in drawn.output
        assert "Step:" not in drawn.output
    else:
        assert drawn.exit_code == 0, drawn.output
        assert (tmp_path / "plots" / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(platform.system() == "Darwin", reason="Accelerate is there")
def test_a_backend_that_is_missing_is_reported_and_asked_for_again_when_the_run_goes_on(
    rlt_embed: RltEmbed, tmp_path: Path
) -> None:
    folder, state = tmp_path / "run", tmp_path / "run.state"
    message = "Accelerate is a part of macOS only: use mkl or openblas; training uses our own kernels"
    done = rlt_embed(*TRAIN, "--steps", "300", "--backend", "accelerate", "-o", folder, "--save", state)
    assert (done.exit_code, message in done.output) == (0, True), done.output
    settings = json.loads((folder / "run.json").read_text())["settings"]
    assert settings["backend"] == "accelerate"
    # The same run, so its folder may be written again.
    rest = rlt_embed("train", "Pendulum-v1", "--resume", state, "-o", folder)
    assert (rest.exit_code, message in rest.output) == (0, True), rest.output
    assert json.loads((folder / "run.json").read_text())["settings"] == settings
    other = rlt_embed(*TRAIN, "--steps", "300", "-o", folder)
    assert "holds a run with other settings" in other.output


def test_an_unknown_backend_is_a_usage_error(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    train = ("train", "Pendulum-v1", "-o", tmp_path / "run")
    for done in (rlt_embed(*train, "--backend", "atlas"), rlt_embed(*train, RLT_BACKEND="atlas")):
        assert (done.exit_code, "'atlas'" in done.output) == (2, True), done.output
