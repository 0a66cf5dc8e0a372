"""From actions to the environment's own units in C++: the map of gymnasium's RescaleAction, its ends exact."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RescaleAction

from rltools_embed import process
from rltools_embed.policy import checkpoint
from rltools_embed.policy.layers import Float32Array
from rltools_embed.policy.model import Policy, Signal
from tests import policies
from tests.cpp_program import COMPILERS, compile_program

# Reads actions as raw bytes, writes what reaches the actuators; in place, as a control loop may.
PROGRAM = """
#include <rl_tools/devices/arm.h>
#include <rl_tools/embed/policy.h>
#include <cstdio>
#include "checkpoint.h"
using Policy = rl_tools::embed::Policy<rl_tools::devices::DefaultARM, policy::Checkpoint>;
int main() {
    const float bounds[] = {Policy::actuator_low()[0], Policy::actuator_high()[0]};
    fwrite(bounds, sizeof bounds, 1, stdout);
    float action[Policy::action_dim];
    while (fread(action, sizeof action, 1, stdin) == 1) {
        Policy::to_actuators(action, action);
        fwrite(action, sizeof action, 1, stdout);
    }
}
"""
BOXES = {
    "pendulum": ((-1.0, 1.0), (-2.0, 2.0)),
    "offset": ((-1.0, 1.0), (0.1, 0.7)),
    "from a box of its own": ((0.25, 10.0), (-3.3, -0.01)),
    "far from zero": ((1000.1, 1001.3), (-40.0, 1e5)),
    "the widest": ((-1.0, 1.0), (-3.4e38, 3.4e38)),
    "tiny": ((-1.0, 1.0), (-1e-38, 1e-38)),
}


def signals(name: str, box: tuple[float, float]) -> tuple[Signal, ...]:
    low, high = (float(np.float32(bound)) for bound in box)
    return (Signal(name=name, low=low, high=high),)


def run(
    folder: Path, policy: Policy, actions: Float32Array, compiler: str, *flags: str
) -> tuple[list[float], Float32Array]:
    """The bounds that the program knows, and what it makes of the actions."""
    (folder / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    (folder / "main.cpp").write_text(PROGRAM, encoding="utf-8")
    flags = ("-Wno-unused-const-variable", "-Wno-unused-variable", *flags)
    program = compile_program(folder / "main.cpp", folder / "main", compiler=compiler, flags=flags)
    done = subprocess.run([program], input=actions.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.float32)
    return found[:2].tolist(), found[2:]


class Box(gymnasium.Env[Float32Array, Float32Array]):
    def __init__(self, low: float, high: float) -> None:
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
        self.action_space = gymnasium.spaces.Box(np.float32(low), np.float32(high), (1,), np.float32)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES)
def test_actions_are_scaled_as_rescale_action_does_with_exact_ends(
    tmp_path: Path, boxes: tuple[tuple[float, float], tuple[float, float]], compiler: str
) -> None:
    policy = replace(
        policies.rescaled_sac_policy(hidden=4), action=signals("x", boxes[0]), actuator=signals("torque", boxes[1])
    )
    (action,), (actuator,) = policy.action, policy.actuator
    actions = np.linspace(action.low, action.high, 1001).astype(np.float32)

    reported, found = run(tmp_path, policy, actions, compiler, "-O2")

    assert reported == [actuator.low, actuator.high]
    assert (found[0], found[-1]) == (actuator.low, actuator.high)
    assert found.min() >= actuator.low and found.max() <= actuator.high
    assert np.all(np.diff(found) >= 0)
    share = (actions.astype(np.float64) - action.low) / (action.high - action.low)
    exact = actuator.low + share * (actuator.high - actuator.low)
    # Middle, gain and each of three operations round once: half a unit in the last place of the numbers there are.
    unit = float(np.spacing(np.float32(max(abs(actuator.low), abs(actuator.high)))))
    middle_unit = float(np.spacing(np.float32(0.5 * (action.low + action.high))))
    gain = (actuator.high - actuator.low) / (action.high - action.low)
    tolerance = 2.5 * unit + gain * middle_unit
    np.testing.assert_allclose(found, exact, rtol=0, atol=tolerance)
    if max(boxes[1]) < 1e38 and max(boxes[0]) < 100:  # beyond that gymnasium's own float32 loses more than we do
        wrapper = RescaleAction(Box(*boxes[1]), np.float32(action.low), np.float32(action.high))
        theirs = np.array([wrapper.action(np.array([x], np.float32))[0] for x in actions])
        # Theirs divides by a rounded gradient after it has taken a rounded intercept away.
        np.testing.assert_allclose(found, theirs, rtol=0, atol=tolerance + 4 * unit)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("flags", [("-O0",), ("-O3", "-march=native")], ids=" ".join)
def test_the_roundings_of_a_scaling_do_not_depend_on_compiler_and_flags(
    tmp_path: Path, compiler: str, flags: tuple[str, ...]
) -> None:
    policy = replace(
        policies.rescaled_sac_policy(hidden=4), action=signals("x", (-0.3, 1.7)), actuator=signals("u", (0.1, 7.3))
    )
    (action,), (actuator,) = policy.action, policy.actuator
    actions = np.random.default_rng(0).uniform(action.low, action.high, 1000).astype(np.float32)
    middles = [np.float32(0.5 * (signal.low + signal.high)) for signal in (action, actuator)]
    gain = np.float32((actuator.high - actuator.low) / (action.high - action.low))
    _, found = run(tmp_path, policy, actions, compiler, *flags)
    assert found.tobytes() == (middles[1] + gain * (actions - middles[0])).tobytes()


def test_what_is_beyond_the_bounds_gives_the_end_and_nan_stays_nan(tmp_path: Path) -> None:
    actions = np.array([-np.inf, -2.5, 2.5, np.inf, np.nan], np.float32)
    _, found = run(tmp_path, policies.rescaled_sac_policy(hidden=4), actions, COMPILERS[0], "-O2")
    assert found[:4].tolist() == [-0.5, -0.5, 7.25, 7.25]
    assert np.isnan(found[4])


def test_without_a_scaling_every_bit_of_an_action_goes_on(tmp_path: Path) -> None:
    actions = np.array([0.1, -0.0, 3.0, np.inf, np.nan], np.float32)
    reported, found = run(tmp_path, policies.sac_policy(hidden=4), actions, COMPILERS[0], "-O2")
    assert reported == [-1.0, 1.0]
    assert found.tobytes() == actions.tobytes()


CROSS = "arm-none-eabi-g++"


@pytest.mark.skipif(shutil.which(CROSS) is None, reason=f"{CROSS} is not installed")
def test_a_scaling_costs_a_target_no_double_and_no_initialised_data(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policies.rescaled_sac_policy(hidden=4)), encoding="utf-8")
    body = "void scale(const float* action, float* actuators) { Policy::to_actuators(action, actuators); }\n"
    program = PROGRAM.partition("int main()")[0].replace("#include <cstdio>\n", "") + body
    (tmp_path / "main.cpp").write_text(program, encoding="utf-8")
    flags = ("-c", "-Os", "-mcpu=cortex-m0plus", "-mthumb", "-fno-exceptions", "-Wno-unused-const-variable")
    output = compile_program(tmp_path / "main.cpp", tmp_path / "main.o", compiler=CROSS, flags=flags)
    data = int(process.run(["arm-none-eabi-size", output]).output.splitlines()[1].split()[1])
    symbols = process.run(["arm-none-eabi-nm", "-C", output]).output
    assert data == 0
    assert "__aeabi_fmul" in symbols
    assert not [word for word in symbols.split() if word.startswith(("__aeabi_d", "__aeabi_f2d", "_GLOBAL__sub_I"))]
