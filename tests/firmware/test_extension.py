"""A core and a runner of a user's own: this folder's extension/ is a package that is installed beside ours.

No file of our package knows it: it is found by its entry point, in processes of their own as a user starts them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from elftools.elf.elffile import ELFFile

from rltools_embed import process
from rltools_embed.errors import BoardError
from rltools_embed.firmware import board, runners
from rltools_embed.firmware.board import Board, Core, cores, ports, registry
from rltools_embed.firmware.project import render
from rltools_embed.policy import checkpoint
from tests.firmware.conftest import make_spec
from tests.firmware.projects import emulated, pio
from tests.policies import sac_policy

EXTENSION = Path(__file__).with_name("extension")
BOARD = EXTENSION / "my_an505.toml"
RltEmbed = Callable[..., process.Completed]


def install(folder: Path) -> Path:
    """The extension as pip would leave it."""
    shutil.copytree(EXTENSION, folder, ignore=shutil.ignore_patterns("__pycache__"))
    information = folder / "rlt_extension-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: rlt_extension\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{registry.GROUP}]\nboards = rlt_extension\n")
    return folder


@pytest.fixture
def rlt_embed(tmp_path: Path) -> RltEmbed:
    """The command line where the extension is installed."""
    path = os.pathsep.join((str(install(tmp_path / "site")), os.environ.get("PYTHONPATH", "")))

    def call(*words: str | Path) -> process.Completed:
        command = [sys.executable, "-m", "rltools_embed", *words]
        return process.run(command, environment={"PYTHONPATH": path}, timeout_s=600)

    return call


def architecture(elf: Path) -> tuple[str, bool, str]:
    """What a program was compiled for: the architecture, floats in the unit's registers, the unit's precision.

    The bits alone do not tell: flags of a core without a unit give the same ones, slowly.
    """
    with elf.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".ARM.attributes")
        (part,) = (part for vendor in section.iter_subsections() for part in vendor.iter_subsubsections())
        values = {attribute.tag: attribute.value for attribute in part.iter_attributes()}
    precision = {1: "single precision"}.get(values.get("TAG_ABI_HARDFP_USE"), "as the unit's name implies")
    return values["TAG_CPU_NAME"], values.get("TAG_ABI_VFP_ARGS") == 1, precision


@emulated
def test_a_core_and_a_runner_of_ones_own_validate(rlt_embed: RltEmbed, tmp_path: Path, port: str) -> None:
    source, project = tmp_path / "checkpoint.h", tmp_path / "project"
    source.write_text(checkpoint.dumps(sac_policy(hidden=16)), encoding="utf-8")

    exported = rlt_embed("export", source, "--board", BOARD, "-o", project)
    flashed = rlt_embed("flash", project, "--port", port)
    compiled_for = architecture(project / ".pio/build/my_an505/firmware.elf") if flashed.exit_code == 0 else None
    validated = rlt_embed("validate", project, "--port", port, "--json", tmp_path / "report.json")
    off = pio(project, "run", "-t", "poweroff", "--upload-port", port)

    assert exported.exit_code == 0, exported.output
    assert flashed.exit_code == 0, flashed.output
    assert validated.exit_code == 0, validated.output
    assert f"{port} is off" in off.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["board"], report["cost"]["unit"]) == ("my_an505", "ticks")
    assert f"cost     {report['cost']['per_inference']:.0f} ticks per inference" in validated.output
    assert report["total"]["equal"] == report["total"]["outputs"] > 1000
    assert compiled_for == ("8-M.MAIN", True, "single precision")
    header = (project / "include/boards/my_an505/rlt_embed/device.h").read_text()
    assert "rl_tools::devices::CortexM33<" in header
    assert "`sudo apt-get install qemu-system-arm`" in (project / "README.md").read_text()


def test_the_board_is_listed(rlt_embed: RltEmbed) -> None:
    listed = rlt_embed("boards", "--check", BOARD)

    assert listed.output.splitlines()[1].split()[:3] == ["my_an505", "cortex-m35p", "fpv5-sp-d16"]


@dataclass(frozen=True, kw_only=True)
class Traced(runners.Host):
    """The firmware as a process behind another program."""

    kind: ClassVar[str] = "traced"

    def programs(self, board: Board) -> tuple[cores.Program, ...]:
        return (cores.Program(name="strace", title="strace", minimum="5.0", debian="strace"),)

    def command(self, board: Board) -> tuple[str, ...]:
        return ("strace", *super().command(board))


def test_a_process_behind_another_program_is_a_runner_of_five_lines() -> None:
    spec = make_spec("host")
    files = render(replace(spec, boards=(replace(spec.boards[0], runner=Traced()),)))

    build = json.loads(files["platforms/rlt_emulated/boards/host.json"])["build"]
    assert build["run"] == ["strace", "{elf}", "{port}"]
    assert build["run_advice"] == "`sudo apt-get install strace`"
    assert "| strace | `sudo apt-get install strace` | not tested |" in files["README.md"].decode()
    assert json.loads(files["rlt_embed.json"])["boards"]["host"]["runner"] == {"kind": "traced"}


def test_without_the_extension_the_board_is_refused() -> None:
    with pytest.raises(BoardError, match=r"runner\.threads is not a key of a board file") as caught:
        board.load(str(BOARD))
    assert "machine" in caught.value.hint


def test_an_extension_that_cannot_be_imported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(tmp_path / "site")
    (folder / "rlt_extension.py").write_text("import nowhere_to_be_seen\n")
    monkeypatch.syspath_prepend(folder)

    with pytest.raises(BoardError, match=r"rlt_extension, an extension of rltools_embed\.firmware, cannot be imported"):
        registry.load_extensions.__wrapped__()


def test_a_name_is_given_once() -> None:
    cores.register(cores.CORTEX_M4)  # the same row again, as when a module is imported anew

    with pytest.raises(ValueError, match="cortex-m4 is taken"):
        cores.register(cores.cortex_m("cortex-m4", cores.Fpu.NONE))
    with pytest.raises(ValueError, match="host is taken"):
        runners.register(type("Other", (runners.Host,), {}))
    with pytest.raises(ValueError, match="arduino is taken"):
        ports.register(ports.Port(name="arduino", architecture="arm", header="host"))
    assert Core.CORTEX_M4 is cores.CORTEX_M4


def test_a_core_without_a_tag_for_its_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="cortex-m35p has no device tag for the unit fpv5-sp-d16"):
        cores.cortex_m("cortex-m35p", cores.Fpu.FPV5_SP)
