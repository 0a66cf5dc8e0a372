// The control loop under a clock that the test moves. Each line of stdin is a command, each answer a line of stdout:
//   time <us>             sets the clock
//   cost <us>             the policy takes this long from now on
//   gain <hex>            the policy multiplies by this float from now on
//   observe <hex> <hex>   an observation, as the bits of its numbers; answers the fault
//   step                  answers the step, the action's bits, the fault, how often the watchdog was fed
//   statistics            answers the counters
//   due                   answers whether a step is due
//   timing                answers the counters of lateness, and the period
//   resets                answers how often the policy's state was reset
//   count <value> <by>    a counter of this value, counted up
#include <rl_tools/embed/control_loop.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>

namespace {

uint32_t now_us = 0;
uint32_t cost_us = 0;
uint32_t feeds = 0;
uint32_t resets = 0;
float gain = 1.0F;

struct Board {
    static uint32_t micros() { return now_us; }
    static void feed_watchdog() { ++feeds; }
};

struct Policy {
    static constexpr size_t observation_dim = 2;
    static constexpr size_t action_dim = 1;
    static constexpr float low[2] = {-1.0F, -0x1.fffffep+127F};
    static constexpr float high[2] = {3.0F, 0x1.fffffep+127F};
    static constexpr float actions_low[1] = {-2.0F};
    static constexpr float actions_high[1] = {2.0F};
    static constexpr const float* observation_low() { return low; }
    static constexpr const float* observation_high() { return high; }
    static constexpr const float* action_low() { return actions_low; }
    static constexpr const float* action_high() { return actions_high; }

    static void reset() { ++resets; }
    static void step(const float* observation, float* action) {
        now_us += cost_us;
        action[0] = gain * observation[0];
    }
};

struct Control {
    static constexpr uint32_t period_us = 1000;
    static constexpr uint32_t timeout_us = 2500;
    static constexpr float margin = 0.25F;  // of 4: the first number may be in [-2, 4]
    static constexpr float fallback_action[] = {-0.5F};
};

rl_tools::embed::ControlLoop<Policy, Board, Control> control;

const char* name_of(rl_tools::embed::Step step) {
    switch (step) {
        case rl_tools::embed::Step::waiting:
            return "waiting";
        case rl_tools::embed::Step::policy:
            return "policy";
        case rl_tools::embed::Step::fallback:
            return "fallback";
    }
    return "?";
}

const char* name_of(rl_tools::embed::Fault fault) {
    using rl_tools::embed::Fault;
    switch (fault) {
        case Fault::none:
            return "none";
        case Fault::no_observation:
            return "no_observation";
        case Fault::observations_stopped:
            return "observations_stopped";
        case Fault::observation_not_finite:
            return "observation_not_finite";
        case Fault::observation_out_of_range:
            return "observation_out_of_range";
        case Fault::action_not_finite:
            return "action_not_finite";
    }
    return "?";
}

float read_float() {
    std::string text;
    std::cin >> text;
    return rl_tools::math::float_of(static_cast<uint32_t>(std::stoul(text, nullptr, 16)));
}

uint32_t read_number() {
    uint32_t number = 0;
    std::cin >> number;
    return number;
}

void step() {
    const auto taken = control.step();
    printf("%s %08x %s %u\n", name_of(taken), static_cast<unsigned>(rl_tools::math::bits_of(control.action()[0])),
           name_of(control.fault()), static_cast<unsigned>(feeds));
}

void statistics() {
    const auto& s = control.statistics();
    printf("%u %u %u %u %u %u %u\n", static_cast<unsigned>(s.steps), static_cast<unsigned>(s.fallbacks),
           static_cast<unsigned>(s.rejected_observations), static_cast<unsigned>(s.overruns),
           static_cast<unsigned>(s.missed_deadlines), static_cast<unsigned>(s.last_execution_us),
           static_cast<unsigned>(s.worst_execution_us));
}

void timing() {
    const auto& s = control.statistics();
    printf("%u %u %llu %u\n", static_cast<unsigned>(s.late_steps), static_cast<unsigned>(s.worst_lateness_us),
           static_cast<unsigned long long>(s.total_lateness_us), static_cast<unsigned>(s.period_us));
}

}  // namespace

int main() {
    std::string command;
    while (std::cin >> command) {
        if (command == "time") {
            now_us = read_number();
        } else if (command == "cost") {
            cost_us = read_number();
        } else if (command == "gain") {
            gain = read_float();
        } else if (command == "observe") {
            const float first = read_float();
            const float second = read_float();
            const float observation[2] = {first, second};
            printf("%s\n", name_of(control.observe(observation)));
        } else if (command == "step") {
            step();
        } else if (command == "statistics") {
            statistics();
        } else if (command == "due") {
            printf("%d\n", control.is_due() ? 1 : 0);
        } else if (command == "timing") {
            timing();
        } else if (command == "resets") {
            printf("%u\n", static_cast<unsigned>(resets));
        } else if (command == "count") {
            uint32_t counter = read_number();
            rl_tools::embed::control_detail::count(counter, read_number());
            printf("%u\n", static_cast<unsigned>(counter));
        } else {
            fprintf(stderr, "no such command: %s\n", command.c_str());
            return 2;
        }
    }
    return 0;
}
