"""The control loop: what it lets through, when it falls back, what it counts; under a clock that the tests move."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from rltools_embed import process, resources
from rltools_embed.policy import checkpoint
from tests import policies
from tests.cpp_program import COMPILERS, compile_program

SOURCE = Path(__file__).parent.parent / "cpp" / "embed" / "control_loop_main.cpp"
HEADER = resources.include_dir() / "rl_tools" / "embed" / "control_loop.h"
SANITIZERS = ("-g", "-Wconversion", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PERIOD_US = 1000
FALLBACK = -0.5


class Step(NamedTuple):
    """One answer to `step`."""

    taken: str
    action: float
    fault: str
    watchdog_feeds: int


class Statistics(NamedTuple):
    """The answer to `statistics`, in the order of `ControlStatistics`."""

    steps: int
    fallbacks: int
    rejected_observations: int
    overruns: int
    missed_deadlines: int
    last_execution_us: int
    worst_execution_us: int


class Timing(NamedTuple):
    """The answer to `timing`."""

    late_steps: int
    worst_lateness_us: int
    total_lateness_us: int
    period_us: int


def observe(first: float, second: float = 0.0) -> str:
    bits = np.array([first, second], np.float32).view(np.uint32)
    return f"observe {bits[0]:08x} {bits[1]:08x}"


Run = Callable[..., list[str]]


@pytest.fixture(scope="module", params=COMPILERS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Gives the answers of a fresh control loop to commands: period 1000 us, time-out 2500 us, first number in
    [-2, 4] with its margin, second without bounds, action in [-2, 2], fallback -0.5."""
    output = tmp_path_factory.mktemp("control_loop") / "program"
    program = compile_program(SOURCE, output, compiler=request.param, flags=SANITIZERS)

    def give(*commands: str) -> list[str]:
        done = subprocess.run([program], input="\n".join(commands), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return give


def as_step(line: str) -> Step:
    taken, bits, fault, feeds = line.split()
    return Step(taken, float(np.uint32(int(bits, 16)).view(np.float32)), fault, int(feeds))


def as_statistics(line: str) -> Statistics:
    return Statistics(*map(int, line.split()))


def test_a_step_is_due_once_per_period(run: Run) -> None:
    lines = run(observe(1.0), "step", "step", "time 999", "step", "time 1000", "step", "time 1001", "step")
    assert [as_step(line).taken for line in lines[1:]] == ["policy", "waiting", "waiting", "policy", "waiting"]


def test_a_step_is_due_exactly_where_one_would_be_taken(run: Run) -> None:
    lines = run("due", "step", "due", "time 999", "due", "time 1000", "due", "step", "due", "time 5000", "due")
    assert [line for line in lines if line in ("0", "1")] == ["1", "0", "0", "1", "0", "1"]


def test_what_the_sensors_take_is_execution_and_not_lateness(run: Run) -> None:
    # Found due 100 us late; reading takes 400 us, the policy 200.
    lines = run("step", "time 1100", "due", "time 1500", observe(1.0), "cost 200", "step", "statistics", "timing")
    assert as_step(lines[3]).taken == "policy"
    assert as_statistics(lines[4])[-2:] == (600, 600)
    assert timing_of(lines[5]) == Timing(0, 100, 100, PERIOD_US)


def test_an_observation_younger_than_the_steps_beginning_is_not_old(run: Run) -> None:
    lines = run("step", "time 1000", "due", "time 1001", observe(1.0), "step")
    assert as_step(lines[3]) == Step("policy", 1.0, "none", 2)


def test_periods_follow_each_other_without_drift(run: Run) -> None:
    # The second step begins 400 us late; the third is due at 2000 all the same.
    lines = run("step", "time 1400", "step", "time 1999", "step", "time 2000", "step")
    assert [as_step(line).taken for line in lines] == ["fallback", "fallback", "waiting", "fallback"]


def test_the_clock_may_wrap(run: Run) -> None:
    near = 2**32 - 500
    lines = run(f"time {near}", observe(1.0), "step", "time 499", "step", "time 500", "step", "statistics")
    assert [as_step(line).taken for line in lines[1:4]] == ["policy", "waiting", "policy"]
    assert as_statistics(lines[4]).missed_deadlines == 0


def test_before_the_first_observation_the_fallback_leaves(run: Run) -> None:
    assert as_step(run("step")[0]) == Step("fallback", FALLBACK, "no_observation", 1)


def test_observations_that_stop_end_in_the_fallback(run: Run) -> None:
    lines = run(observe(1.0), "time 2500", "step", "time 3500", "step", observe(1.5), "time 4500", "step")
    steps = [as_step(lines[i]) for i in (1, 2, 4)]
    assert [step.taken for step in steps] == ["policy", "fallback", "policy"]
    assert [step.action for step in steps] == [1.0, FALLBACK, 1.5]
    assert steps[1].fault == "observations_stopped"


def test_a_clock_that_wraps_does_not_make_a_stopped_observation_young(run: Run) -> None:
    lines = run(observe(1.0), "time 3000", "step", "time 4294967295", "step", "time 500", "step", "time 1500", "step")
    assert [as_step(line).fault for line in lines[1:]] == ["observations_stopped"] * 4


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_a_number_that_is_not_finite_never_reaches_the_policy(run: Run, bad: float, place: int) -> None:
    numbers = [1.0, 1.0]
    numbers[place] = bad
    lines = run(observe(1.0), "step", observe(*numbers), "time 1000", "step", "statistics")
    assert lines[2] == "observation_not_finite"
    assert as_step(lines[3]) == Step("fallback", FALLBACK, "observation_not_finite", 2)
    assert as_statistics(lines[4]).rejected_observations == 1


def test_a_signalling_nan_and_every_other_nan_is_found(run: Run) -> None:
    assert run("observe 7f800001 0", "observe ff800001 0", "observe 7fffffff 0") == ["observation_not_finite"] * 3


EDGES = {
    "low edge": (-2.0, "none"),
    "below": (np.nextafter(np.float32(-2.0), np.float32(-3.0)), "observation_out_of_range"),
    "high edge": (4.0, "none"),
    "above": (np.nextafter(np.float32(4.0), np.float32(5.0)), "observation_out_of_range"),
    "negative zero": (-0.0, "none"),
    "denormal": (-1e-45, "none"),
    "huge": (-3e38, "observation_out_of_range"),
}


@pytest.mark.parametrize(("number", "fault"), EDGES.values(), ids=EDGES)
def test_bounds_and_margin_hold_to_the_last_place(run: Run, number: float, fault: str) -> None:
    assert run(observe(number)) == [fault]


def test_a_number_without_bounds_may_be_any_finite_one(run: Run) -> None:
    largest = float(np.finfo(np.float32).max)
    assert run(observe(0.0, largest), observe(0.0, -largest)) == ["none", "none"]


def test_a_rejected_observation_ends_with_the_next_good_one(run: Run) -> None:
    lines = run(observe(1.0), observe(9.0), "step", observe(1.25), "time 1000", "step")
    assert as_step(lines[2]).fault == "observation_out_of_range"
    assert as_step(lines[4]) == Step("policy", 1.25, "none", 2)


def test_actions_are_clamped_to_the_bounds_of_the_policy(run: Run) -> None:
    lines = run(observe(3.5), "step", observe(-2.0), "gain 7f7fffff", "time 1000", "step")
    assert [as_step(lines[1]).action, as_step(lines[3])[:3]] == [2.0, ("fallback", FALLBACK, "action_not_finite")]
    assert as_step(run(observe(-2.0), "gain 41200000", "step")[1]).action == -2.0


@pytest.mark.parametrize("gain", ["7fc00000", "7f800000"])
def test_a_policy_that_overflows_is_replaced_until_it_recovers(run: Run, gain: str) -> None:
    lines = run(observe(1.0), f"gain {gain}", "step", "gain 3f800000", "time 1000", "step")
    assert as_step(lines[1]) == Step("fallback", FALLBACK, "action_not_finite", 1)
    assert as_step(lines[2]) == Step("policy", 1.0, "none", 2)


def test_a_state_begins_anew_where_the_past_was_interrupted_and_only_there(run: Run) -> None:
    lines = run(observe(1.0), "resets", "step", "resets", observe(9.0), "time 1000", "step", "resets")
    assert [lines[i] for i in (1, 3, 6)] == ["0", "1", "1"]  # the first step, and not the rejected observation
    lines = run(observe(1.0), "step", "time 3000", "step", "time 4000", "step", "resets")
    assert lines[4] == "2"  # once, when observations stopped
    lines = run(observe(1.0), "gain 7fc00000", "step", "resets")
    assert lines[2] == "2"  # the policy overflowed


def test_an_overrun_is_counted_and_does_not_feed_the_watchdog(run: Run) -> None:
    lines = run(observe(1.0), "cost 1000", "step", "cost 1001", "step", "statistics")
    in_time, late = as_step(lines[1]), as_step(lines[2])
    assert (in_time.taken, in_time.watchdog_feeds) == ("policy", 1)
    assert (late.taken, late.watchdog_feeds) == ("policy", 1)
    assert as_statistics(lines[3]) == Statistics(2, 0, 0, 1, 0, 1001, 1001)


def test_a_late_beginning_that_ends_in_the_next_period_is_an_overrun(run: Run) -> None:
    lines = run(observe(1.0), "cost 200", "step", "time 1900", "step", "statistics")
    assert as_step(lines[2]).watchdog_feeds == 1
    assert as_statistics(lines[3]).overruns == 1


def test_periods_without_a_step_are_missed_deadlines(run: Run) -> None:
    lines = run("step", "time 4300", "step", "time 5000", "step", "statistics")
    assert [as_step(line).watchdog_feeds for line in lines[:3]] == [1, 1, 2]
    assert as_statistics(lines[3]).missed_deadlines == 3


def test_last_and_worst_execution_time_are_kept(run: Run) -> None:
    lines = run(observe(1.0), "cost 700", "step", "cost 30", "time 1000", "step", "statistics")
    assert as_statistics(lines[3])[-2:] == (30, 700)


def timing_of(line: str) -> Timing:
    return Timing(*map(int, line.split()))


def test_lateness_is_counted_from_when_a_step_was_due(run: Run) -> None:
    lines = run("timing", "step", "time 1400", "step", "time 2000", "step", "time 3999", "step", "timing")
    assert timing_of(lines[0]) == Timing(0, 0, 0, 0)
    assert timing_of(lines[-1]) == Timing(0, 999, 400 + 999, PERIOD_US)


def test_a_step_that_begins_a_whole_period_late_is_late_once(run: Run) -> None:
    lines = run("step", "time 2000", "step", "timing", "time 6500", "step", "timing", "statistics")
    assert timing_of(lines[2]) == Timing(1, 1000, 1000, PERIOD_US)
    assert timing_of(lines[4]) == Timing(2, 3500, 4500, PERIOD_US)
    assert as_statistics(lines[5]).missed_deadlines == 4


def test_lateness_is_right_across_the_clocks_wrap(run: Run) -> None:
    lines = run("time 4294967000", "step", "time 904", "step", "time 4904", "step", "timing")
    # Due at 2^32 + 704 and at 2^32 + 1704.
    assert timing_of(lines[-1]) == Timing(1, 3200, 200 + 3200, PERIOD_US)


def test_the_sum_of_all_lateness_has_more_than_32_bits(run: Run) -> None:
    late = 2**32 - 1001  # almost as long as the clock can tell apart
    commands = ["step"]
    for i in range(1, 4):
        commands += [f"time {i * (2**32 - 1 - (2**32 - 1) % PERIOD_US) % 2**32}", "step"]
    lines = run(*commands, "timing")
    assert timing_of(lines[-1]).total_lateness_us > 2 * 2**32
    assert timing_of(lines[-1]).worst_lateness_us > late - PERIOD_US


def test_counters_stop_at_their_largest_value(run: Run) -> None:
    assert run("count 4294967294 1", "count 4294967295 1", "count 5 4294967295") == ["4294967295"] * 3


def test_a_thousand_random_moments_keep_the_invariants(run: Run) -> None:
    rng = np.random.default_rng(7)
    now, commands, expected_due, lateness = 2**32 - 200_000, [], [], []
    release = None
    for _ in range(1000):
        now += int(rng.integers(0, 700))
        due = release is None or now - release >= PERIOD_US
        if due:
            lateness.append(0 if release is None else now - release - PERIOD_US)
            release = now if release is None else release + (now - release) // PERIOD_US * PERIOD_US
        expected_due.append(due)
        commands += [f"time {now % 2**32}", observe(1.0), "step"]
    lines = run(*commands, "statistics", "timing")
    taken = [as_step(line).taken != "waiting" for line in lines[1:-2:2]]
    assert taken == expected_due
    statistics = as_statistics(lines[-2])
    assert (statistics.steps, statistics.fallbacks, statistics.overruns) == (sum(expected_due), 0, 0)
    assert timing_of(lines[-1]) == Timing(0, max(lateness), sum(lateness), PERIOD_US)


def example_of_the_header() -> str:
    """The program in the comment at the top of control_loop.h."""
    lines = HEADER.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removeprefix("//     ") for line in lines if line.startswith("//     "))


