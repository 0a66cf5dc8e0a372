// Generalised advantage estimation (Schulman et al., arXiv:1506.02438).
#pragma once

#include <rl_tools/rl_tools.h>

namespace rl_tools::rl {

// What happened in one environment, step by step, one environment beside the other: step t of environment n stands at
// [t * environments + n].
template <typename T>
struct Experience {
    const T* rewards;
    const T* values;            // of the state that was acted in
    const T* next_values;       // of the state the action led to, before any reset
    const uint8_t* terminated;  // the task ended: nothing follows, so no bootstrap
    const uint8_t* truncated;   // only the clock ended: bootstrap, then cut the sum
};

template <typename T>
inline void estimate_advantages(T gamma, T lambda, bool ignore_termination, size_t steps, size_t environments,
                                const Experience<T>& experience, T* advantages) {
    for (size_t environment = 0; environment < environments; environment++) {
        T following = 0;
        for (size_t step = steps; step-- > 0;) {
            const size_t i = step * environments + environment;
            const bool terminated = experience.terminated[i] != 0;
            const bool ends = terminated || experience.truncated[i] != 0;
            const T next_value = terminated && !ignore_termination ? T(0) : experience.next_values[i];
            const T error = experience.rewards[i] + gamma * next_value - experience.values[i];
            following = error + (ends ? T(0) : gamma * lambda * following);
            advantages[i] = following;
        }
    }
}

}  // namespace rl_tools::rl
