// The device tag under which a training host evaluates its policy: the inference arithmetic, several outputs at a time.
// Each output keeps its accumulator and its order, so the bits are those of every other device.
#pragma once

#include <rl_tools/devices/cpu.h>
#include <rl_tools/nn/layers/dense/operations_generic.h>
#include <rl_tools/nn/layers/rescale/operations_generic.h>
#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>

namespace rl_tools::devices {
struct TrainingHost : CPU<arithmetic::Separate> {};
}  // namespace rl_tools::devices

namespace rl_tools::nn::layers::dense {

namespace host {
// ROWS outputs from `row` on: their additions do not wait for each other.
template <size_t ROWS, typename SPEC>
inline void panel(const Layer<SPEC>& layer, size_t row, const typename SPEC::T* input, typename SPEC::T* output) {
    typename SPEC::T sums[ROWS];
    const auto* const weights = layer.weights.data() + row * SPEC::INPUT_DIM;
    for (size_t r = 0; r < ROWS; r++) {
        sums[r] = layer.biases.data()[row + r];
    }
    for (size_t col = 0; col < SPEC::INPUT_DIM; col++) {
        for (size_t r = 0; r < ROWS; r++) {
            sums[r] = arithmetic::multiply_add(arithmetic::Separate{}, sums[r], weights[r * SPEC::INPUT_DIM + col],
                                               input[col]);
        }
    }
    for (size_t r = 0; r < ROWS; r++) {
        output[row + r] = activate<SPEC::ACTIVATION_FUNCTION>(sums[r]);
    }
}
}  // namespace host

template <typename SPEC>
inline void evaluate(const devices::TrainingHost&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    constexpr size_t PANEL = 8;
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM / PANEL * PANEL;
    for (size_t row = 0; row < WHOLE; row += PANEL) {
        host::panel<PANEL>(layer, row, input, output);
    }
    if constexpr (SPEC::OUTPUT_DIM > WHOLE) {
        host::panel<SPEC::OUTPUT_DIM - WHOLE>(layer, WHOLE, input, output);
    }
}

}  // namespace rl_tools::nn::layers::dense
