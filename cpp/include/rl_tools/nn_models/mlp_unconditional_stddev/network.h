// An mlp with a log-std per output that does not depend on the observation: the actor of PPO
// (Schulman et al., arXiv:1707.06347). The deterministic action is the mlp's output.
#pragma once

#include <rl_tools/nn_models/mlp/network.h>

namespace rl_tools::nn_models::mlp_unconditional_stddev {

template <typename T_STORAGE, typename... T_LAYERS>
struct NeuralNetwork : mlp::NeuralNetwork<T_LAYERS...> {
    using BASE = mlp::NeuralNetwork<T_LAYERS...>;
    typename T_STORAGE::template Array<typename BASE::T, BASE::OUTPUT_DIM> log_std;
};

template <typename STORAGE, typename... LAYERS, typename VISITOR>
inline void for_each_primitive(const NeuralNetwork<STORAGE, LAYERS...>& network, VISITOR& visitor) {
    nn::for_each_primitive(network.layers, visitor);
    visitor.numbers_of(network);
}

template <typename STORAGE>
struct With {
    template <typename... LAYERS>
    using Network = NeuralNetwork<STORAGE, LAYERS...>;
};

template <typename LAYOUT, typename STORAGE, typename... LAYERS>
constexpr auto in_layout(LAYOUT layout, const NeuralNetwork<STORAGE, LAYERS...>& network) {
    using CHAIN = decltype(in_layout(layout, network.layers));
    return typename nn::Rebind<With<STORAGE>::template Network, CHAIN>::type{{in_layout(layout, network.layers)},
                                                                             network.log_std};
}

template <typename STORAGE, typename... LAYERS, typename DIGEST>
inline void add_to_digest(const NeuralNetwork<STORAGE, LAYERS...>& network, DIGEST& digest) {
    digest.tag(0x03);
    digest.size(network.OUTPUT_DIM);
    digest.array(network.log_std);
}

}  // namespace rl_tools::nn_models::mlp_unconditional_stddev

namespace rl_tools::nn {
template <typename STORAGE, typename... LAYERS>
struct Primitives<nn_models::mlp_unconditional_stddev::NeuralNetwork<STORAGE, LAYERS...>>
    : Primitives<Chain<LAYERS...>> {};
}  // namespace rl_tools::nn
