// What a program on a host needs besides its layers: device tag, matrices, tensors, random numbers, a console.
#pragma once

#include <rl_tools/containers/matrix.h>
#include <rl_tools/containers/tensor.h>
#include <rl_tools/devices/cpu.h>
#include <rl_tools/random/random.h>

#include <cstdio>

// A program names the sizes of its policy whether it uses each of them or not.
// Clang warns of the unused ones in the main file, and there is no attribute that a header could set.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wunused-const-variable"
#endif

namespace rl_tools {

template <typename ARITHMETIC>
inline void log(const devices::CPU<ARITHMETIC>&, const devices::logging::Generic&, const char* text) {
    fputs(text, stdout);
}

// One line per row; enough digits to tell any two float32 apart.
template <typename ARITHMETIC, typename SPEC>
inline void print(const devices::CPU<ARITHMETIC>&, const MatrixStatic<SPEC>& matrix) {
    for (typename SPEC::TI row = 0; row < SPEC::ROWS; row++) {
        for (typename SPEC::TI col = 0; col < SPEC::COLS; col++) {
            printf(col == 0 ? "%.9g" : " %.9g", static_cast<double>(get(matrix, row, col)));
        }
        putchar('\n');
    }
}

// One line per row of the last dimension, an empty line between the matrices.
template <typename ARITHMETIC, typename SPEC>
inline void print(const devices::CPU<ARITHMETIC>&, const Tensor<SPEC>& tensor) {
    using SHAPE = typename SPEC::SHAPE;
    constexpr auto COLS = SHAPE::DIMENSIONS[SHAPE::N - 1];
    constexpr auto MATRIX = SHAPE::N > 1 ? COLS * SHAPE::DIMENSIONS[SHAPE::N > 1 ? SHAPE::N - 2 : 0] : SHAPE::SIZE;
    for (typename SHAPE::TI i = 0; i < SHAPE::SIZE; i++) {
        if (i > 0 && i % MATRIX == 0) {
            putchar('\n');
        }
        const bool is_last = (i + 1) % COLS == 0;
        printf(is_last ? "%.9g\n" : "%.9g ", static_cast<double>(tensor._data[i]));
    }
}

}  // namespace rl_tools
