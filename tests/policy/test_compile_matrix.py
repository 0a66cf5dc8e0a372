"""The headers under every standard, compiler, order and set of macros that a firmware project may bring."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rltools_embed import process, resources
from rltools_embed.policy import checkpoint
from rltools_embed.policy.arithmetic import Arithmetic
from tests import policies
from tests.cases import every_second
from tests.cpp_program import COMPILERS, compile_program

ROOT = Path(__file__).parent.parent.parent
CPP = ROOT / "tests" / "cpp"
DESIGN_PROGRAM = (CPP / "design_program.cpp").read_text(encoding="utf-8")
CROSS = "arm-none-eabi-g++"
needs_cross_compiler = pytest.mark.skipif(shutil.which(CROSS) is None, reason=f"{CROSS} is not installed")

# Older compilers join where they are installed.
ALL_COMPILERS = (*COMPILERS, *(name for name in ("g++-8", "g++-9", "g++-10", "g++-11") if shutil.which(name)))
STANDARDS = ("-std=c++17", "-std=c++20", "-std=c++2b")
ON_A_TARGET = ("-fno-exceptions", "-fno-rtti")


def target_headers() -> list[str]:
    """Every header that is copied into a firmware project, as it is included."""
    root = resources.include_dir()
    headers = (path.relative_to(root) for path in sorted((root / "rl_tools").rglob("*.h")))
    return [header.as_posix() for header in headers if not {"rl", "bindings", "training"} & set(header.parts)]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_design_program(folder: Path, text: str = DESIGN_PROGRAM) -> Path:
    write(folder / "pendulum_ppo_checkpoint.h", checkpoint.dumps(policies.ppo_policy(hidden=6)))
    return write(folder / "a" / "b" / "main.cpp", text)


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("compiler", ALL_COMPILERS)
def test_headers_and_the_design_program_compile_under_every_standard(
    tmp_path: Path, compiler: str, standard: str
) -> None:
    includes = "".join(f"#include <{header}>\n" for header in target_headers())
    flags = ["-fsyntax-only", standard, *ON_A_TARGET]
    compile_program(write_design_program(tmp_path), tmp_path / "x", compiler=compiler, flags=flags)
    compile_program(write(tmp_path / "all.cpp", includes), tmp_path / "x", compiler=compiler, flags=flags)


@needs_cross_compiler
@pytest.mark.parametrize("standard", STANDARDS)
def test_headers_compile_for_a_target_under_every_standard(tmp_path: Path, standard: str) -> None:
    includes = "".join(f"#include <{header}>\n" for header in target_headers())
    flags = ("-fsyntax-only", "-mcpu=cortex-m4", "-mthumb", standard, *ON_A_TARGET)
    compile_program(write(tmp_path / "all.cpp", includes), tmp_path / "x", compiler=CROSS, flags=flags)


def test_an_older_standard_is_refused_in_a_sentence(tmp_path: Path) -> None:
    source = write(tmp_path / "old.cpp", "#include <rl_tools/rl_tools.h>\n")
    with pytest.raises(pytest.fail.Exception, match=r"compile as C\+\+17 or later"):
        compile_program(source, tmp_path / "old", flags=("-std=c++14", "-fsyntax-only"))


def orders(count: int) -> list[list[str]]:
    """The program's includes as written, backwards, and shuffled; the checkpoint is one of them."""
    includes = re.findall(r"^#include .*$", DESIGN_PROGRAM, flags=re.MULTILINE)
    shuffled = random.Random(0)
    return [includes, includes[::-1], *(shuffled.sample(includes, len(includes)) for _ in range(count - 2))]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_order_of_the_includes_does_not_matter(tmp_path: Path, compiler: str) -> None:
    first = orders(2)[0]
    head, tail = DESIGN_PROGRAM.split("\n".join(first))
    printed = set()
    for index, order in enumerate(orders(6)):
        source = write_design_program(tmp_path / str(index), head + "\n".join(order) + tail)
        program = compile_program(source, tmp_path / f"program_{index}", compiler=compiler)
        printed.add(subprocess.run([program], capture_output=True, check=True).stdout)
    assert len(printed) == 1


