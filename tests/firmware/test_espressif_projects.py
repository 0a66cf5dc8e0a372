"""`pio run` on projects for ESP32 boards, with a stand-in for the vendor's platform that has its flags and headers."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.errors import BuildError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import platformio, project
from rltools_embed.firmware.board import Framework
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


@pytest.mark.parametrize("framework", list(Framework))
def test_what_the_framework_would_spoil_is_undone(
    tmp_path: Path, framework: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLATFORMIO_BUILD_CACHE_DIR")  # an object that is there already shows no command
    folder = export(tmp_path / "project", "esp32dev", framework=framework)

    shown = process.run([*PIO, "run", "-v", "-d", folder], environment=QUIET).output

    (line,) = (line for line in shown.splitlines() if re.search(r" -o \.pio/build/esp32dev/src/policy\.\S+ ", line))
    words = line.split()
    assert [word for word in words if word.startswith("-std=")] == ["-std=gnu++17"]
    assert [word for word in words if re.fullmatch(r"-O\w+", word)] == ["-O2"]
    assert {"-ffp-contract=off", "-Wdouble-promotion"} <= set(words)
    assert "-ffast-math" not in words
    assert any(word.endswith("lib/rl_tools/include") for word in words)


def test_a_broken_source_keeps_the_compilers_words(tmp_path: Path) -> None:
    folder = export(tmp_path / "project", "esp32dev")
    (folder / "src/control.cpp").write_text("#error nothing here yet\n")

    with pytest.raises(BuildError, match=r"build-esp32dev\.log") as caught:
        platformio.build(folder)
    assert "nothing here yet" in caught.value.hint
