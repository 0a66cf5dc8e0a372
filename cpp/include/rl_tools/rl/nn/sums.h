// The sums that are no matrix product worth its kernel: of rows, of columns, and dot products of rows.
// Not inline, and they know as few sizes as they can: a copy for each layer would compile for longer.
#pragma once

#include <rl_tools/rl/nn/vector.h>

namespace rl_tools::nn::training {

// target[row]: all of a row, its padding as well.
template <typename T>
RL_TOOLS_NOINLINE void sums_of_rows(const T* rows, size_t count, size_t stride, T* target) {
    for (size_t first = 0; first < count; first += LANES<T>) {
        Vector<T> items[LANES<T>];
        for (size_t i = 0; i < LANES<T>; i++) {
            Vector<T> sum{};
            for (size_t col = 0; first + i < count && col < stride; col += LANES<T>) {
                sum += load(rows + (first + i) * stride + col);
            }
            items[i] = sum;
        }
        const Vector<T> sums = sums_of<T>(items);
        memcpy(target + first, &sums, (count - first < LANES<T> ? count - first : LANES<T>)*sizeof(T));
    }
}

// target[col], of `cols` columns.
template <typename T>
RL_TOOLS_NOINLINE void sums_of_columns(const T* rows, size_t count, size_t stride, size_t cols, T* target) {
    constexpr size_t AT_ONCE = 4;  // sums that do not wait for each other
    const size_t whole = count / AT_ONCE * AT_ONCE;
    for (size_t col = 0; col < cols; col += LANES<T>) {
        const T* const first = rows + col;
        Vector<T> sums[AT_ONCE]{};
        for (size_t row = 0; row < whole; row += AT_ONCE) {
#pragma GCC unroll 4
            for (size_t i = 0; i < AT_ONCE; i++) {
                sums[i] += load(first + (row + i) * stride);
            }
        }
        for (size_t row = whole; row < count; row++) {
            sums[0] += load(first + row * stride);
        }
        const Vector<T> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        memcpy(target + col, &sum, (cols - col < LANES<T> ? cols - col : LANES<T>)*sizeof(T));
    }
}

// The dot products of LANES rows with one, as the lanes of a vector.
template <typename T, size_t STRIDE>
RL_TOOLS_NOINLINE Vector<T> dot_products(const T* rows, const T* one) {
    Vector<T> items[LANES<T>]{};
#pragma GCC unroll 1
    for (size_t col = 0; col < STRIDE; col += LANES<T>) {
        const Vector<T> factor = load(one + col);
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES<T>; i++) {
            items[i] += load(rows + i * STRIDE + col) * factor;
        }
    }
    return sums_of<T>(items);
}

}  // namespace rl_tools::nn::training
