"""The robots of examples/: each compiles for its boards, and their motors stop when the sensor or the pilot is gone.

`tests/cpp/robots/` executes the examples' own sources here, with a simulated MPU-6050 on the bus and simulated time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from rltools_embed import process
from rltools_embed.firmware import board as boards
from rltools_embed.policy.model import Policy
from tests.board_matrix import ROOT, VENDOR, compile_board, compiler_of
from tests.boards import spec_of, write
from tests.robots import EXAMPLES, ROBOTS, Robot, environment_of, linear_policy

PROGRAMS = ROOT / "tests" / "cpp" / "robots"
BALANCE_BOT, QUADROTOR = ROBOTS["balance_bot"], ROBOTS["quadrotor_rates"]
BALANCING, FOLLOWING = BALANCE_BOT.policy, QUADROTOR.policy


# ------------------------------------------------------------------------------------------- for the real boards

# Much like another of the boards; `make test-all` has them too.
ALIKE = ("nano33ble", "teensy41", "esp32-s3-devkitc-1")
TARGETS = [
    pytest.param(robot, name, id=f"{robot.name}-{name}", marks=[pytest.mark.long] if name in ALIKE else [])
    for robot in ROBOTS.values()
    for name in robot.boards
]


@pytest.mark.parametrize(("robot", "name"), TARGETS)
def test_a_robot_compiles_for_its_boards(robot: Robot, name: str, tmp_path: Path) -> None:
    board = boards.load(name).on(robot.framework)
    folder = write(replace(spec_of(robot.policy, name), boards=(board,)), tmp_path / "project")
    robot.copy_to(folder)

    done = compile_board(folder, board, compiler_of(board), "-fsyntax-only")

    assert done.exit_code == 0, done.output


@pytest.mark.long
def test_a_policy_of_another_shape_is_refused_by_the_compiler(tmp_path: Path) -> None:
    board = boards.load("nucleo_f446re")
    folder = write(replace(spec_of(FOLLOWING, board.name), boards=(board,)), tmp_path / "project")
    BALANCE_BOT.copy_to(folder)

    done = compile_board(folder, board, compiler_of(board), "-fsyntax-only")

    assert done.exit_code != 0
    assert "this program is for a policy of examples/balance_bot/environment.py" in done.output


def test_the_periods_and_scales_of_source_and_environment_are_the_same() -> None:
    for robot in ROBOTS.values():
        control = (EXAMPLES / robot.sources[0]).read_text()
        period_us = round(1e6 * environment_of(robot).dt)  # type: ignore[attr-defined]  # its own
        assert f"period_us = {period_us:,};".replace(",", "'") in control
    environment = (EXAMPLES / "quadrotor_rates" / "environment.py").read_text()
    quadrotor = (EXAMPLES / QUADROTOR.sources[0]).read_text()
    for ours, theirs in (("authority = 0.25F", "AUTHORITY = 0.25"), ("idle = 0.06F", "IDLE = 0.06")):
        assert ours in quadrotor
        assert theirs in environment


def return_of(robot: Robot, policy: Policy) -> float:
    """The mean share of the highest return, over some episodes."""
    env = environment_of(robot)
    total, steps = 0.0, 0
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        is_over = False
        while not is_over:
            observation, reward, terminated, truncated, _ = env.step(policy.evaluate(observation))
            total += float(reward)
            steps += 1
            is_over = terminated or truncated
        assert truncated, f"{robot.name} fell after {steps} steps"
    return total / steps


def test_the_environments_can_be_controlled_and_do_not_control_themselves() -> None:
    # 0.99 and 0.7 seen.
    assert return_of(BALANCE_BOT, BALANCING) > 0.95
    assert return_of(QUADROTOR, FOLLOWING) > 0.6
    upside_down = linear_policy(BALANCE_BOT, tuple(tuple(-gain for gain in row) for row in BALANCE_BOT.gains))
    with pytest.raises(AssertionError, match="fell after"):
        return_of(BALANCE_BOT, upside_down)


# ------------------------------------------------------------------------------------------------ simulated, here


@dataclass(kw_only=True)
class Programs:
    """The examples as programs of this computer, each compiled when it is first asked for."""

    folder: Path
    _made: dict[tuple[str, ...], Path] = field(default_factory=dict)

    def of(self, robot: Robot, seeds: Mapping[str, tuple[str, str]] | None = None, flags: tuple[str, ...] = ()) -> Path:
        """`seeds` are faults: a file in the project, and what is put for what in it."""
        key = (robot.name, *map(str, (seeds or {}).items()), *flags)
        if key not in self._made:
            self._made[key] = self._compile(robot, seeds or {}, flags, self.folder / f"{len(self._made)}")
        return self._made[key]

    def _compile(self, robot: Robot, seeds: Mapping[str, tuple[str, str]], flags: tuple[str, ...], place: Path) -> Path:
        folder = write(spec_of(robot.policy, "host"), place / "project")
        robot.copy_to(folder)
        for name, (before, after) in seeds.items():
            source = folder / name
            assert before in source.read_text(), (name, before)
            source.write_text(source.read_text().replace(before, after))
        program, family = {
            BALANCE_BOT.name: ("balance_bot.cpp", ("-DARDUINO_ARCH_STM32", f"-I{VENDOR / 'stm32'}")),
            QUADROTOR.name: ("quadrotor.cpp", ("-DCONFIG_IDF_TARGET_ESP32=1", f"-I{VENDOR / 'espidf'}")),
        }[robot.name]
        includes = [folder / each for each in ("src", "include", "include/boards/host", "lib/rl_tools/include")]
        command = [
            *("g++", "-std=gnu++17", "-Wall", "-Wextra", "-Wno-unused-parameter", *flags),
            *(f"-I{each}" for each in includes),
            *(*family, f"-I{VENDOR / 'names'}", f'-DCONTROL="{folder / "src/control.cpp"}"'),
            *(PROGRAMS / program, folder / "src/policy.cpp", "-o", place / "program", "-pthread"),
        ]
        done = process.run(command)
        assert done.exit_code == 0, done.output
        return place / "program"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(folder=tmp_path_factory.mktemp("robots"))


def lines_of(program: Path, script: str) -> list[str]:
    done = process.run([program, script], timeout_s=60)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


class Motors(NamedTuple):
    """The balance bot's motors from this time on."""

    ms: float
    is_awake: int
    left: int
    right: int
    pitch: float
    position: float

    @property
    def is_off(self) -> bool:
        return (self.is_awake, self.left, self.right) == (0, 0, 0)


