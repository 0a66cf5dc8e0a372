// The policy that a trainer holds: its modules, and at the end the environment's own bounds where it has others.
#pragma once

#include <rl_tools/nn/layers/rescale/layer.h>
#include <rl_tools/nn_models/sequential/model.h>
#include <rl_tools/rl/trainer.h>

#include <type_traits>

namespace rl_tools::rl {

template <size_t ACTION_DIM>
using Rescale = nn::layers::rescale::Layer<nn::layers::rescale::Specification<float, size_t, ACTION_DIM>>;

template <bool RESCALE, size_t ACTION_DIM, typename... MODULES>
using PolicyOf = std::conditional_t<RESCALE, nn_models::sequential::Model<MODULES..., Rescale<ACTION_DIM>>,
                                    nn_models::sequential::Model<MODULES...>>;

// From [-1, 1] to the environment's action box. In place: of many actions a layer is too large for the stack.
template <size_t ACTION_DIM>
inline void read_bounds(const Settings& settings, Rescale<ACTION_DIM>& rescale) {
    for (size_t i = 0; i < ACTION_DIM; i++) {
        rescale.low.values[i] = settings.action_low.at(i);
        rescale.high.values[i] = settings.action_high.at(i);
    }
}

}  // namespace rl_tools::rl
