// What SAC and TD3 share: environments, whose transitions go into one replay buffer; twin critics that learn from its
// batches; the policy, of an actor and a head; and when which update is due. An algorithm derives from it and defines
// how it explores, what the critics' target is and how the actor learns. A step is one of each environment, then at
// most one update.
//
//  1. actions are uniform in the first N_RANDOM_STEPS steps, then the algorithm's own;
//  2. both critics share one target, computed once per update;
//  3. a truncated transition bootstraps from the observation it led to, a terminated one does not;
//  4. order of an update: critics, actor, targets; each with the values the ones before it left;
//  5. the critics learn values in a unit of their own: the mean size of the rewards before the first update, but not
//     below 1. An option that is in units of reward stays so.
#pragma once

#include <rl_tools/rl/components/normal.h>
#include <rl_tools/rl/components/optimizer.h>
#include <rl_tools/rl/components/replay_buffer.h>
#include <rl_tools/rl/components/twin_critics.h>
#include <rl_tools/rl/inference.h>
#include <rl_tools/rl/nn/subnormals.h>
#include <rl_tools/rl/policy.h>
#include <rl_tools/rl/trainer.h>

#include <cmath>
#include <stdexcept>

namespace rl_tools::rl::off_policy {

// The options that are code: sizes and activation functions.
//
//     struct Config {
//         static constexpr size_t OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE, N_ENVIRONMENTS;
//         static constexpr size_t ACTOR_HIDDEN_DIM, ACTOR_NUM_LAYERS, CRITIC_HIDDEN_DIM, CRITIC_NUM_LAYERS;
//         static constexpr nn::ActivationFunction ACTOR_ACTIVATION_FUNCTION, CRITIC_ACTIVATION_FUNCTION;
//         static constexpr bool RESCALE;  // the environment's action box is not [-1, 1]
//     };

struct Options {
    float gamma;
    float critic_polyak;
    nn::training::adam::Settings<float> adam;
    bool ignore_termination;
    bool shared_batch;
    bool normalize_rewards;
    size_t critic_training_interval;
    size_t actor_training_interval;
    size_t critic_target_update_interval;
    size_t n_random_steps;
    size_t n_warmup_steps_actor;
    size_t n_warmup_steps_critic;
    size_t replay_buffer_cap;

    RL_TOOLS_COLD explicit Options(const Settings& settings) : adam(adam_settings(settings)) {
        gamma = settings.number("GAMMA");
        critic_polyak = settings.number("CRITIC_POLYAK");
        ignore_termination = settings.flag("IGNORE_TERMINATION");
        shared_batch = settings.flag("SHARED_BATCH");
        normalize_rewards = settings.flag("NORMALIZE_REWARDS");
        critic_training_interval = settings.count("CRITIC_TRAINING_INTERVAL");
        actor_training_interval = settings.count("ACTOR_TRAINING_INTERVAL");
        critic_target_update_interval = settings.count("CRITIC_TARGET_UPDATE_INTERVAL");
        n_random_steps = settings.count("N_RANDOM_STEPS");
        n_warmup_steps_actor = settings.count("N_WARMUP_STEPS_ACTOR");
        n_warmup_steps_critic = settings.count("N_WARMUP_STEPS_CRITIC");
        replay_buffer_cap = settings.count("REPLAY_BUFFER_CAP");
    }
};

// ACTOR: the policy's network; HEAD: the layer that makes actions in [-1, 1] of its outputs.
template <typename CONFIG, typename T_ACTOR, typename T_HEAD>
class Trainer : public rl::Trainer {
public:
    static constexpr size_t OBSERVATION_DIM = CONFIG::OBSERVATION_DIM;
    static constexpr size_t ACTION_DIM = CONFIG::ACTION_DIM;
    static constexpr size_t BATCH_SIZE = CONFIG::BATCH_SIZE;
    static constexpr size_t ENVIRONMENTS = CONFIG::N_ENVIRONMENTS;
    using T = float;
    using Critic = nn::training::Mlp<T, OBSERVATION_DIM + ACTION_DIM, 1, CONFIG::CRITIC_HIDDEN_DIM,
                                     CONFIG::CRITIC_NUM_LAYERS, CONFIG::CRITIC_ACTIVATION_FUNCTION>;
    using Actor = T_ACTOR;
    using Head = T_HEAD;
    using Policy = PolicyOf<CONFIG::RESCALE, ACTION_DIM, Actor, Head>;

