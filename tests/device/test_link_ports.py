"""Real ports: pseudo-terminals, sockets and an RFC 2217 server."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import serial
import serial.rfc2217

from rltools_embed.device import Client, Limits, MemoryBoard, Patience, Timeouts, available_ports, link, open_link
from rltools_embed.errors import LinkError, ProtocolError
from tests.ports import free_port

OBSERVATIONS = np.random.default_rng(4).standard_normal((40, 3)).astype(np.float32)


def doubling_board() -> MemoryBoard:
    return MemoryBoard([lambda x: x * np.float32(2)], observation_dim=3, action_dim=3)


@contextmanager
def served(read: Callable[[], bytes], write: Callable[[bytes], object]) -> Iterator[None]:
    """A memory board that answers through these two functions until `read` gives nothing."""
    board = doubling_board()

    def serve() -> None:
        while data := read():
            write(board.receive(data))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    thread.join(timeout=5)
    assert not thread.is_alive()


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    ours, theirs = os.openpty()
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def board_on_terminal() -> Iterator[str]:
    stop_read, stop_write = os.pipe()
    with terminal() as (ours, name):

        def read() -> bytes:
            ready, _, _ = select.select([ours, stop_read], [], [])
            return os.read(ours, 1024) if ours in ready else b""

        with served(read, lambda data: os.write(ours, data)):
            yield name
            os.write(stop_write, b"x")


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@contextmanager
def board_on_socket() -> Iterator[str]:
    with listening() as server:
        connections: list[socket.socket] = []

        def read() -> bytes:
            if not connections:
                connections.append(server.accept()[0])
            try:
                return connections[0].recv(1024)
            except OSError:
                return b""

        with served(read, lambda data: connections[0].sendall(data)):
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        connections[0].close()


@pytest.mark.parametrize("place", [board_on_terminal, board_on_socket])
def test_board_answers_through_a_real_port(place):
    with place() as url, open_link(url) as port:
        actions = Client(port).evaluate(OBSERVATIONS)
    np.testing.assert_array_equal(actions, OBSERVATIONS * 2)


def test_absent_port_names_the_ports_that_exist(monkeypatch):
    monkeypatch.setattr(link, "available_ports", lambda: ("/dev/ttyACM7", "/dev/ttyUSB3"))
    with pytest.raises(LinkError, match="/dev/ttyABSENT does not exist") as error:
        open_link("/dev/ttyABSENT")
    assert "/dev/ttyACM7, /dev/ttyUSB3" in error.value.hint


def test_absent_port_on_a_computer_without_ports_says_so(monkeypatch):
    monkeypatch.setattr(link, "available_ports", lambda: ())
    with pytest.raises(LinkError) as error:
        open_link("/dev/ttyABSENT")
    assert "plug the board in" in error.value.hint


def test_available_ports_are_names():
    assert all(isinstance(name, str) for name in available_ports())


def test_port_that_another_program_holds_is_busy():
    with terminal() as (_, name), open_link(name), pytest.raises(LinkError, match="in use by another program") as error:
        open_link(name)
    assert "serial monitor" in error.value.hint


@pytest.mark.parametrize(
    ("number", "fact", "hint"),
    [
        (errno.EACCES, "no permission", "dialout"),
        (errno.EBUSY, "in use by another program", "serial monitor"),
        (errno.EIO, "cannot be opened", "cable"),
    ],
)
def test_each_reason_of_the_system_has_its_hint(monkeypatch, number, fact, hint):
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LinkError, match=fact) as error:
        open_link("/dev/ttyACM0")
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("could not open port 'COM3': FileNotFoundError(2, 'The system cannot find the file')", "does not exist"),
        ("could not open port 'COM3': PermissionError(13, 'Access is denied.')", "in use by another program"),
    ],
)
def test_windows_texts_are_understood(monkeypatch, text, fact):
    def refuse(self: object) -> None:
        raise serial.SerialException(text)

    monkeypatch.setattr(serial.Serial, "open", refuse)
    with pytest.raises(LinkError, match=fact):
        open_link("COM3")


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_refused_connection_asks_whether_the_other_end_runs(scheme):
    with pytest.raises(LinkError, match="refuses the connection") as error:
        open_link(f"{scheme}://127.0.0.1:{free_port()}")
    assert "nothing listens there" in error.value.hint


def test_refusing_port_is_tried_again_for_the_time_allowed():
    port = free_port()
    accepted: list[socket.socket] = []

    def listen_late() -> None:
        time.sleep(0.3)
        with socket.create_server(("127.0.0.1", port)) as server:
            server.settimeout(60.0)
            accepted.append(server.accept()[0])

    thread = threading.Thread(target=listen_late, daemon=True)
    thread.start()
    with open_link(f"socket://127.0.0.1:{port}", timeouts=Timeouts(open_s=60.0)):
        pass
    thread.join()
    accepted[0].close()


@pytest.mark.parametrize("url", ["nonsense://x", "socket://nowhere.invalid:1", "socket://localhost", "rfc2217://", ""])
def test_url_that_leads_nowhere_is_a_link_error(url):
    with pytest.raises(LinkError) as error:
        open_link(url)
    assert error.value.hint


def test_impossible_baud_rate_is_a_link_error():
    with terminal() as (_, name), pytest.raises(LinkError, match="-5 baud"):
        open_link(name, baud=-5)


def test_socket_that_closes_is_a_vanished_link():
    with listening() as server, open_link(f"socket://127.0.0.1:{server.getsockname()[1]}") as port:
        connection, _ = server.accept()
        connection.sendall(b"last words")
        connection.close()
        assert port.read(1.0) == b"last words"
        with pytest.raises(LinkError, match="vanished while in use"):
            Client(port).hello()


def test_terminal_that_closes_is_a_vanished_link():
    ours, theirs = os.openpty()
    with open_link(os.ttyname(theirs)) as port:
        os.close(theirs)
        os.close(ours)
        with pytest.raises(LinkError, match="vanished while in use"):
            port.read(1.0)


def test_write_that_nobody_takes_ends_within_its_limit():
    with terminal() as (_, name), open_link(name, timeouts=Timeouts(write_s=0.2)) as port:
        start_s = time.monotonic()
        with pytest.raises(LinkError, match=r"within 0\.2 s"):
            port.write(b"x" * 1_000_000)
        assert time.monotonic() - start_s < 20.0


def test_read_returns_empty_when_its_time_is_over():
    with terminal() as (_, name), open_link(name) as port:
        start_s = time.monotonic()
        assert port.read(0.1) == b""
        assert 0.09 < time.monotonic() - start_s < 20.0


def test_closing_twice_does_nothing():
    with terminal() as (_, name):
        port = open_link(name)
        port.close()
        port.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyserial 3.5 still calls setDaemon
def test_rfc2217_carries_frames_both_ways():
    """pyserial's own server in front of a loop: our frames come back, and the client says just that."""
    with listening() as server:
        stop = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            connection.settimeout(0.05)
            looped = serial.serial_for_url("loop://", timeout=0.01)

            class Writer:
                def write(self, data: bytes) -> None:
                    connection.sendall(data)

            manager = serial.rfc2217.PortManager(looped, Writer())
            while not stop.is_set():
                try:
                    arrived = connection.recv(1024)
                except TimeoutError:
                    arrived = b""
                looped.write(b"".join(manager.filter(arrived)))
                if echoed := looped.read(looped.in_waiting or 1):
                    connection.sendall(b"".join(manager.escape(echoed)))
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with open_link(f"rfc2217://127.0.0.1:{server.getsockname()[1]}") as port:
            port.write(b"\x00\xff\x00ping")  # 0xFF is Telnet's escape
            arrived = b""
            while len(arrived) < 7 and (more := port.read(20.0)):
                arrived += more
            assert arrived == b"\x00\xff\x00ping"
            limits = Limits(hello=Patience(overall_s=4.0, silence_s=2.0, attempts=2))
            with pytest.raises(ProtocolError, match="our own requests"):
                Client(port, limits=limits).hello()
        stop.set()
        thread.join(timeout=5)
