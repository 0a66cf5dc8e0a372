// Where a model's numbers live: inside the model (training), or in place in a checkpoint's bytes (inference).
// A read-only array points at bytes because a reinterpret_cast is not a constant expression:
// so a whole model stays constexpr, is placed in flash, and needs no start-up code.
#pragma once

#include <rl_tools/rl_tools.h>

namespace rl_tools::parameters {

struct Owned {
    template <typename T, size_t SIZE>
    struct Array {
        T values[SIZE];
        static constexpr size_t size = SIZE;
        [[nodiscard]] const T* data() const { return values; }
        [[nodiscard]] T* data() { return values; }
    };
};

struct ReadOnly {
    template <typename T, size_t SIZE>
    struct Array {
        const unsigned char* bytes;  // SIZE little-endian numbers, aligned for T
        static constexpr size_t size = SIZE;
        [[nodiscard]] const T* data() const { return reinterpret_cast<const T*>(bytes); }
    };
};

}  // namespace rl_tools::parameters
