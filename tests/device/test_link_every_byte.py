"""A conversation that is disturbed at every byte, and at random: it ends right or in a clear error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from link_boards import (
    FEW,
    client_of,
    ended_within,
    expected_actions,
    python_board,
)

from rltools_embed.device import (
    Client,
    Direction,
    Fault,
    FaultKind,
    FaultyLink,
    MemoryLink,
)
from rltools_embed.device.frames import Decoder
from rltools_embed.errors import RltEmbedError


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
    link = MemoryLink(python_board())
    measuring = MeasuringLink(link)
    client = Client(measuring, clock=link.clock)
    client.hello()
    begin = measuring.size(Direction.TO_HOST)
    client.evaluate(FEW)
    wrong = 0
    for position in range(begin, measuring.size(Direction.TO_HOST)):
        link = MemoryLink(python_board())
        fault = Fault(direction=Direction.TO_HOST, position=position, kind=FaultKind.FLIP)
        try:
            actions = Client(FaultyLink(link, [fault]), clock=link.clock).evaluate(FEW)
        except RltEmbedError:
            continue
        wrong += not np.array_equal(actions, expected_actions(FEW))
    assert wrong > 10
