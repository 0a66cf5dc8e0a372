// A batch of vectors, in one of two orders. Rows are padded to whole vectors of the CPU.
#pragma once

#include <rl_tools/rl/nn/vector.h>

namespace rl_tools::nn::training {

// One row per feature, one column per sample: what a network reads and gives, and what losses are computed from. One
// action or three observations waste nothing.
// The padding of a batch of derivatives is zero, so sums over all columns are sums over the samples.
template <typename T_T, size_t T_FEATURES, size_t T_SAMPLES>
struct Batch {
    using T = T_T;
    static constexpr size_t FEATURES = T_FEATURES;
    static constexpr size_t SAMPLES = T_SAMPLES;
    static constexpr size_t STRIDE = padded<T>(SAMPLES);
    // From a number to that of the next sample, and of the next feature.
    static constexpr size_t SAMPLE_STRIDE = 1;
    static constexpr size_t FEATURE_STRIDE = STRIDE;
    alignas(VECTOR_BYTES) T numbers[FEATURES * STRIDE];

    T* row(size_t feature) { return numbers + feature * STRIDE; }
    [[nodiscard]] const T* row(size_t feature) const { return numbers + feature * STRIDE; }
};

// One row per sample, one column per feature: what lies between a network's layers. Their widths are mostly whole
// vectors already, where a batch of 100 samples is not.
// There are rows up to a whole vector of samples: those beyond the samples are zero, since nothing writes them, and
// give zeros where derivatives go back to a `Batch`. The padding of each row may be anything finite.
template <typename T_T, size_t T_SAMPLES, size_t T_FEATURES>
struct SampleRows {
    using T = T_T;
    static constexpr size_t FEATURES = T_FEATURES;
    static constexpr size_t SAMPLES = T_SAMPLES;
    static constexpr size_t STRIDE = padded<T>(FEATURES);
    static constexpr size_t SAMPLE_STRIDE = STRIDE;
    static constexpr size_t FEATURE_STRIDE = 1;
    alignas(VECTOR_BYTES) T numbers[padded<T>(SAMPLES) * STRIDE];
};

// Rows FIRST .. FIRST + TARGET's features of a batch, copied.
template <size_t FIRST = 0, typename SOURCE, typename TARGET>
inline void copy_rows(const SOURCE& source, TARGET& target, size_t target_first = 0, size_t count = TARGET::FEATURES) {
    static_assert(SOURCE::SAMPLES == TARGET::SAMPLES, "rl_tools: batches of different sizes");
    memcpy(target.row(target_first), source.row(FIRST), count * SOURCE::STRIDE * sizeof(typename SOURCE::T));
}

}  // namespace rl_tools::nn::training
