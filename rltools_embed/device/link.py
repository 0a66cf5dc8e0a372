"""Links to a board: serial ports, sockets and RFC 2217 servers. The one owner of pyserial."""

from __future__ import annotations

import errno
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, TypeVar

import serial
from serial.tools import list_ports

from rltools_embed.errors import LinkError

DEFAULT_BAUD: Final = 115200

# A blocking read ends after this long, so that limits hold to about as much. Fixed: another timeout per read would
# reconfigure the port each time, which over RFC 2217 is a round trip.
_SLICE_S: Final = 0.02
_LARGEST_READ: Final = 4096
_RETRY_OPEN_S: Final = 0.1

# A port that has just appeared belongs to root until udev has set its group, and a modem manager may probe it first.
_PASSING: Final = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ECONNREFUSED, errno.EACCES, errno.EBUSY, errno.EAGAIN)


_Link = TypeVar("_Link", bound="Link")


class Link(Protocol):
    """A stream of bytes to and from a board; `with` closes it.

    A link of your own needs `name`, `read` and `write`; whether it has them is checked where it is first used. An
    OSError of theirs becomes a LinkError.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The link in messages for people."""

    @abstractmethod
    def read(self, timeout_s: float) -> bytes:
        """What has arrived, at least one byte; empty if none came within `timeout_s`. Raises LinkError if it broke."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkError."""

    def close(self) -> None:
        """End the link; a second time does nothing."""

    def __enter__(self: _Link) -> _Link:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CheckedLink(Link):
    """A link whose contract is checked: what is missing at once, what `read` gives each time.

    Raises:
        TypeError: `link` has no `read` or `write` to call, or no `name` of text.
    """

    def __init__(self, link: Link) -> None:
        kind = type(link).__name__
        for method, call in (("read", "read(timeout_s)"), ("write", "write(data)")):
            if not callable(getattr(link, method, None)):
                raise TypeError(f"{kind} is no Link: it has no method {call}")
        name = getattr(link, "name", None)
        if not isinstance(name, str):
            raise TypeError(f"{kind} is no Link: its name is {name!r}, not a text")
        self._link = link
        self._kind = kind

    @property
    def name(self) -> str:
        """The link in messages for people."""
        return self._link.name

    def read(self, timeout_s: float) -> bytes:
        """As `Link.read`.

        Raises:
            LinkError: the link raised OSError.
            TypeError: it gave something else than bytes.
        """
        try:
            data: object = self._link.read(timeout_s)
        except OSError as error:
            raise self._broken(error) from error
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                f"{self._kind}.read gave {type(data).__name__}, not bytes; where nothing has arrived it gives b''"
            )
        return bytes(data)

    def write(self, data: bytes) -> None:
        """As `Link.write`; raises LinkError where the link raised OSError."""
        try:
            self._link.write(data)
        except OSError as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """End the link, if it can be ended."""
        close = getattr(self._link, "close", None)
        if callable(close):
            close()

    def _broken(self, error: OSError) -> LinkError:
        reason = str(error) or type(error).__name__
        return LinkError(
            f"{self.name} broke while in use: {reason}", "check the cable, or that the other end still runs"
        )


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long opening and writing may take.

    Attributes:
        open_s: a port that is absent, busy or refuses is tried again for so long: boards re-appear after flashing,
            emulators take a moment to listen. 0: tried once.
        write_s: a write that takes longer is an error. Not over RFC 2217, where pyserial has no such limit.
    """

    open_s: float = 0.0
    write_s: float = 2.0


class SerialLink(Link):
    """A link over an open pyserial port. `open_link` makes one."""

    def __init__(self, port: serial.Serial, name: str) -> None:
        self._port = port
        self._name = name

    @property
    def name(self) -> str:
        """The URL or device that was opened."""
        return self._name

    def read(self, timeout_s: float) -> bytes:
        """What has arrived; empty if nothing came within `timeout_s`. Raises LinkError if the port vanished."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                first = self._port.read(1)
            except OSError as error:
                raise self._vanished(error) from error
            if first:
                return first + self._waiting()
            if time.monotonic() >= deadline:
                return b""

    def _waiting(self) -> bytes:
        waiting = bytearray()
        try:
            while len(waiting) < _LARGEST_READ and (count := self._port.in_waiting):
                waiting += self._port.read(min(count, _LARGEST_READ))
        except OSError:
            pass  # what came before the end is worth reading; the next read reports the end
        return bytes(waiting)

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkError if the port takes none of it in time, or vanished."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise LinkError(
                f"{self._name} took none of {len(data)} bytes within {self._port.write_timeout} s",
                "check the cable and that the board is not held in reset",
            ) from error
        except OSError as error:
            raise self._vanished(error) from error

    def close(self) -> None:
        """Close the port; a second time does nothing."""
        self._port.close()

    def _vanished(self, error: OSError) -> LinkError:
        return LinkError(
            f"{self._name} vanished while in use: {error}", "check the cable, or that the emulator still runs"
        )


def available_ports() -> tuple[str, ...]:
    """The serial ports that exist on this computer."""
    return tuple(sorted(port.device for port in list_ports.comports()))


