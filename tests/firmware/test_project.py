from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from rltools_embed.errors import BoardError, ProjectError
from rltools_embed.firmware import board, project
from rltools_embed.firmware.board import Framework, RunnerKind
from rltools_embed.policy import checkpoint
from rltools_embed.policy.layers import registry
from rltools_embed.policy.model import Policy
from tests.firmware.conftest import make_spec
from tests.policies import gru_policy, ppo_policy, sac_policy, td3_policy

Export = Callable[..., Path]
ALL = board.names()


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ------------------------------------------------------------------------------------------------------- rendering


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert project.render(make_spec(*ALL)) == project.render(make_spec(*ALL))


def test_the_checkpoint_travels_verbatim() -> None:
    spec = make_spec()

    assert project.render(spec)["include/checkpoint.h"] == spec.checkpoint_text.encode()
    checkpoint.loads(project.render(spec)["include/checkpoint.h"].decode())


INCLUDE = re.compile(r'^ *# *include *[<"]([^>"]+)[>"]', re.MULTILINE)


def reached(files: Mapping[str, bytes], folders: tuple[str, ...]) -> set[str]:
    """The project's files that those in `folders` include, wherever their names lead to one."""
    boards = {path.partition("rlt_embed/")[0] for path in files if path.startswith("include/boards/")}
    places = ("include/", "src/", "lib/rl_tools/include/", *boards)
    waiting = [path for path in files if path.startswith(folders)]
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in INCLUDE.findall(files[path].decode(errors="replace")):
            beside = str(PurePosixPath(path).parent / name)
            waiting += [each for each in (beside, *(f"{place}{name}" for place in places)) if each in files]
    return found


@pytest.mark.parametrize("policy", [sac_policy(), ppo_policy(), td3_policy(), gru_policy()])
def test_every_header_that_is_copied_is_reached_and_nothing_else_is_copied(policy: Policy) -> None:
    files = project.render(make_spec("host", "qemu_mps2_an386", "esp32-c3-devkitm-1", policy=policy))
    library = {path for path in files if path.startswith("lib/rl_tools/include/")}

    assert "lib/rl_tools/include/rl_tools/embed/control_loop.h" in library
    assert library == {
        path
        for path in reached(files, ("src/", "lib/rl_tools/include/rl_tools/embed/"))
        if path.startswith("lib/rl_tools/include/")
    }


def test_a_project_has_the_headers_of_every_kind_of_layer() -> None:
    """Another policy's checkpoint.h can take the place of the project's own."""
    kinds = [name for kind in registry.kinds() for name in registry.names_of(kind)]

    for policy in (sac_policy(), gru_policy()):
        headers = [path for path in project.render(make_spec(policy=policy)) if path.endswith("operations_generic.h")]
        assert {path.split("/")[-2] for path in headers} >= {*kinds, "dense"}


def test_what_only_trains_stays_at_home() -> None:
    folders = {path.split("/")[4] for path in project.render(make_spec()) if path.startswith("lib/rl_tools/include/")}

    assert {"rl", "bindings"}.isdisjoint(folders)


def test_only_the_ports_of_the_boards_are_copied() -> None:
    files = project.render(make_spec("qemu_mps2_an386"))

    assert "src/rlt_embed/ports/cortex_m/start.cpp" in files
    assert not [path for path in files if path.startswith("src/rlt_embed/ports/host/")]
    assert [path for path in files if path.endswith("/boards/qemu_mps2_an386.json")]
    assert not [path for path in files if path.endswith("/boards/host.json")]


def test_no_path_of_this_computer_is_in_a_project() -> None:
    here = str(Path(__file__).resolve().parents[2]).encode()

    assert not [path for path, content in project.render(make_spec(*ALL)).items() if here in content]


def test_every_board_of_a_project_has_a_port_of_its_own() -> None:
    boards = tuple(board.load(name) for name in ALL)
    emulated = tuple(each for each in boards if each.runner.kind is not RunnerKind.HARDWARE)
    ports = project.upload_ports("demo", emulated)

    assert len(set(ports.values())) == len(emulated)
    for url in ports.values():
        assert url is not None
        assert 20_000 <= int(url.removeprefix("socket://127.0.0.1:")) <= 29_999


