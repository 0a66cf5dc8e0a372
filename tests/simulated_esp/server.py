"""The board's serial port on TCP, by Espressif's own RFC 2217 server (it comes with esptool)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from esp_rfc2217_server.esp_port_manager import EspPortManager
from esp_rfc2217_server.redirector import Redirector
from esptool.reset import ClassicReset

from tests.simulated_esp.board import ROM_BAUD, Board


class SerialPort:
    """A USB bridge as pyserial has one, as far as the server uses it."""

    timeout = 0.1

    def __init__(self, board: Board) -> None:
        self._board = board
        self._dtr = self._rts = False
        self.name = board.chip.name
        self.baudrate = ROM_BAUD
        self.bytesize, self.parity, self.stopbits = 8, "N", 1
        self.xonxoff = self.rtscts = self.dsrdtr = self.break_condition = False
        self.cts = self.dsr = self.cd = True
        self.ri = False

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, value: bool) -> None:
        self._dtr = bool(value)
        self._board.set_lines(self._dtr, self._rts)

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, value: bool) -> None:
        self._rts = bool(value)
        self._board.set_lines(self._dtr, self._rts)

    def setDTR(self, value: bool) -> None:  # noqa: N802 (pyserial's name)
        self.dtr = value

    def setRTS(self, value: bool) -> None:  # noqa: N802 (pyserial's name)
        self.rts = value

    def isOpen(self) -> bool:  # noqa: N802 (pyserial's name)
        return True

    @property
    def in_waiting(self) -> int:
        return self._board.waiting()

    def read(self, _size: int) -> bytes:
        return self._board.read(self.baudrate, self.timeout)

    def write(self, data: bytes) -> None:
        self._board.receive(data, self.baudrate)

    def reset_input_buffer(self) -> None:
        self._board.read(self.baudrate, 0)

    def reset_output_buffer(self) -> None:
        pass


class _PortManager(EspPortManager):
    def _reset_thread(self) -> None:
        # Both lines at once take a device of the operating system; the sequence that Windows has does without.
        ClassicReset(self.serial)()


@contextmanager
def serve(board: Board) -> Iterator[str]:
    """The board on a port of this computer, one client at a time; gives the URL. At the end it loses its power."""
    line = SerialPort(board)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, line), daemon=True)
        thread.start()
        try:
            # The server does not answer what it does about DTR and RTS, and says so in the URL that it prints.
            # A busy machine needs more than pyserial's 3 s to agree on RFC 2217.
            yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}?ign_set_control&timeout=60"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            board.close()


def _accept(listener: socket.socket, line: SerialPort) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.rts = line.dtr = True
        line.baudrate = ROM_BAUD
        redirector = Redirector(line, client)
        redirector.rfc2217 = _PortManager(line, redirector, False)
        with suppress(OSError), client:
            redirector.shortcircuit()
        line.dtr = line.rts = False
