"""One command's output folder is the next one's argument, from an environment to a report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rltools_embed import load_checkpoint_from_path, process
from rltools_embed.firmware.platformio import free_port
from rltools_embed.policy import checkpoint
from rltools_embed.policy.digest import digest
from tests.cli.conftest import RltEmbed
from tests.policies import rescaled_sac_policy


def test_train_leaves_checkpoint_and_run_and_says_where(rlt_embed: RltEmbed, short_run: Path) -> None:
    policy = load_checkpoint_from_path(short_run / "checkpoint.h")
    assert policy.provenance.environment == "Pendulum-v1"
    assert (policy.provenance.seed, policy.provenance.steps) == (3, 400)
    run = json.loads((short_run / "run.json").read_text())
    assert run["settings"]["steps"] == 400


def test_stdout_is_the_result_and_stderr_the_progress(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rltools_embed", "train", "Pendulum-v1", "--steps", "300", "-o", tmp_path / "run"]
    reported = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    result = json.loads(reported.stdout)
    assert Path(result["checkpoint"]) == tmp_path / "run" / "checkpoint.h"
    assert result["digest"] == digest(load_checkpoint_from_path(result["checkpoint"]))
    assert [point["step"] for point in result["learning_curve"]] == [300]
    assert "Step: 300/300 Mean return: " in reported.stderr
    assert "Time: " in reported.stderr


def test_export_and_build_speak_json(rlt_embed: RltEmbed, short_run: Path, tmp_path: Path) -> None:
    exported = json.loads(rlt_embed("export", short_run, "--board", "host", "-o", tmp_path / "p", "--json").output)
    assert exported["boards"] == ["host"]
    assert "include/checkpoint.h" in exported["written"]
    built = json.loads(rlt_embed("build", tmp_path / "p", "--json").output)
    assert Path(built["elf"]).is_file()
    assert built["memory"]["flash_bytes"] > 18_000


def test_training_again_with_the_same_settings_gives_the_same_bytes(rlt_embed: RltEmbed, short_run: Path) -> None:
    before = (short_run / "checkpoint.h").read_bytes()
    done = rlt_embed("train", "Pendulum-v1", "--steps", "400", "--seed", "3", "-o", short_run)
    assert done.exit_code == 0, done.output
    assert (short_run / "checkpoint.h").read_bytes() == before


def test_training_with_other_settings_does_not_replace_a_run(rlt_embed: RltEmbed, short_run: Path) -> None:
    before = (short_run / "checkpoint.h").read_bytes()
    done = rlt_embed("train", "Pendulum-v1", "--steps", "400", "--seed", "4", "-o", short_run)
    assert done.exit_code == 11
    assert "holds a run with other settings" in done.output
    assert (short_run / "checkpoint.h").read_bytes() == before


@pytest.fixture(scope="module")
def project(rlt_embed: RltEmbed, short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firmware") / "pendulum"
    done = rlt_embed("export", short_run, "--board", "host", "-o", folder)
    assert done.exit_code == 0, done.output
    return folder


def test_exporting_twice_writes_nothing_the_second_time(rlt_embed: RltEmbed, short_run: Path, project: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}
    done = rlt_embed("export", short_run, "--board", "host", "-o", project)
    assert done.exit_code == 0
    assert "(0 files written" in done.output
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_flash_validate_and_reports(rlt_embed: RltEmbed, short_run: Path, project: Path, tmp_path: Path) -> None:
    built = rlt_embed("build", project)
    assert built.exit_code == 0, built.output
    sizes = r"firmware\.elf\nflash    \d+ B; at least \d+ B were expected\nRAM      \d+ B besides the stack"
    assert re.search(sizes, built.output)
    port = free_port()
    flashed = rlt_embed("flash", project, "--port", port)
    assert (flashed.exit_code, flashed.output.strip()) == (0, port)
    try:
        reports = ("--json", tmp_path / "r.json", "--junit", tmp_path / "r.xml", "--report", tmp_path / "r.html")
        same = rlt_embed("validate", project, "--port", port, *reports)
        as_json = rlt_embed("validate", project, "--port", port, "--json", "-")
        other = rlt_embed("train", "Pendulum-v1", "--steps", "300", "--seed", "9", "-o", tmp_path / "other")
        different = rlt_embed("validate", project, "--port", port, "--source", tmp_path / "other")
    finally:
        assert rlt_embed("flash", project, "--port", port, "--power-off").exit_code == 0
    assert same.exit_code == 0, same.output
    assert "PASSED" in same.output
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["passed"] is True
    assert document["observations"] >= 1000
    assert {sample["name"] for sample in document["samples"]} >= {"rollout", "random", "zeros", "denormals", "extremes"}
    assert json.loads(as_json.output)["passed"] is True
    assert ElementTree.parse(tmp_path / "r.xml").getroot().get("failures") == "0"
    assert "PASSED" in (tmp_path / "r.html").read_text()
    assert other.exit_code == 0, other.output
    assert different.exit_code == 1
    assert "FAILED   digest" in different.output


def test_board_that_is_switched_off_is_a_link_error(rlt_embed: RltEmbed, project: Path) -> None:
    done = rlt_embed("validate", project, "--port", free_port())
    assert done.exit_code == 8
    assert "error: " in done.output
    assert " hint: " in done.output


@pytest.mark.emulated
def test_run_does_the_main_job_in_one_go(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    port = free_port()
    arguments = ("run", "Pendulum-v1", "--steps", "400", "--board", "qemu_mps2_an386", "--port", port)
    done = rlt_embed(*arguments, "-o", tmp_path / "out", "--json", tmp_path / "report.json")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["passed"] is True
    assert report["board"] == "qemu_mps2_an386"
    assert report["total"]["equal"] == report["total"]["outputs"] >= 1000
    assert report["cost"]["unit"] == "instructions"
    assert report["stack"]["used_bytes"] > 0
    assert report["digest_found"] == report["digest_expected"]
    # The emulated board was switched off: its port is free again.
    again = rlt_embed("validate", tmp_path / "out" / "firmware", "--port", port)
    assert again.exit_code == 8


def test_inspect_shows_the_policy_of_a_run_a_file_and_a_project(
    rlt_embed: RltEmbed, short_run: Path, project: Path
) -> None:
    outputs = [rlt_embed("inspect", path).output for path in (short_run, short_run / "checkpoint.h", project)]
    assert outputs[0] == outputs[1] == outputs[2]
    assert "dense 64 → 64, relu" in outputs[0]
    reported = json.loads(rlt_embed("inspect", short_run, "--json").output)
    assert reported["digest"] in outputs[0]


def test_inspect_shows_the_scaling_to_the_environments_own_bounds(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h"
    path.write_text(checkpoint.dumps(rescaled_sac_policy()), encoding="utf-8")
    reported = json.loads(rlt_embed("inspect", path, "--json").output)
    assert reported["actuator"] == [{"name": "torque", "low": -0.5, "high": 7.25, "unit": "N m"}]
    (row,) = (line for line in rlt_embed("inspect", path).output.splitlines() if line.startswith("actuator[0]"))
    assert row.split() == ["actuator[0]", "torque", "-0.5", "7.25", "N", "m"]


@pytest.mark.emulated
def test_boards_and_doctor_speak_to_people_and_to_programs(rlt_embed: RltEmbed) -> None:
    listed = json.loads(rlt_embed("boards", "--json").output)
    names = {board["name"] for board in listed}
    assert names >= {"host", "qemu_mps2_an386", "qemu_mps2_an385", "qemu_mps2_an500", "qemu_netduinoplus2"}
    shown = rlt_embed("boards").output
    assert all(name in shown for name in names)
    doctor = rlt_embed("doctor", "--json")
    assert doctor.exit_code == 0, doctor.output
    assert all(tool["serves"] for tool in json.loads(doctor.output) if not tool["optional"])


def test_doctor_says_what_is_missing_and_how_to_get_it(rlt_embed: RltEmbed, tmp_path: Path) -> None:
    done = rlt_embed("doctor", PATH=str(tmp_path))
    assert done.exit_code == 6
    for program in ("arm-none-eabi-g++", "qemu-system-arm"):
        assert f"{program} is missing" in done.output


@pytest.mark.emulated
def test_doctor_takes_the_tools_of_other_cores_as_optional(rlt_embed: RltEmbed) -> None:
    optional = {tool["name"] for tool in json.loads(rlt_embed("doctor", "--json").output) if tool["optional"]}

    assert optional == {
        "riscv64-unknown-elf-gcc",
        "qemu-system-riscv32",
        "xtensa-de233_fpu-elf-gcc",
        "qemu-system-xtensa",
        "rp2040js",
    }


def test_output_may_be_cut_off_by_its_reader(short_run: Path) -> None:
    command = f'"{sys.executable}" -m rltools_embed inspect "{short_run}" | head -n 1'
    done = process.run(["bash", "-o", "pipefail", "-c", command])
    assert "Traceback" not in done.output
