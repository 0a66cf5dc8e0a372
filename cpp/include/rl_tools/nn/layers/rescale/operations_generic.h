#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/math/clamp.h>
#include <rl_tools/math/functions.h>
#include <rl_tools/nn/layers/rescale/layer.h>

namespace rl_tools::nn::layers::rescale {

// Halves first: high - low may overflow where both bounds are large.
template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        const auto low = layer.low.data()[i];
        const auto high = layer.high.data()[i];
        const auto middle = arithmetic::rounded(0.5F * low) + arithmetic::rounded(0.5F * high);
        const auto half_range = arithmetic::rounded(0.5F * high) - arithmetic::rounded(0.5F * low);
        output[i] = math::clamp(math::horner(middle, input[i], half_range), low, high);
    }
}

}  // namespace rl_tools::nn::layers::rescale
