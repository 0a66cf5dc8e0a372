// A dense layer's weights by columns, one per input, as long as there are outputs: kernels then work on LANES outputs
// at a time. The layer itself has rows.
#pragma once

#include <rl_tools/nn/layers/dense/layer.h>
#include <rl_tools/rl/nn/vector.h>

namespace rl_tools::nn::training {

// to[col][row] = from[row][col]: squares in registers, then what is left of the rows and of the columns. Not inline: a
// copy for each size would compile for longer, and not run faster.
template <typename T>
RL_TOOLS_NOINLINE void transpose(const T* from, size_t rows, size_t cols, size_t from_stride, T* to, size_t to_stride) {
    const size_t whole_rows = rows / LANES<T> * LANES<T>;
    const size_t whole_cols = cols / LANES<T> * LANES<T>;
    for (size_t row = 0; row < whole_rows; row += LANES<T>) {
        for (size_t col = 0; col < whole_cols; col += LANES<T>) {
            Vector<T> square[LANES<T>];
            for (size_t i = 0; i < LANES<T>; i++) {
                square[i] = load(from + (row + i) * from_stride + col);
            }
            transpose<T>(square);
            for (size_t i = 0; i < LANES<T>; i++) {
                store(to + (col + i) * to_stride + row, square[i]);
            }
        }
    }
    for (size_t col = whole_cols; col < cols; col++) {
        for (size_t row = 0; row < whole_rows; row++) {
            to[col * to_stride + row] = from[row * from_stride + col];
        }
    }
    for (size_t row = whole_rows; row < rows; row++) {
        for (size_t col = 0; col < cols; col++) {
            to[col * to_stride + row] = from[row * from_stride + col];
        }
    }
}

}  // namespace rl_tools::nn::training

namespace rl_tools::nn::layers::dense {

// The biases, then the weights for input 0, for input 1, …: each with zeros up to a whole number of vectors.
template <typename T_SPEC>
struct ColumnLayer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::INPUT_DIM;
    static constexpr TI OUTPUT_DIM = SPEC::OUTPUT_DIM;
    static constexpr size_t STRIDE = training::padded<T>(OUTPUT_DIM);
    alignas(training::VECTOR_BYTES) T biases[STRIDE];
    alignas(training::VECTOR_BYTES) T weights[INPUT_DIM * STRIDE];

    // Leaves the zeros as they are.
    void take(const Layer<SPEC>& layer) {
        memcpy(biases, layer.biases.data(), OUTPUT_DIM * sizeof(T));
        training::transpose(layer.weights.data(), OUTPUT_DIM, INPUT_DIM, INPUT_DIM, weights, STRIDE);
    }
};

}  // namespace rl_tools::nn::layers::dense
