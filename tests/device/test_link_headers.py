"""The headers under every compiler: each alone, without a warning, and at the expected cost on a target."""

from __future__ import annotations

import shutil

import link_native
import pytest

from rltools_embed import process

HEADERS = (
    "cobs.h",
    "control_statistics.h",
    "crc32.h",
    "frame.h",
    "little_endian.h",
    "messages.h",
    "protocol.h",
    "server.h",
    "sha256.h",
    "stack.h",
    "tagged.h",
)
CROSS = "arm-none-eabi-g++"
TARGET = ("-mthumb", "-Os", "-fno-exceptions", "-fno-rtti", "-Wshadow", "-Wconversion")

needs_cross_compiler = pytest.mark.skipif(shutil.which(CROSS) is None, reason=f"{CROSS} is not installed")


@pytest.mark.parametrize("compiler", ["g++", "clang++", pytest.param(CROSS, marks=needs_cross_compiler)])
def test_every_header_compiles_alone_and_twice(compiler, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for header in HEADERS:
        source = tmp_path / f"{header}.cpp"
        source.write_text(f"#include <rl_tools/embed/{header}>\n#include <rl_tools/embed/{header}>\n")
        link_native.compile_cpp(compiler, ["-Wconversion", "-fno-exceptions", "-fno-rtti", "-fsyntax-only", source])


@needs_cross_compiler
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"])
def test_server_on_a_target_costs_no_initialised_data_and_no_heap(core, tmp_path):
    binary = tmp_path / "firmware.o"
    link_native.compile_cpp(CROSS, [f"-mcpu={core}", *TARGET, "-c", link_native.SOURCES / "firmware.cpp", "-o", binary])
    sizes = process.run(["arm-none-eabi-size", binary]).output.splitlines()[1].split()
    symbols = process.run(["arm-none-eabi-nm", "-C", binary]).output
    text, data, bss = (int(size) for size in sizes[:3])
    assert data == 0
    # Two buffers of 265 bytes, 3 + 64 floats, counters, what is left of an answer, where a control loop counts.
    assert bss < 2 * 265 + 4 * 67 + 68
    assert text < 4096
    for forbidden in ("malloc", "operator new", "__cxa", "vtable", "__aeabi_d"):
        assert forbidden not in symbols
