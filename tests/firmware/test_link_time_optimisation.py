"""`-flto` in build_flags: every port that is built here still links, runs and gives the reference's bits.

The emulated Xtensa boards are left out: their compiler is installed without the programs of link-time optimisation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rltools_embed.firmware import platformio
from rltools_embed.validation import Settings, validate

# A port each; Cortex-M with long branches and literals (M4F) and with short ones (M0).
BOARDS = ("host", "qemu_mps2_an386", "qemu_microbit", "qemu_riscv32_virt")


@pytest.mark.parametrize("name", BOARDS)
def test_firmware_with_link_time_optimisation_gives_the_same_bits(
    export: Callable[..., Path], running: Callable[[Path, str], str], name: str
) -> None:
    folder = export(name)
    settings = folder / "platformio.ini"
    text = settings.read_text(encoding="utf-8")
    assert "  -O2\n" in text
    settings.write_text(text.replace("  -O2\n", "  -O2\n  -flto\n"), encoding="utf-8")

    platformio.build(folder)

    report = validate(folder, port=running(folder, name), settings=Settings(benchmark_repeats=1))
    assert report.passed
