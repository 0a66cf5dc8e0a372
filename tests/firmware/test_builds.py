"""Real projects: built by PlatformIO, run as a process or in QEMU, asked over the link."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rltools_embed import process
from rltools_embed.device.client import Client
from rltools_embed.device.link import open_link
from rltools_embed.errors import BoardError, BuildError, LinkError, ProjectError
from rltools_embed.firmware import board, platformio, project
from rltools_embed.firmware.board import Arithmetic, Board, Placement, RunnerKind
from rltools_embed.policy import checkpoint
from rltools_embed.policy.digest import digest
from tests.firmware.conftest import make_spec
from tests.policies import sac_policy
from tests.ports import free_port

Export = Callable[..., Path]
emulated = pytest.mark.emulated
EMULATED = [name for name in board.names() if board.load(name).runner.kind is RunnerKind.QEMU]
TARGETS = ["host", *(pytest.param(name, marks=emulated) for name in EMULATED)]
# One board of each port besides the Cortex-M's.
OTHER_CORES = ("qemu_riscv32_virt", "qemu_xtensa_lx60")
# The widest of these tests' policies; the flash it takes is asserted below.
HIDDEN = 64


@pytest.fixture
def port() -> str:
    return f"socket://127.0.0.1:{free_port()}"


@pytest.fixture
def running(port: str, tmp_path: Path) -> Iterator[Callable[[Path, str], str]]:
    """Upload a project's firmware for a board to a port of its own; it is switched off afterwards."""
    started: list[tuple[Path, str]] = []

    def run(folder: Path, name: str) -> str:
        started.append((folder, name))
        assert platformio.upload(folder, name, port) == port
        return port

    yield run
    for folder, name in started:
        platformio.power_off(folder, name, port)


