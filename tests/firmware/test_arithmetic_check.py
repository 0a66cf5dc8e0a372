"""Firmware whose floats are not IEEE 754's: put right where the core can be, named by `validate` where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rltools_embed.device.client import Client
from rltools_embed.device.link import open_link
from rltools_embed.device.messages import ArithmeticFault as Fault
from rltools_embed.device.messages import FloatMode
from rltools_embed.firmware import board as boards
from rltools_embed.validation import Counts, Report, Settings, validate
from tests import boards as projects
from tests import policies
from tests.firmware.projects import Running, emulated

POLICY = policies.small_number_policy()
CORTEX_M4F, CORTEX_M0, XTENSA = "qemu_mps2_an386", "qemu_microbit", "qemu_xtensa_de233_fpu"
RP2040 = "rp2040js_pico"
SETTINGS = Settings(counts=Counts(rollout=0, random=60, denormals=64), benchmark_repeats=1)
# FPSCR of the Cortex-M: Armv7-M Architecture Reference Manual, B4.1.58.
FLUSH, DEFAULT_NAN, UP = 1 << 24, 1 << 25, 1 << 22
MODE = "lib/rl_tools/include/rl_tools/math/float_mode.h"
ARITHMETIC = "lib/rl_tools/include/rl_tools/math/arithmetic.h"


def set_mode(statement: str) -> str:
    functions = f"void control_setup() {{ {statement} }}\nbool control_loop() {{ return false; }}\n"
    return f'#include "rlt_embed/control.h"\n{functions}'


def set_fpscr(bits: int) -> str:
    return set_mode(
        f'unsigned x; asm volatile("vmrs %0, fpscr" : "=r"(x)); x |= {bits}u; asm volatile("vmsr fpscr, %0" :: "r"(x));'
    )


SET_FCR = set_mode('unsigned x = 2; asm volatile("wur.fcr %0" :: "r"(x));')


@dataclass(frozen=True, kw_only=True)
class Built:
    """A firmware with one thing in it that changes how it computes."""

    report: Report
    faults: Fault | None
    mode: FloatMode | None

    @property
    def failed(self) -> set[str]:
        return {check.name for check in self.report.checks if not check.passed}

    def message(self, name: str) -> str:
        return next(check.message for check in self.report.checks if check.name == name)


@pytest.fixture
def built(tmp_path: Path, running: Running) -> Callable[..., Built]:
    def build(
        name: str, *, control: str = "", edits: dict[str, tuple[str, str]] | None = None, flags: str = ""
    ) -> Built:
        board = boards.load(name)
        board = replace(board, platformio=replace(board.platformio, flags=(*board.platformio.flags, *flags.split())))
        folder = projects.write(replace(projects.spec_of(POLICY, name), boards=(board,)), tmp_path / "project")
        if control:
            (folder / "src/control.cpp").write_text(control)
        for path, (before, after) in (edits or {}).items():
            text = (folder / path).read_text(encoding="utf-8")
            assert before in text
            (folder / path).write_text(text.replace(before, after), encoding="utf-8")
        port = running(folder, name)
        report = validate(folder, port=port, settings=SETTINGS)
        with open_link(port) as link:
            hello = Client(link).hello()
        return Built(report=report, faults=hello.arithmetic_faults, mode=hello.float_mode)

    return build


@emulated
@pytest.mark.parametrize(
    ("name", "control", "mode"),
    [
        pytest.param(CORTEX_M4F, "", FloatMode(0), marks=pytest.mark.long),
        pytest.param(CORTEX_M4F, set_fpscr(FLUSH), FloatMode.FLUSHES_SUBNORMALS, marks=pytest.mark.long),
        pytest.param(CORTEX_M4F, set_fpscr(DEFAULT_NAN), FloatMode.DEFAULT_NAN, marks=pytest.mark.long),
        pytest.param(CORTEX_M4F, set_fpscr(UP), FloatMode.ROUNDS_OTHERWISE, marks=pytest.mark.long),
        (CORTEX_M4F, set_fpscr(FLUSH | DEFAULT_NAN | UP), FloatMode(7)),
        (XTENSA, SET_FCR, FloatMode.ROUNDS_OTHERWISE),
        pytest.param(CORTEX_M0, "", FloatMode(0), marks=pytest.mark.long),
    ],
    ids=["m4", "m4 flush", "m4 default NaN", "m4 up", "m4 all", "xtensa up", "m0"],
)
def test_the_policy_computes_in_the_standard_mode(
    built: Callable[..., Built], name: str, control: str, mode: FloatMode
) -> None:
    """Whatever mode the user's own code sets, the bits are right; and the report says what the mode is."""
    firmware = built(name, control=control)

    assert firmware.report.passed, [check for check in firmware.report.checks if not check.passed]
    assert firmware.faults == 0
    assert firmware.mode == mode
    assert bool(firmware.report.notes and "floating-point unit" in firmware.report.notes[0]) == bool(mode)