    RL_TOOLS_COLD explicit Trainer(const Settings& settings)
        : options_(settings),
          random_(random::default_engine(devices::random::Generic{}, settings.seed)),
          buffer_(options_.replay_buffer_cap) {
        if constexpr (CONFIG::RESCALE) {
            read_bounds(settings, nn::get<Rescale<ACTION_DIM>>(policy_.changing_model().modules));
        }
    }

    [[nodiscard]] size_t environments() const override { return ENVIRONMENTS; }
    [[nodiscard]] size_t observation_dim() const override { return OBSERVATION_DIM; }
    [[nodiscard]] size_t action_dim() const override { return ACTION_DIM; }

    void act(const float* observation, float* action) override { policy_.evaluate(observation, action); }

    void explore(const float* observations, float* actions) override {
        for (auto& pending : pending_) {
            memcpy(pending.observation, observations, sizeof pending.observation);
            if (step_ < options_.n_random_steps) {
                for (float& number : pending.action) {
                    number = 2.0F * random::uniform(random_) - 1.0F;
                }
            } else {
                sample(observations, pending.action);
            }
            if constexpr (CONFIG::RESCALE) {
                evaluate(device_, nn::get<Rescale<ACTION_DIM>>(policy_.model().modules), pending.action, actions);
            } else {
                memcpy(actions, pending.action, sizeof pending.action);
            }
            observations += OBSERVATION_DIM;
            actions += ACTION_DIM;
        }
    }

    [[nodiscard]] bool observe(const float* rewards, const float* next_observations, const bool* terminated,
                               const bool* truncated) override {
        for (auto& pending : pending_) {
            pending.reward = *rewards++;
            memcpy(pending.next_observation, next_observations, sizeof pending.next_observation);
            pending.terminated = *terminated++;
            pending.truncated = *truncated++;
            buffer_.add(pending);
            next_observations += OBSERVATION_DIM;
        }
        step_++;
        return update();
    }

    [[nodiscard]] RL_TOOLS_COLD std::vector<float> numbers(const std::string& name) override {
        if (name == "actor") {
            return nn::training::numbers_of(actor());
        }
        if (name == "critic_1" || name == "critic_2") {
            return nn::training::numbers_of(critics_.online[name == "critic_2" ? 1 : 0]);
        }
        if (name == "critic_target_1" || name == "critic_target_2") {
            return nn::training::numbers_of(critics_.target[name == "critic_target_2" ? 1 : 0]);
        }
        if (name == "reward_unit") {
            return {reward_unit_};
        }
        if (name == "observations") {
            return replayed([](std::vector<float>& all, const auto& transition) {
                all.insert(all.end(), transition.observation, transition.observation + OBSERVATION_DIM);
            });
        }
        if (name == "transitions") {
            return replayed([](std::vector<float>& all, const auto& transition) {
                all.insert(all.end(), transition.observation, transition.observation + OBSERVATION_DIM);
                all.insert(all.end(), transition.action, transition.action + ACTION_DIM);
                all.push_back(transition.reward);
                all.insert(all.end(), transition.next_observation, transition.next_observation + OBSERVATION_DIM);
                all.push_back(transition.terminated ? 1.0F : 0.0F);
                all.push_back(transition.truncated ? 1.0F : 0.0F);
            });
        }
        throw std::invalid_argument("no numbers are called " + name);
    }

    // An algorithm visits the actor's optimizer itself: in saved runs TD3's target actor stands before it.
    RL_TOOLS_COLD void visit_state(StateVisitor& visitor) override {
        visitor("random", random_.state, 4);
        visit_integer(visitor, "step", step_);
        visitor("reward_unit", reward_unit_);
        critics_.visit_state(visitor);
        buffer_.visit_state(visitor);
        visit_model(visitor, "actor", actor());
    }

protected:
    using CriticInput = nn::training::Batch<T, OBSERVATION_DIM + ACTION_DIM, BATCH_SIZE>;
    using Actions = nn::training::Batch<T, ACTION_DIM, BATCH_SIZE>;

    // An exploring action in [-1, 1].
    virtual void sample(const float* observation, float* action) = 0;
    // What the critics should say of the batch, into `target_`.
    virtual void compute_target() = 0;
    virtual void update_actor() = 0;
    [[nodiscard]] virtual bool actor_is_finite() { return optimizer_.is_finite(actor()); }
    virtual void update_target_actor() {}

