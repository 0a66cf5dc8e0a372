// One translation unit, in an order in which no core's macro meets a header of ours. FIRMWARE and PORT_FILE are files
// of an exported project, CORE is one of this folder.
#include "bench.h"

#include FIRMWARE

#include <rl_tools/embed/control_loop.h>

namespace {

struct Options {
    static constexpr std::uint32_t period_us = 5000;
    static constexpr std::uint32_t timeout_us = 3 * period_us;
    static constexpr float margin = 0.05F;
    static constexpr float fallback_action[150] = {};
};

struct Board {
    static std::uint32_t micros() { return port::micros(); }
    static void feed_watchdog() { port::feed_watchdog(); }
};

rl_tools::embed::ControlLoop<Policy, Board, Options> control;

}  // namespace

void control_setup() {}

bool control_loop() {
    bench::round();
    const float observation[2] = {1.0F, -1.0F};
    static_cast<void>(control.observe(observation));
    if (control.step() != rl_tools::embed::Step::waiting) {
        if (bench::prints) {
            port::write(reinterpret_cast<const std::uint8_t*>("tick\r\n"), 6);
        }
    }
    return true;
}

void bench::finish() {
    round();  // the one that the end cuts
    const rl_tools::embed::ControlStatistics& counted = control.statistics();
    std::printf("received ");
    for (const std::uint8_t byte : received) {
        std::printf("%02x", byte);
    }
    std::printf(
        "\nlongest_us %llu\nsteps %u\nmissed %u\noverruns %u\nanswered %zu\nrepeats %u\ndone_us %llu\nloops %llu\n",
        static_cast<unsigned long long>(longest_us), counted.steps, counted.missed_deadlines, counted.overruns,
        next_request, repeats, static_cast<unsigned long long>(done_us), static_cast<unsigned long long>(loops));
    std::fflush(stdout);
    std::_Exit(0);
}

// From here on the core's macros are there.
#include PORT_FILE

#include CORE

int main(int count, char** arguments) {
    bench::read_arguments(count, arguments);
    run();
}