def test_boards_whose_ports_collide_get_two_ports() -> None:
    # 10,001 boards cannot have 10,000 ports; a few hundred hit each other by the birthday paradox.
    host = board.load("host")
    many = tuple(replace(host, name=f"board_{index}") for index in range(500))

    assert len(set(project.upload_ports("demo", many).values())) == 500


@pytest.mark.parametrize("name", ["", "A", "a-b", "a b", "../x", 'a"', "a\n", "{{a}}", "a" * 41, "1a"])
def test_a_project_name_that_could_mean_more_is_refused(name: str) -> None:
    with pytest.raises(ProjectError, match="cannot be a project's name"):
        make_spec(name=name)


def test_a_project_needs_a_board() -> None:
    with pytest.raises(ProjectError, match="at least one board"):
        replace(make_spec(), boards=())


def test_a_board_is_named_once() -> None:
    with pytest.raises(ProjectError, match="host is named twice"):
        make_spec("host", "host")


@pytest.mark.parametrize("environment", ['a"b', "a\nb| x |", "{{ 7*7 }}", "../../x", "${sysenv.HOME}", "# x", "<b>"])
def test_a_hostile_environment_id_changes_no_line_of_the_project(environment: str) -> None:
    plain = project.render(make_spec(*ALL, environment="plain"))
    hostile = project.render(make_spec(*ALL, environment=environment))

    assert hostile.keys() == plain.keys()
    differing = {path for path in plain if plain[path] != hostile[path]}
    assert differing == {"README.md", "src/rlt_embed/identity.h", "include/checkpoint.h", "rlt_embed.json"}
    for path in ("README.md", "src/rlt_embed/identity.h"):
        assert plain[path].count(b"\n") == hostile[path].count(b"\n")
    assert b"49" not in hostile["src/rlt_embed/identity.h"]
    assert json.loads(hostile["rlt_embed.json"])["policy"]["env_id"] == environment


# --------------------------------------------------------------------------------------------------------- writing


def test_ctrl_c_before_the_files_are_moved_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = project.render(make_spec("host"))
    calls, write_bytes = iter(range(20)), Path.write_bytes

    def interrupted(path: Path, data: bytes) -> int:
        if next(calls) == 10:
            raise KeyboardInterrupt
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.write(files, tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_ctrl_c_while_files_are_moved_waits_for_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = project.render(make_spec("host"))
    calls, replace_file = iter(range(1000)), Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        if next(calls) == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return replace_file(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.write(files, tmp_path / "project")
    monkeypatch.undo()
    assert project.write(files, tmp_path / "project").written == ()


def test_writing_twice_changes_no_file(export: Export) -> None:
    output = export(*ALL)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}

    again = project.write(project.render(make_spec(*ALL)), output)

    assert again.written == () and again.removed == ()
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()} == before


def test_a_project_can_be_made_in_an_empty_folder_and_below_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for output in (tmp_path / "empty", tmp_path / "a" / "b" / "c"):
        project.write(project.render(make_spec()), output)

        assert files_of(output) == project.render(make_spec())


def test_a_new_policy_rewrites_only_what_tells_of_it(export: Export) -> None:
    output = export()

    result = project.write(project.render(make_spec(hidden=9)), output)

    assert set(result.written) == {"README.md", "include/checkpoint.h", "rlt_embed.json"}


def test_a_file_that_was_edited_is_not_overwritten(export: Export) -> None:
    output = export()
    (output / "src/firmware.cpp").write_text("// mine\n")
    (output / "platformio.ini").write_text("; mine\n")
    before = files_of(output)

    with pytest.raises(ProjectError, match=r"changed since the last export: platformio\.ini, src/firmware\.cpp"):
        project.write(project.render(make_spec(hidden=9)), output)

    assert files_of(output) == before


def test_force_overwrites_what_was_edited(export: Export) -> None:
    output = export()
    (output / "src/firmware.cpp").write_text("// mine\n")

    result = project.write(project.render(make_spec()), output, force=True)

    assert result.written == ("src/firmware.cpp",)


