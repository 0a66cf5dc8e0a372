"""Frames and messages: Python against its inverse, C++ against zlib, hashlib and Python."""

from __future__ import annotations

import hashlib
import random
import subprocess
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltools_embed.device import messages, protocol
from rltools_embed.device.frames import FRAME_OVERHEAD, Decoder, Frame, cobs_decode, cobs_encode, encode_frame
from rltools_embed.device.protocol import Hello
from rltools_embed.errors import ProtocolError
from rltools_embed.policy.arithmetic import Arithmetic

# Mostly zeros, or runs around COBS's 254: where a stuffing code goes wrong if it does.
run = st.tuples(st.sampled_from([b"\0", b"\x01", b"\xff"]), st.sampled_from([1, 2, 253, 254, 255, 508, 509])).map(
    lambda pair: pair[0] * pair[1]
)
data = st.one_of(st.binary(max_size=600), st.lists(run, max_size=4).map(b"".join))
frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 65535), data)

HELLO = Hello(
    largest_payload=249,
    observation_dim=3,
    action_dim=2,
    layer_count=4,
    arithmetic=Arithmetic.FUSED,
    tick_hz=168_000_000,
    digest=hashlib.sha256(b"policy").hexdigest(),
    board="nucleo_f446re",
)


@given(data)
def test_cobs_has_no_zero_and_decodes_to_what_was_encoded(raw):
    encoded = cobs_encode(raw)
    assert 0 not in encoded
    assert len(encoded) <= len(raw) + len(raw) // 254 + 1
    assert cobs_decode(encoded) == raw


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [  # the examples of Wikipedia's article on COBS
        ("00", "0101"),
        ("0000", "010101"),
        ("00110 0".replace(" ", ""), "01021101"),
        ("11220033", "0311220233"),
        ("11000000", "0211010101"),
        (bytes(range(1, 255)).hex(), "ff" + bytes(range(1, 255)).hex()),
        (bytes(range(255)).hex(), "01ff" + bytes(range(1, 255)).hex()),
        (bytes(range(1, 256)).hex(), "ff" + bytes(range(1, 255)).hex() + "02ff"),
        ((bytes(range(2, 256)) + b"\0").hex(), "ff" + bytes(range(2, 256)).hex() + "0101"),
        ((bytes(range(3, 256)) + b"\0\1").hex(), "fe" + bytes(range(3, 256)).hex() + "0201"),
    ],
)
def test_cobs_agrees_with_published_examples(raw, encoded):
    assert cobs_encode(bytes.fromhex(raw)).hex() == encoded


@given(st.lists(frames, max_size=4), st.data())
def test_decoder_finds_all_frames_however_the_stream_is_cut(sent, draw):
    stream = b"".join(encode_frame(frame) for frame in sent)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [frame for piece in pieces for frame in decoder.feed(piece)] == sent
    assert decoder.accepted == len(sent)


@given(frames, st.binary(max_size=300))
def test_decoder_finds_a_frame_after_any_garbage(frame, garbage):
    assert Decoder().feed(garbage + encode_frame(frame)) == [frame]


@given(frames, st.data())
def test_decoder_rejects_a_frame_with_one_flipped_bit(frame, draw):
    wire = bytearray(encode_frame(frame))
    place = draw.draw(st.integers(1, len(wire) - 2))
    wire[place] ^= 1 << draw.draw(st.integers(0, 7))
    assert Decoder().feed(bytes(wire)) == []


def test_decoder_drops_an_overlong_stretch_and_goes_on():
    decoder = Decoder(longest=100)
    frame = Frame(1, 2, b"payload")
    for _ in range(50):
        assert decoder.feed(b"x" * 30) == []
    assert decoder.feed(encode_frame(frame)) == [frame]
    assert (decoder.accepted, decoder.rejected) == (1, 1)


def test_hello_decodes_to_what_was_encoded():
    assert Hello.decode(HELLO.encode()) == HELLO


@given(st.binary(max_size=120))
def test_hello_of_any_bytes_is_a_hello_or_a_protocol_error(payload):
    for candidate in (payload, HELLO.encode()[:6] + payload):
        try:
            Hello.decode(candidate)
        except ProtocolError as error:
            assert "flash" in error.hint


@pytest.mark.parametrize("field", ["protocol_version", "layout_hash"])
def test_firmware_of_another_version_is_named_even_if_all_else_is_unreadable(field):
    payload = replace(HELLO, **{field: 77}).encode()[:6]
    with pytest.raises(
        ProtocolError, match=r"the firmware (speaks protocol 77|lays its messages out as 0000004d)"
    ) as error:
        Hello.decode(payload)
    assert "build and flash the project again" in error.value.hint


@pytest.mark.parametrize("change", [{"observation_dim": 0}, {"action_dim": 0}, {"largest_payload": 13}])
def test_hello_that_allows_no_evaluation_is_refused(change):
    with pytest.raises(ProtocolError, match="not one evaluation fits"):
        Hello.decode(replace(HELLO, **change).encode())


def test_hello_with_an_unknown_arithmetic_is_refused():
    payload = bytearray(HELLO.encode())
    payload[20] = 9
    with pytest.raises(ProtocolError, match="arithmetic"):
        Hello.decode(bytes(payload))