@pytest.mark.parametrize("compiler", [*COMPILERS, pytest.param(CROSS, marks=needs_cross_compiler)])
def test_macros_of_board_support_headers_do_no_harm(tmp_path: Path, compiler: str) -> None:
    write(tmp_path / "checkpoint.h", checkpoint.dumps(policies.ppo_policy(hidden=6)))
    includes = "".join(f"#include <{header}>\n" for header in target_headers())
    use = """#include "checkpoint.h"
        using Policy = rl_tools::embed::Policy<rl_tools::devices::DefaultARM, policy::Checkpoint>;
        void run(const float* observation, float* action, unsigned char* digest) {
            Policy::evaluate(observation, action);
            Policy::digest(digest);
        }
        const char* const* names[] = {policy::meta::action_names, policy::meta::action_units,
                                      policy::meta::observation_names, policy::meta::observation_units};
        const void* texts[] = {policy::meta::name, policy::meta::environment, policy::meta::algorithm,
                               policy::meta::digest, &policy::meta::control_period_s};
    """
    source = write(tmp_path / "sketch.cpp", f'#include "{CPP / "board_macros.h"}"\n{includes}{use}')
    compile_program(source, tmp_path / "sketch.o", compiler=compiler, flags=("-c", *ON_A_TARGET))


# GCC 8, which Arduino's ESP32 core brings, and its likes: `.ci/gcc-8` fetches it, `make test` calls that.
GCC_8 = ROOT / ".venv" / "gcc-8"
M4F = ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
M7F = ("-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16")
OLD_TAGS = {"CortexM0Plus": ("-mcpu=cortex-m0plus",), "ARM": M4F, "CortexM4F": M4F, "CortexM7F": M7F}
ON_AN_OLD_TARGET = ("-std=gnu++17", "-mthumb", *ON_A_TARGET)


@pytest.fixture
def gcc_8() -> str:
    if not (GCC_8 / "complete").exists():
        reason = "GCC 8 is not in .venv/gcc-8: `.ci/gcc-8 .venv/gcc-8` fetches it or says why it cannot"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return str(GCC_8 / "usr" / "bin" / CROSS)


@pytest.mark.parametrize("machine", [OLD_TAGS["CortexM0Plus"], M4F], ids=["m0plus", "m4f"])
def test_headers_and_the_design_program_compile_with_gcc_8(
    tmp_path: Path, gcc_8: str, machine: tuple[str, ...]
) -> None:
    includes = "".join(f"#include <{header}>\n" for header in target_headers())
    flags = (*ON_AN_OLD_TARGET, *machine, "-fsyntax-only")
    compile_program(write_design_program(tmp_path), tmp_path / "x", compiler=gcc_8, flags=flags)
    compile_program(write(tmp_path / "all.cpp", includes), tmp_path / "x", compiler=gcc_8, flags=flags)


USE_OF_A_CHECKPOINT = """
#include <rl_tools/devices/arm.h>
#include <rl_tools/embed/policy.h>
#include "checkpoint.h"
using Policy = rl_tools::embed::Policy<rl_tools::devices::TAG<rl_tools::arithmetic::ROUNDING>, policy::Checkpoint>;
uint32_t run(const float* observation, float* action, uint8_t* digest) {
    uint32_t examples = 0;
    Policy::step(observation, action);
    Policy::trace(0, observation, action);
    Policy::digest(digest);
    return Policy::self_test(examples);
}
"""


@pytest.mark.parametrize(
    ("name", "tag", "rounding"),
    [
        *every_second(["sac", "td3", "ppo"], OLD_TAGS, ["Separate"]),
        *every_second(["gru"], OLD_TAGS, ["Separate", "Fused"]),
    ],
)
def test_checkpoints_compile_to_objects_with_gcc_8(
    tmp_path: Path, gcc_8: str, name: str, tag: str, rounding: str
) -> None:
    policy = policies.sac_policy(hidden=16) if name == "sac" else POLICIES[name]()
    write(tmp_path / "checkpoint.h", checkpoint.dumps(policy))
    source = write(tmp_path / "use.cpp", USE_OF_A_CHECKPOINT)
    flags = (*ON_AN_OLD_TARGET, *OLD_TAGS[tag], "-O2", "-c", f"-DTAG={tag}", f"-DROUNDING={rounding}")
    compile_program(source, tmp_path / "use.o", compiler=gcc_8, flags=flags)
    text = int(process.run(["arm-none-eabi-size", tmp_path / "use.o"]).output.splitlines()[1].split()[0])
    assert text > 4 * policy.parameter_count


