"""A board, a link and a clock in memory: for tests, and for trying things out without hardware.

    board = MemoryBoard([lambda x: 2 * x], observation_dim=3, action_dim=3)
    link = MemoryLink(board)
    Client(link, clock=link.clock).evaluate(observations)

Time is simulated: a silent board costs no waiting. `FaultyLink` puts scripted faults on any link, a real one included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import numpy as np

from rltools_embed.device.frames import Decoder, Frame, encode_frame
from rltools_embed.device.link import CheckedLink, Link
from rltools_embed.device.messages import ERROR_TYPE, LAYOUT, REFUSAL, RESPONSE_BIT, ErrorCode, Message
from rltools_embed.device.protocol import Floats, Hello, floats_from_bytes, floats_to_bytes
from rltools_embed.errors import LinkError
from rltools_embed.policy.arithmetic import Arithmetic


class ManualClock:
    """Seconds that pass only when `advance` is called."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def advance(self, duration_s: float) -> None:
        """Let time pass."""
        self._now_s += duration_s


class Board(Protocol):
    """What stands at the other end of a `MemoryLink`."""

    def receive(self, data: bytes) -> bytes:
        """What the board says to `data`, at once."""

    def reset(self) -> bytes:
        """Start anew; what the board says while it boots."""


class SilentBoard:
    """Never says anything."""

    def receive(self, data: bytes) -> bytes:
        """Nothing."""
        return b""

    def reset(self) -> bytes:
        """Nothing."""
        return b""


class EchoBoard:
    """Says what it hears, like a loop of wire."""

    def receive(self, data: bytes) -> bytes:
        """The same bytes."""
        return data

    def reset(self) -> bytes:
        """Nothing."""
        return b""


class MemoryBoard:
    """A firmware in Python: the device's side of the protocol around a few functions."""

    def __init__(
        self,
        layers: Sequence[Callable[[Floats], Floats]],
        *,
        observation_dim: int,
        action_dim: int,
        largest_payload: int = 249,
        boot_text: bytes = b"",
        hello: Hello | None = None,
    ) -> None:
        """
        Args:
            layers: applied in order, each to a flat float32 array; the last gives the action.
            hello: what the board says it is, if it is to say something special.
        """
        self._layers = tuple(layers)
        self._boot_text = boot_text
        self.hello = hello or Hello(
            largest_payload=largest_payload,
            observation_dim=observation_dim,
            action_dim=action_dim,
            layer_count=len(self._layers),
            arithmetic=Arithmetic.SEPARATE,
            tick_hz=1_000_000,
            digest=bytes(range(32)).hex(),
            board="memory",
        )
        self._decoder = Decoder()

    def receive(self, data: bytes) -> bytes:
        """The answers to the requests that end within `data`."""
        return b"".join(
            encode_frame(self._answer(frame)) for frame in self._decoder.feed(data) if frame.type < RESPONSE_BIT
        )

    def reset(self) -> bytes:
        """Forget half a frame; the boot text."""
        self._decoder = Decoder()
        return self._boot_text

    def _answer(self, request: Frame) -> Frame:
        outcome = self._handle(request)
        if isinstance(outcome, ErrorCode):
            return Frame(ERROR_TYPE, request.sequence, REFUSAL.encode(code=outcome, request=request.type))
        return Frame(request.type | RESPONSE_BIT, request.sequence, outcome)

    def _handle(self, request: Frame) -> bytes | ErrorCode:
        try:
            message = Message(request.type)
        except ValueError:
            return ErrorCode.UNKNOWN_TYPE
        if message in (Message.EVALUATE, Message.TRACE, Message.BENCHMARK):
            return self._handle_floats(message, request.payload)
        if request.payload:
            return ErrorCode.BAD_SIZE
        if message is Message.HELLO:
            return self.hello.encode()
        if message is Message.SELF_TEST:
            return LAYOUT[message].response.encode(examples=1, mismatches=0)
        if message is Message.STATISTICS:
            return LAYOUT[message].response.encode(
                stack_bytes=0,
                stack_used_bytes=0,
                frames_accepted=self._decoder.accepted,
                frames_rejected=self._decoder.rejected,
            )
        self._decoder = Decoder()
        return b""

    def _handle_floats(self, message: Message, payload: bytes) -> bytes | ErrorCode:
        layout = LAYOUT[message]
        row = 4 * self.hello.observation_dim
        if len(payload) < layout.request.head_struct.size:
            return ErrorCode.BAD_SIZE
        request = layout.request.decode(payload)
        (number,) = request.numbers.values()
        rows = number if message is Message.EVALUATE else 1
        if len(request.floats) != rows * row:
            return ErrorCode.BAD_SIZE
        observations = floats_from_bytes(request.floats).reshape(rows, self.hello.observation_dim)
        if message is Message.EVALUATE:
            actions = b"".join(self._output(observation) for observation in observations)
            answer = layout.response.encode(count=number, floats=actions)
            return answer if len(answer) <= self.hello.largest_payload else ErrorCode.REPLY_TOO_LONG
        if message is Message.BENCHMARK:
            return layout.response.encode(evaluation_ticks=100 * number, empty_ticks=10 * number)
        if number >= len(self._layers):
            return ErrorCode.LAYER_OUT_OF_RANGE
        return layout.response.encode(layer=number, floats=self._output(observations[0], number + 1))

    def _output(self, observation: Floats, depth: int | None = None) -> bytes:
        values = observation
        for layer in self._layers[:depth]:
            values = layer(values)
        return floats_to_bytes(np.asarray(values))


