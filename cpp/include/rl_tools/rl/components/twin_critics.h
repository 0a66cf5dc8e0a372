// Two critics that learn the same target, and their slowly following copies
// (clipped double Q-learning; Fujimoto et al., arXiv:1802.09477).
#pragma once

#include <rl_tools/rl/components/first_weights.h>
#include <rl_tools/rl/components/optimizer.h>
#include <rl_tools/rl/components/squared_error.h>

namespace rl_tools::rl {

// CRITIC: observation above action to one value.
template <typename CRITIC, size_t SAMPLES>
struct TwinCritics {
    using T = typename CRITIC::T;
    using Tape = nn::training::Tape<CRITIC, SAMPLES>;

    CRITIC online[2]{};
    CRITIC target[2]{};
    Optimizer<CRITIC> optimizer[2];
    Tape tape[2]{};

    void initialize(random::Engine& engine) {
        for (size_t i = 0; i < 2; i++) {
            initialize_critic(online[i], engine);
            target[i] = online[i];
        }
    }

    // The target critics' values, in `value(i)`.
    template <typename INPUT>
    void evaluate_targets(const INPUT& observation_action) {
        for (size_t i = 0; i < 2; i++) {
            nn::training::forward(target[i], observation_action, tape[i]);
        }
    }
    [[nodiscard]] const T* value(size_t i) const { return tape[i].last().output.row(0); }

    // One step of each towards the targets.
    template <typename INPUT>
    void update(const nn::training::adam::Settings<T>& settings, const INPUT& observation_action,
                const T (&targets)[SAMPLES]) {
        for (size_t i = 0; i < 2; i++) {
            nn::training::forward(online[i], observation_action, tape[i]);
            squared_error(tape[i].last().output, targets, tape[i].last().delta);
            nn::training::backward(online[i], observation_action, tape[i], optimizer[i].gradient);
            optimizer[i].step(settings, online[i]);
        }
    }

    void update_targets(T polyak) {
        for (size_t i = 0; i < 2; i++) {
            nn::training::update_target(target[i], online[i], polyak);
        }
    }

    RL_TOOLS_COLD void visit_state(StateVisitor& visitor) {
        for (size_t i = 0; i < 2; i++) {
            const std::string name = "critic_" + std::to_string(i + 1);
            visit_model(visitor, name, online[i]);
            visit_model(visitor, name + "/target", target[i]);
            optimizer[i].visit_state(visitor, name + "/optimizer");
        }
    }

    [[nodiscard]] bool is_finite() { return optimizer[0].is_finite(online[0]) && optimizer[1].is_finite(online[1]); }
};

}  // namespace rl_tools::rl
