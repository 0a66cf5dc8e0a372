"""The cache of compiled interfaces: locked, atomic, checked, and nobody else's."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from stand_in_cl import BANNER, stand_in_cl
from training_envs import SMALL, Line

from rltools_embed import process
from rltools_embed.compiling import command_line, compiler
from rltools_embed.compiling.cache import ENVIRONMENT_VARIABLE, Cache, content_key
from rltools_embed.compiling.command_line import Compiler, Dialect
from rltools_embed.errors import BuildError, ToolchainError
from rltools_embed.training import SAC, EnvSpec, SacOptions
from rltools_embed.training.sac import SacAlgorithm

TINY = {name: value for name, value in SMALL.items() if name.isupper()}


def writer(content: bytes, calls: list[Path]) -> Any:
    def build(path: Path) -> None:
        calls.append(path)
        path.write_bytes(content)

    return build


def test_a_file_is_built_once(tmp_path: Path) -> None:
    cache, calls = Cache.open(tmp_path / "cache"), []
    first, was_cached = cache.get_or_build("key", ".so", writer(b"code", calls))
    again, was_cached_again = cache.get_or_build("key", ".so", writer(b"code", calls))
    assert (was_cached, was_cached_again, len(calls)) == (False, True, 1)
    assert first == again
    assert first.read_bytes() == b"code"
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", ["truncated", "changed", "no checksum", "half written"])
def test_a_damaged_file_is_built_again(tmp_path: Path, damage: str) -> None:
    cache, calls = Cache.open(tmp_path / "cache"), []
    path, _ = cache.get_or_build("key", ".so", writer(b"code", calls))
    checksum = path.with_name(path.name + ".sha256")
    if damage == "truncated":
        path.write_bytes(b"co")
    elif damage == "changed":
        path.write_bytes(b"cope")
    elif damage == "no checksum":
        checksum.unlink()
    else:
        checksum.write_bytes(b"\xff")
    cache.get_or_build("key", ".so", writer(b"code", calls))
    assert len(calls) == 2
    assert path.read_bytes() == b"code"


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "cache")

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise BuildError("no")

    with pytest.raises(BuildError):
        cache.get_or_build("key", ".so", fail)
    assert list((tmp_path / "cache" / "files").iterdir()) == []


def test_of_many_at_once_one_builds(tmp_path: Path) -> None:
    calls: list[Path] = []

    def ask(_: int) -> bytes:
        path, _cached = Cache.open(tmp_path / "cache").get_or_build("key", ".so", writer(b"code", calls))
        return path.read_bytes()

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert set(pool.map(ask, range(32))) == {b"code"}
    assert len(calls) == 1


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
@pytest.mark.parametrize("folder", ["", "files"])
def test_a_cache_that_others_may_write_to_is_refused(tmp_path: Path, mode: int, folder: str) -> None:
    Cache.open(tmp_path / "cache")
    (tmp_path / "cache" / folder).chmod(mode)
    with pytest.raises(ToolchainError, match=r"others may write to the cache .* \(mode [01]7") as caught:
        Cache.open(tmp_path / "cache")
    assert "chmod 700" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a folder away")
def test_a_cache_that_someone_else_planted_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "planted"
    planted.mkdir(mode=0o700)
    os.chown(planted, 12345, 12345)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(planted))
    with pytest.raises(ToolchainError, match="belongs to user 12345, not to you"):
        SAC(Line, **SMALL)
    assert list(planted.iterdir()) == []


def test_a_cache_that_belongs_to_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache.open(tmp_path / "cache")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(ToolchainError, match=r"not to you \(4711\)"):
        Cache.open(tmp_path / "cache")


@pytest.mark.parametrize("name", ["cache", "cache/files", "cache/locks"])
def test_a_cache_folder_that_is_a_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(mode=0o700, exist_ok=True)
    (tmp_path / name).write_text("")
    with pytest.raises(ToolchainError, match=f"cannot create the cache {tmp_path / name}: File exists"):
        Cache.open(tmp_path / "cache")


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache" / "files")  # root may write to whatever is there
    with pytest.raises(ToolchainError, match=r"cannot write to the cache .*: No such file or directory") as caught:
        cache.get_or_build("key", ".so", writer(b"code", []))
    assert ENVIRONMENT_VARIABLE in caught.value.hint


def test_a_build_that_fails_where_no_space_is_left_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise BuildError("ld returned 1 exit status")

    cache = Cache.open(tmp_path / "cache")
    with pytest.raises(BuildError, match="ld returned"):
        cache.get_or_build("key", ".so", fail)
    monkeypatch.setattr("rltools_embed.compiling.cache._LEAST_SPACE_BYTES", shutil.disk_usage(tmp_path).total)
    with pytest.raises(ToolchainError, match="no space is left for the cache"):
        cache.get_or_build("key", ".so", fail)


def test_what_a_killed_process_left_behind_is_removed_by_the_next_build_of_its_key(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "cache")
    files = tmp_path / "cache" / "files"
    for name in (".key.12345.so", ".key.12345.trainer.o", ".key2.12345.trainer.o"):
        (files / name).write_bytes(b"half")
    cache.get_or_build("key", ".so", writer(b"code", []))
    assert {path.name for path in files.iterdir()} == {"key.so", "key.so.sha256", ".key2.12345.trainer.o"}


def test_no_two_lists_of_parts_share_a_key() -> None:
    assert content_key("ab", "c") != content_key("a", "bc")


# ------------------------------------------------------------------------------------------------ with a compiler


def translation_unit(**options: Any) -> str:
    return SacAlgorithm(SacOptions(**{**TINY, **options})).translation_unit(EnvSpec.from_env(Line()))


def damaged_copy(cache_directory: Path, target: Path) -> Cache:
    """A cache that has the objects, and of interfaces only halves."""
    SAC(Line, **SMALL)  # the session's cache now holds the objects that this copy starts from
    shutil.copytree(cache_directory, target, ignore=shutil.ignore_patterns("*.lock", ".*"))
    for path in (target / "files").glob("*.so"):
        path.write_bytes(path.read_bytes()[:1000])
    return Cache.open(target)


@pytest.mark.parametrize("word", ["Compiling", "Finished"])
def test_who_stops_listening_gets_a_message_and_loses_no_interface(
    word: str, tmp_path: Path, cache_directory: Path
) -> None:
    cache = damaged_copy(cache_directory, tmp_path / "cache")

    def say(line: str) -> None:
        if line.startswith(word):
            raise BrokenPipeError("nobody reads this")

    with pytest.raises(BrokenPipeError, match="nobody reads this"):
        compiler.load(translation_unit(), cache=cache, say=say)
    lines: list[str] = []
    compiler.load(translation_unit(), cache=cache, say=lines.append)
    assert lines[-1].startswith("Using cached" if word == "Finished" else "Finished")


def test_a_damaged_interface_is_compiled_again(tmp_path: Path, cache_directory: Path) -> None:
    cache, lines = damaged_copy(cache_directory, tmp_path / "a cache"), []
    interface = compiler.load(translation_unit(), cache=cache, say=lines.append)
    assert lines == ["Compiling the RLtools interface...", "Finished compiling the RLtools interface."]
    assert interface.module.Trainer
    assert sorted(path.suffix for path in (tmp_path / "a cache" / "files").iterdir() if path.name[0] == ".") == []


def test_two_processes_at_once_compile_once(tmp_path: Path, cache_directory: Path) -> None:
    SAC(Line, **SMALL)
    shutil.copytree(cache_directory, tmp_path / "cache", ignore=shutil.ignore_patterns("*.lock", ".*"))
    (source := tmp_path / "unit.cpp").write_text(translation_unit(ACTOR_HIDDEN_DIM=3, CRITIC_HIDDEN_DIM=2))
    program = (
        "import sys; from pathlib import Path; from rltools_embed.compiling import compiler;"
        "compiler.load(Path(sys.argv[1]).read_text(), say=print)"
    )
    root = str(Path(compiler.__file__).parents[2])
    environment = {ENVIRONMENT_VARIABLE: str(tmp_path / "cache"), "PYTHONPATH": root}

    def start(_: int) -> process.Completed:
        return process.run([sys.executable, "-c", program, source], environment=environment, timeout_s=600)

    with ThreadPoolExecutor(max_workers=2) as pool:
        done = list(pool.map(start, range(2)))
    assert [one.exit_code for one in done] == [0, 0], [one.output for one in done]
    assert sum("Compiling" in one.output for one in done) == 1
    assert sum("Using cached" in one.output for one in done) == 1


def test_the_key_follows_compiler_flags_cpu_and_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = command_line.find()
    build = compiler._Build(compiler=found, cache=Cache.open(tmp_path / "cache"), verbose=False, say=print)
    unit = translation_unit()
    keys = {build._key(unit), build._key(translation_unit(ACTOR_HIDDEN_DIM=3)), build._key(unit, "-O2")}
    other = Compiler(command=found.command, dialect=found.dialect, version="g++ 99")
    keys.add(compiler._Build(compiler=other, cache=build.cache, verbose=False, say=print)._key(unit))
    with monkeypatch.context() as patch:
        patch.setattr(compiler, "cpu_identity", lambda: "another machine in the same home folder")
        keys.add(build._key(unit))
    copied = tmp_path / "include"
    shutil.copytree(compiler.resources.include_dir(), copied)
    monkeypatch.setattr(compiler.resources, "include_dir", lambda: copied)
    assert build._key(unit) in keys
    gemm = copied / "rl_tools" / "rl" / "nn" / "gemm.h"
    gemm.write_text(gemm.read_text() + "\n")
    keys.add(build._key(unit))
    assert len(keys) == 6


# ------------------------------------------------------------------------------------------------ compilers


def test_without_a_compiler_the_message_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hints = {"Linux": "sudo apt install g++", "Darwin": "xcode-select --install", "Windows": "Visual Studio Installer"}
    for system, words in hints.items():
        monkeypatch.setattr(platform, "system", lambda system=system: system)
        with pytest.raises(ToolchainError, match="no C\\+\\+ compiler") as caught:
            command_line.find({"PATH": str(tmp_path)})
        assert words in caught.value.hint


@pytest.mark.parametrize("variable", ["RL_TOOLS_COMPILER", "CXX"])
def test_a_compiler_that_does_not_exist_is_named_with_its_variable(variable: str) -> None:
    with pytest.raises(ToolchainError, match=f"{variable} is 'nope\\+\\+', and there is no such program"):
        command_line.find({variable: "nope++", "PATH": os.environ["PATH"]})


def fake_compiler(folder: Path, script: str) -> Path:
    folder.mkdir(parents=True)
    path = folder / "my g++"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def fake_program(path: Path) -> Path:
    path.write_text("#!/bin/sh\necho fake 1\n")
    path.chmod(0o755)
    return path


def test_a_compiler_whose_path_has_a_space_is_found(tmp_path: Path) -> None:
    path = fake_compiler(tmp_path / "a folder", "echo fake clang version 1")
    assert command_line.find({"CXX": str(path)}).command == (str(path),)
    assert command_line.find({"CXX": str(path)}).dialect is Dialect.CLANG


def test_a_launcher_with_arguments_is_understood() -> None:
    found = command_line.find({"CXX": "env g++", "PATH": os.environ["PATH"]})
    assert [Path(part).name for part in found.command] == ["env", "g++"]


@pytest.mark.parametrize(
    ("chosen", "instead"),
    [
        ("gcc", "g++"),
        ("gcc-12", "g++-12"),
        ("cc", "c++"),
        ("clang", "clang++"),
        ("x86_64-linux-gnu-gcc", "x86_64-linux-gnu-g++"),
        ("env gcc -O1", "g++"),
    ],
)
def test_a_compiler_for_c_is_refused_with_the_one_for_cpp(tmp_path: Path, chosen: str, instead: str) -> None:
    fake_program(tmp_path / chosen.split()[0])
    with pytest.raises(ToolchainError, match=f"CXX is {re.escape(repr(chosen))}, a compiler for C") as caught:
        command_line.find({"CXX": chosen, "PATH": str(tmp_path)})
    assert caught.value.hint == f"use {instead}"


@pytest.mark.parametrize(
    "chosen",
    ["g++", "g++-12", "c++", "clang++", "clang++-14", "ccache g++", "clang --driver-mode=g++", "g++ -isystem /opt/gcc"],
)
def test_a_compiler_for_cpp_is_taken_by_any_of_its_names(tmp_path: Path, chosen: str) -> None:
    path = fake_program(tmp_path / chosen.split()[0])
    found = command_line.find({"CXX": chosen, "PATH": str(tmp_path)})
    assert found.command == (str(path), *chosen.split()[1:])


def test_what_the_compiler_said_is_in_the_error_and_in_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'test "$1" = --version && echo "g++ fake 1" && exit 0; echo "x.h:1: error: flux"; exit 3'
    path = fake_compiler(tmp_path / "a folder", script)
    monkeypatch.setenv("RL_TOOLS_COMPILER", str(path))
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(BuildError, match="error: flux") as caught:
        SAC(Line, **SMALL)
    log = Path(caught.value.hint.removeprefix("the whole output is in "))
    assert "error: flux" in log.read_text()


def told_by(folder: Path, output: str) -> list[str]:
    """What of a failed command's output is in the error."""
    (folder / "said").write_text(output)
    path = fake_compiler(folder / "bin", f'cat "{folder}/said"; exit 1')
    found = compiler_of(Dialect.GCC, str(path))
    build = compiler._Build(compiler=found, cache=Cache.open(folder / "cache"), verbose=False, say=print)
    with pytest.raises(BuildError) as caught:
        build._run([path], "name")
    return caught.value.message.splitlines()[1:]