def test_largest_batch_fills_the_payload_by_the_wider_of_request_and_response():
    assert replace(HELLO, observation_dim=3, action_dim=1, largest_payload=2 + 12 * 5 + 11).largest_batch == 5
    assert replace(HELLO, observation_dim=1, action_dim=3, largest_payload=2 + 12 * 5).largest_batch == 5
    assert replace(HELLO, observation_dim=1, action_dim=1, largest_payload=1 << 20).largest_batch == 65535


def test_floats_keep_every_bit():
    bits = np.array([0x7F800001, 0xFFC12345, 0x80000000, 0x00000001, 0x7F7FFFFF, 0xFF800000], np.uint32)
    arrived = protocol.floats_from_bytes(protocol.floats_to_bytes(bits.view(np.float32)))
    np.testing.assert_array_equal(arrived.view(np.uint32), bits)


def test_float64_is_not_rounded_silently():
    with pytest.raises(TypeError, match="float32, not float64"):
        protocol.floats_to_bytes(np.zeros(3))


# --- the C++ headers ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def native(program: Callable[..., Path]) -> Callable[[str, Iterable[bytes]], list[bytes]]:
    executable = program("primitives_main.cpp", "-O1")

    def run_all(command: str, inputs: Iterable[bytes]) -> list[bytes]:
        lines = "".join(f"{command} {raw.hex() or '-'}\n" for raw in inputs)
        done = subprocess.run([executable], input=lines, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return [bytes.fromhex(line.replace("-", "")) for line in done.stdout.splitlines()]

    return run_all


def samples(count: int = 300) -> list[bytes]:
    """Every length to 300, then some long ones; half of them sparse."""
    source = random.Random(5)
    lengths = [*range(count), 1000, 4093, 65536]
    return [
        bytes(source.choice([0, 0, 0, source.randrange(256)]) if n % 2 else source.randrange(256) for _ in range(n))
        for n in lengths
    ]


def test_native_crc32_is_zlibs(native):
    assert native("crc32", samples()) == [zlib.crc32(raw).to_bytes(4, "big") for raw in samples()]


def test_native_sha256_is_hashlibs(native):
    assert native("sha256", samples()) == [hashlib.sha256(raw).digest() for raw in samples()]


def test_native_cobs_is_the_python_one(native):
    raw = [
        *samples(),
        *(b"\x01" * n + tail for n in (253, 254, 255, 508, 509) for tail in (b"", b"\0", b"\0\0", b"\0\1")),
    ]
    encoded = [cobs_encode(one) for one in raw]
    assert native("cobs_encode", raw) == encoded
    assert native("cobs_decode", encoded) == raw


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.binary(max_size=90), frames.map(encode_frame)), max_size=6).map(b"".join), max_size=30
    )
)
def test_native_receiver_and_python_decoder_agree_on_any_stream(native, streams):
    expected = []
    for stream in streams:
        decoder = Decoder()
        found = decoder.feed(stream)
        fitting = [frame for frame in found if len(frame.payload) <= 64 - FRAME_OVERHEAD]
        expected.append((fitting, len(fitting), decoder.rejected + len(found) - len(fitting)))
    assert [parse_receiver(answer) for answer in native("receive", streams)] == expected


def parse_receiver(answer: bytes) -> tuple[list[Frame], int, int]:
    found, rest = [], answer
    while len(rest) > 3:
        size = rest[3]
        found.append(Frame(rest[0], int.from_bytes(rest[1:3], "little"), rest[4 : 4 + size]))
        rest = rest[4 + size :]
    accepted, rejected, _ = rest
    return found, accepted, rejected


def test_native_receiver_counts_an_overlong_frame_and_takes_the_next(native):
    stream = encode_frame(Frame(1, 2, b"x" * 58)) + encode_frame(Frame(3, 4, b"x" * 57))
    (answer,) = native("receive", [stream])
    assert parse_receiver(answer)[0] == [Frame(3, 4, b"x" * 57)]
    assert tuple(answer[-3:]) == (1, 1, 1)


def test_last_code_that_promises_more_bytes_than_came_is_refused_by_both_ends(native):
    """Bytes and CRC would be right; a cut frame is still not a frame."""
    wire = bytearray(encode_frame(Frame(1, 2, b"payload")))
    last_code = 0
    position = 1
    while wire[position]:
        last_code, position = position, position + wire[position]
    wire[last_code] += 1
    (answer,) = native("receive", [bytes(wire)])
    assert parse_receiver(answer) == ([], 0, 1)
    assert Decoder().feed(bytes(wire)) == []


def test_stack_high_water_mark_is_the_deepest_word_ever_written(native):
    deepest = [b"", b"\x00", b"\x05", b"\x3f"]
    assert [int.from_bytes(used, "big") for used in native("high_water", deepest)] == [0, 256, 236, 4]


def test_both_ends_hold_the_same_layout(native):
    (text,) = native("layout", [b""])
    (layout_hash,) = native("layout_hash", [b""])
    (version,) = native("protocol_version", [b""])
    assert text.decode() == messages.layout_text()
    assert int.from_bytes(layout_hash, "big") == messages.LAYOUT_HASH == zlib.crc32(text)
    assert int.from_bytes(version, "big") == messages.PROTOCOL_VERSION
