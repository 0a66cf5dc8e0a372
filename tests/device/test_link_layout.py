"""The layout is written once: both ends are made from one table, and what an older or a newer peer makes of it."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import link_native
import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_boards import FEW, OBSERVATIONS, assert_same_bits, client_of, expected_actions, python_board

from rltools_embed import process, resources
from rltools_embed.device import ControlStatistics, MemoryLink, Statistics, protocol
from rltools_embed.device.frames import Decoder, Frame, encode_frame
from rltools_embed.device.memory_link import Board
from rltools_embed.device.messages import (
    ARITHMETIC_NUMBERS,
    LAYOUT,
    LAYOUT_HASH,
    PROTOCOL_VERSION,
    REFUSAL,
    RESPONSE_BIT,
    ArithmeticFault,
    ErrorCode,
    Exchange,
    Field,
    FieldType,
    FloatMode,
    Message,
    Payload,
    Tagged,
    layout_text,
)
from rltools_embed.device.messages_header import header
from rltools_embed.errors import ProtocolError

Layout = Mapping[Message, Exchange]

EMBED = resources.include_dir() / "rl_tools" / "embed"
FLOAT_MODE_HEADER = (EMBED.parent / "math" / "float_mode.h").read_text(encoding="utf-8")
STATISTICS = LAYOUT[Message.STATISTICS].response
UPTIME = Tagged(200, "uptime_ms", FieldType.U64)
UNIT = Tagged(201, "unit_id", FieldType.TEXT)


def with_response(message: Message, payload: Payload) -> Layout:
    return {**LAYOUT, message: replace(LAYOUT[message], response=payload)}


def with_tagged(message: Message, *tagged: Tagged) -> Layout:
    response = LAYOUT[message].response
    return with_response(message, replace(response, tagged=(*response.tagged, *tagged)))


def only(message: Message, *tagged: Tagged) -> Layout:
    return {message: with_tagged(message, *tagged)[message]}


# --- one table ------------------------------------------------------------------------------------------------------


def test_committed_header_is_what_the_table_gives() -> None:
    text = (EMBED / "messages.h").read_text(encoding="utf-8")
    assert text == header(), "run `python -m rltools_embed.device.messages_header`"


def changed_heads() -> Iterator[Layout]:
    """Every table in which one field of one head is dropped, renamed, of another type, after its neighbour or new."""
    for message, exchange in LAYOUT.items():
        for side in ("request", "response"):
            payload = getattr(exchange, side)
            head = payload.head
            heads = [(*head, Field("added", FieldType.U8))]
            for i, each in enumerate(head):
                other = FieldType.U8 if each.type is not FieldType.U8 else FieldType.U16
                heads += [
                    (*head[:i], *head[i + 1 :]),
                    (*head[:i], replace(each, name="renamed"), *head[i + 1 :]),
                    (*head[:i], replace(each, type=other), *head[i + 1 :]),
                ]
                if i:
                    heads.append((*head[: i - 1], head[i], head[i - 1], *head[i + 1 :]))
            for changed in heads:
                yield {**LAYOUT, message: replace(exchange, **{side: replace(payload, head=changed)})}


def changed_tagged(message: Message) -> Iterator[Layout]:
    """Every table in which one tagged field of this answer is dropped, renamed, of another type or number."""
    response = LAYOUT[message].response
    for i, each in enumerate(response.tagged):
        others = (
            (),
            (replace(each, name="renamed"),),
            (replace(each, type=FieldType.U64 if each.type is not FieldType.U64 else FieldType.U32),),
            (replace(each, number=99),),
        )
        for other in others:
            tagged = (*response.tagged[:i], *other, *response.tagged[i + 1 :])
            yield with_response(message, replace(response, tagged=tagged))


def test_no_field_of_a_head_changes_without_another_header_and_hash() -> None:
    changes = list(changed_heads())
    assert len(changes) > 90
    for layout in changes:
        assert header(layout) != header()
        assert layout_text(layout) != layout_text()


def test_no_tagged_field_changes_without_another_header() -> None:
    changes = [layout for message in LAYOUT for layout in changed_tagged(message)]
    assert len(changes) == 4 * sum(len(exchange.response.tagged) for exchange in LAYOUT.values())
    for layout in changes:
        assert header(layout) != header()


def test_hash_covers_required_fields_and_no_optional_ones() -> None:
    board, *optional = LAYOUT[Message.HELLO].response.tagged
    assert board.required
    assert not any(each.required for each in optional)
    of_hello = list(changed_tagged(Message.HELLO))
    for layout in of_hello[:4]:
        assert layout_text(layout) != layout_text()
    for layout in (*of_hello[4:], *changed_tagged(Message.STATISTICS), with_tagged(Message.HELLO, UPTIME, UNIT)):
        assert layout_text(layout) == layout_text()
    assert layout_text(with_tagged(Message.HELLO, replace(UNIT, required=True))) != layout_text()


def test_hash_covers_required_requests_only() -> None:
    benchmark = LAYOUT[Message.BENCHMARK]
    dropped = {message: exchange for message, exchange in LAYOUT.items() if message is not Message.BENCHMARK}
    assert layout_text(dropped) != layout_text()
    assert layout_text({**LAYOUT, Message.BENCHMARK: replace(benchmark, required=False)}) == layout_text(dropped)


# Never delete a line, never change one: what was given once is read by firmware that is somewhere in the field.
GIVEN_REQUESTS = {
    1: "HELLO",
    2: "EVALUATE",
    3: "TRACE",
    4: "BENCHMARK",
    5: "SELF_TEST",
    6: "STATISTICS",
    7: "RESET",
}
GIVEN_FIELDS = {
    ("HELLO", 1): "board:text",
    ("HELLO", 2): "arithmetic_faults:u32",
    ("HELLO", 3): "float_mode:u8",
    ("STATISTICS", 1): "frames_overlong:u32",
    ("STATISTICS", 2): "answers_dropped:u32",
    ("STATISTICS", 3): "control_period_us:u32",
    ("STATISTICS", 4): "control_steps:u32",
    ("STATISTICS", 5): "control_fallbacks:u32",
    ("STATISTICS", 6): "control_overruns:u32",
    ("STATISTICS", 7): "control_late_steps:u32",
    ("STATISTICS", 8): "control_worst_lateness_us:u32",
    ("STATISTICS", 9): "control_total_lateness_us:u64",
    ("STATISTICS", 10): "control_worst_execution_us:u32",
}
GIVEN_ERRORS = {1: "UNKNOWN_TYPE", 2: "BAD_SIZE", 3: "LAYER_OUT_OF_RANGE", 4: "REPLY_TOO_LONG"}
GIVEN_ARITHMETIC = {0: "SEPARATE", 1: "FUSED"}
GIVEN_FAULTS = {
    1: "SUBNORMAL_OPERAND",
    2: "SUBNORMAL_RESULT",
    4: "ROUNDING",
    8: "SIGN_OF_ZERO",
    16: "SPECIAL_NUMBER",
    32: "MULTIPLY_ADD",
    64: "COMPARISON",
    128: "DIVISION",
    256: "CONVERSION",
    512: "KERNEL",
    1024: "DEFAULT_NAN",
}
GIVEN_MODES = {1: "FLUSHES_SUBNORMALS", 2: "DEFAULT_NAN", 4: "ROUNDS_OTHERWISE"}


def test_numbers_that_were_given_are_never_given_again() -> None:
    requests = {message.value: message.name for message in LAYOUT}
    fields = {
        (message.name, each.number): f"{each.name}:{each.type.value}"
        for message, exchange in LAYOUT.items()
        for each in exchange.response.tagged
    }
    errors = {code.value: code.name for code in ErrorCode}
    arithmetic = {number: kind.name for kind, number in ARITHMETIC_NUMBERS.items()}
    assert requests.items() <= GIVEN_REQUESTS.items()
    assert fields.items() <= GIVEN_FIELDS.items()
    assert errors.items() <= GIVEN_ERRORS.items()
    assert arithmetic.items() <= GIVEN_ARITHMETIC.items()
    assert {fault.value: fault.name for fault in ArithmeticFault}.items() <= GIVEN_FAULTS.items()
    assert {mode.value: mode.name for mode in FloatMode}.items() <= GIVEN_MODES.items()
    # The firmware has the modes' numbers in a header that is not generated.
    for mode in FloatMode:
        assert f"{mode.name} = {mode.value}," in FLOAT_MODE_HEADER


def test_layout_of_version_2_stays_what_it_is() -> None:
    assert (PROTOCOL_VERSION, LAYOUT_HASH) == (2, 0x0564AF09)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"takes_tagged": True, "tagged": (UPTIME, replace(UNIT, number=200))}, "one number"),
        ({"takes_tagged": True, "tagged": (UPTIME, replace(UNIT, name="uptime_ms"))}, "one name"),
        ({"takes_tagged": True, "tagged": (replace(UPTIME, number=0),)}, "1 to 255"),
        ({"tagged": (UPTIME,)}, "follow the head of an answer"),
        ({"floats": "actions", "takes_tagged": True}, "follow the head of an answer"),
    ],
)
def test_table_that_breaks_the_rules_is_refused(payload: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Payload(**payload)  # type: ignore[arg-type]


# --- the C++ server and the table -----------------------------------------------------------------------------------


def compile_server(folder: Path, layout: Layout) -> process.Completed:
    """The server of the library with the header of another table."""
    place = folder / "rl_tools" / "embed"
    place.mkdir(parents=True)
    (place / "messages.h").write_text(header(layout), encoding="utf-8")
    compiler = shutil.which("g++") or shutil.which("clang++")
    assert compiler
    source = link_native.SOURCES / "server_main.cpp"
    includes = [f"-I{folder}", f"-I{resources.include_dir()}"]
    return process.run([compiler, *link_native.WARNINGS, *includes, "-fsyntax-only", source], timeout_s=600)


TOO_NARROW = with_response(Message.STATISTICS, replace(STATISTICS, head=(Field("stack_bytes", FieldType.U8),)))


@pytest.mark.parametrize(
    ("layout", "complaint"),
    [
        (with_tagged(Message.HELLO, UPTIME), "uptime_ms"),
        (with_response(Message.SELF_TEST, replace(STATISTICS, tagged=())), "stack_bytes"),
        (TOO_NARROW, "narrowing"),
    ],
    ids=["field without a value", "another answer's fields", "field that is too narrow"],
)
def test_server_that_does_not_follow_the_table_does_not_compile(tmp_path: Path, layout: Layout, complaint: str) -> None:
    done = compile_server(tmp_path, layout)
    assert done.exit_code != 0
    assert complaint in done.output


REQUESTS = {
    Message.HELLO: b"",
    Message.EVALUATE: b"\x02\x00" + FEW[:2].tobytes(),
    Message.TRACE: b"\x01\x00" + FEW[0].tobytes(),
    Message.BENCHMARK: b"\x03\x00" + FEW[0].tobytes(),
    Message.SELF_TEST: b"",
    Message.STATISTICS: b"",
    Message.RESET: b"",
}


def answer_of(board: Board, message: Message, payload: bytes) -> Frame:
    frames = Decoder().feed(board.receive(encode_frame(Frame(message, 300, payload))))
    return next(frame for frame in frames if frame.sequence == 300)


@pytest.mark.parametrize("message", Message)
def test_every_answer_is_what_the_table_says_byte_by_byte(board: Board, message: Message) -> None:
    MemoryLink(board)
    answer = answer_of(board, message, REQUESTS[message])
    assert answer.type == message | RESPONSE_BIT
    layout = LAYOUT[message].response
    values = layout.decode(answer.payload)
    assert layout.encode(floats=values.floats, **values.numbers, **values.strings) == answer.payload


@pytest.mark.parametrize("message", [message for message in Message if LAYOUT[message].request.head])
def test_requests_are_what_the_table_says_byte_by_byte(message: Message) -> None:
    layout = LAYOUT[message].request
    values = layout.decode(REQUESTS[message])
    assert layout.encode(floats=values.floats, **values.numbers) == REQUESTS[message]


def test_refusal_is_what_the_table_says(board: Board) -> None:
    MemoryLink(board)
    answer = answer_of(board, Message.TRACE, b"")
    assert REFUSAL.decode(answer.payload).numbers == {"code": ErrorCode.BAD_SIZE, "request": Message.TRACE}


def test_overlong_frames_are_counted_apart(native_board: Board) -> None:
    link = MemoryLink(native_board)
    link.write(b"\0" + b"x" * 500 + b"\0" + b"\x05noise\0")
    statistics = client_of(link).statistics()
    assert (statistics.frames_rejected, statistics.frames_overlong) == (2, 1)


# --- a peer with more or fewer optional fields ----------------------------------------------------------------------


def edited(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.fixture(scope="module")
def newer_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[link_native.LockstepBoard]:
    """The real server with two optional fields more in each of HELLO and STATISTICS."""
    folder = tmp_path_factory.mktemp("newer")
    include = folder / "include" / "rl_tools" / "embed"
    include.mkdir(parents=True)
    newer = {**with_tagged(Message.HELLO, UPTIME, UNIT), **only(Message.STATISTICS, UPTIME)}
    (include / "messages.h").write_text(header(newer), encoding="utf-8")
    server = (EMBED / "server.h").read_text(encoding="utf-8")
    members = "uint64_t uptime_ms = 1234567890123U;\n            Text unit_id = Server::board;\n            "
    server = edited(server, "uint16_t protocol_version = ", members + "uint16_t protocol_version = ")
    server = edited(
        server, "uint32_t frames_overlong;", "uint32_t frames_overlong;\n            uint64_t uptime_ms = 7U;"
    )
    server = edited(server, "size(Text(identity.board).size)", "size(Text(identity.board).size, 9)")
    (include / "server.h").write_text(server, encoding="utf-8")
    program = link_native.build("server_main.cpp", folder / "server", "-O0", f"-I{folder / 'include'}")
    board = link_native.LockstepBoard(program)
    yield board
    board.close()


def test_newer_firmware_serves_an_older_host_as_before(newer_board: Board, native_board: Board) -> None:
    newer, today = client_of(MemoryLink(newer_board)), client_of(MemoryLink(native_board))
    assert newer.hello() == today.hello()
    assert_same_bits(newer.evaluate(OBSERVATIONS), expected_actions(OBSERVATIONS))
    assert replace(newer.statistics(), frames_accepted=0) == replace(today.statistics(), frames_accepted=0)
    newer.reset()
    assert newer.self_test() == today.self_test()


def test_newer_host_reads_what_a_newer_firmware_sends_and_misses_nothing_of_an_older(
    newer_board: Board, native_board: Board
) -> None:
    newer = with_tagged(Message.HELLO, UPTIME, UNIT)[Message.HELLO].response
    MemoryLink(newer_board)
    MemoryLink(native_board)
    new = newer.decode(answer_of(newer_board, Message.HELLO, b"").payload)
    old = newer.decode(answer_of(native_board, Message.HELLO, b"").payload)
    assert new.numbers == {**old.numbers, "uptime_ms": 1234567890123}
    assert new.strings == {**old.strings, "unit_id": b"host_pipe"}


def test_field_that_an_older_firmware_does_not_send_is_none() -> None:
    assert client_of(MemoryLink(python_board())).statistics().frames_overlong is None


# What server_main.cpp reports.
LOOP = ControlStatistics(
    period_us=10_000,
    steps=5_000,
    fallbacks=6,
    overruns=7,
    late_steps=3,
    worst_lateness_us=120,
    total_lateness_us=2**32 + 1,
    worst_execution_us=400,
)


def test_a_control_loops_counters_arrive_whole(native_board: Board) -> None:
    assert client_of(MemoryLink(native_board)).statistics().control == LOOP


def test_a_host_that_does_not_know_the_control_loop_skips_it(native_board: Board) -> None:
    MemoryLink(native_board)
    payload = answer_of(native_board, Message.STATISTICS, b"").payload
    older = replace(STATISTICS, tagged=STATISTICS.tagged[:2])
    assert older.decode(payload).numbers == {
        name: number for name, number in STATISTICS.decode(payload).numbers.items() if not name.startswith("control_")
    }


def test_a_firmware_without_a_control_loop_has_no_counters_of_one() -> None:
    assert client_of(MemoryLink(python_board())).statistics().control is None


def test_half_of_a_control_loops_counters_is_none() -> None:
    payload = STATISTICS.encode(
        stack_bytes=1, stack_used_bytes=2, frames_accepted=3, frames_rejected=4, control_steps=5
    )
    assert Statistics.decode(payload).control is None


def test_answer_without_known_tagged_fields_may_get_some_later() -> None:
    for message in (Message.BENCHMARK, Message.SELF_TEST, Message.RESET):
        layout = LAYOUT[message].response
        head = bytes(layout.head_struct.size)
        assert layout.decode(head + b"\x09\x02ab") == layout.decode(head)


# --- tagged fields that are damaged ---------------------------------------------------------------------------------

HEAD = struct.pack("<IIII", 1, 2, 3, 4)
REQUIRED = replace(STATISTICS, tagged=(*STATISTICS.tagged, replace(UNIT, required=True)))


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (HEAD[:-1], "frames_rejected is missing"),
        (HEAD + b"\x01", "1 bytes at the end of a payload are no field"),
        (HEAD + b"\x01\x04abc", "5 bytes at the end of a payload are no field"),
        (HEAD + b"\x00\x00", "are no field"),
        (HEAD + b"\x01\x03abc", r"frames_overlong \(1\) has 3 bytes, a u32 has 4"),
        (HEAD + b"\x01\x04abcd" * 2, r"frames_overlong \(1\) comes twice"),
        (HEAD + b"\x01\x04abcd", r"lacks the required field unit_id \(201\)"),
    ],
)
def test_damaged_answer_is_a_protocol_error_that_names_the_field(payload: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint) as caught:
        REQUIRED.decode(payload)
    assert "flash the project again" in caught.value.hint


@given(st.binary(max_size=80))
def test_tagged_fields_of_any_bytes_are_values_or_a_protocol_error(tail: bytes) -> None:
    try:
        values = STATISTICS.decode(HEAD + tail)
    except ProtocolError:
        return
    again = STATISTICS.encode(**values.numbers)
    assert again.startswith(HEAD)
    assert STATISTICS.decode(again) == values


@pytest.mark.parametrize("values", [{}, {"code": 1}, {"code": 1, "request": 2, "more": 3}])
def test_answer_with_a_value_too_few_or_too_many_is_not_sent(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"needs a value|has no field"):
        REFUSAL.encode(**values)


# --- version 1 ------------------------------------------------------------------------------------------------------

# Recorded: the hello of the last host of version 1, and the answer of a firmware of its time (server_main.cpp).
HOST_1 = bytes.fromhex("000801030170d0a9a200")
FIRMWARE_1 = bytes.fromhex(
    "00058103010106752d66f3f9010102030101020401010203010440420f2eaeb9438eba124dc6f21e4b0882d943dd91032e16b1968ec8652fcc"
    "89e74e058a686f73745f70697065aaed6d3800"
)


class RecordedFirmware:
    """Answers everything with what version 1 answered to a hello, under the sequence number that is awaited."""

    def receive(self, data: bytes) -> bytes:
        (answer,) = Decoder().feed(FIRMWARE_1)
        return b"".join(encode_frame(replace(answer, sequence=frame.sequence)) for frame in Decoder().feed(data))

    def reset(self) -> bytes:
        return b""


def test_firmware_of_version_1_is_named_at_the_first_hello() -> None:
    with pytest.raises(ProtocolError, match="the firmware speaks protocol 1, this program 2") as caught:
        client_of(MemoryLink(RecordedFirmware())).evaluate(FEW)
    assert caught.value.hint == "build and flash the project again with this version of rltools_embed"
    assert caught.value.exit_code == 9


def test_firmware_of_a_later_version_tells_to_update_the_program() -> None:
    payload = replace(python_board().hello, protocol_version=3).encode()
    with pytest.raises(ProtocolError, match="the firmware speaks protocol 3, this program 2") as caught:
        protocol.Hello.decode(payload)
    assert caught.value.hint.startswith("update rltools_embed, or build and flash")


def test_host_of_version_1_still_reads_which_version_it_meets(board: Board) -> None:
    """The host at version 1 said of this answer: "the firmware speaks protocol 2, this program 1", exit code 9.

    For that the frame, the type, the sequence number and the first six bytes must stay where they were.
    """
    MemoryLink(board)
    (answer,) = Decoder().feed(board.receive(HOST_1))
    assert (answer.type, answer.sequence) == (0x81, 0x0103)
    assert struct.unpack_from("<HI", answer.payload) == (2, LAYOUT_HASH)
    (before,) = Decoder().feed(FIRMWARE_1)
    assert struct.unpack_from("<HI", before.payload)[0] == 1
