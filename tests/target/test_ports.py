"""Finding a board, putting firmware on it through PlatformIO, and knowing that it is the right one that answers."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import serial
import serial.rfc2217
from click.testing import CliRunner

from rltools_embed import pipeline
from rltools_embed.cli.group import cli
from rltools_embed.device import Client, Hello, Limits, MemoryBoard, MemoryLink, Patience, UsbPort, find_port, open_link
from rltools_embed.errors import BoardError, BuildError, LinkError, ProtocolError, SilentBoardError, ToolchainError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import platformio, project
from rltools_embed.firmware.elf import Budget
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.target import Target, memory_target
from rltools_embed.target import ports as reach
from rltools_embed.validation import Counts, Settings, validate
from tests import policies
from tests.boards import export, running
from tests.standin import make_core_dir

POLICY = policies.sac_policy(hidden=8, environment="Pendulum-v1")
BRIDGE = UsbPort(device="/dev/ttyUSB0", usb_id="10c4:ea60", description="CP2102")
CLONE = UsbPort(device="/dev/ttyUSB1", usb_id="1a86:7523", description="USB Serial")
TEENSY = UsbPort(device="/dev/ttyACM0", usb_id="16c0:0483", description="USB Serial")
ESP32_IDS = boards.load("esp32dev").serial.usb_ids


# ------------------------------------------------------------------------------------------------- which port it is


def test_the_port_with_the_boards_usb_id_is_found() -> None:
    assert find_port("esp32dev", ESP32_IDS, (TEENSY, BRIDGE)) == "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ((), "no serial port is on USB"),
        ((TEENSY,), "/dev/ttyACM0 (16c0:0483 USB Serial)"),
        ((BRIDGE, CLONE), "2 ports may be esp32dev: /dev/ttyUSB0, /dev/ttyUSB1"),
    ],
)
def test_no_port_or_two_are_one_error_that_lists_what_is_there(ports: tuple[UsbPort, ...], words: str) -> None:
    with pytest.raises(LinkError) as caught:
        find_port("esp32dev", ESP32_IDS, ports)
    assert words in caught.value.message
    assert "--port" in caught.value.hint


def test_a_board_without_an_id_of_its_own_is_named_by_hand() -> None:
    with pytest.raises(LinkError, match="mine has no USB id to be found by"):
        find_port("mine", (), (BRIDGE,))


@pytest.fixture
def usb(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """These ports are on USB, whatever this computer has."""

    def set_ports(*ports: UsbPort) -> None:
        monkeypatch.setattr(reach, "usb_ports", lambda: ports)
        monkeypatch.setattr(reach, "find_port", lambda board, ids: find_port(board, ids, ports))

    return set_ports


def test_a_fresh_board_on_its_own_usb_port_is_left_to_platformio(tmp_path: Path, usb: Callable[..., None]) -> None:
    usb()
    opened = project.load(export(POLICY, tmp_path / "project", "teensy41", "esp32dev"))

    assert reach.port_for_upload(opened, opened.board("teensy41")) is None
    with pytest.raises(LinkError, match="no port has the USB id of esp32dev"):
        reach.port_for_upload(opened, opened.board("esp32dev"))


def test_two_boards_of_a_kind_are_not_guessed_between(tmp_path: Path, usb: Callable[..., None]) -> None:
    usb(TEENSY, UsbPort(device="/dev/ttyACM1", usb_id="16c0:0483", description=""))
    opened = project.load(export(POLICY, tmp_path / "project", "teensy41"))

    with pytest.raises(LinkError, match="2 ports may be teensy41"):
        reach.port_for_upload(opened, opened.board())
    assert reach.port_for_upload(opened, opened.board(), "/dev/ttyACM1") == "/dev/ttyACM1"


# ---------------------------------------------------------------------------------------------------------- flashing


@pytest.fixture(scope="module")
def core_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_core_dir(tmp_path_factory.mktemp("platformio") / "core")


@pytest.fixture(scope="module")
def esp32_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(POLICY, tmp_path_factory.mktemp("esp32") / "project", "esp32dev")


@pytest.fixture
def esp32(core_dir: Path, esp32_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project for an ESP32 board, which is compiled once, and the stand-in for the vendor's platform."""
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core_dir))
    return esp32_project


def hello_of(board: str, policy_digest: str) -> Hello:
    return Hello(
        largest_payload=249,
        observation_dim=3,
        action_dim=1,
        layer_count=5,
        arithmetic=Arithmetic.SEPARATE,
        tick_hz=240_000_000,
        digest=policy_digest,
        board=board,
    )


BOOT_LOG = b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n\x00\xff"