@pytest.mark.parametrize(
    "reason",
    [
        "a.cpp:(.text+0x5): undefined reference to `product'",
        "/usr/bin/ld: cannot find -lfoo: No such file or directory",
        "/usr/bin/ld: final link failed: No space left on device",
        "ld: symbol(s) not found for architecture arm64",
    ],
)
def test_a_linkers_reason_is_in_the_error_beside_its_drivers(tmp_path: Path, reason: str) -> None:
    driver = "collect2: error: ld returned 1 exit status"
    assert told_by(tmp_path, f"x.h:1: note: here\n{reason}\n{driver}\n") == [reason, driver]


def test_of_many_lines_the_errors_go_first_and_a_dozen_remain(tmp_path: Path) -> None:
    errors = [f"x.h:{number}: error: flux" for number in range(12)]
    assert told_by(tmp_path, "\n".join([*errors, "ld: undefined reference", "x.h:9: note: here"])) == errors


def test_where_nothing_is_called_an_error_the_last_lines_remain(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(20)]
    assert told_by(tmp_path, "\n".join(lines)) == lines[-12:]


LIBRARIES = Path(sys.base_prefix) / "libs"


def compiler_of(dialect: Dialect, *command: str) -> Compiler:
    return Compiler(command=command or ("c++",), dialect=dialect, version="1")


