// The loss of a value function.
#pragma once

#include <rl_tools/rl/nn/batch.h>

namespace rl_tools::rl {

// Derivative by the value of: mean over samples of (value - target)^2 / 2. Leaves the padding at zero. Returns the
// loss.
template <typename T, size_t SAMPLES>
inline T squared_error(const nn::training::Batch<T, 1, SAMPLES>& value, const T (&target)[SAMPLES],
                       nn::training::Batch<T, 1, SAMPLES>& by_value) {
    constexpr T WEIGHT = T(1) / static_cast<T>(SAMPLES);
    T loss = 0;
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        const T difference = value.row(0)[sample] - target[sample];
        by_value.row(0)[sample] = WEIGHT * difference;
        loss += T(0.5) * WEIGHT * difference * difference;
    }
    return loss;
}

}  // namespace rl_tools::rl