def balanced(program: Path, script: str, end_ms: int = 3000) -> list[Motors]:
    lines = lines_of(program, f"{script},{end_ms}:end")
    assert lines[-1].startswith("statistics ")
    return [Motors(*map(float, line.split())) for line in lines[:-1]]  # type: ignore[arg-type]


def at(history: list[Motors], ms: float) -> Motors:
    return [each for each in history if each.ms <= ms][-1]


UPRIGHT = "0:pitch=0.05"
STARTED_MS = 600  # half a second upright, and the sensor's own start


def test_the_motors_turn_only_after_half_a_second_upright(programs: Programs) -> None:
    history = balanced(programs.of(BALANCE_BOT), "0:pitch=0.5,300:pitch=0.05")

    first = next(each for each in history if not each.is_off)
    # The filter takes a while to believe that it was put up.
    assert history[0].is_off
    assert 1000 < first.ms < 2500
    assert first.left > 0 and first.right == first.left
    assert first.pitch == pytest.approx(0.1, abs=0.06)


def test_the_motors_get_what_the_policy_gives_for_what_was_measured(programs: Programs) -> None:
    rolled = ",".join(f"{ms}:edges=10" for ms in range(1000, 1300, 10))  # 0.15 m/s
    script = f"{UPRIGHT},{rolled},1000:pitch=-0.05"
    late = at(balanced(programs.of(BALANCE_BOT), script), 2999)

    assert late.pitch == pytest.approx(-0.05, abs=0.01)
    assert late.position == pytest.approx(300 * 0.204 / 1320, abs=0.002)
    (action,) = BALANCING.evaluate(np.array([late.pitch, 0.0, late.position, 0.0], np.float32))
    duty = np.sign(action) * (0.06 + (0.9 - 0.06) * abs(action))
    assert late.left == late.right == pytest.approx(255 * duty, abs=5)  # a gyroscope's noise is a digit or two