def test_a_foreign_file_in_the_way_is_not_overwritten(export: Export) -> None:
    output = export()
    (output / "include/boards/qemu_mps2_an386/rlt_embed").mkdir(parents=True)
    (output / "include/boards/qemu_mps2_an386/rlt_embed/board.h").write_text("// mine\n")

    with pytest.raises(
        ProjectError, match=r"not ours, and in the way: include/boards/qemu_mps2_an386/rlt_embed/board\.h"
    ):
        project.write(project.render(make_spec("host", "qemu_mps2_an386")), output)


def test_files_of_the_users_own_are_left_alone(export: Export) -> None:
    output = export()
    (output / "src/mine.cpp").write_text("// mine\n")
    (output / "platformio.local.ini").write_text("; mine\n")

    project.write(project.render(make_spec("qemu_mps2_an386")), output)

    assert (output / "src/mine.cpp").read_text() == "// mine\n"
    assert (output / "platformio.local.ini").read_text() == "; mine\n"


def test_a_generated_file_that_was_deleted_comes_back(export: Export) -> None:
    output = export()
    (output / "src/firmware.cpp").unlink()

    assert project.write(project.render(make_spec()), output).written == ("src/firmware.cpp",)


def test_what_an_older_export_left_goes_with_its_folder(export: Export) -> None:
    output = export("host", "qemu_mps2_an386")

    result = project.write(project.render(make_spec("host")), output)

    assert "src/rlt_embed/ports/cortex_m/start.cpp" in result.removed
    assert not (output / "src/rlt_embed/ports/cortex_m").exists()
    assert files_of(output) == {**project.render(make_spec("host")), **project.render_owned(make_spec("host"))}


def test_what_an_older_export_left_stays_if_somebody_changed_it(export: Export) -> None:
    output = export("host", "qemu_mps2_an386")
    (output / "src/rlt_embed/ports/cortex_m/start.cpp").write_text("// mine\n")

    result = project.write(project.render(make_spec("host")), output)

    assert "src/rlt_embed/ports/cortex_m/start.cpp" not in result.removed
    assert (output / "src/rlt_embed/ports/cortex_m/start.cpp").read_text() == "// mine\n"


@pytest.mark.parametrize("force", [False, True])
def test_the_users_control_loop_is_made_once_and_never_touched_again(export: Export, force: bool) -> None:
    output = export()
    assert "control.cpp" not in str(sorted(project.load(output).files))
    (output / "src/control.cpp").write_text("// mine\n")
    spec = make_spec("qemu_mps2_an386", hidden=9)

    result = project.write(project.render(spec), output, owned=project.render_owned(spec), force=force)

    assert "src/control.cpp" not in (*result.written, *result.unchanged, *result.removed)
    assert (output / "src/control.cpp").read_text() == "// mine\n"


def test_a_control_loop_that_was_deleted_comes_back(export: Export) -> None:
    output = export()
    (output / "src/control.cpp").unlink()
    spec = make_spec()

    assert project.write(project.render(spec), output, owned=project.render_owned(spec)).written == ("src/control.cpp",)


def test_the_control_loop_begins_with_the_policys_period() -> None:
    spec = make_spec()
    slow = replace(spec, policy=replace(spec.policy, control_period_s=0.05))

    assert b"period_us = 50000;" in project.render_owned(slow)["src/control.cpp"]


def test_a_project_for_hardware_alone_leaves_platformios_folders_alone() -> None:
    ini = project.render(make_spec("esp32dev", "teensy41"))["platformio.ini"].decode()

    assert "platforms_dir" not in ini and "packages_dir" not in ini and "upload_port" not in ini
    assert [line for line in ini.splitlines() if line.startswith("framework")] == ["framework = arduino"] * 2
    assert not [path for path in project.render(make_spec("esp32dev")) if path.startswith("platforms/")]


def test_only_an_espidf_project_has_its_files() -> None:
    esp32 = board.load("esp32dev")
    spec = make_spec("esp32dev")
    idf = project.render(replace(spec, boards=(esp32.on(Framework.ESPIDF),)))

    names = {"CMakeLists.txt", "src/CMakeLists.txt", "sdkconfig.defaults", "sdkconfig.defaults.esp32"}
    assert idf.keys() - project.render(spec).keys() >= names
    assert not names & project.render(spec).keys()
    assert b"framework = espidf" in idf["platformio.ini"]
    assert b"WDT" not in idf["sdkconfig.defaults"]  # the watchdog is fed, not switched off
    # The default of an ESP32-C6 is the ROM's RVfplib, which departs from IEEE 754.
    assert b"CONFIG_COMPILER_FLOAT_LIB_FROM_GCCLIB=y" in idf["sdkconfig.defaults"].splitlines()


