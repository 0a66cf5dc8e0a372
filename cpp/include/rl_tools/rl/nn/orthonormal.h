// Orthonormal first weights (Saxe et al., arXiv:1312.6120): no unit of a layer begins as another's echo.
#pragma once

#include <rl_tools/rl/nn/parameters.h>

namespace rl_tools::nn::training {

// Makes the rows of a row-major matrix orthonormal, or its columns where they are fewer (Gram and Schmidt, modified).
template <typename T>
RL_TOOLS_NOINLINE void orthonormalize(size_t rows, size_t columns, T* numbers) {
    const bool by_rows = rows <= columns;
    const size_t vectors = by_rows ? rows : columns;
    const size_t length = by_rows ? columns : rows;
    const size_t to_next_vector = by_rows ? columns : 1;
    const size_t to_next_number = by_rows ? 1 : columns;
    const auto dot = [=](const T* a, const T* b) {
        double sum = 0;
        for (size_t i = 0; i < length; i++) {
            sum += static_cast<double>(a[i * to_next_number]) * static_cast<double>(b[i * to_next_number]);
        }
        return static_cast<T>(sum);
    };
    for (size_t i = 0; i < vectors; i++) {
        T* const vector = numbers + i * to_next_vector;
        for (size_t j = 0; j < i; j++) {
            const T* const other = numbers + j * to_next_vector;
            const T along = dot(vector, other);
            for (size_t k = 0; k < length; k++) {
                vector[k * to_next_number] -= along * other[k * to_next_number];
            }
        }
        const T scale = 1 / std::sqrt(dot(vector, vector));
        for (size_t k = 0; k < length; k++) {
            vector[k * to_next_number] *= scale;
        }
    }
}

}  // namespace rl_tools::nn::training
