// The dense layer for ARM cores: several outputs at a time, so that every input is loaded once per panel of rows
// and no addition waits for the one before it. Each output keeps its own accumulator and its order: the bits are the
// generic kernel's.
#pragma once

#include <rl_tools/devices/arm.h>
#include <rl_tools/nn/layers/dense/operations_generic.h>

namespace rl_tools::nn::layers::dense {

namespace opt {
// ROWS outputs from `row` on.
template <size_t ROWS, typename ARITHMETIC, typename SPEC>
inline void panel(const Layer<SPEC>& layer, typename SPEC::TI row, const typename SPEC::T* input, typename SPEC::T* output) {
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    const T* weights = layer.weights.data() + row * SPEC::INPUT_DIM;
    T accumulators[ROWS];
    for (TI r = 0; r < ROWS; r++) {
        accumulators[r] = layer.biases.data()[row + r];
    }
    for (TI col = 0; col < SPEC::INPUT_DIM; col++) {
        const T x = input[col];
        for (TI r = 0; r < ROWS; r++) {
            accumulators[r] = arithmetic::multiply_add(ARITHMETIC{}, accumulators[r], weights[r * SPEC::INPUT_DIM + col], x);
        }
    }
    for (TI r = 0; r < ROWS; r++) {
        output[row + r] = activate<SPEC::ACTIVATION_FUNCTION>(accumulators[r]);
    }
}
}  // namespace opt

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::ARM<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input, typename SPEC::T* output) {
    using TI = typename SPEC::TI;
    constexpr TI PANEL = 4;
    constexpr TI WHOLE = SPEC::OUTPUT_DIM / PANEL * PANEL;
    for (TI row = 0; row < WHOLE; row += PANEL) {
        opt::panel<PANEL, ARITHMETIC>(layer, row, input, output);
    }
    if constexpr (SPEC::OUTPUT_DIM > WHOLE) {
        opt::panel<SPEC::OUTPUT_DIM - WHOLE, ARITHMETIC>(layer, WHOLE, input, output);
    }
}

}  // namespace rl_tools::nn::layers::dense
