// How a training host evaluates its policy: the inference arithmetic, one output per lane. Each output keeps its
// accumulator and its order, so the bits are those of every other device.
#pragma once

#include <rl_tools/devices/cpu.h>
#include <rl_tools/nn/layers/dense/operations_generic.h>
#include <rl_tools/nn/layers/rescale/operations_generic.h>
#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>
#include <rl_tools/rl/nn/columns.h>

#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

namespace rl_tools::layout {

// Dense layers as `ColumnLayer` (rl_tools/rl/nn/columns.h).
struct Columns {};

}  // namespace rl_tools::layout

namespace rl_tools::devices {
struct TrainingHost : CPU<arithmetic::Separate> {
    using LAYOUT = layout::Columns;
};
}  // namespace rl_tools::devices

namespace rl_tools::nn::layers::dense {

template <typename SPEC>
inline ColumnLayer<SPEC> in_layout(layout::Columns, const Layer<SPEC>& layer) {
    ColumnLayer<SPEC> result{};
    result.take(layer);
    return result;
}

namespace host {

using training::LANES;
using training::Vector;

// The products as numbers of their own: what `arithmetic::rounded` does to one.
inline Vector<float> rounded(Vector<float> products) {
#if !defined(RL_TOOLS_GNU_EXTENSIONS)
    for (size_t lane = 0; lane < LANES<float>; lane++) {
        products[lane] = arithmetic::rounded(products[lane]);
    }
#elif defined(__aarch64__)
    asm("" : "+w"(products));
#elif defined(__AVX512F__)
    asm("" : "+v"(products));
#elif defined(__FMA__)
    asm("" : "+x"(products));
#endif
    return products;
}

// OUTPUTS outputs from `row` on, before their activation: sums that do not wait for each other.
template <size_t OUTPUTS, typename SPEC>
inline void sums_of_outputs(const ColumnLayer<SPEC>& layer, size_t row, const float* input, float* output) {
    constexpr size_t WHOLE = OUTPUTS / LANES<float>;
    constexpr size_t REST = OUTPUTS % LANES<float>;
    constexpr size_t VECTORS = WHOLE + (REST > 0 ? 1 : 0);
    Vector<float> sums[VECTORS];
#pragma GCC unroll 8
    for (size_t i = 0; i < VECTORS; i++) {
        sums[i] = training::load(layer.biases + row + i * LANES<float>);
    }
    const float* column = layer.weights + row;
    for (size_t col = 0; col < SPEC::INPUT_DIM; col++) {
#pragma GCC unroll 8
        for (size_t i = 0; i < VECTORS; i++) {
            sums[i] += rounded(training::load(column + i * LANES<float>) * input[col]);
        }
        column += ColumnLayer<SPEC>::STRIDE;
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < WHOLE; i++) {
        training::store(output + i * LANES<float>, sums[i]);
    }
    if constexpr (REST > 0) {
        float rest[LANES<float>];
        training::store(rest, sums[WHOLE]);
        memcpy(output + WHOLE * LANES<float>, rest, REST * sizeof(float));
    }
}

}  // namespace host

template <typename SPEC>
inline void evaluate(const devices::TrainingHost&, const ColumnLayer<SPEC>& layer, const float* input, float* output) {
    static_assert(std::is_same_v<typename SPEC::T, float>, "rl_tools: a policy is made of floats");
    constexpr size_t GROUP = 8 * host::LANES<float>;
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM / GROUP * GROUP;
    for (size_t row = 0; row < WHOLE; row += GROUP) {
        host::sums_of_outputs<GROUP>(layer, row, input, output + row);
    }
    if constexpr (SPEC::OUTPUT_DIM > WHOLE) {
        host::sums_of_outputs<SPEC::OUTPUT_DIM - WHOLE>(layer, WHOLE, input, output + WHOLE);
    }
    activate_all<SPEC::ACTIVATION_FUNCTION, SPEC::OUTPUT_DIM>(output);
}

}  // namespace rl_tools::nn::layers::dense

namespace rl_tools::rl {

// A policy that is trained and used in turn: its model, and the model in the host's layout, made by the first use after
// a change.
template <typename T_MODEL>
class HostPolicy {
public:
    using MODEL = T_MODEL;

    [[nodiscard]] const MODEL& model() const { return model_; }

    // To change it; what it returns may be written to until the policy is next used.
    [[nodiscard]] MODEL& changing_model() {
        in_layout_.reset();
        return model_;
    }

    // One observation to the model's output, or to that of its first `layer_count` primitive layers.
    void evaluate(const float* input, float* output, size_t layer_count = nn::Primitives<MODEL>::COUNT) {
        if (in_layout_ == nullptr) {
            // Where it stays: in an argument it would be on the stack, which is too small for a wide policy.
            in_layout_.reset(new LAID_OUT(in_layout(devices::TrainingHost::LAYOUT{}, model_)));
        }
        nn_models::sequential::evaluate_prefix(device_, *in_layout_, input, output, buffer_, layer_count);
    }

private:
    using LAID_OUT = decltype(in_layout(devices::TrainingHost::LAYOUT{}, std::declval<const MODEL&>()));

    devices::TrainingHost device_;
    MODEL model_{};
    std::unique_ptr<const LAID_OUT> in_layout_;
    typename LAID_OUT::template Buffer<1> buffer_{};
};

}  // namespace rl_tools::rl
