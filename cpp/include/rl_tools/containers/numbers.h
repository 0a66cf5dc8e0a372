// An array of static size that may be empty, which a plain array may not.
#pragma once

#include <rl_tools/rl_tools.h>

namespace rl_tools {

template <typename T, size_t SIZE>
struct Numbers {
    T values[SIZE];
    [[nodiscard]] T* data() { return values; }
};

template <typename T>
struct Numbers<T, 0> {
    [[nodiscard]] T* data() { return nullptr; }
};

}  // namespace rl_tools
