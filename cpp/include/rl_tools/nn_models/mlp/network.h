// A multilayer perceptron: dense layers in a row.
#pragma once

#include <rl_tools/nn/chain.h>
#include <rl_tools/nn/layers/dense/layer.h>

namespace rl_tools::nn_models::mlp {

template <typename... T_LAYERS>
struct NeuralNetwork {
    using LAYERS = nn::Chain<T_LAYERS...>;
    using T = typename LAYERS::HEAD::T;
    using TI = typename LAYERS::HEAD::TI;
    static constexpr TI INPUT_DIM = LAYERS::HEAD::INPUT_DIM;
    static constexpr TI OUTPUT_DIM = LAYERS::LAST::OUTPUT_DIM;
    static constexpr TI NUM_LAYERS = LAYERS::LENGTH;
    LAYERS layers;
};

template <typename... LAYERS, typename VISITOR>
inline void for_each_primitive(const NeuralNetwork<LAYERS...>& network, VISITOR& visitor) {
    nn::for_each_primitive(network.layers, visitor);
}

template <typename LAYOUT, typename... LAYERS>
constexpr auto in_layout(LAYOUT layout, const NeuralNetwork<LAYERS...>& network) {
    using CHAIN = decltype(in_layout(layout, network.layers));
    return typename nn::Rebind<NeuralNetwork, CHAIN>::type{in_layout(layout, network.layers)};
}

}  // namespace rl_tools::nn_models::mlp

namespace rl_tools::nn {
template <typename... LAYERS>
struct Primitives<nn_models::mlp::NeuralNetwork<LAYERS...>> : Primitives<Chain<LAYERS...>> {};
}  // namespace rl_tools::nn
