#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/nn/layers/standardize/layer.h>

namespace rl_tools::nn::layers::standardize {

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        output[i] =
            arithmetic::rounded((arithmetic::scalar(input[i]) - layer.mean.data()[i]) * layer.precision.data()[i]);
    }
}

}  // namespace rl_tools::nn::layers::standardize
