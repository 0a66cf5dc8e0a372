"""The client against the C++ server and against a board in Python, over good and bad links. Time is simulated."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

import link_native
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    SelfTest,
    SilentBoard,
)
from rltools_embed.device.memory_link import Board
from rltools_embed.device.protocol import (
    RESPONSE_BIT,
    Decoder,
    Floats,
    Frame,
    Message,
    encode_frame,
)
from rltools_embed.errors import LinkError, ProtocolError, RltEmbedError

OBSERVATIONS = np.random.default_rng(3).standard_normal((37, 3)).astype(np.float32)
OBSERVATIONS[0] = [0.0, -0.0, 1e-42]
FEW = OBSERVATIONS[:3]


def doubled(observation: Floats) -> Floats:
    return observation * np.float32(2)


def widened(values: Floats) -> Floats:
    return values[np.arange(4) % 3] + np.arange(4, dtype=np.float32)


def zeros(values: Floats) -> Floats:
    return np.zeros(5, np.float32)


def expected_actions(observations: Floats) -> Floats:
    return np.stack([widened(doubled(observation)) for observation in observations])


def python_board(**options) -> MemoryBoard:
    return MemoryBoard([doubled, widened], observation_dim=3, action_dim=4, boot_text=b"boot\r\n", **options)


@pytest.fixture(params=["native", "python"])
def board(request) -> Board:
    return request.getfixturevalue("native_board") if request.param == "native" else python_board()


def client_of(link: MemoryLink, **options) -> Client:
    return Client(link, clock=link.clock, **options)


def assert_same_bits(actual: Floats, expected: Floats) -> None:
    np.testing.assert_array_equal(actual.view(np.uint32), expected.view(np.uint32))


# --- conversations --------------------------------------------------------------------------------------------------


def test_hello_says_what_the_native_firmware_is(native_board):
    hello = client_of(MemoryLink(native_board)).hello()
    assert (hello.observation_dim, hello.action_dim, hello.layer_count) == (3, 4, 3)
    assert (hello.board, hello.arithmetic.value) == ("host_pipe", "separate")
    assert (hello.tick_hz, hello.largest_payload) == (1_000_000, 249)
    assert hello.digest == hashlib.sha256(b"doubling").hexdigest()


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 37])
def test_evaluation_gives_the_functions_bits_for_any_number_of_observations(board, count):
    actions = client_of(MemoryLink(board)).evaluate(OBSERVATIONS[:count])
    assert actions.dtype == np.float32
    assert_same_bits(actions, expected_actions(OBSERVATIONS)[:count])


def test_strided_observations_are_sent_as_they_are_indexed(board):
    client = client_of(MemoryLink(board))
    assert_same_bits(client.evaluate(OBSERVATIONS[::-2]), expected_actions(OBSERVATIONS)[::-2])
    assert_same_bits(client.evaluate(np.asfortranarray(OBSERVATIONS)), expected_actions(OBSERVATIONS))


def test_trace_gives_each_layer(board):
    client = client_of(MemoryLink(board))
    assert_same_bits(client.trace(0, OBSERVATIONS[0]), doubled(OBSERVATIONS[0]))
    assert_same_bits(client.trace(1, OBSERVATIONS[0]), expected_actions(OBSERVATIONS)[0])


def test_trace_of_a_layer_wider_than_input_and_output_is_whole(native_board):
    assert_same_bits(client_of(MemoryLink(native_board)).trace(2, OBSERVATIONS[0]), zeros(OBSERVATIONS[0]))


def test_special_floats_pass_the_native_firmware_with_their_bits(native_board):
    bits = np.array([0x7FC12345, 0x80000000, 0xFF800000], np.uint32)  # a quiet NaN's payload survives 2x on x86
    output = client_of(MemoryLink(native_board)).trace(0, bits.view(np.float32))
    np.testing.assert_array_equal(output.view(np.uint32), bits)


def test_benchmark_counts_across_the_wrap_of_the_boards_counter(native_board):
    # The test port's counter advances 10 per reading and starts 16 before 2^32: each round costs exactly 10.
    benchmark = client_of(MemoryLink(native_board)).benchmark(OBSERVATIONS[0], 1000)
    assert (benchmark.evaluation_ticks, benchmark.empty_ticks) == (10_000, 10_000)
    assert (benchmark.ticks_per_evaluation, benchmark.seconds_per_evaluation) == (0.0, 0.0)


def test_self_test_and_statistics_are_the_firmwares(native_board):
    client = client_of(MemoryLink(native_board))
    assert client.self_test() == SelfTest(examples=7, mismatches=1)
    statistics = client.statistics()
    assert (statistics.stack_bytes, statistics.stack_used_bytes) == (256, 16)
    assert (statistics.frames_accepted, statistics.frames_rejected) == (2, 0)


def test_statistics_count_what_was_noise_on_the_way_to_the_board(native_board):
    link = MemoryLink(native_board)
    link.write(b"\x05noise\0more\0")
    assert client_of(link).statistics().frames_rejected == 2


def test_reset_boots_the_board_and_the_conversation_goes_on(board):
    client = client_of(MemoryLink(board))
    client.evaluate(FEW)
    client.reset()
    assert_same_bits(client.evaluate(FEW), expected_actions(FEW))


def test_reset_really_starts_the_firmware_again(native_board):
    client = client_of(MemoryLink(native_board))
    client.evaluate(OBSERVATIONS)
    client.reset()
    assert client.statistics().frames_accepted == 1


def test_board_may_take_as_long_to_boot_after_a_reset_as_before_a_hello(board):
    link = MemoryLink(board)
    client = client_of(link)
    client.evaluate(FEW)
    client.reset()
    link._boot_s = 9.0  # longer than any other request is waited for
    link.reset_board()
    assert_same_bits(client.evaluate(FEW), expected_actions(FEW))


def test_native_firmware_speaks_through_a_real_pipe(program):
    with link_native.PipeLink(program("server_main.cpp", "-O1")) as link:
        client = Client(link)
        assert_same_bits(client.evaluate(OBSERVATIONS), expected_actions(OBSERVATIONS))
        assert client.self_test().examples == 7
        client.reset()
        assert_same_bits(client.evaluate(OBSERVATIONS), expected_actions(OBSERVATIONS))


def test_killed_firmware_is_a_vanished_link(program):
    link = link_native.PipeLink(program("server_main.cpp", "-O1"))
    client = Client(link)
    client.hello()
    link.kill()
    with pytest.raises(LinkError, match="the pipe ended"):
        client.evaluate(FEW)


# --- refusals -------------------------------------------------------------------------------------------------------


def raw_answer(board: Board, request: Frame) -> list[Frame]:
    return Decoder().feed(board.receive(encode_frame(request)))


@pytest.mark.parametrize(
    ("request_type", "payload", "code"),
    [
        (0x55, b"", 1),
        (0x00, b"", 1),
        (Message.HELLO, b"x", 2),
        (Message.EVALUATE, b"", 2),
        (Message.EVALUATE, b"\x01", 2),
        (Message.EVALUATE, b"\x02\x00" + bytes(12), 2),
        (Message.EVALUATE, b"\xff\xff" + bytes(12), 2),
        (Message.EVALUATE, b"\x10\x00" + bytes(16 * 12), 4),
        (Message.TRACE, b"\x00\x00" + bytes(11), 2),
        (Message.TRACE, b"\x03\x00" + bytes(12), 3),
        (Message.BENCHMARK, b"\x00\x00", 2),
        (Message.SELF_TEST, b"x", 2),
        (Message.STATISTICS, b"x", 2),
        (Message.RESET, b"x", 2),
    ],
)
def test_request_that_cannot_be_met_is_refused_with_its_code(board, request_type, payload, code):
    assert raw_answer(board, Frame(request_type, 300, payload)) == [Frame(0xFF, 300, bytes([code, request_type]))]


def test_echoed_answer_gets_no_answer(board):
    for kind in (Message.HELLO | RESPONSE_BIT, 0xFF):
        assert raw_answer(board, Frame(kind, 1, b"")) == []


def test_refusal_is_reported_at_once_and_in_words(board):
    link = MemoryLink(board)
    client = client_of(link)
    client.hello()
    before_s = link.clock()
    with pytest.raises(ProtocolError, match="the board refuses TRACE: layer out of range"):
        client.trace(9, OBSERVATIONS[0])
    assert link.clock() == before_s


@pytest.mark.parametrize(
    ("call", "fact"),
    [
        (lambda client: client.evaluate(np.zeros((2, 4), np.float32)), r"\(N, 3\), not \(2, 4\)"),
        (lambda client: client.evaluate(np.zeros(3, np.float32)), r"\(N, 3\), not \(3,\)"),
        (lambda client: client.trace(0, np.zeros(2, np.float32)), r"\(3,\), not \(2,\)"),
        (lambda client: client.trace(-1, FEW[0]), "not -1"),
        (lambda client: client.benchmark(FEW[0], 0), "at least 1"),
        (lambda client: client.benchmark(FEW[0], 65536), "not 65536"),
    ],
)
def test_wrong_argument_is_a_value_error(call, fact):
    with pytest.raises(ValueError, match=fact):
        call(client_of(MemoryLink(python_board())))


def test_float64_observations_are_a_type_error():
    with pytest.raises(TypeError, match="float32"):
        client_of(MemoryLink(python_board())).evaluate(np.zeros((1, 3)))  # type: ignore[arg-type]  # that is the test


class LyingBoard(MemoryBoard):
    """Answers EVALUATE and TRACE with a payload of its own."""

    lie = b""

    def receive(self, data: bytes) -> bytes:
        frames = Decoder().feed(super().receive(data))
        lying = (Message.EVALUATE | RESPONSE_BIT, Message.TRACE | RESPONSE_BIT)
        return b"".join(encode_frame(replace(f, payload=self.lie) if f.type in lying else f) for f in frames)


@pytest.mark.parametrize("lie", ["", "01", "0100", "0200" + "00" * 16, "0100" + "00" * 15, "0100" + "00" * 20])
def test_answer_of_another_size_is_a_protocol_error(lie):
    board = LyingBoard([doubled, widened], observation_dim=3, action_dim=4)
    board.lie = bytes.fromhex(lie)
    with pytest.raises(ProtocolError):
        client_of(MemoryLink(board)).evaluate(FEW[:1])


@pytest.mark.parametrize("lie", ["", "0000", "0100" + "00" * 4, "0000" + "00" * 3])
def test_trace_of_another_layer_or_of_half_a_float_is_a_protocol_error(lie):
    board = LyingBoard([doubled, widened], observation_dim=3, action_dim=4)
    board.lie = bytes.fromhex(lie)
    with pytest.raises(ProtocolError):
        client_of(MemoryLink(board)).trace(0, FEW[0])


def test_stale_firmware_is_the_first_thing_reported():
    stale = python_board()
    stale.hello = replace(stale.hello, layout_hash=1)
    with pytest.raises(ProtocolError, match="lays its messages out") as error:
        client_of(MemoryLink(stale)).evaluate(FEW)
    assert "build and flash the project again with this version" in error.value.hint


# --- bad links ------------------------------------------------------------------------------------------------------


def ended_within(link: MemoryLink, limit_s: float) -> bool:
    return link.clock() <= limit_s + 1e-9


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
    assert 0.25 < time.monotonic() - start_s < 2.0


# --- fails at every byte --------------------------------------------------------------------------------------------


def converse(client: Client) -> list[object]:
    """One of everything that can be compared after a repeat."""
    hello = client.hello()
    return [
        hello,
        client.evaluate(FEW).tobytes(),
        client.trace(1, FEW[1]).tobytes(),
        client.benchmark(FEW[0], 3),
        client.self_test(),
        client.statistics().stack_bytes,
    ]


class MeasuringLink(FaultyLink):
    """No faults, only counts."""

    def __init__(self, link: MemoryLink) -> None:
        super().__init__(link, [])

    def size(self, direction: Direction) -> int:
        return self._positions[direction]


FAULTS = [
    (FaultKind.FLIP, b"\x01"),
    (FaultKind.FLIP, b"\x80"),
    (FaultKind.DROP, b""),
    (FaultKind.INSERT, b"\0"),
    (FaultKind.INSERT, b"\x5a"),
    (FaultKind.DUPLICATE, b""),
    (FaultKind.RESET, b""),
]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(("kind", "data"), FAULTS)
def test_conversation_survives_one_fault_at_any_byte(board, direction, kind, data):
    link = MemoryLink(board)
    measuring = MeasuringLink(link)
    expected = converse(Client(measuring, clock=link.clock, first_sequence=9))
    assert measuring.size(direction) > 100
    for position in range(measuring.size(direction)):
        link = MemoryLink(board)
        fault = Fault(direction=direction, position=position, kind=kind, data=data)
        faulty = FaultyLink(link, [fault], reset=link.reset_board)
        assert converse(Client(faulty, clock=link.clock, first_sequence=9)) == expected, position


FAULT_SCRIPT = st.lists(
    st.builds(
        Fault,
        direction=st.sampled_from(Direction),
        position=st.integers(0, 700),
        kind=st.sampled_from(FaultKind),
        data=st.binary(min_size=1, max_size=30),
    ),
    min_size=2,
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(FAULT_SCRIPT)
def test_conversation_under_many_faults_ends_right_or_in_a_clear_error(native_board, script):
    clean = MemoryLink(native_board)
    expected = converse(client_of(clean, first_sequence=9))
    link = MemoryLink(native_board)
    faulty = FaultyLink(link, script, reset=link.reset_board)
    try:
        assert converse(Client(faulty, clock=link.clock, first_sequence=9)) == expected
    except RltEmbedError as error:
        assert error.exit_code in (8, 9)
        assert error.hint
    assert ended_within(link, 400.0)


def test_unchecked_frames_would_be_caught_giving_wrong_values(monkeypatch):
    """The test above can fail: without the CRC a flipped bit arrives as a wrong action."""
    monkeypatch.setattr(Decoder, "_is_intact", lambda self, decoded: True)
    wrong = 0
    for position in range(60, 120):
        link = MemoryLink(python_board())
        fault = Fault(direction=Direction.TO_HOST, position=position, kind=FaultKind.FLIP)
        try:
            actions = Client(FaultyLink(link, [fault]), clock=link.clock).evaluate(FEW)
        except RltEmbedError:
            continue
        wrong += not np.array_equal(actions, expected_actions(FEW))
    assert wrong > 10