def pio(folder: Path, *words: str, **environment: str) -> process.Completed:
    """PlatformIO as a user runs it, where our package cannot be imported."""
    shadow = folder.parent / "shadow" / "rltools_embed"
    shadow.mkdir(parents=True, exist_ok=True)
    (shadow / "__init__.py").write_text("raise ImportError('the project must not need rltools_embed')\n")
    command = [sys.executable, "-m", "platformio", *words, "-d", str(folder)]
    quiet = {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no", "PLATFORMIO_NO_ANSI": "true"}
    return process.run(
        command, cwd=folder, timeout_s=600, environment={"PYTHONPATH": str(shadow.parent), **quiet, **environment}
    )


def write_with(output: Path, *boards: Board, hidden: int = 8) -> Path:
    spec = replace(make_spec(hidden=hidden), boards=boards)
    project.write(project.render(spec), output, owned=project.render_owned(spec))
    return output


def observations(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(0, 2, (count, 3)).astype(np.float32)


@pytest.mark.parametrize("name", TARGETS)
def test_a_board_computes_the_bits_of_the_host_reference(
    export: Export, running: Callable[[Path, str], str], name: str
) -> None:
    policy = sac_policy(hidden=HIDDEN, environment="Pendulum-v1")
    folder = export(name, hidden=HIDDEN)
    firmware = platformio.build(folder)

    with open_link(running(folder, name)) as link:
        client = Client(link)
        hello = client.hello()
        actions = client.evaluate(observations(200))
        self_test, statistics = client.self_test(), client.statistics()

    assert (hello.board, hello.digest, hello.arithmetic) == (name, digest(policy), Arithmetic.SEPARATE)
    assert actions.tobytes() == policy.evaluate(observations(200)).tobytes()
    assert (self_test.examples, self_test.mismatches) == (8, 0)
    assert not re.search(r"\bwarning\b", (folder / f".pio/build-{name}.log").read_text())
    if name != "host":
        assert firmware.memory is not None
        weights = 4 * policy.parameter_count
        assert weights + 9_000 < firmware.memory.flash_bytes < weights + 15_000
        assert firmware.memory.ram_bytes < 4_096
        assert firmware.estimate.flash_bytes <= firmware.memory.flash_bytes
        assert 0 <= firmware.memory.ram_bytes - firmware.estimate.ram_bytes < 128
        assert statistics.stack_bytes == firmware.memory.stack_bytes == firmware.board.stack_bytes
        assert 0 < statistics.stack_used_bytes < 2_048


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_the_first_line_names_project_and_board(export: Export, running: Callable[[Path, str], str], name: str) -> None:
    assert read_line(running(export(name), name)) == f"rltools_embed: demo on {name}\r\n".encode()


@pytest.mark.parametrize(
    "name", ["host", *(pytest.param(name, marks=emulated) for name in ("qemu_mps2_an386", *OTHER_CORES))]
)
def test_a_reset_starts_anew_and_keeps_the_line(export: Export, running: Callable[[Path, str], str], name: str) -> None:
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
def test_fused_arithmetic_is_what_the_board_file_says(tmp_path: Path, running: Callable[[Path, str], str]) -> None:
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


def address_of(elf: Path, name: str) -> int:
    symbols = process.run(["arm-none-eabi-nm", "-C", elf]).output
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
    tmp_path: Path, running: Callable[[Path, str], str], placement: Placement
) -> None:
    # What is placed at an address must not be the linker's: this board keeps the last 64 KiB of its RAM free.
    whole = board.load("qemu_mps2_an386")
    fast = replace(whole, name="fast", ram_bytes=LAST_64_KIB - RAM_OF_AN386.start, placement=placement)
    folder = write_with(tmp_path / "project", fast)
    elf = platformio.build(folder).elf

    with open_link(running(folder, "fast")) as link:
        client = Client(link)
        client.reset()  # start-up puts the numbers there again
        actions = client.evaluate(observations(100))
        hello = client.hello()

    policy = sac_policy(hidden=8, environment="Pendulum-v1")
    assert actions.tobytes() == policy.evaluate(observations(100)).tobytes()
    assert hello.digest == digest(policy)
    assert (address_of(elf, "Policy::evaluate(float const*, float*)") in RAM_OF_AN386) == (placement.code is not None)
    if placement.weights:
        assert address_of(elf, "placed_numbers") in RAM_OF_AN386


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


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_the_users_control_loop_runs_beside_the_link(
    export: Export, running: Callable[[Path, str], str], name: str
) -> None:
    folder = export(name)
    source = folder / "src/control.cpp"
    text = source.read_text().replace("is_enabled = false", "is_enabled = true")
    text = text.replace("bool read_sensors(float*) { return false; }", READ_SENSORS)
    text = text.replace("void write_actuators(const float*) {}", WRITE_ACTUATORS)
    source.write_text(text)
    policy = sac_policy(hidden=8, environment="Pendulum-v1")
    expected = policy.evaluate(np.array([[0.25, 0.5, -1.0]], np.float32))

    with open_link(running(folder, name)) as link:
        heard = b""
        while b"acted " not in heard or b"\r\n" not in heard.partition(b"acted ")[2]:
            said = link.read(20.0)
            assert said, heard
            heard += said
        actions = Client(link).evaluate(observations(20))

    acted = bytes.fromhex(heard.partition(b"acted ")[2].partition(b"\r\n")[0].decode())
    assert acted[::-1] == expected.tobytes()
    assert actions.tobytes() == policy.evaluate(observations(20)).tobytes()


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


# ---------------------------------------------------------------------------------------------- plain PlatformIO


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_pio_test_has_the_board_test_itself(export: Export, port: str, name: str) -> None:
    folder = export(name)
    (folder / "platformio.local.ini").write_text(f"[env:{name}]\nupload_port = {port}\ntest_port = {port}\n")

    tested = pio(folder, "test")
    pio(folder, "run", "-t", "poweroff")

    assert tested.exit_code == 0, tested.output
    assert "2 test cases: 2 succeeded" in tested.output


def test_pio_test_fails_for_a_policy_whose_examples_are_wrong(export: Export, port: str) -> None:
    folder = export("host")
    (folder / "platformio.local.ini").write_text(f"[env:host]\nupload_port = {port}\ntest_port = {port}\n")
    source = folder / "src/policy.cpp"
    right = "return Placed::self_test(examples);"
    source.write_text(source.read_text().replace(right, right.replace(";", " + 1U;")))

    tested = pio(folder, "test")
    pio(folder, "run", "-t", "poweroff")

    assert tested.exit_code == 1
    assert "FAIL the_examples_give_the_expected_bits" in tested.output
    assert "2 test cases: 1 failed, 1 succeeded" in tested.output


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
def test_plain_platformio_builds_uploads_and_switches_off_without_our_package(
    export: Export, port: str, name: str
) -> None:
    folder = export(name)

    built = pio(folder, "run")
    uploaded = pio(folder, "run", "-t", "upload", "--upload-port", port)
    with open_link(port) as link:
        hello = Client(link).hello()
    off = pio(folder, "run", "-t", "poweroff", "--upload-port", port)

    assert built.exit_code == 0, built.output
    assert uploaded.exit_code == 0, uploaded.output
    assert hello.board == name
    assert f"{port} is off" in off.output


def test_the_monitor_shows_what_the_firmware_says(export: Export, port: str) -> None:
    folder = export("host")
    (folder / "platformio.local.ini").write_text(f"[env:host]\nupload_port = {port}\nmonitor_port = {port}\n")
    # Again and again: pyserial drops what arrives while it opens a socket.
    run_own_program(
        folder,
        port,
        """
        #include <unistd.h>
        void firmware_setup() {}
        void firmware_loop() {
            port::write(reinterpret_cast<const std::uint8_t*>("tick\\r\\n"), 6);
            usleep(100000);
        }
        """,
    )

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "platformio", "device", "monitor"])
    shown = b""
    deadline = time.monotonic() + 120
    while shown.count(b"tick") < 3 and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 1000)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    pio(folder, "run", "-t", "poweroff")

    assert shown.count(b"tick") >= 3