@pytest.mark.parametrize(
    ("dialect", "system", "machine", "expected", "absent"),
    [
        (Dialect.GCC, "Linux", "x86_64", "-fno-gnu-unique", "-mcpu=native"),
        (Dialect.CLANG, "Linux", "x86_64", "-march=native", "-fno-gnu-unique"),
        (Dialect.CLANG, "Darwin", "arm64", "-mcpu=native", "-march=native"),
        (Dialect.GCC, "Darwin", "arm64", "-mcpu=native", "-fno-gnu-unique"),
        (Dialect.GCC, "Linux", "aarch64", "-mcpu=native", "-mprefer-vector-width=512"),
        (Dialect.CLANG_CL, "Windows", "AMD64", "/clang:-mprefer-vector-width=512", "-fPIC"),
        (Dialect.MSVC, "Windows", "AMD64", "/fp:precise", "-fPIC"),
        (Dialect.MSVC, "Windows", "ARM64", "/O2", "/arch:AVX2"),
    ],
)
def test_flags_suit_the_machine(dialect: Dialect, system: str, machine: str, expected: str, absent: str) -> None:
    found = compiler_of(dialect).flags("-O2", system, machine)
    assert expected in found
    assert absent not in found
    assert not [flag for flag in found if "fast-math" in flag]


