"""Bad input ends early, with one clear error, its own exit code, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from rltools_embed.policy import checkpoint
from tests import policies
from tests.cli.conftest import RltEmbed

HOSTILE = 'a"b{{7*7}}{% x %}'


@pytest.fixture
def checkpoint_file(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.h"
    path.write_text(checkpoint.dumps(policies.sac_policy(hidden=8)), encoding="utf-8")
    return path


def expect(rlt_embed: RltEmbed, exit_code: int, *words: str, arguments: tuple[str | Path, ...]) -> None:
    done = rlt_embed(*arguments)
    assert done.exit_code == exit_code, done.output
    assert "Traceback" not in done.output
    for word in words:
        assert word in done.output


def test_unknown_board_is_named_with_the_nearest(rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path) -> None:
    arguments = ("export", checkpoint_file, "--board", "qemu_mps2_an368", "-o", tmp_path / "out")
    expect(rlt_embed, 4, "qemu_mps2_an368", "did you mean", "qemu_mps2_an386", arguments=arguments)
    assert not (tmp_path / "out").exists()


def test_policy_that_does_not_fit_is_refused_before_anything_is_written(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    path = tmp_path / "large.h"
    path.write_text(checkpoint.dumps(policies.sac_policy(hidden=600)), encoding="utf-8")
    arguments = ("export", path, "--board", "qemu_netduinoplus2", "-o", tmp_path / "out")
    expect(rlt_embed, 4, "1048576", "flash", arguments=arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:2000], "truncated"),
        (lambda text: text.replace("0x", "0X", 1), "changed after the export"),
        (lambda text: "int main() {}\n", "not a checkpoint"),
        (lambda text: "", "not a checkpoint"),
    ],
    ids=["truncated", "edited", "foreign", "empty"],
)
def test_damaged_checkpoint_is_refused(
    rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path, damage: object, words: str
) -> None:
    checkpoint_file.write_text(damage(checkpoint_file.read_text()))  # type: ignore[operator]  # a function of str
    arguments = ("export", checkpoint_file, "--board", "host", "-o", tmp_path / "out")
    expect(rlt_embed, 5, str(checkpoint_file), words, arguments=arguments)
    assert not (tmp_path / "out").exists()


def test_folder_with_foreign_files_is_not_overwritten(
    rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "platformio.ini").write_text("mine")
    expect(rlt_embed, 11, "out", arguments=("export", checkpoint_file, "--board", "host", "-o", out))
    assert [path.name for path in out.iterdir()] == ["platformio.ini"]
    assert (out / "platformio.ini").read_text() == "mine"


def test_checkpoint_that_is_not_from_a_run_is_not_overwritten(rlt_embed: RltEmbed, checkpoint_file: Path) -> None:
    before = checkpoint_file.read_bytes()
    arguments = ("train", "Pendulum-v1", "--steps", "200", "-o", checkpoint_file.parent)
    expect(rlt_embed, 11, "is not from `rlt-embed train`", arguments=arguments)
    assert checkpoint_file.read_bytes() == before


@pytest.mark.parametrize("command", ["build", "flash", "validate"])
def test_folder_that_is_no_project_is_named(rlt_embed: RltEmbed, tmp_path: Path, command: str) -> None:
    expect(rlt_embed, 11, str(tmp_path), arguments=(command, tmp_path))
    expect(rlt_embed, 11, "absent", arguments=(command, tmp_path / "absent"))


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ("CartPole-v1", "Discrete"),
        ("Pendulum-v99", "Pendulum-v99"),
        (HOSTILE, HOSTILE),
        ("../../etc", "../../etc"),
        ("line\nbreak", "line"),
    ],
)
def test_unusable_environment_is_refused_early(
    rlt_embed: RltEmbed, tmp_path: Path, environment: str, words: str
) -> None:
    expect(rlt_embed, 3, words, arguments=("train", environment, "-o", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("GAMA=0.9", "GAMMA"),
        ("GAMMA=2", "GAMMA"),
        ("GAMMA=abc", "GAMMA"),
        ("GAMMA", "NAME=VALUE"),
        ("STEP_LIMIT=5", "--steps"),
        ("ACTOR_ACTIVATION_FUNCTION=SWISH", "SWISH"),
    ],
)
def test_wrong_option_is_a_usage_error(rlt_embed: RltEmbed, tmp_path: Path, option: str, words: str) -> None:
    arguments = ("train", "Pendulum-v1", "--option", option, "-o", tmp_path / "out")
    expect(rlt_embed, 2, words, arguments=arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "word",
    [
        "--algorithm=dqn",
        "--steps=0",
        "--steps=many",
        "--seed=-1",
        "--evaluation-interval=0",
        "--evaluation-episodes=some",
    ],
)
def test_wrong_argument_is_a_usage_error(rlt_embed: RltEmbed, tmp_path: Path, word: str) -> None:
    expect(rlt_embed, 2, word[2:].partition("=")[0], arguments=("train", "Pendulum-v1", word, "-o", tmp_path / "out"))


def test_no_evaluation_with_a_setting_of_it_is_a_usage_error(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    words = ("--no-evaluation", "--evaluation-episodes", "3")
    expect(rlt_embed, 2, "--no-evaluation leaves", arguments=("train", "Pendulum-v1", *words, "-o", tmp_path / "out"))


def test_board_file_with_a_misspelt_key_is_named(rlt_embed: RltEmbed, checkpoint_file: Path, tmp_path: Path) -> None:
    from rltools_embed import resources

    text = (resources.boards_dir() / "qemu_mps2_an386.toml").read_text()
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace("clock_hz", "clok_hz"))
    arguments = ("export", checkpoint_file, "--board", mine, "-o", tmp_path / "out")
    expect(rlt_embed, 4, "mine.toml", "clok_hz", "clock_hz", arguments=arguments)


def test_missing_tools_are_named_before_training_starts(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    arguments = ("run", "Pendulum-v1", "--board", "qemu_mps2_an386", "-o", tmp_path / "out")
    done = rlt_embed(*arguments, PATH=str(tmp_path))
    assert done.exit_code == 6
    assert "arm-none-eabi-g++ is missing" in done.output
    assert "Step:" not in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("destination", ["-o", "--save", "--plot"])
def test_a_place_that_cannot_be_written_is_reported_before_anything_is_compiled(
    rlt_embed: RltEmbed, tmp_path: Path, destination: str
) -> None:
    if destination == "--plot":
        pytest.importorskip("matplotlib")
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "curve.png"
    output = () if destination == "-o" else ("-o", tmp_path / "out")
    done = rlt_embed("train", "Pendulum-v1", destination, inside, *output, RL_TOOLS_COMPILER="no-such-compiler++")
    assert done.exit_code == 11, done.output
    assert f"cannot write into {tmp_path / 'file'}" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_compiler_is_a_toolchain_error(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    done = rlt_embed("train", "Pendulum-v1", "-o", tmp_path / "out", PATH=str(tmp_path), RLTOOLS_EMBED_CACHE_DIR=cache)
    assert done.exit_code == 6, done.output
    assert "compiler" in done.output
    assert not (tmp_path / "out").exists()