def example_program(control: str = "") -> str:
    """The example with what it takes for granted, and `control` in place of its options."""
    example = example_of_the_header()
    if control:
        example = re.sub(r"struct Control \{.*?\n\};", control, example, flags=re.DOTALL)
    given = """
        #include <rl_tools/devices/arm.h>
        #include <rl_tools/embed/control_loop.h>
        #include <rl_tools/embed/policy.h>
        #include <rl_tools/nn/layers/dense/operations_arm/opt.h>
        #include "checkpoint.h"
        struct Board { static uint32_t micros(); static void feed_watchdog(); };
        static float observation[policy::MODEL::INPUT_DIM];
        bool read_sensors(float*);
        void write_actuators(const float*);
    """
    return f"{given}\n{example}\n"


def write_example(folder: Path, control: str = "") -> Path:
    (folder / "checkpoint.h").write_text(checkpoint.dumps(policies.sac_policy()), encoding="utf-8")
    source = folder / "example.cpp"
    source.write_text(example_program(control), encoding="utf-8")
    return source


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_example_at_the_top_of_the_header_compiles(tmp_path: Path, compiler: str) -> None:
    assert example_of_the_header().count("\n") <= 12
    flags = ("-c", "-Wno-unused-const-variable")  # the names in the checkpoint are not used here
    compile_program(write_example(tmp_path), tmp_path / "example.o", compiler=compiler, flags=flags)


