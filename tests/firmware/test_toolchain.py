from __future__ import annotations

import json
import re
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rltools_embed import resources
from rltools_embed.errors import ToolchainError
from rltools_embed.firmware import board, platformio, runners, toolchain
from rltools_embed.firmware.board import cores

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Export = Callable[..., Path]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Only the programs that the test makes are on PATH: name and what the shell script does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.delenv("CXX", raising=False)

    def make(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(stat.S_IRWXU)

    return make


@pytest.mark.emulated
@pytest.mark.parametrize("name", board.names())
def test_everything_serves_on_a_machine_that_was_set_up(name: str) -> None:
    toolchain.require((*toolchain.for_build(board.load(name)), *toolchain.for_upload(board.load(name))))


def test_nothing_on_path_is_reported_with_the_command_that_installs_it(tools: Callable[[str, str], None]) -> None:
    for program in (cores.ARM_COMPILER, cores.RISCV_COMPILER, cores.QEMU_ARM, cores.HOST_COMPILER):
        tool = toolchain.check(program)

        assert tool.found is None
        assert tool.problem == f"{tool.name} is missing"
        assert tool.install_hint


def test_an_old_qemu_is_reported_with_both_versions(tools: Callable[[str, str], None]) -> None:
    tools("qemu-system-arm", "echo QEMU emulator version 4.1.0")

    assert toolchain.check(cores.QEMU_ARM).problem == f"qemu-system-arm 4.1.0 is older than {cores.QEMU_ARM.minimum}"


def test_a_program_that_does_not_start_is_reported(tools: Callable[[str, str], None]) -> None:
    tools("qemu-system-arm", "echo cannot load libx.so; exit 127")

    assert "ends with exit code 127" in toolchain.check(cores.QEMU_ARM).problem


def test_a_cross_compiler_without_its_library_is_reported(tools: Callable[[str, str], None]) -> None:
    tools("arm-none-eabi-g++", '[ "$1" = -dumpfullversion ] && echo 12.2.1 || exit 1')

    assert "C++ library is missing" in toolchain.check(cores.ARM_COMPILER).problem
    assert "arm-none-eabi" in toolchain.check(cores.ARM_COMPILER).install_hint or sys.platform == "darwin"


def test_a_riscv_compiler_without_its_library_is_reported(tools: Callable[[str, str], None]) -> None:
    tools("riscv64-unknown-elf-gcc", '[ "$1" = -dumpfullversion ] && echo 12.2.0 || exit 1')

    assert "its C library, picolibc, is missing" in toolchain.check(cores.RISCV_COMPILER).problem


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("qemu_mps2_an386", "arm-none-eabi-g++ is missing; qemu-system-arm is missing"),
        (
            "qemu_riscv32_virt",
            "riscv64-unknown-elf-gcc is missing; arm-none-eabi-g++ is missing; qemu-system-riscv32 is missing",
        ),
        (
            "qemu_xtensa_lx60",
            "xtensa-dc233c-elf-gcc is missing; arm-none-eabi-g++ is missing; qemu-system-xtensa is missing",
        ),
        ("rp2040js_pico", "arm-none-eabi-g++ is missing; rp2040js is missing: node is missing"),
    ],
)
def test_each_board_asks_for_the_tools_of_its_core(tools: Callable[[str, str], None], name: str, missing: str) -> None:
    board_of_name = board.load(name)

    with pytest.raises(ToolchainError) as caught:
        toolchain.require((*toolchain.for_build(board_of_name), *toolchain.for_upload(board_of_name)))

    assert caught.value.message == missing


def test_a_missing_xtensa_compiler_is_reported_with_the_script_that_makes_it(tools: Callable[[str, str], None]) -> None:
    script = re.search(
        r"bash (\S*install_compiler) \S+", toolchain.check(cores.XTENSA_DE233_FPU.toolchain.programs[0]).install_hint
    )

    assert script is not None
    assert Path(script[1]).is_file()


