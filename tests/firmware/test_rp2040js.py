"""The RP2040 in rp2040js, started by its script alone: one build serves all tests, and PlatformIO none of the runs.

What every bare board goes through is in test_board_bits.py and test_bare_ports.py.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from rltools_embed import process
from rltools_embed.device.client import Client
from rltools_embed.device.link import open_link
from rltools_embed.firmware import platformio
from rltools_embed.policy.layers import Mlp
from rltools_embed.validation import Counts, Settings, validate
from tests import boards
from tests.firmware.projects import emulated, read_line
from tests.policies import sac_policy
from tests.ports import free_port

pytestmark = emulated
NAME = "rp2040js_pico"
POLICY = sac_policy(hidden=8, environment="Pendulum-v1")
# A third of SysTick's round of 134 ms. If the chip's clock went on while it sleeps, these pauses would move the
# interrupt at the round's end into some measurements and out of others.
REPEATS = 200
PAUSES_S = ((0.0, 0.03), (0.06, 0.1))
OBSERVATIONS = np.random.default_rng(0).normal(0, 2, (3, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=[NAME], autouse=True)
def board_name(request: pytest.FixtureRequest) -> str:
    """A parameter, so that tests/conftest.py skips the tests where the board's programs are not installed."""
    return str(request.param)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, board_name: str) -> Path:
    folder = boards.export(POLICY, tmp_path_factory.mktemp("rp2040js") / "project", board_name)
    platformio.build(folder)
    return folder


def program_of(project: Path) -> Path:
    return project / ".pio/build" / NAME / "firmware.elf"


def command(project: Path, elf: Path, port: int) -> list[str | Path]:
    return ["node", project / "platforms/rlt_emulated/rp2040js.mjs", elf, str(port), sys.executable]


@contextmanager
def switched_on(project: Path, elf: Path | None = None) -> Iterator[str]:
    """The chip as long as the block lasts; gives the port."""
    port = free_port()
    chip = subprocess.Popen(command(project, elf or program_of(project), port), stdout=subprocess.PIPE, text=True)
    try:
        assert chip.stdout is not None
        assert chip.stdout.readline() == f"waiting for a client on port {port}\n"
        yield f"socket://127.0.0.1:{port}"
    finally:
        chip.terminate()
        assert chip.wait(timeout=20) == -15  # SIGTERM


def test_the_same_requests_take_the_same_cycles_in_every_run(project: Path) -> None:
    ticks = []
    for pauses_s in PAUSES_S:
        with switched_on(project) as port, open_link(port) as link:
            client = Client(link)
            for pause_s in pauses_s:
                client.evaluate(OBSERVATIONS)
                time.sleep(pause_s)
                ticks.append(client.benchmark(OBSERVATIONS[0], REPEATS).evaluation_ticks)
                client.reset()

    assert ticks == ticks[:1] * 4
    assert REPEATS * 4 * POLICY.parameter_count < ticks[0]  # a product of numbers in software takes more than 4 cycles


def test_a_reset_starts_anew_and_keeps_the_line(project: Path) -> None:
    with switched_on(project) as port:
        with open_link(port) as link:
            client = Client(link)
            for _ in range(5):
                client.hello()
            before = client.statistics().frames_accepted
            client.reset()
            assert client.hello().board == NAME
            after = client.statistics().frames_accepted
        with open_link(port) as link:
            assert Client(link).hello().board == NAME

    assert (before, after) == (6, 2)


def test_the_next_client_waits_until_the_line_is_free(project: Path) -> None:
    with switched_on(project) as port, open_link(port) as served, open_link(port) as waiting:
        waiting.write(b"\0no frame\0")
        assert waiting.read(0.3) == b""
        rejected_before = Client(served).statistics().frames_rejected
        served.close()
        rejected_after = Client(waiting).statistics().frames_rejected

    assert (rejected_before, rejected_after) == (0, 1)


def test_a_flipped_bit_in_flash_is_found_over_the_link(project: Path, tmp_path: Path) -> None:
    mlp = POLICY.layers[0]
    assert isinstance(mlp, Mlp)
    number = struct.pack("<f", mlp.layers[0].biases[0])
    program = program_of(project).read_bytes()
    assert program.count(number) == 1
    faulty = tmp_path / "firmware.elf"
    faulty.write_bytes(program.replace(number, bytes((number[0] ^ 1,)) + number[1:]))

    with switched_on(project, faulty) as port:
        settings = Settings(counts=Counts(rollout=0, random=30, denormals=0, kinks=0, extremes=0), benchmark_repeats=1)
        report = validate(project, board=NAME, port=port, settings=settings)

    assert {check.name for check in report.checks if not check.passed} >= {"digest", "bits"}


