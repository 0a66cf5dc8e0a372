"""The kernels of every core, under emulation: the generic kernel's bits, and called where they should be."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from rltools_embed.policy import checkpoint
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Gru, Mlp
from rltools_embed.policy.model import Policy
from tests import policies
from tests.emulation import emulator
from tests.kernels.faults import with_fault

SOURCES = Path(__file__).parent.parent / "cpp" / "kernels"
# Every remainder of a panel's rows and of four inputs, and several panels.
LARGEST = 28
LARGEST_OF_ALL = 70  # by `make test-all`: more than the longest panel reads ahead
FUNCTIONS = ("RELU", "IDENTITY", "RELU", "TANH")


def random_shapes(seed: int, largest: int) -> list[tuple[int, int, str]]:
    """Inputs, outputs and activation: every number of inputs and of outputs from 1 to `largest` once."""
    rng = np.random.default_rng(seed)
    sizes = np.arange(1, largest + 1)
    pairs = zip(rng.permutation(sizes), rng.permutation(sizes), strict=True)
    return [(int(n), int(m), FUNCTIONS[i % len(FUNCTIONS)]) for i, (n, m) in enumerate(pairs)]


def compare_bits(
    folder: Path, core: emulator.Core, arithmetic: str, *flags: str, largest: int = LARGEST, clang: bool = False
) -> tuple[int, int]:
    """How many comparisons the core made, and how many found a difference."""
    shapes = random_shapes(seed=7, largest=largest)
    rows = " ".join(f"SHAPE({inputs}, {outputs}, {function})" for inputs, outputs, function in shapes)
    (folder / "shapes.h").write_text(f"#define SHAPES {rows}\n", encoding="utf-8")
    settings = (f"-I{folder}", f"-DTAG={core.tag}", f"-DARITHMETIC={arithmetic}")
    source, elf = SOURCES / "same_bits.cpp", folder / "same_bits.elf"
    emulator.compile_program(core, source, elf, "-O2", *settings, *flags, clang=clang)
    comparisons, differences = (int(word, 16) for word in emulator.run(core, elf).split())
    return comparisons, differences


# Without an instruction for it, `fused` is one function in every kernel; test_same_bits.py has it on these cores.
MODES = [(core, mode) for core in emulator.CORES for mode in ("Separate", "Fused") if core.fpu or mode == "Separate"]


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.parametrize("largest", [LARGEST, pytest.param(LARGEST_OF_ALL, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("core", "arithmetic"), MODES, ids=lambda value: value if isinstance(value, str) else value.name
)
def test_kernels_give_the_generic_kernels_bits(
    tmp_path: Path, core: emulator.Core, arithmetic: str, largest: int
) -> None:
    # Both layouts of `largest` shapes, five inputs each.
    assert compare_bits(tmp_path, core, arithmetic, largest=largest) == (largest * 2 * 5, 0)


# Of what clang compiles for Arm, one core of each kernel; the others by `make test-all`.
CLANG = {("cortex-m4", "Separate"), ("cortex-m7", "Separate"), ("cortex-m55", "Fused")}
CLANG_MODES = [
    pytest.param(core, mode, marks=() if (core.name, mode) in CLANG else pytest.mark.long)
    for core, mode in MODES
    if core.compiler == emulator.ARM_COMPILER
]


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("clang++") is None, reason="clang++ is not installed")
@pytest.mark.parametrize(
    ("core", "arithmetic"), CLANG_MODES, ids=lambda value: value if isinstance(value, str) else value.name
)
def test_kernels_compiled_by_clang_do_too(tmp_path: Path, core: emulator.Core, arithmetic: str) -> None:
    assert compare_bits(tmp_path, core, arithmetic, clang=True) == (LARGEST * 2 * 5, 0)


# The overload of dense::evaluate that each tag's inference must call, by its device and its layer.
KERNELS = {
    "CortexM0Plus": {("SoftFloatARM", "Layer"): 3},
    "CortexM3": {("SoftFloatARM", "Layer"): 3},
    "CortexM4F": {("CortexM4F", "PanelLayer"): 3},
    "CortexM7F": {("CortexM7F", "PanelLayer"): 3},
    "CortexM33": {("CortexM4F", "PanelLayer"): 3},
    "CortexM55": {("CortexM55", "PanelLayer"): 3},
    "ARM": {("Generic", "PanelLayer"): 3},
    "RISCV": {("Generic", "Layer"): 3},
    "RISCVF": {("Generic", "PanelLayer"): 3},
    "Xtensa": {("Generic", "Layer"): 3},
    "XtensaF": {("Generic", "PanelLayer"): 3},
}
# On the Cortex-M55 a layer without subnormal numbers is not evaluated again.
AGAIN = "evaluate_with_subnormals"
KERNEL = re.compile(r"dense::evaluate<.*>\(rl_tools::devices::(\w+)<.*?> const&, rl_tools::nn::layers::dense::(\w+)<")


def kernel_calls(
    folder: Path, core: emulator.Core, tag: str, *flags: str, policy: Policy | None = None
) -> Counter[tuple[str, str]]:
    """The kernels that one inference entered, and how often."""
    text = checkpoint.dumps(policy or policies.sac_policy(hidden=16))
    (folder / "checkpoint.h").write_text(text, encoding="utf-8")
    instrument = ("-finstrument-functions", "-finstrument-functions-exclude-file-list=bare_metal")
    settings = ("-O1", *instrument, f"-I{folder}", f"-DTAG={tag}", *flags)
    elf = emulator.compile_program(core, SOURCES / "calls.cpp", folder / "calls.elf", *settings)
    numbers = [int(word, 16) for word in emulator.run(core, elf).split()]
    calls = {address & ~1: count for address, count in zip(numbers[::2], numbers[1::2], strict=True)}
    found: Counter[tuple[str, str]] = Counter()
    for name, address in emulator.symbols(elf).items():
        if AGAIN in name:
            found[AGAIN, "PanelLayer"] += calls.get(address & ~1, 0)
        elif kernel := KERNEL.search(name):
            found[kernel[1], kernel[2]] += calls.get(address & ~1, 0)
    return +found


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("core", "tag"),
    [*((core, core.tag) for core in emulator.CORES), (emulator.core("cortex-m4"), "ARM")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_every_layer_runs_the_kernel_of_its_tag(tmp_path: Path, core: emulator.Core, tag: str) -> None:
    assert kernel_calls(tmp_path, core, tag) == KERNELS[tag]


def compile_firmware(folder: Path, core: emulator.Core, policy: Policy, optimisation: str) -> Path:
    (folder / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    flags = (optimisation, f"-I{folder}", f"-DTAG={core.tag}")
    return emulator.compile_program(core, SOURCES / "firmware.cpp", folder / "firmware.elf", *flags)


# Two products for the gates, and the dense layers around them.
@pytest.mark.emulated
@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m7", "cortex-m55"])
def test_the_gates_of_a_gru_run_the_kernel_of_their_core(tmp_path: Path, name: str) -> None:
    core = emulator.core(name)
    policy = policies.gru_policy()
    dense = sum(2 if isinstance(layer, Gru) else 1 for layer in policy.primitives)
    assert kernel_calls(tmp_path, core, core.tag, policy=policy) == {(core.tag, "PanelLayer"): dense}
    elf = compile_firmware(tmp_path, core, policy, "-O2")
    assert emulator.run(core, elf).split() == [digest(policy)]  # written after the self-test has passed


@pytest.mark.emulated
def test_a_sliced_tag_is_found(tmp_path: Path) -> None:
    base = "static_cast<const devices::Generic<typename DEVICE::ARITHMETIC>&>(device)"
    header = "nn_models/sequential/operations_generic.h"
    flag = with_fault(
        tmp_path, header, "evaluate(device, layer, input, target)", f"evaluate({base}, layer, input, target)"
    )
    core = emulator.core("cortex-m7")
    assert kernel_calls(tmp_path, core, core.tag, flag) == {("Generic", "PanelLayer"): 3}


@pytest.mark.emulated
def test_a_relu_that_keeps_nan_is_found(tmp_path: Path) -> None:
    header = "nn/layers/dense/operations_arm/cortex_m4f.h"
    flag = with_fault(tmp_path, header, "(status & UNORDERED) != 0", "(status ^ UNORDERED) == 1U")
    with pytest.raises(RuntimeError, match="qemu-system-arm -M"):  # its exit code is 1 if a bit differs
        compare_bits(tmp_path, emulator.core("cortex-m4"), "Separate", flag)


@pytest.mark.emulated
def test_subnormal_numbers_that_the_vector_unit_flushed_are_found(tmp_path: Path) -> None:
    header = "nn/layers/dense/operations_arm/cortex_m55.h"
    flag = with_fault(tmp_path, header, "if (cortex_m55::has_flushed()) {", "if (false) {")
    with pytest.raises(RuntimeError, match="qemu-system-arm -M"):
        compare_bits(tmp_path, emulator.core("cortex-m55"), "Separate", flag)


READS_BEHIND_RAM = """
extern "C" volatile const float __ram_last_kib[256];
int main() { return __ram_last_kib[INDEX] == 1.0F ? 1 : 0; }
"""


@pytest.mark.emulated
@pytest.mark.parametrize("core", emulator.CORES, ids=lambda core: core.name)
def test_a_read_behind_the_end_of_ram_is_a_fault(tmp_path: Path, core: emulator.Core) -> None:
    source = tmp_path / "read.cpp"
    source.write_text(READS_BEHIND_RAM, encoding="utf-8")
    last, behind = (
        emulator.compile_program(core, source, tmp_path / f"{index}.elf", f"-DINDEX={index}") for index in (255, 256)
    )
    assert emulator.run(core, last) == ""
    with pytest.raises(RuntimeError, match="fault"):
        emulator.run(core, behind)


@pytest.mark.emulated
def test_the_core_without_a_floating_point_unit_refuses_its_instructions(tmp_path: Path) -> None:
    source = tmp_path / "float.cpp"
    source.write_text("volatile float x = 1.0F;\nint main() { return x + x == 2.0F ? 0 : 1; }\n", encoding="utf-8")
    elf = emulator.compile_program(emulator.core("rv32imafc"), source, tmp_path / "float.elf")
    assert emulator.run(emulator.core("rv32imafc"), elf) == ""
    with pytest.raises(RuntimeError, match="fault"):
        emulator.run(emulator.core("rv32imc"), elf)


def flash_of(elf: Path) -> bytes:
    with elf.open("rb") as file:
        return b"".join(s.data() for s in ELFFile(file).iter_sections() if s.name in (".text", ".rodata"))


def first_column_of_panel(policy: Policy) -> bytes:
    mlp = policy.layers[0]
    assert isinstance(mlp, Mlp)
    return mlp.layers[1].weights[:8, 0].astype("<f4").tobytes()


def first_row(policy: Policy) -> bytes:
    mlp = policy.layers[0]
    assert isinstance(mlp, Mlp)
    return mlp.layers[1].weights[0, :8].astype("<f4").tobytes()


@pytest.mark.emulated
@pytest.mark.parametrize("optimisation", ["-O0", "-O3", "-Os"])
@pytest.mark.parametrize("name", ["cortex-m3", "cortex-m4", "cortex-m7"])
def test_weights_are_in_flash_once_and_never_in_ram(tmp_path: Path, name: str, optimisation: str) -> None:
    policy = policies.sac_policy()
    core = emulator.core(name)
    elf = compile_firmware(tmp_path, core, policy, optimisation)
    flash = flash_of(elf)
    assert flash.count(first_row(policy)) == (1 if name == "cortex-m3" else 0)
    assert flash.count(first_column_of_panel(policy)) == (0 if name == "cortex-m3" else 1)
    assert emulator.section_sizes(elf)[".data"] == 0
    assert emulator.run(core, elf).split() == [digest(policy)]