def test_a_project_that_was_moved_still_builds(export: Export, tmp_path: Path) -> None:
    folder = export("host")
    assert pio(folder, "run").exit_code == 0

    moved = folder.rename(tmp_path / "moved")
    (moved / "include/identity.h").touch()

    done = pio(moved, "run")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", ["host", pytest.param("qemu_mps2_an386", marks=emulated)])
@pytest.mark.parametrize("folder", ["it's my {project}; ls", 'a"b`touch pwned`', "-e ü %s #1"])
def test_a_folder_with_a_difficult_name_builds_and_runs(
    export: Export, running: Callable[[Path, str], str], tmp_path: Path, name: str, folder: str
) -> None:
    project = export(name, folder=folder)

    with open_link(running(project, name)) as link:
        assert Client(link).hello().board == name
    assert not list(tmp_path.rglob("pwned"))


def test_a_port_with_a_command_in_it_is_refused_and_not_executed(export: Export, tmp_path: Path) -> None:
    folder = export("host")

    with pytest.raises(LinkError, match="is no port of a board on this computer"):
        platformio.upload(folder, "host", 'socket://127.0.0.1:5000"; touch pwned; "')
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.skipif(shutil.which("clang++") is None, reason="needs clang++")
def test_the_host_builds_with_clang_too(export: Export) -> None:
    done = pio(export("host"), "run", "-v", CXX="clang++")

    assert done.exit_code == 0, done.output
    assert "clang++ -o" in done.output
    assert "warning" not in done.output


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_build_connects_to_nothing(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, trace = export("host"), tmp_path / "trace"
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    script = (
        "import pathlib, sys; from rltools_embed.firmware import platformio; "
        "platformio.build(pathlib.Path(sys.argv[1]))"
    )

    command = ["strace", "-f", "-q", "-e", "trace=connect", "-o", trace, sys.executable, "-c", script, folder]
    done = process.run(command, timeout_s=600)

    assert done.exit_code == 0, done.output
    assert [line for line in trace.read_text().splitlines() if "AF_INET" in line] == []


def test_a_folder_that_platformio_would_expand_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"\$"):
        project.write(project.render(make_spec()), tmp_path / "my $HOME")


