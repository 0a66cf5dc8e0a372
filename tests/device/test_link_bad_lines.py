"""The client over silent, babbling, echoing, slow and vanishing lines. Time is simulated."""

from __future__ import annotations

import time
from dataclasses import replace

import link_native
import pytest
from link_boards import (
    FEW,
    OBSERVATIONS,
    assert_same_bits,
    client_of,
    doubled,
    ended_within,
    expected_actions,
    python_board,
    widened,
)

from rltools_embed.device import (
    Client,
    Direction,
    EchoBoard,
    Fault,
    FaultKind,
    FaultyLink,
    Limits,
    ManualClock,
    MemoryBoard,
    MemoryLink,
    Patience,
    SilentBoard,
)
from rltools_embed.device.frames import Decoder, Frame, encode_frame
from rltools_embed.device.memory_link import Board
from rltools_embed.device.messages import RESPONSE_BIT, Message
from rltools_embed.errors import LinkError, ProtocolError


def test_silent_board_is_a_link_error_within_the_limit():
    link = MemoryLink(SilentBoard())
    with pytest.raises(LinkError, match="no byte arrived") as error:
        client_of(link).hello()
    assert error.value.exit_code == 8
    assert error.value.hint
    assert ended_within(link, Limits().hello.overall_s)


@pytest.mark.parametrize("babble", [b"E (123) wifi: no AP\r\n", b"\0\0", b"\xa5\0\x13", b"\x03ab\0\xff"])
def test_babbling_board_is_a_protocol_error_within_the_limit(babble):
    link = MemoryLink(SilentBoard(), babble=babble)
    with pytest.raises(ProtocolError, match="bytes arrived, none of them a frame of ours") as error:
        client_of(link).hello()
    assert error.value.exit_code == 9
    assert "baud rate" in error.value.hint
    assert ended_within(link, Limits().hello.overall_s + 0.01)


def test_echo_is_a_protocol_error_that_names_it():
    link = MemoryLink(EchoBoard())
    with pytest.raises(ProtocolError, match="our own requests") as error:
        client_of(link).hello()
    assert "looped back" in error.value.hint
    assert ended_within(link, Limits().hello.overall_s)


class EchoingLine:
    """A board on a line that echoes: what it hears comes back before its answer."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def receive(self, data: bytes) -> bytes:
        answer = self._board.receive(data)
        return data + answer + self._board.receive(answer)

    def reset(self) -> bytes:
        return self._board.reset()


def test_echo_before_the_answer_is_ignored(board):
    assert_same_bits(client_of(MemoryLink(EchoingLine(board))).evaluate(FEW), expected_actions(FEW))


def test_babble_between_the_answers_is_skipped(board):
    link = MemoryLink(board, babble=b"log: still here\r\n")
    assert_same_bits(client_of(link).evaluate(FEW), expected_actions(FEW))


def test_lost_request_is_repeated_even_if_the_board_never_falls_silent(board):
    link = MemoryLink(board, babble=b"log\r\n")
    faults = [Fault(direction=Direction.TO_BOARD, position=3, kind=FaultKind.FLIP)]
    client = Client(FaultyLink(link, faults), clock=link.clock)
    assert client.hello().observation_dim == 3


@pytest.mark.parametrize("boot_s", [0.0, 0.3, 2.2, 9.0])
def test_booting_board_is_waited_for(board, boot_s):
    link = MemoryLink(board, boot_s=boot_s)
    assert_same_bits(client_of(link).evaluate(FEW), expected_actions(FEW))
    assert ended_within(link, boot_s + 0.5)


def test_board_that_boots_for_longer_than_the_limit_is_a_link_error(board):
    link = MemoryLink(board, boot_s=11.0)
    with pytest.raises(LinkError):
        client_of(link).hello()


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("position", [0, 1, 20, 60, 95])
def test_reset_in_mid_conversation_is_recovered_from(board, direction, position):
    link = MemoryLink(board)
    link._boot_s = 2.5  # only from the second boot on, so that the fault meets the conversation
    faults = [Fault(direction=direction, position=position, kind=FaultKind.RESET)]
    faulty = FaultyLink(link, faults, reset=link.reset_board)
    client = Client(faulty, clock=link.clock)
    assert_same_bits(client.evaluate(OBSERVATIONS), expected_actions(OBSERVATIONS))
    assert link.clock() > 2.0


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("position", [0, 1, 20, 60, 95])
def test_vanished_port_is_a_link_error_at_once(board, direction, position):
    link = MemoryLink(board)
    faulty = FaultyLink(link, [Fault(direction=direction, position=position, kind=FaultKind.VANISH)])
    with pytest.raises(LinkError, match="vanished"):
        Client(faulty, clock=link.clock).evaluate(OBSERVATIONS)
    assert link.clock() == 0.0


def test_board_that_dies_after_hello_is_a_link_error_within_the_limit():
    mortal = python_board()
    link = MemoryLink(mortal)
    client = client_of(link)
    client.hello()
    mortal.receive = lambda data: b""  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="no byte arrived"):
        client.evaluate(FEW)
    assert ended_within(link, Limits().request.overall_s)


class LateBoard:
    """Gives every answer one request late, and the first twice: a client that believes any answer is one behind."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._held = b""

    def receive(self, data: bytes) -> bytes:
        late, self._held = self._held, self._board.receive(data)
        return late

    def reset(self) -> bytes:
        return self._board.reset()


