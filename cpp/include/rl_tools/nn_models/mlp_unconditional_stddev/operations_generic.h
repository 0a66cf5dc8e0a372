#pragma once

#include <rl_tools/nn/layers/dense/operations_generic.h>
#include <rl_tools/nn_models/mlp_unconditional_stddev/network.h>
#include <rl_tools/random/random.h>

namespace rl_tools::nn_models::mlp_unconditional_stddev {

// Makes the network's output, the mean, an action drawn from its Gaussian.
template <typename ARITHMETIC, typename STORAGE, typename... LAYERS>
inline void perturb(const devices::Generic<ARITHMETIC>&, const NeuralNetwork<STORAGE, LAYERS...>& network,
                    typename NeuralNetwork<STORAGE, LAYERS...>::T* output, random::Engine& engine) {
    for (size_t i = 0; i < network.OUTPUT_DIM; i++) {
        const auto std = math::exp(network.log_std.data()[i]);
        output[i] = arithmetic::multiply_add(ARITHMETIC{}, output[i], std, random::normal(engine));
    }
}

}  // namespace rl_tools::nn_models::mlp_unconditional_stddev
