"""The one-definition rule: what two translation units both include links and runs, at every optimisation level."""

from __future__ import annotations

import re
import shutil
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pybind11
import pytest

from rltools_embed import process, resources
from rltools_embed.policy import checkpoint
from rltools_embed.policy.layers import Rescale, SampleAndSquash, Standardize, Td3Sampling
from rltools_embed.policy.model import Policy, Signal
from tests import policies
from tests.cpp_program import COMPILERS, WARNINGS

TWO_UNITS = Path(__file__).parent.parent / "cpp" / "two_units.cpp"
LEVELS = (*((compiler, level) for compiler in COMPILERS for level in ("-O0", "-O2")), ("g++", "-O1"), ("g++", "-O3"))


def policy_of_every_kind_of_layer() -> Policy:
    """One after another, with actuators of their own: what all kinds of policies are made of."""
    rng = np.random.default_rng(7)
    low = np.array([-2.0], np.float32)
    policy = policies.policy_of(
        Standardize(mean=np.zeros(3, np.float32), precision=np.full(3, 0.5, np.float32)),
        policies.random_gru(rng, 3, 4),
        policies.random_mlp(rng, (4, 5, 4)),
        policies.random_mlp(rng, (4, 2), log_std=True),
        SampleAndSquash(output_dim=1, log_std_lower_bound=-20.0, log_std_upper_bound=2.0),
        Td3Sampling(output_dim=1, std=0.1),
        Rescale(low=low, high=-low),
    )
    bounds = {"action": (replace(policy.action[0], low=-2.0, high=2.0),)}
    return replace(policy, **bounds, actuator=(Signal(name="torque", low=-0.5, high=7.25),))


def link_two_units(folder: Path, compiler: str, *flags: str, include: Path | None = None) -> str:
    """What the program of both translation units prints: mismatches, and whether they differ."""
    (folder / "checkpoint.h").write_text(checkpoint.dumps(policy_of_every_kind_of_layer()), encoding="utf-8")
    found = (f"-I{include or resources.include_dir()}", f"-I{folder}")
    objects = []
    for unit, own in (("one", ("-DMAIN",)), ("other", ())):
        objects.append(folder / f"{unit}.o")
        command = [compiler, "-std=c++17", *WARNINGS, *flags, *found, f"-DUNIT={unit}", *own, "-c", TWO_UNITS]
        done = process.run([*command, "-o", objects[-1]])
        assert done.exit_code == 0, done.output
    done = process.run([compiler, *flags, *objects, "-o", folder / "program"])
    if done.exit_code != 0:
        pytest.fail(f"{compiler} {' '.join(flags)} did not link:\n{done.output[-2000:]}")
    return process.run([folder / "program"]).output.strip()


@pytest.mark.parametrize(("compiler", "level"), [pair for pair in LEVELS if pair[0] in COMPILERS])
def test_a_policy_can_be_used_in_two_translation_units(tmp_path: Path, compiler: str, level: str) -> None:
    assert link_two_units(tmp_path, compiler, level) == "0 0"


def test_numbers_that_the_whole_program_shares_do_not_link(tmp_path: Path) -> None:
    """GCC throws away the arrays of all translation units but one: the reason for `static` there."""
    if "g++" not in COMPILERS:
        pytest.skip("g++ is not installed")
    include = tmp_path / "include"
    shutil.copytree(resources.include_dir() / "rl_tools", include / "rl_tools")
    header = include / "rl_tools" / "embed" / "policy.h"
    text = header.read_text(encoding="utf-8")
    header.write_text(text.replace("static constexpr auto numbers_in_flash", "inline constexpr auto numbers_in_flash"))
    assert header.read_text(encoding="utf-8") != text
    with pytest.raises(pytest.fail.Exception, match="did not link"):  # below -O3 nothing refers to the arrays any more
        link_two_units(tmp_path, "g++", "-O3", include=include)


# Added behind the library's headers: what the linker must name, and nothing else.
SEEDED = "int not_inline() { return 1; }\nint not_const = 1;\n"


def test_every_header_can_be_included_in_two_translation_units(tmp_path: Path) -> None:
    """All headers are in an object that is linked with a copy of itself."""
    root = resources.include_dir()
    headers = (path.relative_to(root).as_posix() for path in sorted((root / "rl_tools").rglob("*.h")))
    source, one, other = (tmp_path / name for name in ("all.cpp", "one.o", "other.o"))
    source.write_text("".join(f"#include <{header}>\n" for header in headers) + SEEDED, encoding="utf-8")
    python = (f"-I{sysconfig.get_path('include')}", f"-I{pybind11.get_include()}")
    flags = ("-std=c++17", "-O0", "-fPIC", "-w", f"-I{root}", *python)
    compiled = process.run([COMPILERS[0], *flags, "-c", source, "-o", one])
    assert compiled.exit_code == 0, compiled.output
    shutil.copy(one, other)

    linked = process.run([COMPILERS[0], "-shared", one, other, "-o", tmp_path / "both.so"])

    twice = re.findall(r"multiple definition of [`']([^`']+)'", linked.output)
    assert twice == ["not_inline()", "not_const"], linked.output