def test_answers_to_earlier_requests_are_dropped(board):
    client = client_of(MemoryLink(LateBoard(board)))
    for observation in FEW:
        assert_same_bits(client.trace(0, observation), doubled(observation))


def test_answer_of_another_sequence_alone_is_a_protocol_error():
    class Stale(SilentBoard):
        def receive(self, data: bytes) -> bytes:
            return encode_frame(Frame(Message.HELLO | RESPONSE_BIT, 4, python_board().hello.encode()))

    link = MemoryLink(Stale())
    with pytest.raises(ProtocolError, match="none of them the answer"):
        client_of(link, first_sequence=7).hello()
    assert ended_within(link, Limits().hello.overall_s)


def test_sequence_wraps_around(board):
    client = client_of(MemoryLink(board), first_sequence=0xFFFE)
    for _ in range(4):
        assert client.hello().observation_dim == 3


def test_leftover_answers_cannot_be_taken_for_ours_because_sequences_start_at_random():
    firsts = {Client(MemoryLink(SilentBoard()))._sequence for _ in range(20)}
    assert len(firsts) > 10


class SlowBoard(MemoryBoard):
    """Takes its time for each observation, and answers each copy of a request."""

    def __init__(self, clock: ManualClock, evaluation_s: float) -> None:
        super().__init__([doubled, widened], observation_dim=3, action_dim=4, largest_payload=4000)
        self._clock, self._evaluation_s = clock, evaluation_s
        self.batches: list[int] = []

    def receive(self, data: bytes) -> bytes:
        for frame in Decoder().feed(data):
            if frame.type == Message.EVALUATE:
                self.batches.append(int.from_bytes(frame.payload[:2], "little"))
                self._clock.advance(self._evaluation_s * self.batches[-1])
        return super().receive(data)


@pytest.mark.parametrize(("evaluation_s", "largest"), [(0.0, 36), (0.001, 36), (0.1, 5), (0.9, 1)])
def test_batches_shrink_so_that_a_slow_board_answers_before_it_is_asked_again(evaluation_s, largest):
    clock = ManualClock()
    slow = SlowBoard(clock, evaluation_s)
    client = Client(MemoryLink(slow, clock=clock), clock=clock)
    assert_same_bits(client.evaluate(OBSERVATIONS), expected_actions(OBSERVATIONS))
    assert slow.batches[0] == 1
    assert max(slow.batches) == largest
    assert sum(slow.batches) == len(OBSERVATIONS)  # nothing was sent twice


def test_answer_that_waits_behind_a_slow_write_is_still_read():
    clock = ManualClock()

    class SlowLine(MemoryLink):
        def write(self, data: bytes) -> None:
            super().write(data)
            self.clock.advance(15.0)

    client = Client(SlowLine(python_board(), clock=clock), clock=clock)
    assert client.hello().observation_dim == 3


@pytest.mark.parametrize(
    "request_of",
    [lambda client: client.benchmark(FEW[0], 7), lambda client: client.self_test()],
    ids=["benchmark", "self_test"],
)
def test_computation_of_twenty_silent_seconds_is_asked_for_once_and_waited_for(request_of):
    board = python_board()
    link = MemoryLink(board)
    client = client_of(link)
    client.hello()
    link._answer_s = 20.0
    request_of(client)
    assert link.clock() == pytest.approx(20.0)
    assert board._decoder.accepted == 2


class TricklingLink(MemoryLink):
    """A slow line: a byte every 0.1 s."""

    def read(self, timeout_s: float) -> bytes:
        due = self._take_arrived()
        self._on_its_way.insert(0, (self.clock(), due[1:]))
        if not due:
            return super().read(timeout_s)
        self.clock.advance(0.1)
        return due[:1]


def test_long_answer_on_a_slow_line_is_not_asked_for_again():
    board = python_board()
    link = TricklingLink(board)
    client = Client(link, clock=link.clock, limits=Limits(hello=Patience(overall_s=30, silence_s=0.5, attempts=1)))
    client.hello()
    before_s, before = link.clock(), board._decoder.accepted
    client.trace(1, FEW[0])
    assert link.clock() - before_s > Limits().request.silence_s
    assert board._decoder.accepted == before + 1


def test_answer_that_comes_after_the_silence_limit_is_as_good_as_the_second(board):
    link = MemoryLink(board, answer_s=2.5)
    client = client_of(link)
    client.hello()
    for observation in FEW:
        assert_same_bits(client.trace(0, observation), doubled(observation))


@pytest.mark.parametrize("change", [{"overall_s": 0.0}, {"silence_s": -1.0}, {"attempts": 0}])
def test_patience_without_time_is_a_value_error(change):
    with pytest.raises(ValueError, match="positive"):
        replace(Patience(overall_s=1.0, silence_s=1.0, attempts=1), **change)


def test_silent_link_in_real_time_ends_within_its_limit(program):
    class SilentPipe(link_native.PipeLink):
        def write(self, data: bytes) -> None:
            pass

    limits = Limits(hello=Patience(overall_s=0.3, silence_s=0.1, attempts=3))
    with SilentPipe(program("server_main.cpp", "-O1")) as link:
        link.read(1.0)  # the boot text
        start_s = time.monotonic()
        with pytest.raises(LinkError, match="no byte"):
            Client(link, limits=limits).hello()
    assert 0.25 < time.monotonic() - start_s < 20.0
