"""What a board computes: built by PlatformIO, run as a process or in QEMU, asked over the link."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rltools_embed import process
from rltools_embed.device.client import Client
from rltools_embed.device.link import open_link
from rltools_embed.errors import BuildError
from rltools_embed.firmware import board, elf, manifest, platformio
from rltools_embed.firmware.board import Arithmetic, Placement, RunnerKind
from rltools_embed.firmware.sizes import estimate
from rltools_embed.policy.digest import digest
from rltools_embed.validation import validate
from tests.firmware.projects import OTHER_CORES, Export, Running, emulated, program_of, read_line, write_with
from tests.policies import rescaled_sac_policy, sac_policy
from tests.real_frameworks import kernel_of

EMULATED = [name for name in board.names() if board.load(name).port.is_bare_metal]
TARGETS = ["host", *(pytest.param(name, marks=emulated) for name in EMULATED)]
# The widest of these tests' policies; the flash it takes is asserted below.
HIDDEN = 64
# rp2040js executes some ten million instructions in a second.
HIDDEN_OF = {"rp2040js_pico": 8}
UNITS = {RunnerKind.QEMU: "instructions", RunnerKind.RP2040JS: "modelled cycles"}


def observations(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(0, 2, (count, 3)).astype(np.float32)


@pytest.mark.parametrize("name", TARGETS)
def test_a_board_computes_the_bits_of_the_host_reference(export: Export, running: Running, name: str) -> None:
    hidden = HIDDEN_OF.get(name, HIDDEN)
    policy = sac_policy(hidden=hidden, environment="Pendulum-v1")
    folder = export(name, hidden=hidden)
    port = running(folder, name)
    with open_link(port) as link:
        client = Client(link)
        hello = client.hello()
        actions = client.evaluate(observations(100))
        self_test = client.self_test()
    report = validate(folder, board=name, port=port)
    with open_link(port) as link:
        statistics = Client(link).statistics()

    assert (hello.board, hello.digest, hello.arithmetic) == (name, digest(policy), Arithmetic.SEPARATE)
    assert actions.tobytes() == policy.evaluate(observations(100)).tobytes()
    assert (self_test.examples, self_test.mismatches) == (8, 0)
    assert report.passed, [check for check in report.checks if not check.passed]
    assert (report.board, report.observations) == (name, 1356)
    assert report.control is None  # a new project's loop is switched off
    assert not re.search(r"\bwarning\b", (folder / f".pio/upload-{name}.log").read_text())
    if name != "host":
        assert report.cost is not None
        assert report.cost.unit == UNITS[board.load(name).runner.kind]
        assert report.stack.used_bytes == statistics.stack_used_bytes
        opened = manifest.load(folder)
        expected = estimate(opened.board(name), opened.policy)
        memory = elf.measure(program_of(folder, name))
        assert memory is not None
        weights = 4 * policy.parameter_count
        assert weights + 9_000 < memory.flash_bytes < weights + 17_000
        assert memory.ram_bytes < 4_096
        assert expected.flash_bytes <= memory.flash_bytes
        assert 0 <= memory.ram_bytes - expected.ram_bytes < 128
        kernel, problem = kernel_of(program_of(folder, name), opened.board(name))
        assert not problem, kernel
        assert statistics.stack_bytes == memory.stack_bytes == opened.board(name).stack_bytes
        assert 0 < statistics.stack_used_bytes < 2_048


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_the_first_line_names_project_and_board(export: Export, running: Running, name: str) -> None:
    assert read_line(running(export(name), name)) == f"rltools_embed: demo on {name}\r\n".encode()


@pytest.mark.parametrize(
    "name",
    ["host", *(pytest.param(name, marks=emulated) for name in ("qemu_mps2_an386", *OTHER_CORES))],
)
def test_a_reset_starts_anew_and_keeps_the_line(export: Export, running: Running, name: str) -> None:
    url = running(export(name), name)

    with open_link(url) as link:
        client = Client(link)
        for _ in range(5):
            client.hello()
        before = client.statistics().frames_accepted
        client.reset()
        assert client.hello().board == name
        after = client.statistics().frames_accepted
    with open_link(url) as link:
        assert Client(link).hello().board == name

    assert (before, after) == (6, 2)


@emulated
def test_fused_arithmetic_is_what_the_board_file_says(tmp_path: Path, running: Running) -> None:
    fused = replace(board.load("qemu_mps2_an386"), name="fused", arithmetic=Arithmetic.FUSED)
    folder = write_with(tmp_path / "project", fused)

    with open_link(running(folder, "fused")) as link:
        client = Client(link)
        assert client.hello().arithmetic is Arithmetic.FUSED
        actions = client.evaluate(observations(100))

    policy = sac_policy(hidden=8, environment="Pendulum-v1")
    assert actions.tobytes() == policy.evaluate(observations(100), Arithmetic.FUSED).tobytes()
    assert actions.tobytes() != policy.evaluate(observations(100), Arithmetic.SEPARATE).tobytes()


# ------------------------------------------------------------------------------------------- memory beside flash

RAM_OF_AN386 = range(0x2000_0000, 0x2040_0000)
LAST_64_KIB = 0x203F_0000


def address_of(program: Path, name: str) -> int:
    symbols = process.run(["arm-none-eabi-nm", "-C", program]).output
    (line,) = (line for line in symbols.splitlines() if line.endswith(name))
    return int(line.split()[0], 16)


@emulated
@pytest.mark.parametrize(
    "placement",
    [
        Placement(code=".data.policy", weights=".data.numbers"),
        Placement(weights_origin=LAST_64_KIB, weights_bytes=0x10000),
    ],
    ids=["sections", "address"],
)
def test_code_and_numbers_run_from_ram_with_the_same_bits(
    tmp_path: Path, running: Running, placement: Placement
) -> None:
    # What is placed at an address must not be the linker's: this board keeps the last 64 KiB of its RAM free.
    whole = board.load("qemu_mps2_an386")
    fast = replace(whole, name="fast", ram_bytes=LAST_64_KIB - RAM_OF_AN386.start, placement=placement)
    folder = write_with(tmp_path / "project", fast)
    with open_link(running(folder, "fast")) as link:
        client = Client(link)
        client.reset()  # start-up puts the numbers there again
        actions = client.evaluate(observations(100))
        hello = client.hello()

    policy = sac_policy(hidden=8, environment="Pendulum-v1")
    assert actions.tobytes() == policy.evaluate(observations(100)).tobytes()
    assert hello.digest == digest(policy)
    assert (address_of(program_of(folder, "fast"), "Policy::evaluate(float const*, float*)") in RAM_OF_AN386) == (
        placement.code is not None
    )
    if placement.weights:
        assert address_of(program_of(folder, "fast"), "placed_numbers") in RAM_OF_AN386


@emulated
def test_numbers_that_do_not_fit_their_memory_are_refused_by_the_compiler(tmp_path: Path) -> None:
    # Room for the numbers, and none for the padding of the core's panels, which only the compiler knows.
    weights = 4 * sac_policy(hidden=8, environment="Pendulum-v1").parameter_count
    tight = Placement(weights_origin=LAST_64_KIB, weights_bytes=weights)
    free = replace(board.load("qemu_mps2_an386"), name="tight", ram_bytes=LAST_64_KIB - RAM_OF_AN386.start)
    folder = write_with(tmp_path / "project", replace(free, placement=tight))

    with pytest.raises(BuildError) as caught:
        platformio.build(folder)
    assert "the policy's numbers do not fit the memory of placement.weights_origin" in str(caught.value)


# ------------------------------------------------------------------------------------------------- your own control


def acted_by(folder: Path, url: Callable[[], str]) -> tuple[np.float32, bytes]:
    """What the user's control loop hands to its actuators, and the actions that the link gives beside it."""
    source = folder / "src/control.cpp"
    text = source.read_text().replace("is_enabled = false", "is_enabled = true")
    text = text.replace("bool read_sensors(float*) { return false; }", READ_SENSORS)
    text = text.replace("void write_actuators(const float*) {}", WRITE_ACTUATORS)
    source.write_text(text)
    with open_link(url()) as link:
        heard = b""
        while b"acted " not in heard or b"\r\n" not in heard.partition(b"acted ")[2]:
            said = link.read(20.0)
            assert said, heard
            heard += said
        actions = Client(link).evaluate(observations(20))
    acted = bytes.fromhex(heard.partition(b"acted ")[2].partition(b"\r\n")[0].decode())
    return np.frombuffer(acted[::-1], np.float32)[0], actions.tobytes()


