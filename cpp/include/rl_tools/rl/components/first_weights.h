// How networks begin: orthonormal weights, drawn from all directions alike.
#pragma once

#include <rl_tools/rl/components/normal.h>
#include <rl_tools/rl/nn/orthonormal.h>

namespace rl_tools::rl {

// Orthonormal weights times `length`. The biases stay.
template <typename NETWORK>
inline void draw_weights(NETWORK& network, typename NETWORK::T length, random::Engine& engine) {
    nn::training::for_each_layer(
        [length, &engine](auto& layer) {
            fill_normal(engine, layer.weights.data(), layer.weights.size);
            nn::training::orthonormalize(layer.OUTPUT_DIM, layer.INPUT_DIM, layer.weights.data());
            for (auto& weight : layer.weights.values) {
                weight *= length;
            }
        },
        network);
}

// A last layer a hundred times smaller: the first policy does the same wherever it is, with a mean in the middle of the
// action range (Andrychowicz et al., arXiv:2006.05990, section 3.2). The biases stay, the last layer's a hundredth.
template <typename ACTOR>
inline void initialize_policy(ACTOR& actor, random::Engine& engine) {
    using T = typename ACTOR::T;
    draw_weights(actor, T(1), engine);
    nn::training::transform_outputs(actor, T(0.01));
}

// For a critic of actions: weights as long as PyTorch's are on average (its numbers are uniform in ±1/sqrt(inputs),
// which leaves rows of length 1/sqrt(3)), and its biases.
template <typename CRITIC>
inline void initialize_critic(CRITIC& critic, random::Engine& engine) {
    using T = typename CRITIC::T;
    nn::training::initialize(critic, engine);
    draw_weights(critic, T(0.57735027), engine);
}

}  // namespace rl_tools::rl
