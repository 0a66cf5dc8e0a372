// Yours: the export writes this file once and never touches it again. The policy in a control loop at a fixed rate.
// With `is_enabled` it runs beside the link, so `rlt-embed validate` still proves the bits of what controls.
#include "control.h"

#include <rl_tools/embed/control_loop.h>

#include "policy.h"
#include "port.h"

namespace {

constexpr bool is_enabled = false;

// When there is no observation to act on, the action is the middle of its range: a fallback_action of your own is better.
struct Options : rl_tools::embed::MiddleAsFallback<Policy> {
    static constexpr std::uint32_t period_us = 10000;
    static constexpr std::uint32_t timeout_us = 3 * period_us;  // an older observation counts as none
    static constexpr float margin = 0.05F;                      // a number may leave its range by this share of it
};

struct Board {
    static std::uint32_t micros() { return port::micros(); }
    static void feed_watchdog() { port::feed_watchdog(); }
};

// Fills the observation, in the environment's units; false while there is none.
[[maybe_unused]] bool read_sensors(float*) { return false; }

// Applies the action, in the environment's own units: from Policy::actuator_low() to Policy::actuator_high(), also where
// training scaled its actions (RescaleAction) and the policy gives others.
[[maybe_unused]] void write_actuators(const float*) {}

[[maybe_unused]] rl_tools::embed::ControlLoop<Policy, Board, Options> control;

}  // namespace

void control_setup() {}

bool control_loop() {
    if constexpr (is_enabled) {
        float observation[Policy::observation_dim];
        if (read_sensors(observation)) {
            control.observe(observation);
        }
        if (control.step() != rl_tools::embed::Step::waiting) {
            float actuators[Policy::action_dim];
            Policy::to_actuators(control.action(), actuators);
            write_actuators(actuators);
        }
    }
    return is_enabled;
}
