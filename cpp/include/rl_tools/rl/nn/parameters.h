// Models visited in step: a model is its parameters, a gradient is a model, Adam's moments are models.
// An operation on parameters is written once, for arrays, and holds for any number of models of one type.
#pragma once

#include <rl_tools/nn/chain.h>
#include <rl_tools/nn/layers/dense/layer.h>
#include <rl_tools/nn_models/mlp/network.h>
#include <rl_tools/random/random.h>

#include <cmath>
#include <vector>

namespace rl_tools::nn::training {

// operation(size, array of the first model, array of the second, …) for weights and biases of each layer.
template <typename OPERATION, typename SPEC, typename... LAYERS>
inline void for_each_array(const OPERATION& operation, layers::dense::Layer<SPEC>& first, LAYERS&... others) {
    operation(first.weights.size, first.weights.data(), others.weights.data()...);
    operation(first.biases.size, first.biases.data(), others.biases.data()...);
}

template <typename OPERATION, typename HEAD, typename... TAIL, typename... CHAINS>
inline void for_each_array(const OPERATION& operation, Chain<HEAD, TAIL...>& first, CHAINS&... others) {
    for_each_array(operation, first.head, others.head...);
    if constexpr (sizeof...(TAIL) > 0) {
        for_each_array(operation, first.tail, others.tail...);
    }
}

template <typename OPERATION, typename... LAYERS, typename... NETWORKS>
inline void for_each_array(const OPERATION& operation, nn_models::mlp::NeuralNetwork<LAYERS...>& first,
                           NETWORKS&... others) {
    for_each_array(operation, first.layers, others.layers...);
}

// operation(layer) for each layer, the first one first.
template <typename OPERATION, typename HEAD, typename... TAIL>
inline void for_each_layer(const OPERATION& operation, Chain<HEAD, TAIL...>& chain) {
    operation(chain.head);
    if constexpr (sizeof...(TAIL) > 0) {
        for_each_layer(operation, chain.tail);
    }
}

template <typename OPERATION, typename... LAYERS>
inline void for_each_layer(const OPERATION& operation, nn_models::mlp::NeuralNetwork<LAYERS...>& network) {
    for_each_layer(operation, network.layers);
}

// Uniform in ±1/sqrt(inputs) for weights and biases: PyTorch's default for linear layers.
template <typename SPEC>
inline void initialize(layers::dense::Layer<SPEC>& layer, random::Engine& engine) {
    using T = typename SPEC::T;
    const T bound = T(1) / std::sqrt(static_cast<T>(SPEC::INPUT_DIM));
    for (auto& weight : layer.weights.values) {
        weight = (T(2) * random::uniform(engine) - T(1)) * bound;
    }
    for (auto& bias : layer.biases.values) {
        bias = (T(2) * random::uniform(engine) - T(1)) * bound;
    }
}

template <typename... LAYERS>
inline void initialize(nn_models::mlp::NeuralNetwork<LAYERS...>& network, random::Engine& engine) {
    for_each_layer([&engine](auto& layer) { initialize(layer, engine); }, network);
}

// What the network puts into its last activation becomes `factor` times itself, plus `shift`.
template <typename HEAD, typename... TAIL, typename T>
inline void transform_outputs(Chain<HEAD, TAIL...>& chain, T factor, T shift) {
    if constexpr (sizeof...(TAIL) > 0) {
        transform_outputs(chain.tail, factor, shift);
    } else {
        for (auto& weight : chain.head.weights.values) {
            weight *= factor;
        }
        for (auto& bias : chain.head.biases.values) {
            bias = factor * bias + shift;
        }
    }
}

template <typename... LAYERS, typename T>
inline void transform_outputs(nn_models::mlp::NeuralNetwork<LAYERS...>& network, T factor, T shift = 0) {
    transform_outputs(network.layers, factor, shift);
}

// target = polyak * target + (1 - polyak) * source. Not inline, as `all_finite` and Adam's step: a copy for each
// array's size would compile for longer, and not run faster.
template <typename T>
RL_TOOLS_NOINLINE void update_target_array(T polyak, size_t size, T* RL_TOOLS_RESTRICT target,
                                           const T* RL_TOOLS_RESTRICT source) {
    for (size_t i = 0; i < size; i++) {
        target[i] = polyak * target[i] + (1 - polyak) * source[i];
    }
}

template <typename T, typename MODEL>
inline void update_target(MODEL& target, MODEL& source, T polyak) {
    for_each_array([polyak](size_t size, T* to, const T* from) { update_target_array(polyak, size, to, from); }, target,
                   source);
}

// By the exponent's bits, summed as integers: it vectorises, and holds under every floating-point flag.
template <typename T>
RL_TOOLS_NOINLINE bool all_finite(const T* numbers, size_t size) {
    static_assert(sizeof(T) == sizeof(uint32_t), "rl_tools: the training state is made of floats");
    uint32_t bad = 0;
    for (size_t i = 0; i < size; i++) {
        uint32_t bits;
        memcpy(&bits, numbers + i, sizeof bits);
        bad |= static_cast<uint32_t>((bits & 0x7F800000U) == 0x7F800000U);
    }
    return bad == 0;
}

template <typename MODEL>
inline bool all_finite(MODEL& model) {
    bool finite = true;
    for_each_array(
        [&finite](size_t size, const float* numbers) { finite = all_finite<float>(numbers, size) && finite; }, model);
    return finite;
}

// All numbers in visiting order: per layer the weights row by row, then the biases.
template <typename MODEL>
inline std::vector<float> numbers_of(MODEL& model) {
    std::vector<float> all;
    for_each_array([&all](size_t size, const float* numbers) { all.insert(all.end(), numbers, numbers + size); },
                   model);
    return all;
}

}  // namespace rl_tools::nn::training
