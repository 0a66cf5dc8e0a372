// Twin delayed deep deterministic policy gradient (Fujimoto et al., arXiv:1802.09477).
//
//  1. all of rl_tools/rl/algorithms/off_policy.h;
//  2. the actor ends in a tanh, exploration adds normal noise and clamps to [-1, 1];
//  3. the critics' target sees the target actor's action with clipped noise (target policy smoothing);
//  4. the actor and the targets follow every other step by default, the actor climbs the first critic alone.
#pragma once

#include <rl_tools/nn/layers/td3_sampling/operations_generic.h>
#include <rl_tools/rl/algorithms/off_policy.h>
#include <rl_tools/rl/algorithms/td3/losses.h>

namespace rl_tools::rl::td3 {

template <typename CONFIG>
using OffPolicy = off_policy::Trainer<
    CONFIG,
    nn::training::Mlp<float, CONFIG::OBSERVATION_DIM, CONFIG::ACTION_DIM, CONFIG::ACTOR_HIDDEN_DIM,
                      CONFIG::ACTOR_NUM_LAYERS, CONFIG::ACTOR_ACTIVATION_FUNCTION, nn::ActivationFunction::TANH>,
    nn::layers::td3_sampling::Layer<nn::layers::td3_sampling::Specification<float, size_t, CONFIG::ACTION_DIM>>>;

template <typename CONFIG>
class Trainer final : public OffPolicy<CONFIG> {
    using Base = OffPolicy<CONFIG>;

public:
    using Base::ACTION_DIM;
    using Base::BATCH_SIZE;
    using Base::OBSERVATION_DIM;
    using typename Base::Actor;
    using typename Base::Critic;
    using typename Base::Head;
    using typename Base::T;

    RL_TOOLS_COLD explicit Trainer(const Settings& settings)
        : Base(settings),
          actor_polyak_(settings.number("ACTOR_POLYAK")),
          exploration_noise_(settings.number("EXPLORATION_NOISE")),
          target_noise_std_(settings.number("TARGET_NEXT_ACTION_NOISE_STD")),
          target_noise_clip_(settings.number("TARGET_NEXT_ACTION_NOISE_CLIP")),
          actor_target_update_interval_(settings.count("ACTOR_TARGET_UPDATE_INTERVAL")) {
        nn::training::initialize(actor(), random_);
        target_actor_ = actor();
        critics_.initialize(random_);
        nn::get<Head>(policy_.changing_model().modules).std = exploration_noise_;
    }

    [[nodiscard]] RL_TOOLS_COLD std::vector<float> numbers(const std::string& name) override {
        if (name == "actor_target") {
            return nn::training::numbers_of(target_actor_);
        }
        if (name == "last_batch") {
            return this->last_batch_with(noise_);
        }
        return Base::numbers(name);
    }

    RL_TOOLS_COLD void visit_state(StateVisitor& visitor) override {
        Base::visit_state(visitor);
        visit_model(visitor, "actor/target", target_actor_);
        optimizer_.visit_state(visitor, "actor/optimizer");
    }

private:
    using Base::actor;
    using Base::batch_;
    using Base::critics_;
    using Base::optimizer_;
    using Base::options_;
    using Base::policy_;
    using Base::random_;
    using Base::step_;
    using Base::target_;

    void sample(const float* observation, float* action) override {
        policy_.evaluate(observation, action, Actor::NUM_LAYERS);
        fill_normal(random_, explored_noise_, ACTION_DIM);
        for (size_t i = 0; i < ACTION_DIM; i++) {
            action[i] = clamped(action[i] + exploration_noise_ * explored_noise_[i], -1.0F, 1.0F);
        }
    }

    void compute_target() override {
        this->draw_noise(noise_);
        nn::training::forward(target_actor_, batch_.next_observation, pass_.actor);
        smooth_actions(target_noise_std_, target_noise_clip_, noise_, pass_.actor.last().output, smoothed_);
        this->join(batch_.next_observation, smoothed_, pass_.critic_input);
        critics_.evaluate_targets(pass_.critic_input);
        critic_target(options_.gamma, options_.ignore_termination, batch_.reward, batch_.terminated, critics_.value(0),
                      critics_.value(1), target_);
    }

    void update_actor() override {
        pass_.loss_and_gradient(actor(), critics_.online[0], critics_.tape[0], batch_.observation, optimizer_.gradient);
        optimizer_.step(options_.adam, actor());
    }

    void update_target_actor() override {
        if (step_ > options_.n_warmup_steps_actor && step_ % actor_target_update_interval_ == 0) {
            nn::training::update_target(target_actor_, actor(), actor_polyak_);
        }
    }

    T actor_polyak_;
    T exploration_noise_;
    T target_noise_std_;
    T target_noise_clip_;
    size_t actor_target_update_interval_;
    T explored_noise_[ACTION_DIM]{};  // of one environment's action

    // Zero-initialised: the padding of derivatives stays zero from here on.
    Actor target_actor_{};
    typename Base::Actions noise_{};
    typename Base::Actions smoothed_{};
    ActorPass<T, Actor, Critic, OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE> pass_{};
};

}  // namespace rl_tools::rl::td3
