"""The way to a board: which port it is on, and waiting until its firmware answers."""

from __future__ import annotations

import math
import time

from rltools_embed.device import Client, Hello, SerialLink, Timeouts, find_port, open_link, usb_ports
from rltools_embed.device.client import Limits, Patience
from rltools_embed.errors import LinkError, ProtocolError, SilentBoardError
from rltools_embed.firmware.board import Board, SerialKind
from rltools_embed.firmware.spec import Project

# A board that was just flashed boots, and a USB port of its own goes and comes back under another name.
BOOT_S = 20.0
# A board's port may vanish for a moment after flashing, and come back.
_OPEN_S = 2.0
_RETRY_S = 0.2


def limits(boot_timeout_s: float | None) -> Limits:
    """The limits of requests to a board that may take so long to its first answer; None: as long as boards usually do.

    Raises:
        ValueError: it is no time.
    """
    if boot_timeout_s is None:
        return Limits()
    if not 0 < boot_timeout_s < math.inf:
        raise ValueError(f"boot_timeout_s = {boot_timeout_s}: it is a time in seconds, above 0")
    usual = Limits().hello
    attempts = math.ceil(boot_timeout_s / usual.silence_s)
    hello = Patience(overall_s=boot_timeout_s, silence_s=min(usual.silence_s, boot_timeout_s), attempts=attempts)
    return Limits(hello=hello)


def limits_until(deadline_s: float, boot_timeout_s: float | None) -> Limits:
    """As `limits`, for what is left until a time of `time.monotonic`."""
    left_s = max(deadline_s - time.monotonic(), _RETRY_S)
    return limits(boot_timeout_s if boot_timeout_s is None else min(boot_timeout_s, left_s))


def port_of(opened: Project, board: Board, port: str | None = None) -> str:
    """Where a board is: the port that was named, the one in the project's settings, or the one with its USB id.

    Raises:
        LinkError: no port, or more than one, has the board's USB id.
    """
    where = port or opened.upload_port(board)
    if where is not None:
        return where
    if board.runner.is_process:
        raise LinkError(f"the port of {board.name} is not known", "name it with --port")
    return find_port(board.name, board.serial.usb_ids)


def port_for_upload(opened: Project, board: Board, port: str | None = None) -> str | None:
    """As `port_of`, but a board whose own USB port is not there yet (a fresh one, or in its boot loader) gives None.

    Raises:
        LinkError: a board behind a bridge is absent, or more than one port may be the board's.
    """
    if port is None and board.serial.kind is SerialKind.USB:
        is_there = any(each.usb_id in board.serial.usb_ids for each in usb_ports())
        if not is_there and opened.upload_port(board) is None:
            return None
    return port_of(opened, board, port)


def opened_link(port: str, board: Board) -> SerialLink:
    """The link to a board on that port, with the board's speed and control lines."""
    timeouts = Timeouts(open_s=_OPEN_S)
    return open_link(port, baud=board.serial.baud, timeouts=timeouts, control_lines=not board.keeps_lines)


def hello(client: Client, board: Board) -> Hello:
    """What the firmware says it is.

    Raises:
        LinkError, ProtocolError: no answer; for a silent board that opening the port does not reset, with that hint.
    """
    try:
        return client.hello()
    except SilentBoardError as error:
        if board.serial.opening_resets is False:
            hint = f"{error.hint} Opening the port does not reset this board: press its reset button"
            raise SilentBoardError(error.message, hint) from error
        raise


def await_firmware(
    opened: Project, board: Board, port: str | None = None, *, boot_timeout_s: float | None = None
) -> str:
    """Wait until the firmware that was just flashed answers; its port.

    Raises:
        LinkError, ProtocolError: nobody answers within `boot_timeout_s`, 20 s if it is not given.
        ProtocolError: who answers is another board, or has another policy than the project.
    """
    deadline = time.monotonic() + (boot_timeout_s or BOOT_S)
    while True:
        try:
            where = port_of(opened, board, port)
            with opened_link(where, board) as link:
                found = hello(Client(link, limits=limits_until(deadline, boot_timeout_s)), board)
            break
        except LinkError:
            if time.monotonic() > deadline - _RETRY_S:
                raise
            time.sleep(_RETRY_S)
    if found.board != board.name:
        raise ProtocolError(
            f"{where} is a board with firmware for {found.board}, not {board.name}",
            "name the right port with --port, or export for that board",
        )
    if found.digest != opened.policy.digest:
        raise ProtocolError(
            f"{where} answers with another policy (digest {found.digest[:12]}…, the project's is "
            f"{opened.policy.digest[:12]}…): the upload went to another board",
            "name the port with --port",
        )
    return where
