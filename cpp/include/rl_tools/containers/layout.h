// In which order the weights of a dense layer lie in flash: the order in which the device's kernel reads them.
#pragma once

#include <rl_tools/rl_tools.h>

namespace rl_tools::layout {

// Row by row, [output][input], as in a checkpoint.
struct Rows {};

// ROWS outputs at a time: their biases, then their weights for input 0, for input 1, …: one stream from the first byte
// to the last. What is left of the outputs goes into panels of half as many rows, and half of that, down to one.
// READ_AHEAD_BYTES: how far behind a layer's last weight its kernel may read.
template <size_t T_ROWS, size_t T_READ_AHEAD_BYTES = 0>
struct Panels {
    static constexpr size_t ROWS = T_ROWS;
    static constexpr size_t READ_AHEAD_BYTES = T_READ_AHEAD_BYTES;
    static_assert(ROWS > 0 && (ROWS & (ROWS - 1)) == 0, "rl_tools: the rows of a panel are a power of two");
};

// A module in the device's layout. Modules without weights have none, and row by row everything stays as it is;
// dense layers and composites overload this beside their own types.
template <typename LAYOUT, typename MODULE>
constexpr MODULE in_layout(LAYOUT, const MODULE& module) {
    return module;
}

}  // namespace rl_tools::layout
