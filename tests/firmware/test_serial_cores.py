"""Nothing in the firmware's loop waits for its serial port, whatever the core's `write` does when nobody reads.

The whole firmware runs in simulated time: the server, the control loop and the port of an Arduino core or of ESP-IDF.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rltools_embed import process
from rltools_embed.device.messages import Message
from tests.firmware.serial_cores import (
    CLOSED,
    CORES,
    FAST,
    SLOW,
    UNREAD,
    Core,
    Programs,
    Run,
    conversation,
    evaluation,
    host_program,
    request,
    run,
    run_host,
)

# A round reads at most twice the buffer, and on an ESP32 the watchdog's tick of 1 ms comes on top.
LONGEST_ROUND_US = 5_000
PERIOD_US = 5_000

every_core = pytest.mark.parametrize("core", CORES.values(), ids=CORES)
FETCHED = {name: core for name, core in CORES.items() if core.fetched}
every_usb_core = pytest.mark.parametrize("core", FETCHED.values(), ids=FETCHED)

# Most of it is the compiler: a program for each core.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(folder=tmp_path_factory.mktemp("serial_cores"))


def assert_control_kept_its_period(seen: Run, end_ms: int) -> None:
    assert seen.longest_us < LONGEST_ROUND_US
    assert (seen.missed, seen.overruns) == (0, 0)
    assert abs(seen.steps - end_ms * 1000 // PERIOD_US) <= 1


@every_core
def test_a_reader_gets_every_byte_once_and_in_order(core: Core, programs: Programs) -> None:
    fast = run(programs.of(core), f"0:{FAST},500:0", conversation(3))
    slow = run(programs.of(core), f"0:{SLOW},500:0", conversation(3))

    for seen in (fast, slow):
        assert (seen.answered, seen.repeats, seen.dropped) == (5, 0, 0)
        assert_control_kept_its_period(seen, 500)
        assert len(seen.frames) == 5
    assert slow.received == fast.received
    assert fast.received.startswith(f"rltools_embed: demo on {core.board}\r\n\0".encode()), fast.received[:60]


@every_core
def test_odd_numbers_of_available_and_read_do_no_harm(core: Core, programs: Programs) -> None:
    plain = run(programs.of(core), f"0:{FAST},500:0", conversation(2))
    odd = run(programs.of(core), f"0:{FAST},500:0", conversation(2), "odd")

    assert odd.received == plain.received
    assert_control_kept_its_period(odd, 500)


@every_core
@pytest.mark.parametrize("reading", [UNREAD, CLOSED], ids=["open and unread", "closed"])
def test_a_port_that_nobody_reads_holds_nobody_up(core: Core, reading: int, programs: Programs) -> None:
    seen = run(programs.of(core), f"0:{reading},1500:0", conversation(3))

    assert_control_kept_its_period(seen, 1500)
    assert seen.received == b""


@every_usb_core
@pytest.mark.parametrize("reading", [UNREAD, CLOSED], ids=["open and unread", "closed"])
def test_the_link_recovers_when_the_reader_comes_back(core: Core, reading: int, programs: Programs) -> None:
    # It reads for 7 ms, in which the hello and a part of the answers go.
    seen = run(programs.of(core), f"0:{FAST},6:{reading},1000:{FAST},2000:0", conversation(3))
    undisturbed = run(programs.of(core), f"0:{FAST},500:0", conversation(3))

    assert_control_kept_its_period(seen, 2000)
    assert seen.answered == 5
    assert seen.answers == undisturbed.answers
    # An answer has 606 bytes, and the core keeps some of them for the reader. A host that has closed asks for none.
    if reading == UNREAD and core.holds < 606:
        assert seen.dropped > 0
    if core.holds > 5 * 606:
        assert seen.dropped == 0
    assert seen.done_us < 1_000_000 + 650_000


@pytest.mark.parametrize("name", ["samd", "mbed", "stm32-usb"])
def test_a_program_that_prints_waits_once_and_cuts_no_answer(name: str, programs: Programs) -> None:
    read = run(programs.of(CORES[name]), f"0:{FAST},500:0", conversation(3), "prints")
    unread = run(programs.of(CORES[name]), f"0:{UNREAD},1500:0", [request(Message.HELLO, 1)], "prints")

    assert (read.answered, read.repeats, read.missed) == (5, 0, 0)
    assert read.received.count(b"tick\r\n") > 90
    assert 250_000 <= unread.longest_us < 260_000
    assert unread.missed < 60  # one wait, of 50 periods


@pytest.mark.parametrize("name", ["stm32-usb", "samd", "mbed", "teensy"])
def test_a_reset_is_not_held_up_by_an_answer_that_nobody_fetches(name: str, programs: Programs) -> None:
    requests = [evaluation(1), request(Message.RESET, 2)]

    for script in (f"0:{FAST},3000:0", f"0:{FAST},7:{UNREAD},3000:0"):
        done = process.run([programs.of(CORES[name]), script, "", *(each.hex() for each in requests)], timeout_s=60)
        assert done.exit_code == 7  # the chip's reset, before the script's end


def schedules() -> st.SearchStrategy[list[tuple[int, int]]]:
    rates = st.sampled_from([CLOSED, UNREAD, 700, SLOW, FAST])
    return st.lists(st.tuples(st.integers(min_value=1, max_value=400), rates), max_size=6)


def check_any_reader(program_of: Callable[[Core], object], name: str, pieces: list[tuple[int, int]]) -> None:
    script, at_ms = [f"0:{FAST}"], 5
    for length_ms, rate in pieces:
        script.append(f"{at_ms}:{rate}")
        at_ms += length_ms
    end_ms = at_ms + 2000
    seen = run(program_of(CORES[name]), ",".join([*script, f"{at_ms}:{FAST}", f"{end_ms}:0"]), conversation(2))  # type: ignore[arg-type]

    assert_control_kept_its_period(seen, end_ms)
    assert seen.answered == 4
    assert {len(answer) for number, answer in seen.answers.items() if number > 1} == {2 + 4 * 150}


HYPOTHESIS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture], "derandomize": True}


@settings(max_examples=20, **HYPOTHESIS)
@given(name=st.sampled_from(["samd", "mbed", "idf-usb", "arduino-pico"]), pieces=schedules())
def test_whatever_the_reader_does_the_control_loop_goes_on(
    programs: Programs, name: str, pieces: list[tuple[int, int]]
) -> None:
    check_any_reader(programs.of, name, pieces)


@pytest.mark.long
@settings(max_examples=1000, **HYPOTHESIS)
@given(name=st.sampled_from([*FETCHED]), pieces=schedules())
def test_whatever_the_reader_does_on_any_core(programs: Programs, name: str, pieces: list[tuple[int, int]]) -> None:
    check_any_reader(programs.of, name, pieces)


def test_the_host_firmware_goes_on_while_its_client_does_not_read_and_shares_nothing(tmp_path: Path) -> None:
    program = host_program(tmp_path / "host")

    seen = run_host(program)

    assert (seen["exit_code"], seen["rounds"] >= 10_000) == (0, True), seen
    assert seen["dropped"] > 0
    assert run_host(program, "race")["exit_code"] == 66  # ThreadSanitizer's


# ---------------------------------------------------------------------------------------------------- seeded faults

PORT = "src/rlt_embed/ports/arduino/port.cpp"
ROOM = "src/rlt_embed/ports/arduino/serial_room.h"
ACCEPTED = "src/rlt_embed/ports/arduino/serial_port.h"
SERVER = "lib/rl_tools/include/rl_tools/embed/server.h"
WAITING = """\
    const std::size_t all = size;
    unsigned long progress_ms = millis();
    while (size > 0 && millis() - progress_ms < 250) {
        const std::size_t sent = BOARD_SERIAL.write(data, size);
        if (sent > 0 && sent <= size) {
            data += sent;
            size -= sent;
            progress_ms = millis();
        } else {
            chip::idle();
        }
    }
    return all;"""
OLD_LOOP = {PORT: ("return size == 0 ? 0 : serial::write_some(BOARD_SERIAL, data, size);", WAITING)}


@pytest.mark.parametrize(("name", "held_us"), [("samd", 240_000), ("arduino-pico", 1_000_000), ("teensy", 249_000)])
def test_the_old_loop_that_waits_is_found(name: str, held_us: int, programs: Programs) -> None:
    # Sixteen requests at once, whose answers are more than a Teensy holds.
    requests = [b"".join(evaluation(1 + i) for i in range(16))]
    seen = run(programs.of(CORES[name], OLD_LOOP), f"0:{FAST},6:{UNREAD},2500:0", requests)

    assert seen.longest_us > held_us
    assert seen.missed >= held_us // PERIOD_US - 1


def test_the_old_loop_never_comes_back_from_a_core_that_waits_for_ever(programs: Programs) -> None:
    seen = run(programs.of(CORES["mbed"], OLD_LOOP), f"0:{FAST},6:{UNREAD},3000:0", conversation(3))

    assert seen.steps < 5


def test_a_port_that_believes_what_the_core_says_is_found(programs: Programs) -> None:
    believes = {
        ACCEPTED: ("return is_none ? 0 : taken < offered ? taken : offered;", "return is_none ? offered : taken;")
    }
    program = programs.of(CORES["samd"], believes)

    seen = run(program, f"0:{CLOSED},300:{FAST},1500:0", conversation(2))

    assert not seen.received.startswith(b"rltools_embed")  # it took the -1 of a closed port for all of the line


def test_a_port_that_sends_again_what_went_is_found(programs: Programs) -> None:
    again = {ROOM: ("return accepted(serial.write(data, part), part);", RESENDS)}
    program = programs.of(CORES["stm32-uart"], again)

    seen = run(program, f"0:{FAST},1500:0", conversation(2))

    assert seen.answered < 4


RESENDS = "const std::size_t went = accepted(serial.write(data, part), part); return went < size ? 0 : went;"


def test_a_server_that_trusts_its_port_is_found(programs: Programs) -> None:
    trusts = {
        SERVER: ("taken != 0 && taken <= left_", "taken != 0"),
        ACCEPTED: ("return is_none ? 0 : taken < offered ? taken : offered;", "return taken;"),
    }
    program = programs.of(CORES["samd"], trusts)

    with pytest.raises(AssertionError):
        seen = run(program, f"0:{CLOSED},300:{FAST},1500:0", conversation(2))
        assert seen.answered == 4


def test_a_server_that_takes_a_request_while_it_answers_is_found(programs: Programs) -> None:
    hasty = {
        SERVER: (
            "        if (!flush()) {\n            return true;\n        }\n",
            "        static_cast<void>(flush());\n",
        )
    }
    both = [evaluation(1) + evaluation(2), evaluation(2)]

    patient = run(programs.of(CORES["mbed"]), f"0:{SLOW},500:0", both)
    overtaken = run(programs.of(CORES["mbed"], hasty), f"0:{SLOW},500:0", both)

    assert set(patient.answers) == {1, 2}
    assert set(overtaken.answers) != {1, 2}


HOST_WAITS = """\
    for (std::size_t left = size; left > 0;) {
        const ssize_t sent = send(client, data + (size - left), left, 0);
        left -= sent > 0 ? static_cast<std::size_t>(sent) : 0;
        wait_for(client, POLLOUT);
    }
    return size;
    const ssize_t sent = -1;"""


@pytest.mark.long  # five seconds of waiting
def test_a_host_port_that_waits_for_its_client_is_found(tmp_path: Path) -> None:
    waits = {"src/rlt_embed/ports/host/port.cpp": ("    const ssize_t sent = send(client, data, size, 0);", HOST_WAITS)}

    assert run_host(host_program(tmp_path / "host", waits))["rounds"] < 10_000
