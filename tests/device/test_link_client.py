"""The client against the C++ server and against a board in Python: conversations and refusals. Time is simulated."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import link_native
import numpy as np
import pytest
from link_boards import (
    FEW,
    OBSERVATIONS,
    assert_same_bits,
    client_of,
    doubled,
    expected_actions,
    python_board,
    widened,
    zeros,
)

from rltools_embed.device import (
    Client,
    MemoryBoard,
    MemoryLink,
    SelfTest,
)
from rltools_embed.device.frames import Decoder, Frame, encode_frame
from rltools_embed.device.memory_link import Board
from rltools_embed.device.messages import RESPONSE_BIT, Message
from rltools_embed.errors import LinkError, ProtocolError

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
