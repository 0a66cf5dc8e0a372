#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/nn/layers/dense/operations_generic.h>
#include <rl_tools/nn/layers/gru/layer.h>

namespace rl_tools::nn::layers::gru {

// One step: `state` is the one before (HIDDEN_DIM numbers), `output` receives the next and may be `state` itself.
// `scratch`: 6 * HIDDEN_DIM numbers. A template on the device, so that the dense kernels see the tag as it came.
template <typename DEVICE, typename SPEC, typename... GATES>
inline void evaluate_step(const DEVICE& device, const Layer<SPEC, GATES...>& layer, const typename SPEC::T* input,
                          const typename SPEC::T* state, typename SPEC::T* scratch, typename SPEC::T* output) {
    using T = typename SPEC::T;
    using ARITHMETIC = typename DEVICE::ARITHMETIC;
    constexpr auto HIDDEN_DIM = SPEC::HIDDEN_DIM;
    T* const from_input = scratch;
    T* const from_state = scratch + 3 * HIDDEN_DIM;
    evaluate(device, layer.input, input, from_input);
    evaluate(device, layer.hidden, state, from_state);
    for (typename SPEC::TI i = 0; i < HIDDEN_DIM; i++) {
        const T r = math::sigmoid(from_input[i] + from_state[i]);
        const T z = math::sigmoid(from_input[HIDDEN_DIM + i] + from_state[HIDDEN_DIM + i]);
        const T n = math::tanh(
            arithmetic::multiply_add(ARITHMETIC{}, from_input[2 * HIDDEN_DIM + i], r, from_state[2 * HIDDEN_DIM + i]));
        output[i] = arithmetic::multiply_add(ARITHMETIC{}, n, z, state[i] - n);  // (1 - z) * n + z * h
    }
}

}  // namespace rl_tools::nn::layers::gru
