"""The C++ derivatives against finite differences in float64, with each compiler that is here."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

from rltools_embed import process, resources
from rltools_embed.compiling import command_line
from tests.cases import some

SOURCES = Path(__file__).parent.parent / "cpp" / "training"
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
PORTABLE = "-DRL_TOOLS_NO_GNU_EXTENSIONS"
FEW = "101"  # compare only every 101st derivative of an array
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def flags_of_training(name: str) -> tuple[str, ...]:
    found = command_line.find({"RL_TOOLS_COMPILER": name, "PATH": str(Path(shutil.which(name) or "").parent)})
    return found.flags("-O0", platform.system(), platform.machine())


def build(
    folder: Path, name: str, *extra: str, source: str = "gradients", flags: tuple[str, ...] | None = None
) -> Path:
    flags = flags_of_training(name) if flags is None else flags
    warnings = ("-Wall", "-Wextra", "-Werror")
    program = folder / source
    command = [name, *flags, *warnings, *extra, f"-I{resources.include_dir()}"]
    built = process.run([*command, SOURCES / f"{source}.cpp", "-o", program], timeout_s=600)
    assert built.exit_code == 0, built.output
    return program


def run(program: Path, *arguments: str) -> process.Completed:
    return process.run([program, *arguments], timeout_s=600)


@pytest.mark.parametrize("name", some(zip(COMPILERS), lambda name: name == COMPILERS[0]))
def test_every_derivative_agrees_with_finite_differences(name: str, tmp_path: Path) -> None:
    program = build(tmp_path, name, "-O1")
    done = run(program)
    assert done.exit_code == 0, done.output
    # The same program notices a derivative that is off by a thousandth.
    assert run(program, FEW, "fault").exit_code == 1


@pytest.mark.parametrize("name", COMPILERS)
def test_vector_functions_are_as_exact_as_floats_allow(name: str, tmp_path: Path) -> None:
    done = run(build(tmp_path, name, "-O2", source="functions"))
    assert done.exit_code == 0, done.output


# Of the shortest vectors, which compile soonest; those of this CPU are below.
@pytest.mark.slow
@pytest.mark.long
def test_every_derivative_agrees_with_portable_vectors(tmp_path: Path) -> None:
    done = run(build(tmp_path, COMPILERS[0], PORTABLE, flags=("-std=c++17", "-O1")))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", COMPILERS)
def test_portable_vector_functions_are_as_exact_as_floats_allow(name: str, tmp_path: Path) -> None:
    done = run(build(tmp_path, name, "-O2", PORTABLE, source="functions"))
    assert done.exit_code == 0, done.output


# Sanitizers watch the memory of every pass; that each number of an array is nudged in turn shows them nothing new.
@pytest.mark.slow
@pytest.mark.parametrize("name", some(zip(COMPILERS), lambda name: name == COMPILERS[-1]))
def test_no_sanitizer_complains_about_training(name: str, tmp_path: Path) -> None:
    done = run(build(tmp_path, name, "-O0", *SANITIZE), FEW)
    assert done.exit_code == 0, done.output