def test_a_second_build_compiles_nothing(export: Export) -> None:
    folder = export("host")
    first = platformio.build(folder)
    stamp = first.elf.stat().st_mtime_ns

    assert platformio.build(folder).elf.stat().st_mtime_ns == stamp


# --------------------------------------------------------------------------------------------------- what goes wrong


def test_a_compiler_that_refuses_is_told_with_its_words_and_the_log(export: Export) -> None:
    folder = export("host")
    (folder / "src/mine.cpp").write_text("int main( { }\n")

    with pytest.raises(BuildError, match="the build for host failed") as caught:
        platformio.build(folder)

    assert "src/mine.cpp:1" in caught.value.hint
    assert "mine.cpp" in (folder / ".pio/build-host.log").read_text()


def test_a_port_that_another_program_uses_is_an_error_of_the_link(export: Export, port: str) -> None:
    folder = export("host")
    number = int(port.rpartition(":")[2])

    with socket.create_server(("127.0.0.1", number)), pytest.raises(LinkError) as caught:
        platformio.upload(folder, "host", port)
    assert caught.value.message == f"port {number} is in use by another program"
    assert "choose another port" in caught.value.hint


@emulated
def test_a_program_beyond_the_flash_is_told_in_sizes(tmp_path: Path) -> None:
    # Enough for the weights and the least of everything else, but not for all of it.
    small = replace(board.load("qemu_mps2_an386"), flash_bytes=10_200)

    folder = write_with(tmp_path / "project", small)

    with pytest.raises(BoardError, match=r"offers 10200 B of flash, this policy needs 1\d{4} B"):
        platformio.build(folder)


@emulated
def test_variables_beyond_the_ram_are_told_in_sizes(tmp_path: Path) -> None:
    # Enough for the stack and the least of everything else, but not for all of it.
    small = replace(board.load("qemu_mps2_an386"), ram_bytes=18_032)
    folder = write_with(tmp_path / "project", small)

    with pytest.raises(BoardError, match=r"offers 18032 B of RAM, this policy needs 18\d{3} B"):
        platformio.build(folder)


# ---------------------------------------------------------------------------------------------------- the bare ports


def run_own_program(folder: Path, url: str, body: str) -> None:
    (folder / "src/firmware.cpp").write_text(f'#include "port.h"\n#include <rl_tools/embed/stack.h>\n{body}\n')
    done = pio(folder, "run", "-t", "upload", "--upload-port", url)
    assert done.exit_code == 0, done.output


def read_line(url: str, data: bytes = b"", *, until: bytes = b"\r\n", count: int = 1) -> bytes:
    received = b""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20) as client:
        client.sendall(data)
        while received.count(until) < count:
            more = client.recv(4096)
            assert more, received
            received += more
    return received


@pytest.fixture
def own_program(export: Export, port: str, request: pytest.FixtureRequest) -> Iterator[tuple[Path, str]]:
    folder = export(getattr(request, "param", "qemu_mps2_an386"))
    yield folder, port
    pio(folder, "run", "-t", "poweroff", "--upload-port", port)


FAULT = {
    "qemu_mps2_an386": rb"cfsr=[0-9a-f]{8} hfsr=40000000 sp=20003[0-9a-f]{3} pc=0000[0-9a-f]{4} lr=",
    "qemu_xtensa_lx60": rb"exccause=0000000f excvaddr=c0000000 sp=20003[0-9a-f]{3} pc=0040[0-9a-f]{4}\r",
    "qemu_riscv32_virt": rb"mcause=00000007 mtval=c0000000 sp=80403[0-9a-f]{3} pc=8000[0-9a-f]{4} lr=",
}


@emulated
@pytest.mark.parametrize(("own_program", "line"), FAULT.items(), indirect=["own_program"])
def test_a_fault_is_told_on_the_serial_port(own_program: tuple[Path, str], line: bytes) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        "void firmware_setup() { *reinterpret_cast<volatile int*>(0xC0000000) = 1; }\nvoid firmware_loop() {}",
    )

    assert re.search(b"fault: " + line, read_line(url, count=2))


