// The one kernel that training's time goes into: a matrix product of sizes known to the compiler.
//
//     C[row][col] = start(row, col) + sum over k of A[row][k] * B[k][col]
//
// A's numbers are broadcast (so A may be transposed at no cost), B's and C's are loaded as vectors along `col`.
// A tile of C stays in registers for the whole sum. This is the default of `multiply.h`, and what a BLAS is checked by.
#pragma once

#include <rl_tools/rl/nn/vector.h>

namespace rl_tools::nn::training {

namespace gemm {

// A quarter of the registers is left for B's vectors and A's number.
constexpr size_t ACCUMULATORS = VECTOR_REGISTERS * 3 / 4;
constexpr size_t TILE_VECTORS = VECTOR_REGISTERS == 32 ? 4 : 2;

// The last vector of COLS columns: a whole one, or the half or quarter that holds them, which costs as much less.
template <typename T, size_t COLS>
constexpr size_t last_bytes() {
    constexpr size_t NEEDED = (COLS + LANES<T> - 1) % LANES<T> * sizeof(T) + sizeof(T);
    size_t bytes = VECTOR_BYTES;
    while (bytes / 2 >= NEEDED && bytes > 16) {
        bytes /= 2;
    }
    return bytes;
}

// VECTORS vectors wide, the last of them of LAST bytes: where it is narrower, the rest of what is stored is zero.
template <typename T, size_t ROWS, size_t VECTORS, size_t LAST, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE,
          size_t B_STRIDE, typename START, typename STORE>
RL_TOOLS_ALWAYS_INLINE void tile(const T* a, const T* b, size_t row, size_t col, const START& start,
                                 const STORE& store_vector) {
    using Narrow = VectorOfBytes<T, LAST>;
    constexpr bool HAS_NARROW = LAST < VECTOR_BYTES;
    constexpr size_t WHOLE = HAS_NARROW ? VECTORS - 1 : VECTORS;
    Vector<T> sums[ROWS][VECTORS];
    Narrow narrow_sums[ROWS];
#pragma GCC unroll 24
    for (size_t r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < WHOLE; v++) {
            sums[r][v] = start(row + r, col + v * LANES<T>);
        }
        if constexpr (HAS_NARROW) {
            const Vector<T> first = start(row + r, col + WHOLE * LANES<T>);
            memcpy(&narrow_sums[r], &first, LAST);
        }
    }
    a += row * A_ROW_STRIDE;
    b += col;
#pragma GCC unroll 1
    for (size_t k = 0; k < K; k++) {
        Vector<T> line[VECTORS];
        Narrow narrow_line;
#pragma GCC unroll 4
        for (size_t v = 0; v < WHOLE; v++) {
            line[v] = load(b + k * B_STRIDE + v * LANES<T>);
        }
        if constexpr (HAS_NARROW) {
            memcpy(&narrow_line, b + k * B_STRIDE + WHOLE * LANES<T>, LAST);
        }
#pragma GCC unroll 24
        for (size_t r = 0; r < ROWS; r++) {
            const T number = a[r * A_ROW_STRIDE + k * A_K_STRIDE];
            const Vector<T> factor = broadcast<T>(number);
#pragma GCC unroll 4
            for (size_t v = 0; v < WHOLE; v++) {
                sums[r][v] += factor * line[v];
            }
            if constexpr (HAS_NARROW) {
                Narrow narrow_factor;
                memcpy(&narrow_factor, &factor, LAST);
                narrow_sums[r] += narrow_factor * narrow_line;
            }
        }
    }
#pragma GCC unroll 24
    for (size_t r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < WHOLE; v++) {
            store_vector(row + r, col + v * LANES<T>, sums[r][v]);
        }
        if constexpr (HAS_NARROW) {
            store_vector(row + r, col + WHOLE * LANES<T>,
                         widened<T>(narrow_sums[r], std::make_index_sequence<LAST / sizeof(T)>{}));
        }
    }
}

// All rows of VECTORS vectors' columns. `start` and `store_vector` are copies: no store of a number can change what
// they hold, so it stays in registers.
template <typename T, size_t ROWS, size_t VECTORS, size_t LAST, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE,
          size_t B_STRIDE, typename START, typename STORE>
inline void panel(const T* a, const T* b, size_t col, const START start, const STORE store_vector) {
    // Short sums are loads and stores: larger tiles of them would only be more code.
    constexpr size_t LARGEST = K < 8 ? 2 : 8;
    constexpr size_t MOST = ACCUMULATORS / VECTORS < LARGEST ? ACCUMULATORS / VECTORS : LARGEST;
    constexpr size_t WHOLE = ROWS / MOST * MOST;
    for (size_t row = 0; row < WHOLE; row += MOST) {
        tile<T, MOST, VECTORS, LAST, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, row, col, start, store_vector);
    }
    if constexpr (ROWS > WHOLE) {
        tile<T, ROWS - WHOLE, VECTORS, LAST, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, WHOLE, col, start,
                                                                                    store_vector);
    }
}

// B's and C's rows are padded to whole vectors. `start(row, col)` gives the first values of LANES sums,
// `store_vector(row, col, vector)` takes their results: bias, activation and derivative are fused there.
template <typename T, size_t ROWS, size_t COLS, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE, size_t B_STRIDE,
          typename START, typename STORE>
inline void multiply(const T* a, const T* b, const START& start, const STORE& store_vector) {
    constexpr size_t VECTORS = padded<T>(COLS) / LANES<T>;
    constexpr size_t LAST = last_bytes<T, COLS>();
    // The last panel is one of its own, even if it is as wide, where its last vector is narrower.
    constexpr size_t AT_LEAST = LAST < VECTOR_BYTES ? 1 : 0;
    constexpr size_t WHOLE = (VECTORS - AT_LEAST) / TILE_VECTORS * TILE_VECTORS;
    for (size_t vector = 0; vector < WHOLE; vector += TILE_VECTORS) {
        panel<T, ROWS, TILE_VECTORS, VECTOR_BYTES, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, vector * LANES<T>,
                                                                                          start, store_vector);
    }
    if constexpr (VECTORS > WHOLE) {
        panel<T, ROWS, VECTORS - WHOLE, LAST, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, WHOLE * LANES<T>, start,
                                                                                     store_vector);
    }
}

}  // namespace gemm

}  // namespace rl_tools::nn::training
