"""Projects of earlier versions, whose files of the user's include our headers at their old places.

old_projects/control.cpp.txt is what version 0.1 wrote once, before our headers had a folder of their own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rltools_embed.firmware import project
from rltools_embed.firmware.spec import MANIFEST, SOURCES, content_digest
from tests.firmware.conftest import make_spec
from tests.firmware.projects import pio

CONTROL = Path(__file__).with_name("old_projects") / "control.cpp.txt"
FORWARDING = {"include/identity.h", "src/control.h", "src/policy.h", "src/port.h"}


def old_place(path: str) -> str:
    name = path.removeprefix(f"{SOURCES}/")
    return path if name == path else f"{'include' if name == 'identity.h' else 'src'}/{name}"


def old_project(folder: Path, *boards: str) -> Path:
    """A project with our headers at their old places, as its manifest says."""
    files = {old_place(path): content for path, content in project.render(make_spec(*boards)).items()}
    manifest = json.loads(files[MANIFEST])
    manifest["files"] = {path: content_digest(content) for path, content in files.items() if path != MANIFEST}
    files[MANIFEST] = json.dumps(manifest).encode()
    project.write(files, folder, owned={"src/control.cpp": CONTROL.read_bytes()})
    return folder


def export_again(folder: Path, *boards: str) -> project.WriteResult:
    spec = make_spec(*boards)
    return project.write(project.render(spec), folder, owned=project.render_owned(spec))


def forwarding_of(folder: Path) -> set[str]:
    return {path for path in json.loads((folder / MANIFEST).read_text())["files"] if path in FORWARDING}


def test_an_old_project_builds_after_exporting_again(tmp_path: Path) -> None:
    folder = old_project(tmp_path / "project")
    before = (folder / "src/control.cpp").read_bytes()

    export_again(folder)
    done = pio(folder, "run")

    assert done.exit_code == 0, done.output
    assert (folder / "src/control.cpp").read_bytes() == before
    assert forwarding_of(folder) == FORWARDING - {"include/identity.h"}  # which control.cpp does not include


def test_without_the_forwarding_headers_it_would_not_build(tmp_path: Path) -> None:
    folder = old_project(tmp_path / "project")
    export_again(folder)
    for path in forwarding_of(folder):
        (folder / path).unlink()

    done = pio(folder, "run")

    assert done.exit_code != 0
    assert "control.h: No such file" in done.output


def test_a_new_project_has_no_forwarding_header(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    export_again(folder)
    export_again(folder)

    assert not forwarding_of(folder)


@pytest.mark.parametrize(
    ("path", "line", "place"),
    [
        ("src/mine.cpp", '#include "identity.h"', "include/identity.h"),
        ("src/mine.cpp", "  #  include <port.h>", "src/port.h"),
        ("src/sensors/mine.hpp", '#include "../policy.h"', "src/policy.h"),
        ("test/test_mine/mine.cpp", '#include "../../src/port.h"', "src/port.h"),
        ("lib/mine/mine.c", '#include "ports/host/port.h"', None),  # there was none
        ("src/mine.cpp", '#include "drivers/port.h"', None),
        ("src/mine.cpp", '#include "rlt_embed/port.h"', None),
        ("src/mine.cpp", "#include <rl_tools/embed/policy.h>", None),
        ("src/mine.txt", '#include "port.h"', None),
    ],
)
def test_what_a_file_of_the_users_includes_decides(tmp_path: Path, path: str, line: str, place: str | None) -> None:
    folder = tmp_path / "project"
    export_again(folder)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(f"{line}\n")

    export_again(folder)

    assert forwarding_of(folder) == ({place} if place else set())


def test_a_header_of_a_port_forwards_too(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    export_again(folder, "qemu_mps2_an386")
    (folder / "src/mine.cpp").write_text('#include "ports/bare_metal/clock.h"\n')

    export_again(folder, "qemu_mps2_an386")

    assert '#include "rlt_embed/ports/bare_metal/clock.h"' in (folder / "src/ports/bare_metal/clock.h").read_text()


def test_a_forwarding_header_goes_with_the_last_old_include(tmp_path: Path) -> None:
    folder = old_project(tmp_path / "project")
    export_again(folder)
    assert export_again(folder).written == ()  # nothing changes while they are needed
    control = folder / "src/control.cpp"
    control.write_text(control.read_text().replace('#include "policy.h"', '#include "rlt_embed/policy.h"'))

    result = export_again(folder)

    assert result.removed == ("src/policy.h",)
    assert not (folder / "src/policy.h").exists()


def test_a_header_of_the_users_with_an_old_name_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    export_again(folder)
    (folder / "src/port.h").write_text("// mine\n")
    (folder / "src/mine.cpp").write_text('#include "port.h"\n')
    (folder / "src/sensors").mkdir()
    (folder / "src/sensors/mine.cpp").write_text('#include "port.h"\n')

    export_again(folder)

    assert (folder / "src/port.h").read_text() == "// mine\n"
    assert not forwarding_of(folder)