RP2040JS = board.load("rp2040js_pico")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ('[ "$1" = --version ] && echo v20.1.0 || exit 1', "rp2040js is missing"),
        ("echo v12.22.9", "rp2040js is missing: node 12.22.9 is older than 18.0"),
        ('[ "$1" = --version ] && echo v20.1.0 || echo rp2040js 1.3.4', "rp2040js 1.3.4 is older than 1.4.1"),
        ('[ "$1" = --version ] && echo v20.1.0 || echo rp2040js 1.4.1', ""),
    ],
)
def test_a_package_of_node_is_missing_where_node_does_not_find_it(
    tools: Callable[[str, str], None], script: str, problem: str
) -> None:
    tools("node", script)

    (tool,) = toolchain.for_upload(RP2040JS)

    assert tool.problem == problem
    assert tool.install_hint.endswith(" rp2040js@1.4.1")
    assert ("nodejs" in tool.install_hint or sys.platform == "darwin") == ("node 12" in problem)


def test_an_upload_without_the_package_ends_before_it_builds(export: Export, tools: Callable[[str, str], None]) -> None:
    tools("arm-none-eabi-g++", "echo 12.2.1")
    output = export("rp2040js_pico")

    with pytest.raises(ToolchainError, match=r"^rp2040js is missing: node is missing") as caught:
        platformio.upload(output)
    assert "npm install --ignore-scripts --prefix" in caught.value.hint
    assert not (output / ".pio").exists()


def test_rp2040js_has_the_same_version_everywhere() -> None:
    script = (Path(__file__).resolve().parents[2] / ".ci/rp2040js").read_text(encoding="utf-8")

    versions = re.findall(r"rp2040js@([0-9.]+)", f"{script} {runners.RP2040JS.command}")

    assert versions == [runners.RP2040JS.minimum] * 2


def test_another_host_compiler_is_named_by_cxx(
    tools: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools("my++", "echo my++ 13.1")
    monkeypatch.setenv("CXX", "my++")

    assert toolchain.check_host_compiler().name == "my++"
    assert toolchain.check_host_compiler().serves


def test_another_scons_than_core_asks_for_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scons-4.8.1.dist-info").mkdir()
    (tmp_path / "scons-4.8.1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: scons\nVersion: 4.8.1\n")
    monkeypatch.syspath_prepend(tmp_path)

    tool = toolchain.check_scons()

    assert "scons 4.8.1 is installed, PlatformIO asks for exactly 4." in tool.problem
    assert tool.install_hint.endswith(f"-m pip install scons=={tool.minimum}")


def test_all_that_is_missing_is_reported_at_once(tools: Callable[[str, str], None]) -> None:
    with pytest.raises(ToolchainError) as caught:
        toolchain.require((toolchain.check(cores.ARM_COMPILER), toolchain.check(cores.QEMU_ARM)))
    assert caught.value.message == "arm-none-eabi-g++ is missing; qemu-system-arm is missing"
    assert "qemu" in caught.value.hint


def test_a_build_without_a_cross_compiler_ends_before_platformio_asks_the_registry(
    export: Export, tools: Callable[[str, str], None]
) -> None:
    output = export("qemu_mps2_an386")
    began = time.monotonic()

    with pytest.raises(ToolchainError, match=r"arm-none-eabi-g\+\+ is missing"):
        platformio.build(output)

    # PlatformIO's own way would be a minute of retries.
    assert time.monotonic() - began < 40
    assert not (output / ".pio").exists()


def test_an_upload_without_qemu_ends_before_it_builds(export: Export, tools: Callable[[str, str], None]) -> None:
    tools("arm-none-eabi-g++", "echo 12.2.1")
    output = export("qemu_mps2_an386")

    with pytest.raises(ToolchainError, match=r"^qemu-system-arm is missing"):
        platformio.upload(output)
    assert not (output / ".pio").exists()


def test_platformio_and_scons_have_the_same_pins_everywhere() -> None:
    """The extra `offline`, a project's README, the hints of `doctor`, and the SCons that a project hands over."""
    root = Path(__file__).resolve().parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    readme = (resources.templates_dir() / "project/README.md.jinja").read_text(encoding="utf-8")
    tool = resources.templates_dir() / "platforms/rlt_emulated/tool-scons/package.json"
    # PlatformIO's registry numbers SCons 4.11.1 as 4.41101.0.
    digits = re.fullmatch(r"4\.(\d)(\d\d)(\d\d)\.0", json.loads(tool.read_text(encoding="utf-8"))["version"])

    platformio, scons = extras["offline"]

    assert f"`pip install {platformio} {scons}`" in readme
    assert toolchain.check_platformio().install_hint.endswith(f" {platformio}")
    assert digits is not None
    assert scons == f"scons=={'.'.join(str(int(part)) for part in digits.groups())}" == f"scons=={toolchain.SCONS}"
