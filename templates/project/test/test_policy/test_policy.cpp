// `pio test`: the board evaluates the examples in its flash and says what came out. Once a second, because a board that
// opening its port does not reset has printed it long before anybody listens.
#include <rl_tools/embed/policy.h>

#include <cstring>

#include "../../src/rlt_embed/policy.h"
#include "../../src/rlt_embed/port.h"

namespace {

bool has_spoken = false;
std::uint32_t spoken_us = 0;

void say(const char* text) { port::write(reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)); }

void report(const char* name, bool passed) {
    say(passed ? "PASS " : "FAIL ");
    say(name);
    say("\r\n");
}

bool zeros_give_numbers() {
    float observation[Policy::observation_dim] = {};
    float action[Policy::action_dim];
    Policy::evaluate(observation, action);
    for (std::size_t i = 0; i < Policy::action_dim; i++) {
        if (!rl_tools::math::is_finite(action[i])) {
            return false;
        }
    }
    return true;
}

}  // namespace

void firmware_setup() { Policy::load(); }

void firmware_loop() {
    if (has_spoken && port::micros() - spoken_us < 1000000U) {
        return port::feed_watchdog();
    }
    has_spoken = true;
    spoken_us = port::micros();
    std::uint32_t examples = 0;
    const std::uint32_t mismatches = Policy::self_test(examples);
    report("the_examples_give_the_expected_bits", examples > 0 && mismatches == 0);
    report("an_observation_of_zeros_gives_numbers", zeros_give_numbers());
    say("DONE\r\n");
}