@contextmanager
def board_on_socket(hello: Hello, after_s: float = 0.0) -> Iterator[str]:
    """A board that boots, says what an ESP32 says, and answers; the port is there after so many seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        tcp_port = probe.getsockname()[1]
    stop = threading.Event()

    def serve() -> None:
        time.sleep(after_s)
        with socket.create_server(("127.0.0.1", tcp_port)) as server:
            server.settimeout(0.1)
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                board = MemoryBoard([lambda x: x], observation_dim=3, action_dim=1, hello=hello)
                with connection:
                    connection.sendall(BOOT_LOG)
                    while data := connection.recv(4096):
                        connection.sendall(board.receive(data))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"socket://127.0.0.1:{tcp_port}"
    stop.set()
    thread.join(timeout=5)


def test_flash_builds_uploads_and_waits_for_the_hello(esp32: Path) -> None:
    lines: list[str] = []
    pipeline.build(esp32, watch=lines.append)

    # Later than the upload ends, which writes nothing here.
    with board_on_socket(hello_of("esp32dev", digest(POLICY)), after_s=5.0) as port:
        assert pipeline.flash(esp32, port=port, watch=lines.append) == port

    assert any("src/policy.cpp" in line for line in lines)
    assert f"Uploading to {port}" in lines


@contextmanager
def silent_port() -> Iterator[str]:
    """A port that opens and that nobody answers on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"


def test_flash_waits_as_long_as_it_is_asked_to(esp32: Path) -> None:
    with silent_port() as port, pytest.raises(SilentBoardError, match=r"HELLO, (1\.[5-9]|2\.\d) s"):
        pipeline.flash(esp32, port=port, boot_timeout_s=2.0)


def test_a_request_waits_as_long_as_it_is_asked_to(esp32: Path) -> None:
    with (
        silent_port() as port,
        Target.open(esp32, port=port, boot_timeout_s=1.0) as target,
        pytest.raises(SilentBoardError, match=r"HELLO, (0\.[7-9]|1\.\d) s"),
    ):
        target.hello()


def test_a_validation_waits_for_a_port_that_is_absent(esp32: Path) -> None:
    # It has a hello and nothing else: what it then answers is refused.
    with (
        board_on_socket(hello_of("esp32dev", digest(POLICY)), after_s=4.0) as port,
        pytest.raises(ProtocolError, match="the board answers EVALUATE with"),
    ):
        pipeline.validate(esp32, port=port, boot_timeout_s=60.0)


def test_a_board_that_boots_for_longer_than_usual_is_waited_for() -> None:
    class Slow(MemoryLink):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, boot_s=30.0, **keywords)

    def open_target(boot_timeout_s: float | None) -> Target:
        adapter = memory_target(POLICY)._adapter
        adapter.connect = lambda: Slow(adapter._firmware, clock=adapter.clock)  # type: ignore[attr-defined,method-assign]
        return Target(adapter, boot_timeout_s=boot_timeout_s)

    with open_target(None) as target, pytest.raises(SilentBoardError, match=r"HELLO, 10\.0 s"):
        target.hello()
    with open_target(60.0) as target:
        assert target.hello().digest == digest(POLICY)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="boot_timeout_s = "):
            open_target(wrong)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("flash", ["folder"]),
        ("validate", ["folder"]),
        ("run", ["Pendulum-v1", "--board", "host", "-o", "out"]),
    ],
)
def test_every_command_that_waits_has_the_option(stage: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def called(*arguments: object, **keywords: Any) -> None:
        given.update(keywords)
        raise LinkError("nothing is there", "look")

    monkeypatch.setattr(pipeline, stage, called)

    CliRunner().invoke(cli, [stage, *words, "--boot-timeout", "45"])
    assert given["boot_timeout_s"] == 45.0
    assert CliRunner().invoke(cli, [stage, *words, "--boot-timeout", "0"]).exit_code == 2


def test_a_usb_port_that_comes_back_under_another_name_is_waited_for(
    esp32: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = project.load(esp32)
    with board_on_socket(hello_of("esp32dev", digest(POLICY))) as port:
        seen = [(), (TEENSY,), (UsbPort(device=port, usb_id="10c4:ea60", description="new"),)]
        monkeypatch.setattr(reach, "find_port", lambda board, ids: find_port(board, ids, seen.pop(0)))

        assert reach.await_firmware(opened, opened.board()) == port
    assert not seen


def test_a_port_that_belongs_to_another_board_is_reported_by_its_hello(esp32: Path) -> None:
    with (
        board_on_socket(hello_of("nucleo_f446re", digest(POLICY))) as port,
        pytest.raises(ProtocolError, match="is a board with firmware for nucleo_f446re, not esp32dev"),
    ):
        pipeline.flash(esp32, port=port)


def test_a_board_that_still_has_another_policy_is_reported(esp32: Path) -> None:
    with (
        board_on_socket(hello_of("esp32dev", "ab" * 32)) as port,
        pytest.raises(ProtocolError, match=r"another policy \(digest abababababab…"),
    ):
        pipeline.flash(esp32, port=port)


def test_an_upload_that_fails_keeps_platformios_words(esp32: Path) -> None:
    with pytest.raises(BuildError, match="the upload to esp32dev failed; all of it is in ") as caught:
        pipeline.flash(esp32, port="/dev/ttyUSB99")
    assert caught.value.message.endswith("upload-esp32dev.log")
    assert "Could not open /dev/ttyUSB99" in caught.value.hint


def test_a_missing_platform_without_a_network_is_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    esp32 = export(POLICY, tmp_path / "project", "esp32dev")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "empty"))
    if has_network():
        pytest.skip("this computer can reach PlatformIO's registry, which would bring the package")

    with pytest.raises(ToolchainError) as caught:
        pipeline.build(esp32)

    assert "PlatformIO lacks" in caught.value.message and "espressif32@6.13.0" in caught.value.message
    assert "pio pkg install" in caught.value.hint
    assert not (esp32 / ".pio").exists()  # PlatformIO, which would wait for a minute, was not started


