#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/math/clamp.h>
#include <rl_tools/nn/layers/td3_sampling/layer.h>

namespace rl_tools::nn::layers::td3_sampling {

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>&, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        output[i] = math::clamp(input[i], -1.0F, 1.0F);
    }
}

}  // namespace rl_tools::nn::layers::td3_sampling
