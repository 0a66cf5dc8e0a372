#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/math/clamp.h>
#include <rl_tools/nn/layers/td3_sampling/layer.h>
#include <rl_tools/random/random.h>

namespace rl_tools::nn::layers::td3_sampling {

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>&, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        output[i] = math::clamp(input[i], -1.0F, 1.0F);
    }
}

// The action with exploration noise.
template <typename ARITHMETIC, typename SPEC>
inline void sample(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                   typename SPEC::T* output, random::Engine& engine) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        const auto noisy = arithmetic::multiply_add(ARITHMETIC{}, input[i], layer.std, random::normal(engine));
        output[i] = math::clamp(noisy, -1.0F, 1.0F);
    }
}

}  // namespace rl_tools::nn::layers::td3_sampling
