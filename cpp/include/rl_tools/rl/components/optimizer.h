// What lies beside a network while it learns: its gradient and Adam's moments.
#pragma once

#include <rl_tools/rl/components/settings.h>
#include <rl_tools/rl/components/state.h>
#include <rl_tools/rl/nn/adam.h>
#include <rl_tools/rl/nn/mlp.h>

namespace rl_tools::rl {

inline nn::training::adam::Settings<float> adam_settings(const Settings& settings) {
    return {settings.number("OPTIMIZER_ALPHA"), settings.number("OPTIMIZER_BETA_1"),
            settings.number("OPTIMIZER_BETA_2"), settings.number("OPTIMIZER_EPSILON"),
            settings.number("OPTIMIZER_EPSILON_SQRT")};
}

// Zero-initialised: the moments start at zero.
template <typename NETWORK>
struct Optimizer {
    NETWORK gradient{};
    nn::training::adam::Moments<NETWORK> moments{};
    uint64_t updates = 0;

    template <typename T>
    void step(const nn::training::adam::Settings<T>& settings, NETWORK& network) {
        updates++;
        nn::training::adam::step(settings, updates, network, gradient, moments);
    }

    RL_TOOLS_COLD void visit_state(StateVisitor& visitor, const std::string& name) {
        visit_model(visitor, name + "/first_moment", moments.first);
        visit_model(visitor, name + "/second_moment", moments.second);
        visit_integer(visitor, name + "/updates", updates);
    }

    // An infinite second moment would leave its weight where it is for ever: finite, and no longer learning.
    [[nodiscard]] bool is_finite(NETWORK& network) {
        return nn::training::all_finite(network) && nn::training::all_finite(moments.second);
    }
};

}  // namespace rl_tools::rl