@pytest.mark.parametrize(
    ("dialect", "system", "expected"),
    [
        (Dialect.GCC, "Linux", ["-shared", "a b.o", "-o", "m.so", "-lblas"]),
        (Dialect.CLANG, "Darwin", ["-bundle", "-undefined", "dynamic_lookup", "a b.o", "-o", "m.so", "-lblas"]),
        *(
            (dialect, "Windows", ["/LD", "a b.o", "/Fem.so", "-lblas", "/link", f"/LIBPATH:{LIBRARIES}"])
            for dialect in (Dialect.CLANG_CL, Dialect.MSVC)
        ),
    ],
)
def test_a_module_is_linked_as_the_system_does(dialect: Dialect, system: str, expected: list[str]) -> None:
    command = compiler_of(dialect).link_command([Path("a b.o")], Path("m.so"), ["-lblas"], system)
    assert [str(part) for part in command] == ["c++", *expected]  # libpython is in none of them


@pytest.mark.skipif(not shutil.which("clang++"), reason="clang++ is not installed")
def test_clang_knows_every_flag_of_its_microsoft_dialect(tmp_path: Path) -> None:
    (source := tmp_path / "a b.cpp").write_text("int answer() { return 42; }")
    clang_cl = command_line.find({"CXX": "clang++ --driver-mode=cl", "PATH": os.environ["PATH"]})
    assert clang_cl.dialect is Dialect.CLANG_CL
    flags = clang_cl.flags("-O2", "Windows", platform.machine())
    done = process.run(clang_cl.object_command(source, tmp_path / "a b.obj", flags), timeout_s=60)
    assert (done.exit_code, done.output) == (0, "")  # an unknown flag would be a warning
    assert (tmp_path / "a b.obj").stat().st_size > 0


