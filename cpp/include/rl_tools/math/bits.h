// The bits of a float and the float of its bits.
#pragma once

#include <rl_tools/rl_tools.h>

#include <cstring>

namespace rl_tools::math {

inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

constexpr uint32_t SIGN_BIT = 0x80000000U;
constexpr uint32_t INFINITY_BITS = 0x7F800000U;

}  // namespace rl_tools::math
