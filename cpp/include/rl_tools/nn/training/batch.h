// A batch of vectors, one row per feature, one column per sample: kernels work on LANES samples at a time,
// so a layer of three inputs or one output wastes nothing. Columns are padded to whole vectors.
// The padding of a batch of derivatives is zero, so sums over all columns are sums over the samples.
#pragma once

#include <rl_tools/nn/training/vector.h>

namespace rl_tools::nn::training {

template <typename T_T, size_t T_FEATURES, size_t T_SAMPLES>
struct Batch {
    using T = T_T;
    static constexpr size_t FEATURES = T_FEATURES;
    static constexpr size_t SAMPLES = T_SAMPLES;
    static constexpr size_t STRIDE = padded<T>(SAMPLES);
    alignas(VECTOR_BYTES) T numbers[FEATURES * STRIDE];

    T* row(size_t feature) { return numbers + feature * STRIDE; }
    [[nodiscard]] const T* row(size_t feature) const { return numbers + feature * STRIDE; }
};

// Rows FIRST .. FIRST + TARGET's features of a batch, copied.
template <size_t FIRST = 0, typename SOURCE, typename TARGET>
inline void copy_rows(const SOURCE& source, TARGET& target, size_t target_first = 0, size_t count = TARGET::FEATURES) {
    static_assert(SOURCE::SAMPLES == TARGET::SAMPLES, "rl_tools: batches of different sizes");
    memcpy(target.row(target_first), source.row(FIRST), count * SOURCE::STRIDE * sizeof(typename SOURCE::T));
}

}  // namespace rl_tools::nn::training