# Below the RAM of QEMU's MPS2 boards lies memory that reads zero; below a microcontroller's lies nothing.
@emulated
@pytest.mark.parametrize("own_program", ["qemu_netduinoplus2", *OTHER_CORES], indirect=True)
def test_a_stack_that_overflows_is_told_and_changes_no_variable(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        """
        __attribute__((noinline)) int deeper(volatile int* above) {
            volatile int here[64];
            here[0] = *above;
            return here[0] == 1 ? deeper(here) + here[1] : 0;
        }
        void firmware_setup() { volatile int one[2] = {1, 1}; deeper(one); }
        void firmware_loop() {}
        """,
    )

    assert b"(stack overflow)" in read_line(url, until=b"overflow)")


@emulated
@pytest.mark.parametrize("own_program", ["qemu_mps2_an386", *OTHER_CORES], indirect=True)
def test_no_byte_is_lost_when_the_firmware_is_late(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        """
        void firmware_setup() {}
        void firmware_loop() {
            // Long enough for the ring to fill at every byte, again and again.
            static std::uint32_t read = 0;
            if (read % 1500 == 0) for (std::uint32_t start = port::micros(); port::micros() - start < 100000;) {}
            const int byte = port::read();
            if (byte < 0) return port::idle();
            read++;
            const std::uint8_t echo = static_cast<std::uint8_t>(byte);
            port::write(&echo, 1);
        }
        """,
    )
    sent = bytes(range(1, 256)) * 40 + b"\0"

    assert read_line(url, sent, until=b"\0") == sent


@emulated
def test_the_cycle_counter_goes_on_over_its_24_bits(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    # 2^24 ticks are 0.67 s of this board: 3 s cross several wraps, and no step may go back or jump.
    run_own_program(
        folder,
        url,
        """
        static std::uint32_t largest;
        void firmware_setup() {
            std::uint32_t before = port::cycles();
            const std::uint32_t first = before;
            while (before - first < 75000000U) {
                const std::uint32_t now = port::cycles();
                largest = now - before > largest ? now - before : largest;
                before = now;
            }
            const bool fine = largest < 2000U && port::micros() > 3000000U && port::micros() < 3100000U;
            port::write(reinterpret_cast<const std::uint8_t*>(fine ? "good\\r\\n" : "bad!\\r\\n"), 6);
        }
        void firmware_loop() { port::idle(); }
        """,
    )

    assert read_line(url) == b"good\r\n"


# fadd.s, flw, amoadd.w, and of the bit manipulation sh1add and clz: QEMU's general core `rv32` executes all of them.
@emulated
@pytest.mark.parametrize("own_program", ["qemu_riscv32_virt"], indirect=True)
def test_what_is_not_rv32imc_traps(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        """
        __attribute__((naked, aligned(4))) void count_and_skip() {
            asm("csrr t0, mscratch\\n addi t0, t0, 1\\n csrw mscratch, t0\\n"
                "csrr t0, mepc\\n addi t0, t0, 4\\n csrw mepc, t0\\n mret");
        }
        void firmware_setup() {
            char traps;
            asm volatile("csrw mtvec, %1\\n csrw mscratch, zero\\n"
                         ".word 0x00000053, 0x00052007, 0x0002a02f, 0x20a52533, 0x60051513\\n"
                         "csrr %0, mscratch" : "=r"(traps) : "r"(count_and_skip) : "t0", "a0", "memory");
            const char line[] = {static_cast<char>('0' + traps), '\\r', '\\n'};
            port::write(reinterpret_cast<const std::uint8_t*>(line), 3);
        }
        void firmware_loop() { port::idle(); }
        """,
    )

    assert read_line(url) == b"5\r\n"


def test_the_checkpoint_of_a_project_is_read_back(export: Export) -> None:
    folder = export("host")

    policy = checkpoint.load(project.load(folder).checkpoint)

    assert digest(policy) == project.load(folder).policy.digest