CROSS = "arm-none-eabi-g++"


@pytest.mark.skipif(shutil.which(CROSS) is None, reason=f"{CROSS} is not installed")
@pytest.mark.parametrize(
    "core", [("-mcpu=cortex-m0plus",), ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")]
)
def test_the_loop_costs_no_initialised_data_heap_or_double_on_a_target(tmp_path: Path, core: tuple[str, ...]) -> None:
    flags = ("-c", "-Os", "-mthumb", "-fno-exceptions", "-fno-rtti", *core)
    output = compile_program(write_example(tmp_path), tmp_path / "example.o", compiler=CROSS, flags=flags)
    data = int(process.run(["arm-none-eabi-size", output]).output.splitlines()[1].split()[1])
    symbols = process.run(["arm-none-eabi-nm", "-C", output]).output
    assert data == 0
    for forbidden in (
        "malloc",
        "operator new",
        "__cxa",
        "_GLOBAL__sub_I",
        "__aeabi_d2",
        "__aeabi_dadd",
        "__aeabi_dmul",
    ):
        assert forbidden not in symbols


OPTIONS = """struct Control {{
    static constexpr uint32_t period_us = {period_us};
    static constexpr uint32_t timeout_us = {timeout_us};
    static constexpr float margin = {margin};
    static constexpr float fallback_action[] = {fallback};
}};"""
GOOD = {"period_us": "1000", "timeout_us": "1000", "margin": "0.0F", "fallback": "{1.0F}"}
REFUSED = {
    "no period": ({"period_us": "0"}, "at least one microsecond"),
    "long period": ({"period_us": "0x7FFFFFFF", "timeout_us": "0x7FFFFFFF"}, "at most 17 minutes"),
    "short timeout": ({"timeout_us": "999"}, "at least one period"),
    "negative margin": ({"margin": "-0.1F"}, "not negative"),
    "margin that is no number": ({"margin": '__builtin_nanf("")'}, "not negative"),
    "fallback of two actions": ({"fallback": "{0.0F, 0.0F}"}, "as many float numbers"),
    "fallback out of bounds": ({"fallback": "{0x1.000002p+0F}"}, "within the policy's action bounds"),
    "fallback that is no number": ({"fallback": '{__builtin_nanf("")}'}, "within the policy's action bounds"),
}


def test_options_at_their_limits_compile(tmp_path: Path) -> None:
    compile_program(write_example(tmp_path, OPTIONS.format(**GOOD)), tmp_path / "good.o", flags=("-c",))


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_options_that_cannot_work_are_refused_in_a_sentence(
    tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    source = write_example(tmp_path, OPTIONS.format(**{**GOOD, **change}))
    with pytest.raises(pytest.fail.Exception, match=f"rl_tools: .*{sentence}"):
        compile_program(source, tmp_path / "bad.o", flags=("-c",))
