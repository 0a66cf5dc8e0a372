// The dense layer for any device, and the reference that every faster kernel must equal bit for bit:
// bias first, then the products in index order, one accumulator per output.
#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/nn/layers/dense/layer.h>
#include <rl_tools/nn/layers/dense/operations_panel.h>

#include <type_traits>

namespace rl_tools::nn::layers::dense {

// input: INPUT_DIM numbers; output: OUTPUT_DIM numbers, not overlapping the input.
template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    static_assert(std::is_same_v<typename SPEC::T, float>, "rl_tools: layers are evaluated in float");
    using TI = typename SPEC::TI;
    const auto* weight = layer.weights.data();
    const auto* biases = layer.biases.data();
    for (TI row = 0; row < SPEC::OUTPUT_DIM; row++) {
        auto accumulator = biases[row];
        for (TI col = 0; col < SPEC::INPUT_DIM; col++) {
            accumulator = arithmetic::multiply_add(ARITHMETIC{}, accumulator, *weight++, input[col]);
        }
        output[row] = activate<SPEC::ACTIVATION_FUNCTION>(accumulator);
    }
}

}  // namespace rl_tools::nn::layers::dense
