"""What a link of a user's own must have, and what happens when it has not; which error a silent board is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from link_boards import FEW, assert_same_bits, expected_actions, python_board

from rltools_embed.device import Client, FaultyLink, Limits, Link, MemoryLink, Patience, SilentBoard
from rltools_embed.errors import LinkError, ProtocolError, SilentBoardError
from rltools_embed.firmware import board as boards
from rltools_embed.target import ports


class Whole:
    """A link that knows nothing of our classes, around a board in memory."""

    def __init__(self) -> None:
        self.link = MemoryLink(python_board())
        self.name = "mine"

    def read(self, timeout_s: float) -> bytes:
        return self.link.read(timeout_s)

    def write(self, data: bytes) -> None:
        self.link.write(data)


class WithoutRead:
    name = "mine"

    def write(self, data: bytes) -> None: ...


class WithoutWrite:
    name = "mine"

    def read(self, timeout_s: float) -> bytes:
        return b""


class WithoutName:
    def read(self, timeout_s: float) -> bytes:
        return b""

    def write(self, data: bytes) -> None: ...


class NamedByNumber(WithoutName):
    name = 7


class ReadIsNoMethod(WithoutRead):
    read = b""


def test_link_of_no_class_of_ours_is_enough() -> None:
    link = Whole()
    client = Client(link, clock=link.link.clock)  # type: ignore[arg-type]  # it cannot be entered by `with`
    assert_same_bits(client.evaluate(FEW), expected_actions(FEW))


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (WithoutRead, r"WithoutRead is no Link: it has no method read\(timeout_s\)"),
        (WithoutWrite, r"WithoutWrite is no Link: it has no method write\(data\)"),
        (WithoutName, "WithoutName is no Link: its name is None"),
        (NamedByNumber, "NamedByNumber is no Link: its name is 7"),
        (ReadIsNoMethod, r"has no method read\(timeout_s\)"),
        (type(None), "NoneType is no Link"),
    ],
)
@pytest.mark.parametrize("use", [Client, lambda link: FaultyLink(link, [])])
def test_link_that_lacks_something_is_refused_before_it_is_used(
    use: Callable[[object], object], kind: Callable[[], object], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        use(kind())


@pytest.mark.parametrize("missing", ["name", "read", "write"])
def test_subclass_of_link_that_lacks_something_cannot_be_made(missing: str) -> None:
    members = {
        name: getattr(WithoutRead if name != "read" else WithoutWrite, name) for name in ("name", "read", "write")
    }
    del members[missing]
    with pytest.raises(TypeError, match=missing):
        type("Mine", (Link,), members)()


@pytest.mark.parametrize(("given", "kind"), [(None, "NoneType"), ("", "str"), ("text", "str"), (7, "int")])
def test_read_that_gives_no_bytes_is_named(given: object, kind: str) -> None:
    link = Whole()
    link.read = lambda timeout_s: given  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(TypeError, match=f"Whole.read gave {kind}, not bytes"):
        Client(link).hello()  # type: ignore[arg-type]


@pytest.mark.parametrize("as_given", [bytearray, memoryview])
def test_other_kinds_of_bytes_are_bytes(as_given: Callable[[bytes], object]) -> None:
    link = Whole()
    read = link.read
    link.read = lambda timeout_s: as_given(read(timeout_s))  # type: ignore[method-assign,assignment,return-value]
    client = Client(link, clock=link.link.clock)  # type: ignore[arg-type]
    assert_same_bits(client.evaluate(FEW), expected_actions(FEW))


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), BrokenPipeError(), TimeoutError("timed out")])
def test_system_error_of_a_link_is_a_link_error(method: str, error: OSError) -> None:
    def fail(argument: object) -> bytes:
        raise error

    link = Whole()
    setattr(link, method, fail)
    with pytest.raises(LinkError, match=r"^mine broke while in use: \S+") as caught:
        Client(link).hello()  # type: ignore[arg-type]
    assert caught.value.__cause__ is error
    assert caught.value.hint


# --- a silent board -------------------------------------------------------------------------------------------------

SOON = Limits(hello=Patience(overall_s=0.2, silence_s=0.1, attempts=2))
BUTTON = "press its reset button"


def test_silent_board_is_a_link_error_of_its_own_class() -> None:
    link = MemoryLink(SilentBoard())
    with pytest.raises(SilentBoardError) as caught:
        Client(link, clock=link.clock, limits=SOON).hello()
    assert isinstance(caught.value, LinkError)
    assert caught.value.exit_code == 8


class Failing(Client):
    """A client whose hello fails with this error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(MemoryLink(SilentBoard()))
        self._error = error

    def hello(self) -> object:  # type: ignore[override]
        raise self._error


@pytest.mark.parametrize(
    ("error", "is_hinted"),
    [
        (SilentBoardError("nothing was heard", "wait."), True),
        (LinkError("the silent port vanished", "wait."), False),
        (ProtocolError("not silent, but wrong", "wait."), False),
    ],
)
@pytest.mark.parametrize("opening_resets", [True, False])
def test_hint_to_press_the_button_depends_on_the_class_of_the_error_not_on_its_words(
    error: LinkError, is_hinted: bool, opening_resets: bool
) -> None:
    board = boards.load("nucleo_f446re")
    board = replace(board, serial=replace(board.serial, opening_resets=opening_resets))
    with pytest.raises(type(error)) as caught:
        ports.hello(Failing(error), board)
    assert (BUTTON in caught.value.hint) is (is_hinted and not opening_resets)
