#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/math/clamp.h>
#include <rl_tools/math/functions.h>
#include <rl_tools/nn/layers/sample_and_squash/layer.h>
#include <rl_tools/random/random.h>

namespace rl_tools::nn::layers::sample_and_squash {

// The deterministic action: the squashed mean.
template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>&, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        output[i] = math::tanh(input[i]);
    }
}

// An action drawn from the Gaussian, then squashed.
template <typename ARITHMETIC, typename SPEC>
inline void sample(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                   typename SPEC::T* output, random::Engine& engine) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        const auto log_std = math::clamp(input[SPEC::DIM + i], layer.log_std_lower_bound, layer.log_std_upper_bound);
        const auto noise = random::normal(engine);
        output[i] = math::tanh(arithmetic::multiply_add(ARITHMETIC{}, input[i], math::exp(log_std), noise));
    }
}

}  // namespace rl_tools::nn::layers::sample_and_squash