@needs_cross_compiler
def test_gcc_8_refuses_what_came_after_it(tmp_path: Path, gcc_8: str) -> None:
    source = write(tmp_path / "newer.cpp", "static_assert(__builtin_bit_cast(unsigned, 1.0F) == 0x3F800000U);\n")
    compile_program(source, tmp_path / "x", compiler=CROSS, flags=("-fsyntax-only",))
    with pytest.raises(pytest.fail.Exception, match="__builtin_bit_cast"):
        compile_program(source, tmp_path / "x", compiler=gcc_8, flags=("-fsyntax-only", "-std=gnu++17"))


CORES = {
    "m0plus": (("-mcpu=cortex-m0plus",), Arithmetic.SEPARATE),
    "m3": (("-mcpu=cortex-m3",), Arithmetic.SEPARATE),
    "m0plus_fused": (("-mcpu=cortex-m0plus",), Arithmetic.FUSED),
    "m3_fused": (("-mcpu=cortex-m3",), Arithmetic.FUSED),
    "m4f": (("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), Arithmetic.SEPARATE),
    "m4f_fused": (("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), Arithmetic.FUSED),
    "m7f": (("-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"), Arithmetic.SEPARATE),
}
WITH_THEIR_INSTRUCTIONS = ("m0plus", "m3", "m4f", "m4f_fused", "m7f")
POLICIES = {
    "sac": policies.sac_policy,
    "td3": policies.td3_policy,
    "ppo": policies.ppo_policy,
    "gru": policies.gru_policy,
}
ROUNDING = {Arithmetic.SEPARATE: "Separate", Arithmetic.FUSED: "Fused"}


@needs_cross_compiler
@pytest.mark.parametrize(
    ("name", "core", "optimisation"),
    [
        *itertools.product(["sac", "td3", "ppo", "gru"], WITH_THEIR_INSTRUCTIONS, ["-O2", "-Os"]),
        ("sac", "m4f", "-O0"),
        ("gru", "m0plus_fused", "-Os"),
        ("gru", "m3_fused", "-O2"),
    ],
)
def test_inference_links_without_an_allocator_and_without_the_c_library(
    tmp_path: Path, name: str, core: str, optimisation: str
) -> None:
    machine, arithmetic = CORES[core]
    policy = POLICIES[name]()
    write(tmp_path / "checkpoint.h", checkpoint.dumps(policy))
    flags = ("-mthumb", *machine, optimisation, *ON_A_TARGET, f"-DROUNDING={ROUNDING[arithmetic]}")
    link = (f"-I{tmp_path}", "-nostdlib", "-Wl,--gc-sections", "-Wl,-Ttext=0x8000")
    elf = compile_program(
        CPP / "inference.cpp", tmp_path / "inference.elf", compiler=CROSS, flags=(*flags, *link), libraries=("-lgcc",)
    )
    symbols = process.run(["arm-none-eabi-nm", "-C", elf]).output
    for forbidden in ("malloc", "_sbrk", "operator new", "__cxa", "_impure_ptr", "__aeabi_dmul", "_GLOBAL__sub_I"):
        assert forbidden not in symbols
    text, data = (int(size) for size in process.run(["arm-none-eabi-size", elf]).output.splitlines()[1].split()[:2])
    assert text > 4 * policy.parameter_count  # the weights are there, and only in flash
    assert data == 0


@needs_cross_compiler
def test_a_program_with_an_allocator_would_not_link(tmp_path: Path) -> None:
    write(tmp_path / "checkpoint.h", checkpoint.dumps(policies.td3_policy()))
    text = (CPP / "inference.cpp").read_text(encoding="utf-8")
    source = write(tmp_path / "heap.cpp", text.replace("float action[", "float* volatile action = new float["))
    assert "new float" in source.read_text(encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="undefined reference to `operator new"):
        flags = ("-mcpu=cortex-m3", "-mthumb", "-O2", "-DROUNDING=Separate", f"-I{tmp_path}", "-nostdlib")
        compile_program(source, tmp_path / "heap.elf", compiler=CROSS, flags=flags, libraries=("-lgcc",))
