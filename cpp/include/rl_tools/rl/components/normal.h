// Standard normal numbers in pairs: both values of Marsaglia's polar method.
#pragma once

#include <rl_tools/random/random.h>

#include <cmath>

namespace rl_tools::rl {

template <typename T>
inline void fill_normal(random::Engine& engine, T* numbers, size_t count) {
    for (size_t i = 0; i < count; i += 2) {
        float u;
        float v;
        float square;
        do {
            u = 2.0F * random::uniform(engine) - 1.0F;
            v = 2.0F * random::uniform(engine) - 1.0F;
            square = u * u + v * v;
        } while (square >= 1.0F || square <= 0.0F);
        const float factor = std::sqrt(-2.0F * std::log(square) / square);
        numbers[i] = u * factor;
        if (i + 1 < count) {
            numbers[i + 1] = v * factor;
        }
    }
}

}  // namespace rl_tools::rl
