// What a control loop counts: how many steps, how late they began, how long they took. The loop writes it, the link's
// statistics report it.
#pragma once

#include <stdint.h>

namespace rl_tools::embed {

// What happened since the start. Every counter of 32 bits stops at its largest value instead of wrapping to zero.
// A step is due one period after the period before it began, and is late by the time from then to its beginning: the
// is_due() that found it due, or else its step().
struct ControlStatistics {
    uint32_t steps;                  // with the policy's action or with the fallback
    uint32_t fallbacks;              // steps with the fallback
    uint32_t rejected_observations;  // not finite or out of range
    uint32_t overruns;               // steps that ended after their period
    uint32_t missed_deadlines;       // periods in which no step began
    uint32_t last_execution_us;      // from the beginning of a step to its end
    uint32_t worst_execution_us;
    uint32_t period_us;          // 0 before the first step
    uint32_t late_steps;         // began a whole period after they were due, or more
    uint32_t worst_lateness_us;  // of any step
    uint64_t total_lateness_us;  // of all steps: over `steps` the mean
};

// Where the link gets them. Where another task controls, a copy that was made under a lock.
using ControlStatisticsSource = const ControlStatistics* (*)();

}  // namespace rl_tools::embed