def no_elf(folder: Path, program: bytes) -> bytes:
    return b"\0" * 100


def another_address(folder: Path, program: bytes) -> bytes:
    (begin,) = struct.unpack_from("<I", program, 28)
    return program[: begin + 12] + struct.pack("<I", 0x0800_0000) + program[begin + 16 :]


@pytest.mark.parametrize(
    ("change", "words"),
    [(no_elf, "the firmware is no ELF file"), (another_address, "B at 0x8000000, outside of flash")],
)
def test_a_program_that_is_not_for_the_chip_is_refused(
    project: Path, tmp_path: Path, change: Callable[[Path, bytes], bytes], words: str
) -> None:
    elf = tmp_path / "firmware.elf"
    elf.write_bytes(change(tmp_path, program_of(project).read_bytes()))

    done = process.run(command(project, elf, free_port()), timeout_s=20)

    assert done.exit_code == 1
    assert words in done.output


@pytest.mark.parametrize(
    ("vectors", "end"),
    [((1,), b" pc=30000000 lr="), ((1, 3), b"")],
    ids=["the first instruction", "the handler of faults, too"],
)
def test_an_instruction_where_no_memory_is_faults(
    project: Path, tmp_path: Path, vectors: tuple[int, ...], end: bytes
) -> None:
    """The fault's handler reports it; a fault in the handler is a core's lockup, and ends the process."""
    program = bytearray(program_of(project).read_bytes())
    with program_of(project).open("rb") as file:
        table = ELFFile(file).get_section_by_name(".text")["sh_offset"]
    for vector in vectors:
        struct.pack_into("<I", program, table + 4 * vector, 0x3000_0001)
    elf = tmp_path / "firmware.elf"
    elf.write_bytes(program)
    port = free_port()
    words = command(project, elf, port)

    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as chip:
        assert chip.stdout is not None
        chip.stdout.readline()
        try:
            if end:
                assert re.search(b"fault: .*" + end, read_line(f"socket://127.0.0.1:{port}", count=2))
                chip.terminate()
            else:
                socket.create_connection(("127.0.0.1", port)).close()
            _, errors = chip.communicate(timeout=20)
        finally:
            chip.kill()

    assert chip.returncode == (-15 if end else 1)
    assert errors == ("" if end else "Error: lockup: a fault at 0x30000000 in the handler of faults\n")


def test_a_port_in_use_and_a_missing_package_are_errors_of_one_line(project: Path, tmp_path: Path) -> None:
    with switched_on(project) as port:
        words = command(project, program_of(project), int(port.rpartition(":")[2]))
        in_use = process.run(words, timeout_s=20)
    elsewhere = {"HOME": str(tmp_path), "RP2040JS": str(tmp_path / "mine"), "NODE_PATH": ""}
    missing = process.run([*words[:-1], tmp_path / "bin/python"], timeout_s=20, environment=elsewhere)

    assert (in_use.exit_code, missing.exit_code) == (1, 1)
    assert "EADDRINUSE" in in_use.output
    folders = (tmp_path / "mine", tmp_path / "rp2040js", tmp_path / ".local/rp2040js")
    assert missing.output == f"Error: rp2040js is in none of {', '.join(map(str, folders))}\n"


@pytest.mark.parametrize("variable", ["RP2040JS", "NODE_PATH"])
def test_the_package_may_be_in_a_folder_of_ones_own(project: Path, tmp_path: Path, variable: str) -> None:
    modules = Path(sys.prefix) / "rp2040js" / "node_modules"
    chosen = {"RP2040JS": "", "NODE_PATH": "", variable: str(modules.parent if variable == "RP2040JS" else modules)}
    elsewhere = {"HOME": str(tmp_path), **chosen}
    words = [command(project, Path(os.devnull), 0)[1], "--version", tmp_path / "bin/python"]

    assert process.run(["node", *words], environment=elsewhere).output == "rp2040js 1.4.1\n"
