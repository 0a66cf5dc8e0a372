"""Flash, RAM and stack of programs that frameworks link: their sections, and where their call graph begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import call_depth, elf
from rltools_embed.firmware.board import Framework
from tests.board_matrix import Target, compile_board, compiler_of, export_target

# A board of each Arduino core, and of ESP-IDF.
CORES = ("nucleo_f446re", "teensy41", "zeroUSB", "adafruit_feather_m4", "nano33ble", "pico", "esp32-c3-devkitm-1")
TARGETS = [(name, Framework.ARDUINO) for name in CORES] + [("esp32-c3-devkitm-1", Framework.ESPIDF)]


def own_calls(folder: Path, target: Target) -> Path:
    """What the compiler writes about the project's own sources, where a build has it."""
    done = compile_board(folder, target.board, compiler_of(target.board), "-c", call_depth.FLAG)
    assert done.exit_code == 0, done.output
    build = folder / "build"
    (build / "src").mkdir(parents=True)
    for path in folder.glob("*.ci"):
        if path.stem != "test_policy":
            path.rename(build / "src" / path.name)
    return build


@pytest.mark.emulated
@pytest.mark.parametrize(("name", "framework"), TARGETS)
def test_the_stack_of_every_frameworks_program_is_known(name: str, framework: Framework, tmp_path: Path) -> None:
    target = Target(board=boards.load(name).on(framework))

    build = own_calls(export_target(target, tmp_path / "x"), target)

    depth = call_depth.deepest(build)
    assert depth is not None
    assert 100 < depth < 2_000, depth


def graph(folder: Path, name: str, frames: dict[str, int], calls: list[tuple[str, str]]) -> None:
    """A file as GCC 12 writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes = [
        f'node: {{ title: "{each}" label: "{each}\\nx.cpp:1:6\\n{size} bytes (static)" }}'
        for each, size in frames.items()
    ]
    edges = [f'edge: {{ sourcename: "{caller}" targetname: "{callee}" }}' for caller, callee in calls]
    (folder / f"{name}.ci").write_text("\n".join((*nodes, *edges)) + "\n")


def test_setup_and_loop_are_roots_with_c_names_too(tmp_path: Path) -> None:
    graph(tmp_path / "src", "port", {"setup": 8, "loop": 16, "deep": 100}, [("loop", "deep")])

    assert call_depth.deepest(tmp_path) == 116


def test_a_recursion_of_the_frameworks_counts_once_and_ours_has_no_depth(tmp_path: Path) -> None:
    graph(tmp_path / "src", "port", {"loop": 16}, [("loop", "flush")])
    graph(tmp_path / "FrameworkArduino", "usb", {"main": 8, "flush": 32}, [("main", "loop"), ("flush", "flush")])
    assert call_depth.deepest(tmp_path) == 56

    graph(tmp_path / "src", "mine", {"mine": 4}, [("loop", "mine"), ("mine", "mine")])
    assert call_depth.deepest(tmp_path) is None


# As memmap_default.ld of pico-sdk, linker_script.ld of Arduino's mbed core and ldscript.ld of stm32duino name them.
@pytest.mark.parametrize(
    ("sections", "stack_bytes"),
    [
        ({".stack_dummy": 2048, ".stack1_dummy": 1024, ".heap": 200_000}, 3072),
        ({".stack": 1024, ".heap": 240_000}, 1024),
        ({"._user_heap_stack": 1536}, 1536),
    ],
)
def test_memory_that_is_only_kept_free_is_no_variable(
    tmp_path: Path, sections: dict[str, int], stack_bytes: int
) -> None:
    source = tmp_path / "program.s"
    kept = [f'.section {name},"aw",%nobits\n.space {size}' for name, size in {".bss": 400, **sections}.items()]
    source.write_text("\n".join(kept) + "\n")
    done = process.run(["arm-none-eabi-gcc", "-c", source, "-o", tmp_path / "program.o"])
    assert done.exit_code == 0, done.output

    memory = elf.measure(tmp_path / "program.o")

    assert memory is not None
    assert (memory.flash_bytes, memory.ram_bytes, memory.stack_bytes) == (0, 400, stack_bytes)


def test_what_espidf_calls_flash_takes_no_ram(tmp_path: Path) -> None:
    source = tmp_path / "program.s"
    # sections.ld of ESP-IDF 5.5.3 for an ESP32-C3: the last keeps the RAM free that code takes at another address.
    sections = {
        ".flash.rodata": ("@progbits", 300),
        ".flash_rodata_dummy": ("@nobits", 131_072),
        ".dram0.data": ("@progbits", 16),
        ".dram0.bss": ("@nobits", 400),
        ".dram0.dummy": ("@nobits", 5000),
    }
    text = [f'.section {name},"aw",{kind}\n.space {size}' for name, (kind, size) in sections.items()]
    source.write_text("\n".join(text) + "\n")
    done = process.run(["riscv64-unknown-elf-gcc", "-c", source, "-o", tmp_path / "program.o"])
    assert done.exit_code == 0, done.output

    memory = elf.measure(tmp_path / "program.o")

    assert memory is not None
    assert (memory.flash_bytes, memory.ram_bytes, memory.stack_bytes) == (316, 5416, 0)
