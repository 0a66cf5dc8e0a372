// How the actors of SAC and PPO begin.
#pragma once

#include <rl_tools/nn/training/orthonormal.h>
#include <rl_tools/rl/components/normal.h>

namespace rl_tools::rl {

// Orthonormal weights, drawn from all directions alike, and a last layer a hundred times smaller: the first policy does
// the same wherever it is, with a mean in the middle of the action range (Andrychowicz et al., arXiv:2006.05990,
// section 3.2). The biases stay, the last layer's a hundredth.
template <typename ACTOR>
inline void initialize_policy(ACTOR& actor, random::Engine& engine) {
    using T = typename ACTOR::T;
    constexpr T LAST_LAYER = T(0.01);
    nn::training::for_each_layer(
        [&engine](auto& layer) {
            fill_normal(engine, layer.weights.data(), layer.weights.size);
            nn::training::orthonormalize(layer.OUTPUT_DIM, layer.INPUT_DIM, layer.weights.data());
        },
        actor);
    nn::training::transform_outputs(actor, LAST_LAYER);
}

}  // namespace rl_tools::rl