GONE = {
    "unplugged": "1500:unplug",
    "does not acknowledge": "1500:nack=1",
    "hangs": "1500:hang",
    "sends too few bytes": "1500:short=6",
    "fell": "1500:rate_y=8,1500:pitch=1.2",
}


@pytest.mark.parametrize("event", GONE.values(), ids=GONE)
def test_the_motors_stop_when_the_sensor_is_gone_or_the_robot_lies(programs: Programs, event: str) -> None:
    history = balanced(programs.of(BALANCE_BOT), f"{UPRIGHT},{event}")

    assert at(history, 1500).is_awake == 1
    off = next(each for each in history if each.ms > 1500 and each.is_off)
    assert off.ms < 1500 + 60 if event != GONE["fell"] else 1500 + 200  # three periods, and one to notice
    assert at(history, 2999).is_off


def test_a_robot_that_lost_its_sensor_starts_again_only_from_upright(programs: Programs) -> None:
    away = f"{UPRIGHT},1500:unplug,1800:plug"
    back = balanced(programs.of(BALANCE_BOT), away)
    lying = balanced(programs.of(BALANCE_BOT), f"{away},1600:pitch=0.5")

    again = next(each for each in back if each.ms > 1700 and not each.is_off)
    assert 2250 < again.ms < 2500  # half a second after it came back, asleep and with other ranges
    assert at(back, 2999).pitch == pytest.approx(0.05, abs=0.01)
    assert at(lying, 2999).is_off


@pytest.mark.parametrize("event", ["0:identity=112", "0:unplug"], ids=["another chip", "nothing there"])
def test_without_its_sensor_the_robot_never_starts(programs: Programs, event: str) -> None:
    assert all(each.is_off for each in balanced(programs.of(BALANCE_BOT), f"{UPRIGHT},{event}"))


SEEDED = {
    "the fallback does not stop the motors": ("src/control.cpp", "stop();\n            break;", "break;", "unplugged"),
    "the same numbers are a sample": ("src/mpu6050.h", "burst_bytes) == 0)", "burst_bytes) == 2)", "hangs"),
}


@pytest.mark.parametrize(("name", "before", "after", "event"), SEEDED.values(), ids=SEEDED)
def test_a_program_that_goes_on_without_its_sensor_is_found(
    programs: Programs, name: str, before: str, after: str, event: str
) -> None:
    program = programs.of(BALANCE_BOT, {name: (before, after)})

    with pytest.raises((AssertionError, StopIteration)):
        history = balanced(program, f"{UPRIGHT},{GONE[event]}")
        off = next(each for each in history if each.ms > 1500 and each.is_off)
        assert off.ms < 1560
        assert at(history, 2999).is_off


# ---------------------------------------------------------------------------------------------------- the quadrotor

STOPPED = (1000, 1000, 1000, 1000)
ARMED = "0:arm=-1,1500:arm=1,1600:throttle=0"
Pulses = list[tuple[float, tuple[int, ...]]]


def flown(program: Path, script: str, end_ms: int = 3000) -> tuple[Pulses, list[int]]:
    """The pulses in µs and since when in ms; steps, fallbacks, overruns, late steps and worst lateness in µs."""
    lines = lines_of(program, f"{script},{end_ms}:end")
    assert lines[0] == "task control 4096 20 1"
    changes = [line.split() for line in lines[1:-1]]
    pulses = [(float(ms), tuple(map(int, rest))) for ms, *rest in changes]
    return pulses, [int(word) for word in lines[-1].split()[1:]]


def pulses_at(pulses: Pulses, ms: float) -> tuple[int, ...]:
    return [each for since, each in pulses if since <= ms][-1]