SEEN = np.array([0.25, 0.5, -1.0], np.float32)


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_the_users_control_loop_runs_beside_the_link(export: Export, running: Running, name: str) -> None:
    folder = export(name)
    acted, actions = acted_by(folder, lambda: running(folder, name))
    policy = sac_policy(hidden=8, environment="Pendulum-v1")
    assert acted.tobytes() == policy.evaluate(SEEN).tobytes()
    assert actions == policy.evaluate(observations(20)).tobytes()


def test_the_users_actuators_get_the_environments_own_units_and_the_link_the_policys(
    export: Export, running: Running
) -> None:
    policy = rescaled_sac_policy(hidden=8)
    folder = export("host", policy=policy)
    acted, actions = acted_by(folder, lambda: running(folder, "host"))
    (action,) = policy.evaluate(SEEN)
    # The middle of -0.5..7.25, and its range over that of -2..2: exact as float32.
    assert acted == np.float32(3.375) + np.float32(1.9375) * action
    assert abs(acted - action) > 0.5
    assert actions == policy.evaluate(observations(20)).tobytes()


READ_SENSORS = """
bool read_sensors(float* observation) {
    observation[0] = 0.25F, observation[1] = 0.5F, observation[2] = -1.0F;
    return true;
}
"""
WRITE_ACTUATORS = """
void write_actuators(const float* action) {
    static int actions = 0;
    if (++actions % 20 != 0) return;  // again and again: what is said before the port is open is lost
    const std::uint32_t bits = rl_tools::math::bits_of(action[0]);
    std::uint8_t line[] = "acted 00000000\\r\\n";
    for (int i = 0; i < 8; i++) {
        line[6 + i] = static_cast<std::uint8_t>("0123456789abcdef"[(bits >> (28 - 4 * i)) & 15U]);
    }
    port::write(line, sizeof line - 1);
}
"""
