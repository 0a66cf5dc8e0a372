// The operations on floats that a policy's arithmetic is made of. Each layer lists its own, so that a program can test
// those, and links no library function that the policy does without.
#pragma once

#include <rl_tools/rl_tools.h>

namespace rl_tools::math {

// Bits, because a layer needs several.
enum Operations : uint32_t {
    NO_OPERATIONS = 0,
    MULTIPLY_ADD = 1,  // also additions, subtractions and multiplications alone
    COMPARE = 2,
    DIVIDE = 4,
    CONVERT = 8,  // between float and integer
    ALL_OPERATIONS = 15,
};

constexpr Operations operator|(Operations a, Operations b) {
    return static_cast<Operations>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b));
}

constexpr bool has(Operations operations, Operations wanted) { return (operations & wanted) == wanted; }

}  // namespace rl_tools::math