def test_the_motors_follow_policy_and_throttle_once_armed(programs: Programs) -> None:
    pulses, (steps, _, overruns, late, worst_us) = flown(programs.of(QUADROTOR), f"{ARMED},2000:nose=0.5")

    assert pulses_at(pulses, 1490) == STOPPED
    assert pulses_at(pulses, 1580) == pytest.approx((1060,) * 4, abs=2)  # armed, no throttle: they idle
    assert pulses_at(pulses, 1990) == pytest.approx((1500,) * 4, abs=15)
    wanted = np.array([0, 0, 0, 0, 3.0, 0, 0, 0, 0, 0], np.float32)
    expected = 1500 + 250 * FOLLOWING.evaluate(wanted)
    assert pulses_at(pulses, 2990) == pytest.approx(tuple(expected), abs=15)  # nose down: the rear pushes
    # A thousand periods of 2 ms and a half, each begun within a few microseconds of when it was due.
    assert steps == pytest.approx(1500, abs=1)
    assert (overruns, late) == (0, 0)
    assert worst_us < 50


DISARMING = {
    "the switch is off": "2000:arm=-1",
    "the receiver is silent": "2000:radio=0",
    "its frames are damaged": "2000:garble=100",
    "the sensor is unplugged": "2000:unplug",
    "the sensor hangs": "2000:hang",
    "it turns faster than is measured": "2000:rate_x=60",
}


@pytest.mark.parametrize("event", DISARMING.values(), ids=DISARMING)
def test_the_motors_stop_when_anything_is_gone(programs: Programs, event: str) -> None:
    # And they stay off when it is back, until the switch was off.
    back = "2400:radio=1,2400:garble=0,2400:rate_x=0,2400:plug"
    pulses, _ = flown(programs.of(QUADROTOR), f"{ARMED},{event},{back},2800:arm=1")

    assert min(pulses_at(pulses, 1999)) > 1400
    limit_ms = 2125 if "radio" in event or "garble" in event else 2020
    assert pulses_at(pulses, limit_ms) == STOPPED
    assert pulses_at(pulses, 2999) == STOPPED


REFUSED = {
    "throttle is up": "0:throttle=0,0:arm=-1,1500:arm=1",
    "the switch was never off": "0:arm=1",
    "it moves": "0:rate_z=1,0:arm=-1,1500:arm=1",
    "the gyroscope is not ready": "0:arm=-1,500:arm=1",
    "there is no sensor": "0:unplug,0:arm=-1,1500:arm=1",
    "nothing was received": "0:radio=0,0:arm=-1,1500:arm=1",
}


@pytest.mark.parametrize("script", REFUSED.values(), ids=REFUSED)
def test_it_does_not_arm_unless_it_may(programs: Programs, script: str) -> None:
    pulses, (_, fallbacks, *_) = flown(programs.of(QUADROTOR), script)

    assert {each for _, each in pulses} == {STOPPED}
    assert fallbacks > 1400


def test_a_failsafe_that_is_left_out_is_found(programs: Programs) -> None:
    program = programs.of(QUADROTOR, {"src/control.cpp": ("if (!receiver.is_heard())", "if (false)")})

    pulses, _ = flown(program, f"{ARMED},2000:radio=0")

    assert pulses_at(pulses, 2999) != STOPPED


# ------------------------------------------------------------------------------------- the task beside the link

SANITIZED = ("-g", "-DTHREADS", "-fsanitize=thread")


def test_task_and_link_share_nothing_without_a_lock(programs: Programs) -> None:
    program = programs.of(QUADROTOR, flags=SANITIZED)

    done = process.run([program, f"{ARMED},2500:end"], timeout_s=120)

    assert done.exit_code == 0, done.output
    assert "WARNING" not in done.output
    (beside,) = (line for line in done.output.splitlines() if line.startswith("beside "))
    _, steps, _, evaluations, _ = beside.split()
    assert int(steps) > 1000
    assert int(evaluations) > 10


RACES = {
    "one buffer for both": (
        "lib/rl_tools/include/rl_tools/embed/policy.h",
        "action, step_buffer_);",
        "action, buffer_);",
    ),
    "counters without a lock": ("src/control.cpp", "return &copy;", "return &published;"),
}


@pytest.mark.long
@pytest.mark.parametrize(("name", "before", "after"), RACES.values(), ids=RACES)
def test_what_task_and_link_share_is_found(programs: Programs, name: str, before: str, after: str) -> None:
    program = programs.of(QUADROTOR, {name: (before, after)}, flags=SANITIZED)

    done = process.run([program, f"{ARMED},2500:end"], timeout_s=120)

    assert "ThreadSanitizer: data race" in done.output