# Clang knows them as well, and refuses none: neither a misspelt flag nor one that only GCC has.
@pytest.mark.skipif(not shutil.which("clang++"), reason="clang++ is not installed")
def test_clang_knows_every_flag_of_microsofts_own_compiler(tmp_path: Path) -> None:
    (source := tmp_path / "a b.cpp").write_text("int answer() { return 42; }")
    cl = compiler_of(Dialect.MSVC, "clang++", "--driver-mode=cl", "-DRL_TOOLS_NO_GNU_EXTENSIONS")
    for optimisation in ("-O1", "-O2"):
        flags = cl.flags(optimisation, "Windows", platform.machine())
        done = process.run(cl.object_command(source, tmp_path / "a b.obj", flags), timeout_s=60)
        assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / "a b.obj").stat().st_size > 0


CPU = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPU.exists(), reason="the system does not tell what its CPU has")
def test_microsofts_own_compiler_gets_avx2_where_the_cpu_has_it() -> None:
    has_avx2 = " avx2 " in CPU.read_text(encoding="utf-8")
    flags = compiler_of(Dialect.MSVC).flags("-O2", "Windows", platform.machine())
    assert command_line.has_avx2() == has_avx2 == ("/arch:AVX2" in flags)


@pytest.mark.parametrize("folder", ["bin", "a folder"])
def test_microsofts_own_compiler_is_known_by_its_name_and_its_banner(tmp_path: Path, folder: str) -> None:
    path = stand_in_cl(tmp_path / folder)
    for environment in ({"CXX": "cl", "PATH": str(path.parent)}, {"CXX": str(path)}):
        found = command_line.find(environment)
        assert (found.command, found.dialect, found.version) == ((str(path),), Dialect.MSVC, BANNER)
    launched = command_line.find({"CXX": f"env '{path}'", "PATH": os.environ["PATH"]})
    assert (launched.command[1:], launched.dialect) == ((str(path),), Dialect.MSVC)


