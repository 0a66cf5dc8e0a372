#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/math/functions.h>
#include <rl_tools/nn/layers/sample_and_squash/layer.h>

namespace rl_tools::nn::layers::sample_and_squash {

// The deterministic action: the squashed mean.
template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>&, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        output[i] = math::tanh(input[i]);
    }
}

}  // namespace rl_tools::nn::layers::sample_and_squash