def test_an_export_to_another_framework_takes_the_first_ones_files_away(tmp_path: Path) -> None:
    spec = make_spec("esp32dev")
    idf = replace(spec, boards=(spec.boards[0].on(Framework.ESPIDF),))
    project.write(project.render(idf), tmp_path / "project")

    project.write(project.render(spec), tmp_path / "project")

    assert files_of(tmp_path / "project") == project.render(spec)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis.tex").write_text("x")

    with pytest.raises(ProjectError, match="was not made by an export"):
        project.write(project.render(make_spec()), tmp_path, force=force)
    assert files_of(tmp_path) == {"thesis.tex": b"x"}


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "project").write_text("x")

    with pytest.raises(ProjectError, match="is a file"):
        project.write(project.render(make_spec()), tmp_path / "project")


def test_a_folder_where_a_file_should_be_is_refused_even_with_force(export: Export) -> None:
    output = export()
    (output / "README.md").unlink()
    (output / "README.md").mkdir()

    with pytest.raises(ProjectError, match=r"README\.md is a folder"):
        project.write(project.render(make_spec()), output, force=True)


@pytest.mark.parametrize("link", ["src", "README.md"])
def test_a_link_is_not_followed_out_of_the_project(export: Export, tmp_path: Path, link: str) -> None:
    output = export()
    elsewhere = tmp_path / "elsewhere"
    (output / link).rename(elsewhere)
    (output / link).symlink_to(elsewhere)

    with pytest.raises(ProjectError, match="is a symbolic link"):
        project.write(project.render(make_spec(hidden=9)), output, force=True)


def test_a_removal_does_not_follow_a_link_either(export: Export, tmp_path: Path) -> None:
    output = export("host", "qemu_mps2_an386")
    elsewhere = tmp_path / "elsewhere"
    (output / "src/rlt_embed/ports/cortex_m").rename(elsewhere)
    (output / "src/rlt_embed/ports/cortex_m").symlink_to(elsewhere)

    project.write(project.render(make_spec("host")), output)

    assert (elsewhere / "start.cpp").exists()


