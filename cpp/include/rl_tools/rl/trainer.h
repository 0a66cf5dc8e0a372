// What a training algorithm offers to whoever steps the environment. The bindings know this page and no sizes,
// so they are compiled once per machine; an algorithm for given sizes is the translation unit that defines
// make_trainer.
#pragma once

#include <rl_tools/rl/components/settings.h>
#include <rl_tools/rl/components/state.h>

#include <memory>
#include <string>
#include <vector>

namespace rl_tools::rl {

class Trainer {
public:
    Trainer() = default;
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;
    virtual ~Trainer() = default;

    // How many environments are stepped side by side.
    [[nodiscard]] virtual size_t environments() const = 0;
    [[nodiscard]] virtual size_t observation_dim() const = 0;
    [[nodiscard]] virtual size_t action_dim() const = 0;

    // The deterministic policy in the environment's units: the same bits as the exported policy gives.
    virtual void act(const float* observation, float* action) = 0;

    // An exploring action per environment, in its units and bounds. Remembers both for `observe`.
    virtual void explore(const float* observations, float* actions) = 0;

    // What the explored actions led to, before any reset; then the optimisation steps that are due.
    // False: a parameter or its gradient is not finite.
    [[nodiscard]] virtual bool observe(const float* rewards, const float* next_observations, const bool* terminated,
                                       const bool* truncated) = 0;

    // Numbers of the training state by name ("actor", "critic_1", …), for export and tests. Throws where there is no
    // such name.
    [[nodiscard]] virtual std::vector<float> numbers(const std::string& name) = 0;

    // Everything that the next steps depend on, between two calls of `observe` or, of PPO, between two trainings.
    // Throws where what was saved does not fit the settings.
    virtual void visit_state(StateVisitor& visitor) = 0;
};

std::unique_ptr<Trainer> make_trainer(const Settings& settings);

}  // namespace rl_tools::rl
