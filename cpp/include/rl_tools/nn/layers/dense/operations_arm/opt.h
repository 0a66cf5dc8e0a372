// The dense layer for ARM cores. Weights row by row, as a checkpoint's module holds them: four outputs at a time.
// Weights in panels, as embed::Policy lays them out: the kernel of the core, or the portable one.
#pragma once

#include <rl_tools/devices/arm.h>
#include <rl_tools/nn/layers/dense/operations_arm/cortex_m4f.h>
#include <rl_tools/nn/layers/dense/operations_arm/cortex_m55.h>
#include <rl_tools/nn/layers/dense/operations_arm/cortex_m7f.h>
#include <rl_tools/nn/layers/dense/operations_generic.h>

#include <type_traits>

namespace rl_tools::nn::layers::dense {

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::ARM<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    static_assert(std::is_same_v<typename SPEC::T, float>, "rl_tools: layers are evaluated in float");
    constexpr size_t ROWS = 4;
    constexpr size_t REST = SPEC::OUTPUT_DIM % ROWS;
    constexpr auto FUNCTION = SPEC::ACTIVATION_FUNCTION;
    using STRIDES = portable::Strides<SPEC::INPUT_DIM, SPEC::INPUT_DIM, 1>;
    const auto* weights = layer.weights.data();
    const auto* biases = layer.biases.data();
    const auto* const end = output + (SPEC::OUTPUT_DIM - REST);
    for (auto* target = output; target != end; target += ROWS) {
        portable::panel<ARITHMETIC, STRIDES, FUNCTION>(biases, weights, input, target,
                                                       std::make_index_sequence<ROWS>{});
        biases += ROWS;
        weights += ROWS * SPEC::INPUT_DIM;
    }
    if constexpr (REST > 0) {
        portable::panel<ARITHMETIC, STRIDES, FUNCTION>(biases, weights, input, output + (SPEC::OUTPUT_DIM - REST),
                                                       std::make_index_sequence<REST>{});
    }
    activate_all<per_vector(FUNCTION), SPEC::OUTPUT_DIM>(output);
}

// One output at a time: the time is in the library's additions and multiplications, and one accumulator stays in a
// register through all of them.
template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::SoftFloatARM<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    static_assert(std::is_same_v<typename SPEC::T, float>, "rl_tools: layers are evaluated in float");
    using STRIDES = portable::Strides<SPEC::INPUT_DIM, SPEC::INPUT_DIM, 1>;
    const auto* weights = layer.weights.data();
    const auto* biases = layer.biases.data();
    for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
        portable::panel<ARITHMETIC, STRIDES, SPEC::ACTIVATION_FUNCTION>(biases + row, weights, input, output + row,
                                                                        std::make_index_sequence<1>{});
        weights += SPEC::INPUT_DIM;
    }
    activate_all<per_vector(SPEC::ACTIVATION_FUNCTION), SPEC::OUTPUT_DIM>(output);
}

}  // namespace rl_tools::nn::layers::dense