NO_GUARD = {MODE: ("if (before_ != 0) {", "if (false) {")}


@emulated
@pytest.mark.parametrize(
    ("name", "changes", "fault", "words", "differs"),
    [
        (CORTEX_M4F, {"control": set_fpscr(FLUSH), "edits": NO_GUARD}, Fault.SUBNORMAL_RESULT, "subnormal", True),
        pytest.param(
            CORTEX_M4F,
            {"control": set_fpscr(DEFAULT_NAN), "edits": NO_GUARD},
            Fault.DEFAULT_NAN,
            "NaN",
            False,
            marks=pytest.mark.long,
        ),
        (CORTEX_M4F, {"control": set_fpscr(UP), "edits": NO_GUARD}, Fault.ROUNDING, "rounded", True),
        pytest.param(
            XTENSA,
            {"control": SET_FCR, "edits": NO_GUARD},
            Fault.ROUNDING,
            "rounded",
            True,
            marks=pytest.mark.long,
        ),
        (
            CORTEX_M4F,
            {"edits": {ARITHMETIC: ('asm("" : "+t"(product));', "")}, "flags": "-ffp-contract=fast"},
            Fault.MULTIPLY_ADD,
            "rounds otherwise",
            False,
        ),
    ],
    ids=["flush", "default NaN", "up", "xtensa up", "contraction"],
)
def test_what_cannot_be_put_right_is_named(
    built: Callable[..., Built], name: str, changes: dict[str, object], fault: Fault, words: str, differs: bool
) -> None:
    firmware = built(name, **changes)

    assert firmware.faults is not None
    assert fault in firmware.faults
    assert "operations" in firmware.failed
    assert words in firmware.message("operations")
    # The observations show it as well, where they can.
    assert not differs or "bits" in firmware.failed


# What pico-sdk wraps, as far as a policy without divisions uses it.
OPERATIONS = ("fadd", "fsub", "fmul")
COMPARISONS = ("fcmpeq", "fcmplt", "fcmple", "fcmpge", "fcmpgt", "fcmpun")
WRAPS = " ".join(f"-Wl,--wrap=__aeabi_{name}" for name in (*OPERATIONS, *COMPARISONS))


def rom_floats() -> str:
    """Functions in place of the compiler's float library that take subnormal numbers as zeros, as a boot ROM's do."""
    lines = [
        "#include <cstring>",
        "static float flushed(float x) {",
        "    unsigned bits; std::memcpy(&bits, &x, 4);",
        "    if ((bits & 0x7F800000u) == 0) { bits = 0; }",
        "    std::memcpy(&x, &bits, 4); return x;",
        "}",
    ]
    for name in OPERATIONS:
        lines.append(f'extern "C" float __real___aeabi_{name}(float, float);')
        lines.append(f'extern "C" __attribute__((used)) float __wrap___aeabi_{name}(float a, float b)')
        lines.append(f"{{ return flushed(__real___aeabi_{name}(flushed(a), flushed(b))); }}")
    for name in COMPARISONS:
        lines.append(f'extern "C" int __real___aeabi_{name}(float, float);')
        lines.append(f'extern "C" __attribute__((used)) int __wrap___aeabi_{name}(float a, float b)')
        lines.append(f"{{ return __real___aeabi_{name}(flushed(a), flushed(b)); }}")
    return "\n".join(lines) + "\n" + set_mode("")


@emulated
@pytest.mark.parametrize("name", [pytest.param(CORTEX_M0, marks=pytest.mark.long), RP2040])
def test_floats_of_a_boot_rom_are_named(built: Callable[..., Built], name: str) -> None:
    """As pico-sdk's link does it: sources know nothing of it, the linker replaces the functions."""
    firmware = built(name, control=rom_floats(), flags=WRAPS)

    assert firmware.faults is not None
    assert Fault.SUBNORMAL_OPERAND | Fault.SUBNORMAL_RESULT in firmware.faults
    assert {"operations", "bits"} <= firmware.failed


@emulated
def test_a_board_file_can_ask_for_the_compilers_own_floats(built: Callable[..., Built]) -> None:
    firmware = built(CORTEX_M0, control=rom_floats(), flags=f"{WRAPS} -DRLT_WRAPPED_FLOATS")

    assert firmware.report.passed, [check for check in firmware.report.checks if not check.passed]
    assert firmware.faults == 0
