"""Corrupted frames by the million: nothing wrong is ever accepted, and the next intact frame always gets through."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.device.frames import Decoder, Frame, encode_frame


@pytest.fixture
def run_native_fuzz(program: Callable[..., Path]) -> Callable[..., process.Completed]:
    def run(count: int, seed: int, *flags: str) -> process.Completed:
        return process.run([program("fuzz_receiver.cpp", "-O2", *flags), str(count), str(seed)], timeout_s=600)

    return run


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_native_receiver_accepts_no_corrupted_frame(run_native_fuzz, count):
    done = run_native_fuzz(count, 1)
    assert done.exit_code == 0, done.output
    assert f"corrupted={count}" in done.output


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_native_fuzz_catches_a_receiver_that_believes_everything(run_native_fuzz, seed):
    done = run_native_fuzz(1000, seed, "-DFUZZ_BELIEVES_EVERYTHING")
    assert done.exit_code == 1
    assert "accepted a wrong frame" in done.output


def random_frames(source: random.Random, count: int) -> list[Frame]:
    """Half of them sparse; one in eight has COBS runs of more than 254 bytes."""
    frames = []
    for number in range(count):
        size = source.randrange(310 if number % 8 == 0 else 40)
        payload = bytes(0 if number % 2 and source.random() < 0.7 else source.randrange(256) for _ in range(size))
        frames.append(Frame(source.randrange(256), source.randrange(65536), payload))
    return frames


def mutate(wire: bytes, other: bytes, source: random.Random) -> bytes:
    # int(random() * n) is three times as fast as randrange, and evenly enough spread for this.
    place = int(source.random() * len(wire))
    value = bytes([int(source.random() * 256)])
    match int(source.random() * 8):
        case 0:
            return wire[:place] + bytes([wire[place] ^ (1 << int(source.random() * 8))]) + wire[place + 1 :]
        case 1:
            return wire[:place] + value + wire[place + 1 :]
        case 2:
            return wire[:place] + wire[place + 1 :]
        case 3:
            return wire[:place] + value + wire[place:]
        case 4:
            return wire[: place + 1]
        case 5:  # a stretch arrives twice
            end = place + 1 + int(source.random() * (len(wire) - place))
            return wire[:end] + wire[place:]
        case 6:  # two bytes change places
            first, second = sorted((place, int(source.random() * len(wire))))
            swapped = bytearray(wire)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            return bytes(swapped)
        case _:  # the begin of one frame, the end of another
            return wire[:place] + other[int(source.random() * len(other)) :]


def fuzz(decoder: Decoder, count: int, seed: int) -> str | None:
    """What went wrong within `count` corrupted frames, if anything."""
    source = random.Random(seed)
    frames = random_frames(source, 512)
    wires = [encode_frame(frame) for frame in frames]
    corrupted = 0
    while corrupted < count:
        one, two = int(source.random() * 512), int(source.random() * 512)
        stream = mutate(wires[one], wires[two], source)
        if source.random() < 0.5:
            stream = mutate(stream, wires[two], source) if stream else stream
        if stream == wires[one]:
            continue
        corrupted += 1
        found = decoder.feed(stream)
        for frame in found:
            if frame not in (frames[one], frames[two]):
                return f"accepted a wrong frame after {corrupted} corrupted ones"
        through = decoder.feed(wires[two])
        if not through or through[-1] != frames[two]:
            return f"lost an intact frame after {corrupted} corrupted ones"
        if any(frame not in (frames[one], frames[two]) for frame in through):
            return f"accepted a wrong frame after {corrupted} corrupted ones"
    return None


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_python_decoder_accepts_no_corrupted_frame(count):
    assert fuzz(Decoder(), count, 1) is None


class BelievesEverything(Decoder):
    def _is_intact(self, decoded: bytes) -> bool:
        return True


class LosesItsPlace(Decoder):
    """Keeps what came before a delimiter when the frame was wrong."""

    def _end(self) -> Frame | None:
        kept = bytes(self._stretch)
        frame = super()._end()
        if frame is None:
            self._stretch += kept
        return frame


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_python_fuzz_catches_a_decoder_that_believes_everything(seed):
    assert "accepted a wrong frame" in (fuzz(BelievesEverything(), 1000, seed) or "")


def test_python_fuzz_catches_a_decoder_that_does_not_resynchronise():
    assert "lost an intact frame" in (fuzz(LosesItsPlace(), 1000, 1) or "")
