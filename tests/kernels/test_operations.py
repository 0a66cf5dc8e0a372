"""Each layer's list of operations, by which the firmware chooses what to test, against what the compiler made of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from rltools_embed import process, resources
from rltools_embed.policy.layers import Activation
from tests.emulation import emulator

SOURCE = Path(__file__).parent.parent / "cpp" / "kernels" / "operations.cpp"
# Bits of math::Operations, by the functions of Arm's run-time ABI (IHI 0043, 4.1.2).
FUNCTIONS = {
    "__aeabi_f(add|sub|rsub|mul)": 1,
    "__aeabi_c?fr?cmp.*": 2,
    "__aeabi_fdiv": 4,
    "__aeabi_(f2i|f2u|i2f|ui2f|f2iz|f2uiz).*": 8,
}
DENSE = {f"Dense<ActivationFunction::{activation.name}>" for activation in Activation}
LAYERS = sorted({*DENSE, "Gru", "Rescale", "Standardize", "SampleAndSquash", "Td3Sampling"})


def used_and_listed(layer: str, folder: Path) -> tuple[int, int]:
    core = emulator.core("cortex-m0plus")
    compiled = folder / "operations.o"
    flags = ["-std=gnu++17", "-O2", f"-DTESTED_LAYER={layer}", f"-I{resources.include_dir()}"]
    done = process.run([core.compiler, *core.flags, *flags, "-c", SOURCE, "-o", compiled])
    assert done.exit_code == 0, done.output
    with compiled.open("rb") as file:
        elf = ELFFile(file)
        symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
        listed = next(symbol for symbol in symbols if symbol.name == "listed")
        section = elf.get_section(listed["st_shndx"]).data()
        number = int.from_bytes(section[listed["st_value"] : listed["st_value"] + 4], "little")
        called = {symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name}
    used = 0
    for name in called:
        used |= sum(bit for pattern, bit in FUNCTIONS.items() if re.fullmatch(pattern, name))
    return used, number


@pytest.mark.emulated
@pytest.mark.parametrize("layer", LAYERS)
def test_the_list_of_a_layer_is_what_it_computes_with(layer: str, tmp_path: Path) -> None:
    used, listed = used_and_listed(layer, tmp_path)

    assert used == listed