def test_a_path_out_of_the_project_is_refused(tmp_path: Path) -> None:
    for path in ("../x", "/x", "a/../../x", "a//b", "", "a\\b"):
        with pytest.raises(ProjectError, match="not a path inside"):
            project.write({path: b""}, tmp_path / "project")
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("written", [0, 1, 10])
def test_a_full_disk_changes_nothing(export: Export, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    output = export("host")
    old, new = files_of(output), project.render(make_spec("host", "qemu_mps2_an386", hidden=9))
    original = Path.write_bytes
    calls = 0

    def failing_write(self: Path, content: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > written:
            raise OSError(28, "No space left on device", str(self))
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", failing_write)
    with pytest.raises(ProjectError, match="No space left"):
        project.write(new, output)
    monkeypatch.undo()

    assert files_of(output) == old


def test_an_export_that_is_cut_between_two_files_can_be_repeated(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = export("host")
    (output / "src/control.cpp").unlink()  # the user's: what is compared here is generated
    old, new = files_of(output), project.render(make_spec("host", "qemu_mps2_an386", hidden=9))
    moved = 0
    original = Path.replace

    def failing_replace(self: Path, target: Path) -> Path:
        nonlocal moved
        moved += 1
        if moved == 5:
            raise OSError(5, "Input/output error", str(target))
        return original(self, target)

    monkeypatch.setattr(Path, "replace", failing_replace)
    with pytest.raises(ProjectError, match="Input/output error"):
        project.write(new, output)
    monkeypatch.undo()

    between = files_of(output)
    assert all(content in (old.get(path), new[path]) for path, content in between.items())
    assert between["rlt_embed.json"] == old["rlt_embed.json"]
    project.write(new, output)
    assert files_of(output) == new


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root writes everywhere: it becomes the user without rights."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    files = project.render(make_spec())
    project.write(files, tmp_path / "writable")  # what it imports, nobody may not be allowed to read
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)

        with as_nobody(), pytest.raises(ProjectError, match="Permission denied"):
            project.write(files, Path(folder) / "project")

        assert list(Path(folder).iterdir()) == []


# --------------------------------------------------------------------------------------------------------- reading


def test_load_gives_what_was_exported(export: Export) -> None:
    spec = make_spec("qemu_mps2_an386", "host")
    output = export("qemu_mps2_an386", "host")

    loaded = project.load(output)

    assert (loaded.name, loaded.boards, loaded.policy) == (spec.name, spec.boards, spec.policy)
    assert loaded.board().name == "qemu_mps2_an386"
    assert loaded.board("host").name == "host"
    assert loaded.checkpoint.read_text() == spec.checkpoint_text
    assert loaded.upload_port(loaded.board("host")) == project.upload_ports(spec.name, spec.boards)["host"]


def test_a_board_that_the_project_lacks_is_named(export: Export) -> None:
    with pytest.raises(BoardError, match="has no board 'host'") as caught:
        project.load(export("qemu_mps2_an386")).board("host")
    assert "qemu_mps2_an386" in caught.value.hint


def test_the_users_own_port_comes_first(export: Export) -> None:
    output = export()
    (output / "platformio.local.ini").write_text("[env:host]\nupload_port = socket://127.0.0.1:4444\n")

    loaded = project.load(output)

    assert loaded.upload_port(loaded.board()) == "socket://127.0.0.1:4444"


def test_a_settings_file_that_cannot_be_read_is_reported(export: Export) -> None:
    output = export()
    (output / "platformio.local.ini").write_text("upload_port = x\n")

    loaded = project.load(output)

    with pytest.raises(ProjectError, match="cannot read the project's settings"):
        loaded.upload_port(loaded.board())


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not an exported project"):
        project.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 1, "name": "x", "boards": 7, "files": {}, "policy": {}}',
        '{"format": 1, "name": "x", "boards": {}, "files": [], "policy": {}}',
        "\ud800",
    ],
)
def test_a_damaged_manifest_is_refused(export: Export, content: str) -> None:
    output = export()
    (output / "rlt_embed.json").write_bytes(content.encode("utf-8", "surrogatepass"))

    with pytest.raises(ProjectError, match="damaged"):
        project.load(output)
    with pytest.raises(ProjectError, match="damaged"):
        project.write(project.render(make_spec()), output, force=True)


def edit_manifest(output: Path, edit: Callable[[dict], None]) -> None:  # type: ignore[type-arg]  # any JSON
    manifest = json.loads((output / "rlt_embed.json").read_text())
    edit(manifest)
    (output / "rlt_embed.json").write_text(json.dumps(manifest))


def test_a_manifest_of_another_format_is_refused(export: Export) -> None:
    output = export()
    edit_manifest(output, lambda manifest: manifest.update(format=2))

    with pytest.raises(ProjectError, match="has format 2"):
        project.load(output)


def test_a_manifest_cannot_point_out_of_the_project(export: Export, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    output = export()
    edit_manifest(output, lambda manifest: manifest["files"].update({"../victim": empty}))

    with pytest.raises(ProjectError, match="not a path inside"):
        project.write(project.render(make_spec()), output)
    assert (tmp_path / "victim").exists()


def test_a_manifest_with_a_wrong_board_is_refused(export: Export) -> None:
    output = export()
    edit_manifest(output, lambda manifest: manifest["boards"]["host"].update(port="../x"))

    with pytest.raises(ProjectError, match=r"damaged.*port = '\.\./x'"):
        project.load(output)


def test_a_boards_own_flags_count_most_for_our_sources() -> None:
    loaded = board.load("nucleo_f446re")
    own = replace(loaded, platformio=replace(loaded.platformio, flags=("-O3", "-DMINE=1", "-Wl,--wrap=x")))
    settings = project.render(replace(make_spec(), boards=(own,)))["platformio.ini"].decode()

    environment = settings.partition("[env:nucleo_f446re]")[2]
    everything, ours = (part.split() for part in environment.partition("build_flags")[2].split("build_src_flags =")[:2])

    assert {"-O3", "-DMINE=1", "-Wl,--wrap=x"} <= set(everything)
    assert ours[-1] == "-O3"
    assert not {"-DMINE=1", "-Wl,--wrap=x"} & set(ours)
