// The one kernel that training's time goes into: a matrix product of sizes known to the compiler.
//
//     C[row][col] = start(row) + sum over k of A[row][k] * B[k][col]
//
// A's numbers are broadcast (so A may be transposed at no cost), B's and C's are loaded as vectors along `col`.
// A tile of C stays in registers for the whole sum. This is the default of `multiply.h`, and what a BLAS is checked by.
#pragma once

#include <rl_tools/nn/training/vector.h>

namespace rl_tools::nn::training {

namespace gemm {

// A quarter of the registers is left for B's vectors and A's number.
constexpr size_t ACCUMULATORS = VECTOR_REGISTERS * 3 / 4;
constexpr size_t TILE_VECTORS = VECTOR_REGISTERS == 32 ? 4 : 2;

template <typename T, size_t ROWS, size_t VECTORS, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE, size_t B_STRIDE,
          typename START, typename STORE>
inline __attribute__((always_inline)) void tile(const T* a, const T* b, size_t row, size_t col, const START& start,
                                                const STORE& store_vector) {
    Vector<T> sums[ROWS][VECTORS];
#pragma GCC unroll 24
    for (size_t r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++) {
            sums[r][v] = broadcast<T>(start(row + r));
        }
    }
    a += row * A_ROW_STRIDE;
    b += col;
#pragma GCC unroll 1
    for (size_t k = 0; k < K; k++) {
        Vector<T> line[VECTORS];
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++) {
            line[v] = load(b + k * B_STRIDE + v * LANES<T>);
        }
#pragma GCC unroll 24
        for (size_t r = 0; r < ROWS; r++) {
            const Vector<T> factor = broadcast<T>(a[r * A_ROW_STRIDE + k * A_K_STRIDE]);
#pragma GCC unroll 4
            for (size_t v = 0; v < VECTORS; v++) {
                sums[r][v] += factor * line[v];
            }
        }
    }
#pragma GCC unroll 24
    for (size_t r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++) {
            store_vector(row + r, col + v * LANES<T>, sums[r][v]);
        }
    }
}

// All rows of VECTORS vectors' columns.
template <typename T, size_t ROWS, size_t VECTORS, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE, size_t B_STRIDE,
          typename START, typename STORE>
inline void panel(const T* a, const T* b, size_t col, const START& start, const STORE& store_vector) {
    // Short sums are loads and stores: larger tiles of them would only be more code.
    constexpr size_t LARGEST = K < 8 ? 2 : 8;
    constexpr size_t MOST = ACCUMULATORS / VECTORS < LARGEST ? ACCUMULATORS / VECTORS : LARGEST;
    constexpr size_t WHOLE = ROWS / MOST * MOST;
    for (size_t row = 0; row < WHOLE; row += MOST) {
        tile<T, MOST, VECTORS, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, row, col, start, store_vector);
    }
    if constexpr (ROWS > WHOLE) {
        tile<T, ROWS - WHOLE, VECTORS, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, WHOLE, col, start, store_vector);
    }
}

// COLS counts whole vectors' numbers (B's and C's rows are padded). `start(row)` gives a sum's first value,
// `store_vector(row, col, vector)` takes LANES results: bias, activation and derivative are fused there.
template <typename T, size_t ROWS, size_t COLS, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE, size_t B_STRIDE,
          typename START, typename STORE>
inline void multiply(const T* a, const T* b, const START& start, const STORE& store_vector) {
    static_assert(COLS % LANES<T> == 0, "rl_tools: the columns of a product are whole vectors");
    constexpr size_t VECTORS = COLS / LANES<T>;
    constexpr size_t WHOLE = VECTORS / TILE_VECTORS * TILE_VECTORS;
    for (size_t vector = 0; vector < WHOLE; vector += TILE_VECTORS) {
        panel<T, ROWS, TILE_VECTORS, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, vector * LANES<T>, start,
                                                                            store_vector);
    }
    if constexpr (VECTORS > WHOLE) {
        panel<T, ROWS, VECTORS - WHOLE, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, WHOLE * LANES<T>, start,
                                                                               store_vector);
    }
}

}  // namespace gemm

}  // namespace rl_tools::nn::training
