"""The user's control loop beside the link, in emulation: what a validation reports of how it kept its period.

QEMU counts instructions, so the board's clock says the same in every run and knows nothing of this computer's load.
"""

from __future__ import annotations

from pathlib import Path

from rltools_embed.device import ControlStatistics, open_link
from rltools_embed.validation import Counts, Report, Settings, validate
from tests.firmware.projects import Export, Running, emulated

BOARD = "qemu_mps2_an386"
PERIOD_US = 10_000  # of a policy whose environment has no period
# A ramp. When the loop has begun STEPS + 1 steps, it says how long after the first one that was, as eight hex digits.
STEPS = 200
SENSORS = """
std::uint32_t reads = 0;

bool read_sensors(float* observation) {
    reads++;
    WAIT
    observation[0] = 0.001F * static_cast<float>(reads % 1000U);
    observation[1] = 0.5F;
    observation[2] = -1.0F;
    return true;
}
"""
ACTUATORS = """
void write_actuators(const float*) {
    static std::uint32_t steps = 0;
    static std::uint32_t first_us = 0;
    static std::uint32_t span_us = 0;
    if (++steps == 1U) first_us = port::micros();
    if (steps == STEPS + 1U) span_us = port::micros() - first_us;
    if (span_us == 0 || steps % 20U != 0) return;  // again and again: what is said before the port is open is lost
    std::uint8_t line[] = "span 00000000\\r\\n";
    for (int i = 0; i < 8; i++) {
        line[5 + i] = static_cast<std::uint8_t>("0123456789abcdef"[(span_us >> (28 - 4 * i)) & 15U]);
    }
    port::write(line, sizeof line - 1);
}
"""
# Once, before the 100th step.
STALL = f"if (reads == 100U) for (auto begin = port::micros(); port::micros() - begin < {3 * PERIOD_US}U;) {{}}"


def with_loop(folder: Path, wait: str = "") -> Path:
    """The project with a control loop of the user's own."""
    source = folder / "src/control.cpp"
    text = source.read_text()
    for old, new in (
        ("is_enabled = false", "is_enabled = true"),
        ("bool read_sensors(float*) { return false; }", SENSORS.replace("WAIT", wait)),
        ("void write_actuators(const float*) {}", ACTUATORS.replace("STEPS", f"{STEPS}U")),
    ):
        assert old in text
        text = text.replace(old, new)
    source.write_text(text)
    return folder


def validated(folder: Path, url: str) -> Report:
    """Evaluations, a benchmark, digests and the self-test are what the loop has beside it."""
    return validate(folder, board=BOARD, port=url, settings=Settings(counts=Counts(random=64, rollout=64)))


def span_us(url: str) -> int:
    with open_link(url) as link:
        heard = b""
        while b"\r\n" not in heard.partition(b"span ")[2]:
            said = link.read(20.0)
            assert said, heard
            heard += said
    return int(heard.partition(b"span ")[2].partition(b"\r\n")[0], 16)


def loop_of(report: Report) -> ControlStatistics:
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.control is not None
    return report.control


@emulated
def test_a_control_loop_keeps_its_period_beside_a_validation(export: Export, running: Running) -> None:
    folder = with_loop(export(BOARD))
    url = running(folder, BOARD)

    span = span_us(url)
    loop = loop_of(validated(folder, url))

    assert loop.period_us == PERIOD_US
    assert loop.steps > STEPS
    # 0.06 ms and 1.9 ms seen, the latter for the self-test; the longest step took 0.6 ms.
    assert 0 < loop.mean_lateness_us < PERIOD_US / 50
    assert loop.worst_lateness_us < PERIOD_US / 3
    assert 100 < loop.worst_execution_us < PERIOD_US / 10
    assert (loop.late_steps, loop.overruns, loop.fallbacks) == (0, 0, 0)
    # Without drift: so many periods, but for how late first and last step began.
    assert abs(span - STEPS * PERIOD_US) <= loop.worst_lateness_us


@emulated
def test_a_sensor_that_waits_for_three_periods_once_shows_in_the_report(export: Export, running: Running) -> None:
    folder = with_loop(export(BOARD), wait=STALL)

    loop = loop_of(validated(folder, running(folder, BOARD)))

    # The step that waits takes so long, ends after its period, and leaves the next one two periods late.
    assert 3 * PERIOD_US <= loop.worst_execution_us < 3 * PERIOD_US + 1000
    assert 2 * PERIOD_US <= loop.worst_lateness_us < 2 * PERIOD_US + 3000
    assert (loop.late_steps, loop.overruns) == (1, 1)
