"""Requests to a board, one at a time: sent, repeated when no answer comes, and given up within a limit.

A request keeps its sequence number when it is repeated, so a late answer to the first copy is as good as the second's;
answers to earlier requests carry another number and are dropped. Requests are idempotent: a second copy does no harm.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from rltools_embed.device.frames import Decoder, Frame, encode_frame
from rltools_embed.device.link import CheckedLink, Link
from rltools_embed.device.messages import ERROR_TYPE, LAYOUT, REBUILD_HINT, RESPONSE_BIT, Message
from rltools_embed.device.protocol import (
    Benchmark,
    Floats,
    Hello,
    Refusal,
    SelfTest,
    Statistics,
    floats_from_bytes,
    floats_to_bytes,
)
from rltools_embed.errors import ProtocolError, RltEmbedError, SilentBoardError


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long one request may take.

    Attributes:
        silence_s: without a byte for so long, the request is sent again.
        attempts: how often it is sent in all. Each attempt gets an equal part of `overall_s`, however much arrives.
    """

    overall_s: float
    silence_s: float
    attempts: int

    def __post_init__(self) -> None:
        if self.overall_s <= 0 or self.silence_s <= 0 or self.attempts < 1:
            raise ValueError(f"{self}: times are positive and there is at least one attempt")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Patience with a board that may be booting, with one that answers at once, and with one that has work to do."""

    hello: Patience = Patience(overall_s=10.0, silence_s=0.5, attempts=20)
    request: Patience = Patience(overall_s=20.0, silence_s=2.0, attempts=4)
    computation: Patience = Patience(overall_s=120.0, silence_s=30.0, attempts=4)


_SHOWN_BYTES: Final = 40


@dataclass
class _Tally:
    """What came while an answer was awaited, for the error message."""

    size: int = 0
    frames: int = 0
    echoes: int = 0
    begin: bytes = b""

    def count_bytes(self, data: bytes) -> None:
        self.size += len(data)
        self.begin = (self.begin + data[:_SHOWN_BYTES])[:_SHOWN_BYTES]


# A batch is sized so that its answer takes at most this part of the silence limit, by the time of the batch before.
_ANSWER_PER_SILENCE: Final = 0.25


class Client:
    """The host's side of the protocol.

    Every method raises LinkError when no byte comes (SilentBoardError) or the port vanishes, and ProtocolError when
    bytes come that are not the answer. All within the request's limit. A `link` that is none is a TypeError at once.

    Args:
        clock: seconds; `MemoryLink` brings its own.
        first_sequence: random, so that an answer left over from another program is not taken for ours.
    """

    def __init__(
        self,
        link: Link,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        first_sequence: int | None = None,
    ) -> None:
        self._link = CheckedLink(link)
        self._limits = limits or Limits()
        self._clock = clock
        self._sequence = secrets.randbelow(1 << 16) if first_sequence is None else first_sequence
        self._decoder = Decoder()
        self._hello: Hello | None = None
        self._observation_s: float | None = None

    def hello(self) -> Hello:
        """Ask the board what it is, for as long as a board may take to boot.

        Raises:
            ProtocolError: also when the firmware was built by another version of this package.
        """
        self._hello = Hello.decode(self._exchange(Message.HELLO, b"", self._limits.hello))
        return self._hello

    def evaluate(self, observations: Floats) -> Floats:
        """The board's actions (N, action_dim) for `observations` (N, observation_dim), all float32, bit by bit."""
        hello = self._known_hello()
        if observations.ndim != 2 or observations.shape[1] != hello.observation_dim:
            raise ValueError(f"observations are (N, {hello.observation_dim}), not {observations.shape}")
        actions = np.empty((len(observations), hello.action_dim), np.float32)
        done = 0
        while done < len(observations):
            batch = observations[done : done + self._batch_size(hello)]
            start_s = self._clock()
            actions[done : done + len(batch)] = self._evaluate_batch(batch, hello)
            self._observation_s = (self._clock() - start_s) / len(batch)
            done += len(batch)
        return actions

    def trace(self, layer: int, observation: Floats) -> Floats:
        """The output of one layer (width,) for `observation` (observation_dim,)."""
        self._check_number(Message.TRACE, layer)
        request = LAYOUT[Message.TRACE].request.encode(layer=layer, floats=self._observation(observation))
        answer = LAYOUT[Message.TRACE].response.decode(self._exchange(Message.TRACE, request, self._limits.request))
        answered, output = answer.numbers["layer"], answer.floats
        if answered != layer or not output:
            raise _other_answer(Message.TRACE, f"layer {answered} with {len(output)} bytes for layer {layer}")
        return floats_from_bytes(output)

    def benchmark(self, observation: Floats, repeats: int) -> Benchmark:
        """Let the board evaluate `observation` (observation_dim,) so many times, 1 to 65535, and count its ticks."""
        if repeats < 1:
            raise ValueError(f"repeats is {repeats}, at least 1 is needed")
        self._check_number(Message.BENCHMARK, repeats)
        request = LAYOUT[Message.BENCHMARK].request.encode(repeats=repeats, floats=self._observation(observation))
        answer = self._exchange(Message.BENCHMARK, request, self._limits.computation)
        ticks = LAYOUT[Message.BENCHMARK].response.decode(answer).numbers
        return Benchmark(repeats=repeats, tick_hz=self._known_hello().tick_hz, **ticks)

    def self_test(self) -> SelfTest:
        """Let the board evaluate the examples in its flash."""
        answer = self._exchange(Message.SELF_TEST, b"", self._limits.computation)
        return SelfTest(**LAYOUT[Message.SELF_TEST].response.decode(answer).numbers)

    def statistics(self) -> Statistics:
        """The device's counters."""
        answer = self._exchange(Message.STATISTICS, b"", self._limits.request)
        return Statistics.decode(answer)

    def reset(self) -> None:
        """Reset the board. It needs time to boot then: the next request says hello first."""
        self._hello = None
        self._exchange(Message.RESET, b"", self._limits.hello)

    def _known_hello(self) -> Hello:
        return self._hello or self.hello()

    def _batch_size(self, hello: Hello) -> int:
        """One observation at first, then as many as fit the payload and are answered long before the silence limit."""
        if self._observation_s is None:
            return 1
        budget_s = _ANSWER_PER_SILENCE * self._limits.request.silence_s
        if self._observation_s * hello.largest_batch <= budget_s:
            return hello.largest_batch
        return max(1, int(budget_s / self._observation_s))

    def _evaluate_batch(self, batch: Floats, hello: Hello) -> Floats:
        layout = LAYOUT[Message.EVALUATE]
        request = layout.request.encode(count=len(batch), floats=floats_to_bytes(batch))
        answer = layout.response.decode(self._exchange(Message.EVALUATE, request, self._limits.request))
        count, actions = answer.numbers["count"], answer.floats
        if count != len(batch) or len(actions) != len(batch) * 4 * hello.action_dim:
            described = f"{count} actions in {len(actions)} bytes for {len(batch)} observations"
            raise _other_answer(Message.EVALUATE, described)
        return floats_from_bytes(actions).reshape(len(batch), hello.action_dim)

    def _observation(self, observation: Floats) -> bytes:
        """The bytes of one observation."""
        observation_dim = self._known_hello().observation_dim
        if observation.shape != (observation_dim,):
            raise ValueError(f"an observation is ({observation_dim},), not {observation.shape}")
        return floats_to_bytes(observation)

    def _check_number(self, message: Message, number: int) -> None:
        if not 0 <= number <= 0xFFFF:
            raise ValueError(f"{message.name} carries 0 to 65535, not {number}")

    def _exchange(self, message: Message, payload: bytes, patience: Patience) -> bytes:
        """The payload of the answer."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        request = Frame(message, self._sequence, payload)
        wire = encode_frame(request)
        tally = _Tally()
        start_s = self._clock()
        for attempt in range(1, patience.attempts + 1):
            self._link.write(wire)
            end_s = start_s + patience.overall_s * attempt / patience.attempts
            answer = self._await_answer(request, end_s, patience.silence_s, tally)
            if answer is not None:
                return answer
        raise self._no_answer(message, tally, self._clock() - start_s)

    def _await_answer(self, request: Frame, end_s: float, silence_s: float, tally: _Tally) -> bytes | None:
        silent_since_s = self._clock()
        while True:
            left_s = min(end_s, silent_since_s + silence_s) - self._clock()
            # Read once even if no time is left: a slow write or a process that was held up is not the board's silence.
            data = self._link.read(max(0.0, left_s))
            if data:
                silent_since_s = self._clock()
                tally.count_bytes(data)
            for frame in self._decoder.feed(data):
                if _answers(frame, request):
                    return frame.payload
                tally.frames += 1
                tally.echoes += frame.type < RESPONSE_BIT
            if self._clock() >= min(end_s, silent_since_s + silence_s):
                return None

    def _no_answer(self, message: Message, tally: _Tally, waited_s: float) -> RltEmbedError:
        waited = f"{self._link.name}, {message.name}, {waited_s:.1f} s"
        if tally.size == 0:
            return SilentBoardError(
                f"the board is silent: no byte arrived ({waited})",
                "is it powered and flashed with this project, is the serial speed right, is nobody else connected?",
            )
        if tally.frames == 0:
            return ProtocolError(
                f"{tally.size} bytes arrived, none of them a frame of ours ({waited}): {tally.begin!r}…",
                "check the baud rate, and that this project's firmware was flashed and not another",
            )
        if tally.echoes == tally.frames:
            return ProtocolError(
                f"{tally.size} bytes arrived, all frames in them our own requests ({waited})",
                "the port is looped back or its other end echoes: connect it to the board",
            )
        return ProtocolError(
            f"{tally.frames} frames arrived, none of them the answer ({waited})",
            "is another program talking to the board?",
        )


def _answers(frame: Frame, request: Frame) -> bool:
    """Whether `frame` is the answer to `request`.

    Raises:
        ProtocolError: it is, and the board refuses.
    """
    if frame.sequence != request.sequence:
        return False
    if frame.type == request.type | RESPONSE_BIT:
        return True
    if frame.type == ERROR_TYPE:
        refusal = Refusal.decode(frame.payload)
        if refusal.request == request.type:
            raise ProtocolError(
                f"the board refuses {Message(request.type).name}: {refusal.reason}",
                REBUILD_HINT,
            )
    return False


def _other_answer(message: Message, described: str) -> ProtocolError:
    return ProtocolError(f"the board answers {message.name} with {described}", REBUILD_HINT)