    Actor& actor() { return nn::get<Actor>(policy_.changing_model().modules); }

    void draw_noise(Actions& noise) {
        for (size_t i = 0; i < ACTION_DIM; i++) {
            fill_normal(random_, noise.row(i), BATCH_SIZE);
        }
    }

    static void join(const nn::training::Batch<T, OBSERVATION_DIM, BATCH_SIZE>& observation, const Actions& action,
                     CriticInput& input) {
        nn::training::copy_rows(observation, input, 0, OBSERVATION_DIM);
        nn::training::copy_rows(action, input, OBSERVATION_DIM, ACTION_DIM);
    }

    // Per sample of the last update: observation, action, reward in the critics' unit, next observation, terminated,
    // the target's noise, then what the algorithm adds, the target. Tests repeat the update from it in NumPy.
    template <typename... COLUMNS>
    std::vector<float> last_batch_with(const COLUMNS&... columns) const {
        std::vector<float> all;
        const auto append = [&all](const auto& batch, size_t sample) {
            for (size_t i = 0; i < batch.FEATURES; i++) {
                all.push_back(batch.row(i)[sample]);
            }
        };
        for (size_t sample = 0; sample < BATCH_SIZE; sample++) {
            append(batch_.observation_action, sample);
            all.push_back(batch_.reward[sample]);
            append(batch_.next_observation, sample);
            all.push_back(batch_.terminated[sample] ? 1.0F : 0.0F);
            (append(columns, sample), ...);
            all.push_back(target_[sample]);
        }
        return all;
    }

    Options options_;
    devices::TrainingHost device_;
    random::Engine random_;
    size_t step_ = 0;
    T reward_unit_ = 0;  // 0: not known before the first update

    // Zero-initialised: the padding of derivatives stays zero from here on.
    HostPolicy<Policy> policy_;
    Optimizer<Actor> optimizer_;
    TwinCritics<Critic, BATCH_SIZE> critics_;
    TransitionBatch<T, OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE> batch_{};
    T target_[BATCH_SIZE]{};

private:
    // False: a parameter or its gradient is not finite.
    [[nodiscard]] bool update() {
        const nn::training::SubnormalsAreZero subnormals;
        const bool critics_are_due =
            step_ > options_.n_warmup_steps_critic && step_ % options_.critic_training_interval == 0;
        const bool actor_is_due =
            step_ > options_.n_warmup_steps_actor && step_ % options_.actor_training_interval == 0;
        bool finite = true;
        if (critics_are_due || actor_is_due) {
            gather_batch();
        }
        if (critics_are_due) {
            compute_target();
            critics_.update(options_.adam, batch_.observation_action, target_);
            finite = critics_.is_finite();
        }
        if (actor_is_due) {
            if (critics_are_due && !options_.shared_batch) {
                gather_batch();
            }
            update_actor();
            finite = finite && actor_is_finite();
        }
        if (step_ > options_.n_warmup_steps_critic && step_ % options_.critic_target_update_interval == 0) {
            critics_.update_targets(options_.critic_polyak);
        }
        update_target_actor();
        return finite;
    }

    void gather_batch() {
        if (reward_unit_ == 0) {
            reward_unit_ = options_.normalize_rewards ? std::fmax(mean_reward_size(), T(1)) : T(1);
        }
        gather(buffer_, random_, batch_);
        for (T& reward : batch_.reward) {
            reward /= reward_unit_;
        }
    }

    [[nodiscard]] RL_TOOLS_COLD T mean_reward_size() const {
        double sum = 0;
        for (size_t i = 0; i < buffer_.size(); i++) {
            sum += std::fabs(static_cast<double>(buffer_[i].reward));
        }
        return static_cast<T>(sum / static_cast<double>(buffer_.size()));
    }

    template <typename APPEND>
    std::vector<float> replayed(const APPEND& append) const {
        std::vector<float> all;
        for (size_t i = 0; i < buffer_.size(); i++) {
            append(all, buffer_[i]);
        }
        return all;
    }

    ReplayBuffer<OBSERVATION_DIM, ACTION_DIM> buffer_;
    Transition<OBSERVATION_DIM, ACTION_DIM> pending_[ENVIRONMENTS]{};
};

}  // namespace rl_tools::rl::off_policy