class MemoryLink(Link):
    """A perfect connection to a board in this process.

    Args:
        boot_s: so long the board is deaf after a reset; what it says while booting comes at the end of it.
        answer_s: so long each answer takes.
        babble: sent again and again whenever there is nothing else, every 10 ms: a board that never falls silent.
    """

    _BABBLE_EVERY_S = 0.01

    def __init__(
        self,
        board: Board,
        *,
        clock: ManualClock | None = None,
        boot_s: float = 0.0,
        answer_s: float = 0.0,
        babble: bytes = b"",
    ) -> None:
        self.clock = clock or ManualClock()
        self._board = board
        self._boot_s = boot_s
        self._answer_s = answer_s
        self._babble = babble
        self._deaf_until_s = 0.0
        self._on_its_way: list[tuple[float, bytes]] = []
        self.reset_board()

    @property
    def name(self) -> str:
        """`memory link`."""
        return "memory link"

    def reset_board(self) -> None:
        """What the reset button does: answers that have not arrived yet are lost."""
        self._deaf_until_s = self.clock() + self._boot_s
        self._on_its_way = [(due_s, data) for due_s, data in self._on_its_way if due_s <= self.clock()]
        self._on_its_way.append((self._deaf_until_s, self._board.reset()))

    def read(self, timeout_s: float) -> bytes:
        """What has arrived by the simulated clock, which goes on by up to `timeout_s` seconds."""
        arrived = self._take_arrived()
        if arrived:
            return arrived
        if self._babble:
            self.clock.advance(self._BABBLE_EVERY_S)
            return self._babble
        next_s = min((due_s for due_s, _ in self._on_its_way), default=float("inf"))
        self.clock.advance(min(timeout_s, next_s - self.clock()))
        return self._take_arrived()

    def write(self, data: bytes) -> None:
        """Hand `data` to the board, unless it is booting."""
        if self.clock() >= self._deaf_until_s:
            self._on_its_way.append((self.clock() + self._answer_s, self._board.receive(data)))

    def close(self) -> None:
        """Nothing is open."""

    def _take_arrived(self) -> bytes:
        now_s = self.clock()
        arrived = b"".join(data for due_s, data in self._on_its_way if due_s <= now_s)
        self._on_its_way = [(due_s, data) for due_s, data in self._on_its_way if due_s > now_s]
        return arrived


class Direction(Enum):
    """Which way a fault's bytes travel."""

    TO_BOARD = auto()
    TO_HOST = auto()


class FaultKind(Enum):
    """What happens to the byte at a fault's position."""

    FLIP = auto()  # its bits that are set in `data[0]` change
    DROP = auto()  # it is lost
    INSERT = auto()  # `data` comes before it: one byte, or a burst of noise
    DUPLICATE = auto()  # it comes twice
    RESET = auto()  # the board resets before it: the rest of what was under way is lost
    VANISH = auto()  # the port is gone before it, for good


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`position` counts the bytes of one direction since the link was opened."""

    direction: Direction
    position: int
    kind: FaultKind
    data: bytes = b"\x01"


class FaultyLink(Link):
    """Another link, with faults at given positions. A position that is never reached does nothing.

    Args:
        reset: called by RESET, e.g. `MemoryLink.reset_board`.
    """

    def __init__(self, link: Link, faults: Sequence[Fault], *, reset: Callable[[], None] = lambda: None) -> None:
        self._link = CheckedLink(link)
        self._reset = reset
        self._faults = {
            direction: {fault.position: fault for fault in faults if fault.direction is direction}
            for direction in Direction
        }
        self._positions = dict.fromkeys(Direction, 0)
        self._vanished = False

    @property
    def name(self) -> str:
        """The other link's."""
        return self._link.name

    def read(self, timeout_s: float) -> bytes:
        """What the other link brings, with the faults in it. Raises LinkError once the port has vanished."""
        self._refuse_if_vanished()
        arrived, ending = self._pass(Direction.TO_HOST, self._link.read(timeout_s))
        if ending is not None and ending.kind is FaultKind.RESET:
            self._reset()
        elif not arrived:
            self._refuse_if_vanished()
        return arrived

    def write(self, data: bytes) -> None:
        """Send `data` with the faults in it. Raises LinkError once the port has vanished."""
        self._refuse_if_vanished()
        passed, ending = self._pass(Direction.TO_BOARD, data)
        self._link.write(passed)
        if ending is not None and ending.kind is FaultKind.RESET:
            self._reset()
        self._refuse_if_vanished()

    def close(self) -> None:
        """Close the other link."""
        self._link.close()

    def _refuse_if_vanished(self) -> None:
        if self._vanished:
            raise LinkError(f"{self.name} vanished while in use", "this fault was scripted")

    def _pass(self, direction: Direction, data: bytes) -> tuple[bytes, Fault | None]:
        """What comes through of `data`, and the fault that ended it early."""
        start = self._positions[direction]
        self._positions[direction] += len(data)
        passed = bytearray()
        for position, byte in enumerate(data, start):
            fault = self._faults[direction].get(position)
            if fault is not None and fault.kind in (FaultKind.RESET, FaultKind.VANISH):
                self._vanished = fault.kind is FaultKind.VANISH
                return bytes(passed), fault
            passed += bytes([byte]) if fault is None else _corrupted(byte, fault)
        return bytes(passed), None


def _corrupted(byte: int, fault: Fault) -> bytes:
    if fault.kind is FaultKind.FLIP:
        return bytes([byte ^ fault.data[0]])
    if fault.kind is FaultKind.DROP:
        return b""
    if fault.kind is FaultKind.INSERT:
        return fault.data + bytes([byte])
    return bytes([byte, byte])
