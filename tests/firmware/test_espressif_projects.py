"""`pio run` on projects for ESP32 boards, with a stand-in for the vendor's platform that has its flags and headers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.errors import BuildError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import platformio, project
from rltools_embed.firmware.board import Framework
from tests.boards import write
from tests.firmware.conftest import make_spec
from tests.standin import make_core_dir

PIO = (sys.executable, "-m", "platformio")
QUIET = {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
ESPRESSIF = [name for name in boards.names() if "espressif32" in boards.load(name).platformio.platform]


@pytest.fixture(scope="module")
def core_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_core_dir(tmp_path_factory.mktemp("platformio") / "core")


@pytest.fixture(autouse=True)
def platformios_folder(core_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core_dir))


def export(folder: Path, *names: str, framework: Framework = Framework.ARDUINO) -> Path:
    spec = make_spec()
    targets = tuple(boards.load(name).on(framework) for name in names)
    spec = replace(spec, boards=targets)
    project.write(project.render(spec), folder, owned=project.render_owned(spec))
    return folder


def boards_with(framework: Framework) -> list[str]:
    return [name for name in ESPRESSIF if framework in boards.load(name).platformio.frameworks]


@pytest.mark.parametrize("framework", list(Framework))
def test_pio_run_builds_every_board_of_a_project(tmp_path: Path, framework: Framework) -> None:
    names = boards_with(framework)
    assert len(names) >= 4
    folder = export(tmp_path / "project", *names, framework=framework)
    environments = [word for name in names for word in ("-e", name)]

    done = process.run([*PIO, "run", "-d", folder, *environments], environment=QUIET)

    assert done.exit_code == 0, done.output
    assert not re.search(r"\bwarning\b", done.output), done.output
    others = {port for port in ("arduino", "espidf", "bare_metal", "host") if port != framework.value}
    assert not [port for port in others if f"src/rlt_embed/ports/{port}/" in done.output]
    for name in names:
        build = folder / ".pio" / "build" / name
        assert (build / "firmware.elf").is_file()
        assert list((build / "src" / "rlt_embed" / "ports" / framework.value).glob("port*.o"))


def commands(folder: Path) -> dict[str, list[str]]:
    """How each source of the project's default board is compiled, by its path."""
    done = process.run([*PIO, "run", "-d", folder, "-t", "compiledb"], environment=QUIET)
    assert done.exit_code == 0, done.output
    entries = json.loads((folder / "compile_commands.json").read_text())
    return {entry["file"]: shlex.split(entry["command"]) for entry in entries}


def last(words: list[str], begin: str) -> str:
    return [word for word in words if word.startswith(begin)][-1]


@pytest.mark.parametrize("framework", list(Framework))
def test_our_flags_are_for_our_sources_alone(tmp_path: Path, framework: Framework) -> None:
    folder = export(tmp_path / "project", "esp32dev", framework=framework)

    found = commands(folder)

    ours = {path: words for path, words in found.items() if path.startswith("src/")}
    (theirs,) = (words for path, words in found.items() if path.endswith("framework.cpp"))
    assert {"src/policy.cpp", "src/control.cpp", f"src/rlt_embed/ports/{framework.value}/port.cpp"} <= set(ours)
    for words in ours.values():
        assert last(words, "-std=") == "-std=gnu++17"
        assert last(words, "-O") == "-O2"
        assert {"-ffp-contract=off", "-Wdouble-promotion"} <= set(words)
        assert "-ffast-math" not in words
        assert any(word.endswith("lib/rl_tools/include") for word in words)
        assert any(word.endswith("include/boards/esp32dev") for word in words)
    assert last(theirs, "-O") == ("-Os" if framework is Framework.ARDUINO else "-Og")
    assert last(theirs, "-std=") == ("-std=gnu++11" if framework is Framework.ARDUINO else "-std=gnu++2b")
    assert not [word for word in theirs if word in ("-O2", "-std=gnu++17") or "contract" in word or "boards" in word]
    assert "-Wdouble-promotion" not in theirs


def test_flags_of_the_machine_are_for_everything(tmp_path: Path) -> None:
    folder = write(make_spec("qemu_mps3_an547"), tmp_path / "project")
    library = folder / "lib/mine"
    library.mkdir()
    (library / "mine.h").write_text("")
    (library / "mine.cpp").write_text("int mine;\n")
    control = folder / "src/control.cpp"
    control.write_text(f"#include <mine.h>\n{control.read_text()}")

    found = commands(folder)

    for words in (found["lib/mine/mine.cpp"], found["src/policy.cpp"]):
        assert {"-mcpu=cortex-m55", "-mfloat-abi=hard", "-O2"} <= set(words)
    assert {"-fno-tree-vectorize", "-ffp-contract=off"} <= set(found["src/policy.cpp"])
    assert not {"-fno-tree-vectorize", "-ffp-contract=off"} & set(found["lib/mine/mine.cpp"])


def test_a_broken_source_keeps_the_compilers_words(tmp_path: Path) -> None:
    folder = export(tmp_path / "project", "esp32dev")
    (folder / "src/control.cpp").write_text("#error nothing here yet\n")

    with pytest.raises(BuildError, match=r"build-esp32dev\.log") as caught:
        platformio.build(folder)
    assert "nothing here yet" in caught.value.hint


_IDF = """\
cmake_minimum_required(VERSION 3.16.0)
project(standin CXX)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# As ESP-IDF's tools/cmake/build.cmake and component.cmake do, for a framework's component and for the project's.
add_compile_options(-Og $<$<COMPILE_LANGUAGE:CXX>:-std=gnu++2b>)
function(idf_component_register)
  cmake_parse_arguments(given "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})
  add_library(component STATIC ${given_SRCS})
  set(COMPONENT_LIB component PARENT_SCOPE)
endfunction()
file(WRITE ${CMAKE_BINARY_DIR}/framework.cpp "")
add_library(framework STATIC ${CMAKE_BINARY_DIR}/framework.cpp)
add_subdirectory(SOURCE component)
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
def test_cmake_puts_the_options_of_our_component_behind_esp_idfs(tmp_path: Path) -> None:
    folder = export(tmp_path / "project", "esp32dev", framework=Framework.ESPIDF)
    idf = tmp_path / "idf"
    idf.mkdir()
    (idf / "CMakeLists.txt").write_text(_IDF.replace("SOURCE", str(folder / "src")))

    done = process.run(["cmake", "-S", idf, "-B", tmp_path / "build"])

    assert done.exit_code == 0, done.output
    entries = json.loads((tmp_path / "build/compile_commands.json").read_text())
    found = {Path(entry["file"]).name: shlex.split(entry["command"]) for entry in entries}
    for name in ("policy.cpp", "port.cpp"):
        assert last(found[name], "-O") == "-O2"
        assert last(found[name], "-std=") == "-std=gnu++17"
        assert "-ffp-contract=off" in found[name]
    assert last(found["framework.cpp"], "-O") == "-Og"
    assert "-ffp-contract=off" not in found["framework.cpp"]
