// A matrix of static size, row-major, whose numbers live inside it: one row behind the other.
#pragma once

#include <rl_tools/rl_tools.h>

namespace rl_tools {

namespace matrix {
template <typename T_T, typename T_TI, T_TI T_ROWS, T_TI T_COLS>
struct Specification {
    using T = T_T;
    using TI = T_TI;
    static constexpr TI ROWS = T_ROWS;
    static constexpr TI COLS = T_COLS;
    static_assert(ROWS > 0 && COLS > 0, "rl_tools: a matrix has at least one row and one column");
};
}  // namespace matrix

// Asks a buffer to hold its numbers inside itself, without a heap: the only kind of buffer there is.
struct MatrixStaticTag {};

template <typename T_SPEC>
struct MatrixStatic {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI ROWS = SPEC::ROWS;
    static constexpr TI COLS = SPEC::COLS;
    T _data[ROWS * COLS];
};

template <typename SPEC>
inline typename SPEC::T get(const MatrixStatic<SPEC>& matrix, typename SPEC::TI row, typename SPEC::TI col) {
    return matrix._data[row * SPEC::COLS + col];
}

template <typename SPEC>
inline void set(MatrixStatic<SPEC>& matrix, typename SPEC::TI row, typename SPEC::TI col, typename SPEC::T value) {
    matrix._data[row * SPEC::COLS + col] = value;
}

template <typename DEVICE, typename SPEC>
inline void set_all(const DEVICE&, MatrixStatic<SPEC>& matrix, typename SPEC::T value) {
    for (auto& number : matrix._data) {
        number = value;
    }
}

template <typename DEVICE, typename SPEC>
inline void copy(const DEVICE&, const MatrixStatic<SPEC>& source, MatrixStatic<SPEC>& target) {
    target = source;
}

}  // namespace rl_tools