@dataclass(frozen=True, kw_only=True)
class UsbPort:
    """A serial port on USB: its device, `vendor:product`, and what the device calls itself."""

    device: str
    usb_id: str
    description: str


def usb_ports() -> tuple[UsbPort, ...]:
    """The serial ports of this computer that are on USB."""
    return tuple(
        UsbPort(device=port.device, usb_id=f"{port.vid:04x}:{port.pid:04x}", description=port.description or "")
        for port in sorted(list_ports.comports())
        if port.vid is not None and port.pid is not None
    )


def usb_serial_number(device: str) -> str | None:
    """The serial number of what is behind a port of this computer; None if it is not on USB or has none."""
    numbers = (port.serial_number for port in list_ports.comports() if port.device == device)
    return next((str(number) for number in numbers if number), None)


def find_port(board: str, usb_ids: Sequence[str], ports: Sequence[UsbPort] | None = None) -> str:
    """The one port whose USB id the board's file names.

    Args:
        ports: where to look; the ports of this computer by default.

    Raises:
        LinkError: there is none or more than one; it lists what is there.
    """
    there = usb_ports() if ports is None else ports
    listed = "; ".join(f"{port.device} ({port.usb_id} {port.description})" for port in there)
    seen = f"ports on USB: {listed}" if listed else "no serial port is on USB"
    if not usb_ids:
        raise LinkError(f"{board} has no USB id to be found by; {seen}", "name its port with --port")
    found = [port for port in there if port.usb_id in usb_ids]
    if not found:
        raise LinkError(
            f"no port has the USB id of {board} ({', '.join(usb_ids)}); {seen}",
            "plug the board in, or name its port with --port (also socket:// and rfc2217://)",
        )
    if len(found) > 1:
        raise LinkError(
            f"{len(found)} ports may be {board}: {', '.join(port.device for port in found)}; {seen}",
            "name one with --port",
        )
    return found[0].device


def open_link(
    url: str, *, baud: int = DEFAULT_BAUD, timeouts: Timeouts | None = None, control_lines: bool = True
) -> SerialLink:
    """The link to `url`: `/dev/ttyACM0`, `COM3`, `socket://host:port` or `rfc2217://host:port`.

    A serial port is opened for this program alone. Opening it resets many boards.

    Args:
        control_lines: DTR and RTS are on while the port is open, which a native USB port takes for a listener.
            Off for a board whose reset and boot loader hang on them.

    Raises:
        LinkError: absent, busy, refused, or not a URL that pyserial knows.
    """
    timeouts = timeouts or Timeouts()
    deadline = time.monotonic() + timeouts.open_s
    while True:
        port = _configured(url, baud, timeouts)
        port.dtr = port.rts = control_lines
        try:
            port.open()
        except (OSError, ValueError) as error:
            if _number(error) in _PASSING and time.monotonic() < deadline:
                time.sleep(_RETRY_OPEN_S)
                continue
            raise _cannot_open(url, baud, error) from error
        return SerialLink(port, url)


def _configured(url: str, baud: int, timeouts: Timeouts) -> serial.Serial:
    try:
        port = serial.serial_for_url(url, do_not_open=True)
    except ValueError as error:
        raise LinkError(f"{url}: {error}", "use a serial port, socket://host:port or rfc2217://host:port") from error
    port.timeout = _SLICE_S
    try:
        port.baudrate = baud
    except ValueError as error:
        raise _cannot_open(url, baud, error) from error
    if not url.startswith("rfc2217://"):
        port.write_timeout = timeouts.write_s
    if "://" not in url:
        port.exclusive = True
    return port


def _root(error: BaseException) -> BaseException:
    """pyserial wraps a socket's error without its number; the original is kept as the context."""
    while error.__context__ is not None and getattr(error, "errno", None) is None:
        error = error.__context__
    return error


def _number(error: BaseException) -> int | None:
    number = getattr(_root(error), "errno", None)
    if isinstance(number, int):
        return number
    # On Windows pyserial leaves only the text of the original exception.
    texts = {"FileNotFoundError": errno.ENOENT, "PermissionError": errno.EBUSY}
    return next((code for text, code in texts.items() if text in str(error)), None)


def _cannot_open(url: str, baud: int, error: BaseException) -> LinkError:
    number = _number(error)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        existing = ", ".join(available_ports())
        return LinkError(
            f"{url} does not exist",
            f"ports that exist: {existing}" if existing else "no serial port exists: plug the board in",
        )
    if number in (errno.EACCES, errno.EPERM):
        return LinkError(
            f"no permission to open {url}",
            "join the port's group, usually dialout: `sudo usermod -aG dialout $USER`, then log in again",
        )
    if number in (errno.EBUSY, errno.EAGAIN):
        return LinkError(f"{url} is in use by another program", "close the serial monitor or the other validation")
    if number == errno.ECONNREFUSED:
        return LinkError(
            f"{url} refuses the connection", "nothing listens there: switch the board on with `rlt-embed flash`"
        )
    if isinstance(error, ValueError):
        return LinkError(f"{url} cannot be opened at {baud} baud: {error}", f"try {DEFAULT_BAUD} baud")
    return LinkError(f"{url} cannot be opened: {_root(error)}", "check the name, the cable and the network")