def test_a_cl_that_tells_no_version_is_refused(tmp_path: Path) -> None:
    path = stand_in_cl(tmp_path / "bin")
    path.write_text("#!/bin/sh\necho this is another program; exit 3\n")
    with pytest.raises(ToolchainError, match=r"tells no version \(exit code 3\)"):
        command_line.find({"CXX": str(path)})


def test_on_windows_clang_cl_goes_before_cl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    path = stand_in_cl(tmp_path / "bin")
    assert command_line.find({"PATH": str(path.parent)}).dialect is Dialect.MSVC
    (clang_cl := path.with_name("clang-cl")).write_text("#!/bin/sh\necho clang version 18\n")
    clang_cl.chmod(0o755)
    assert command_line.find({"PATH": str(path.parent)}).dialect is Dialect.CLANG_CL


def test_on_windows_a_launchers_paths_keep_their_backslashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    path = fake_compiler(tmp_path / "bin", "test \"$1 $2\" = 'C:\\a folder\\g++.exe --version' && echo clang version 1")
    found = command_line.find({"CXX": f'"{path}" "C:\\a folder\\g++.exe"'})
    assert found.command == (str(path), "C:\\a folder\\g++.exe")


@pytest.mark.parametrize("dialect", [Dialect.CLANG_CL, Dialect.MSVC])
def test_with_microsofts_linker_our_own_kernels_replace_a_blas(
    dialect: Dialect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cl = compiler_of(dialect, str(stand_in_cl(tmp_path / "bin")))
    monkeypatch.setattr(compiler.backends, "locate", lambda name, system: compiler.Backend(name=name, title="OpenBLAS"))
    lines: list[str] = []
    build = compiler._Build(compiler=cl, cache=Cache.open(tmp_path / "cache"), verbose=False, say=lines.append)
    assert build.find_backend("openblas") == compiler.OWN
    assert lines == [f"OpenBLAS cannot be linked by {dialect.value}; training uses our own kernels"]


def inclusions(found: Compiler, source: Path, folder: Path, environment: dict[str, str]) -> set[Path]:
    (listed := folder / "listed").unlink(missing_ok=True)
    done = process.run(found.inclusions_command(source, listed, (f"-I{compiler.resources.include_dir()}",)))
    assert done.exit_code == 0, done.output
    return set(found.inclusions(listed.read_text(encoding="utf-8"), environment))


@pytest.mark.skipif(not shutil.which("clang++"), reason="clang++ is not installed")
def test_every_dialect_names_the_same_inclusions(tmp_path: Path) -> None:
    (folder := tmp_path / "a folder #1").mkdir()
    (folder / "own.h").write_text('#include "deeper.h"\n')
    (folder / "deeper.h").write_text("#include <rl_tools/compiler.h>\n#include <stddef.h>\n")
    (source := folder / "unit.cpp").write_text('#include "own.h"\n')
    compilers = (
        command_line.find({"CXX": "g++", "PATH": os.environ["PATH"]}),
        command_line.find({"CXX": "clang++ --driver-mode=cl", "PATH": os.environ["PATH"]}),
        command_line.find({"CXX": str(stand_in_cl(tmp_path / "bin"))}),
    )
    system = {"INCLUDE": "/usr/include;/usr/lib;"}
    found = [inclusions(one, source, tmp_path, system) - {source} for one in compilers]
    ours = compiler.resources.include_dir() / "rl_tools" / "compiler.h"
    assert found == 3 * [{folder / "own.h", folder / "deeper.h", ours}]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("clang++"), reason="clang++ is not installed")
def test_clang_compiles_an_interface_in_a_folder_with_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RL_TOOLS_COMPILER", "clang++")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "the cache"))
    state = SAC(Line, **SMALL).State(0)
    while not state.step():
        pass
    assert state.step_count == 40