def has_network() -> bool:
    try:
        socket.create_connection(("api.registry.platformio.org", 443), timeout=4).close()
    except OSError:
        return False
    return True


def test_a_silent_board_that_opening_does_not_reset_gets_a_hint() -> None:
    soon = Limits(hello=Patience(overall_s=0.2, silence_s=0.1, attempts=2))
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        open_link(f"socket://127.0.0.1:{silent.getsockname()[1]}") as link,
        pytest.raises(LinkError, match="the board is silent") as caught,
    ):
        reach.hello(Client(link, limits=soon), boards.load("nucleo_f446re"))
    assert "press its reset button" in caught.value.hint


# ------------------------------------------------------------------------------------------- a board on another host


@contextmanager
def rfc2217_server(url: str) -> Iterator[str]:
    """pyserial's RFC 2217 server in front of a port, as on the computer that a board is connected to."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.settimeout(0.02)
            port = serial.serial_for_url(url, timeout=0.002)

            class Writer:
                def write(self, data: bytes) -> None:
                    connection.sendall(data)

            # A socket has no speed and no lines, which this protocol is about.
            manager = serial.rfc2217.PortManager(serial.serial_for_url("loop://"), Writer())
            while not stop.is_set():
                try:
                    arrived = connection.recv(4096)
                except TimeoutError:
                    arrived = b""
                port.write(b"".join(manager.filter(arrived)))
                if answer := port.read(4096):
                    connection.sendall(b"".join(manager.escape(answer)))
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join(timeout=5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial 3.5 still calls setDaemon
def test_a_board_on_another_host_is_validated_bit_for_bit(tmp_path: Path) -> None:
    folder = export(POLICY, tmp_path / "project", "host")

    with running(folder) as port, rfc2217_server(port) as remote:
        report = validate(folder, port=remote, settings=Settings(counts=Counts(rollout=0, random=40)))

    assert report.passed, report.checks
    assert report.port == remote


# ----------------------------------------------------------------------------------------------------------- budgets


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(flash_bytes=9_000), r"takes \d+ B of flash, --max-flash allows 9000 B"),
        (Budget(ram_bytes=100), r"takes \d+ B of RAM, --max-ram allows 100 B"),
        (Budget(stack_bytes=64), r"takes \d+ B of stack, --max-stack allows 64 B"),
    ],
)
def test_a_budget_that_is_not_kept_fails_the_build_by_name(tmp_path: Path, budget: Budget, words: str) -> None:
    folder = export(POLICY, tmp_path / "project", "qemu_mps2_an386")

    with pytest.raises(BoardError, match=words):
        platformio.build(folder, budget=budget)


@pytest.mark.emulated
def test_the_stack_that_the_compiler_tells_lies_below_what_the_board_measures(tmp_path: Path) -> None:
    folder = export(POLICY, tmp_path / "project", "qemu_mps2_an386")
    generous = Budget(flash_bytes=1 << 20, ram_bytes=1 << 20, stack_bytes=1 << 20)

    copy = shutil.copytree(folder, tmp_path / "copy")  # its objects would come from the tests' cache
    platformio.build(copy, budget=generous)
    reported = platformio.build(folder, budget=generous).stack_used_bytes
    with running(folder) as port:
        report = validate(folder, port=port, settings=Settings(counts=Counts(rollout=0, random=10)))

    measured = report.stack.used_bytes
    assert reported is not None and measured is not None
    # Start-up code leaves 128 bytes unpainted, which count as used; the serial interrupt comes on top.
    assert 200 < reported <= measured < reported + 400
