// Soft actor-critic with twin critics and a learned temperature (Haarnoja et al., arXiv:1812.05905).
//
//  1. all of rl_tools/rl/algorithms/off_policy.h;
//  2. the log-std is clamped (gradient zero outside), not squashed;
//  3. the temperature learns after the actor, from the same actions.
#pragma once

#include <rl_tools/nn/layers/sample_and_squash/layer.h>
#include <rl_tools/rl/algorithms/off_policy.h>
#include <rl_tools/rl/algorithms/sac/losses.h>
#include <rl_tools/rl/components/first_weights.h>

namespace rl_tools::rl::sac {

template <typename CONFIG>
using OffPolicy = off_policy::Trainer<
    CONFIG,
    nn::training::Mlp<float, CONFIG::OBSERVATION_DIM, 2 * CONFIG::ACTION_DIM, CONFIG::ACTOR_HIDDEN_DIM,
                      CONFIG::ACTOR_NUM_LAYERS, CONFIG::ACTOR_ACTIVATION_FUNCTION>,
    nn::layers::sample_and_squash::Layer<
        nn::layers::sample_and_squash::Specification<float, size_t, CONFIG::ACTION_DIM>>>;

template <typename CONFIG>
class Trainer final : public OffPolicy<CONFIG> {
    using Base = OffPolicy<CONFIG>;

public:
    using Base::ACTION_DIM;
    using Base::BATCH_SIZE;
    using Base::OBSERVATION_DIM;
    using typename Base::Actor;
    using typename Base::Critic;
    using typename Base::T;

    RL_TOOLS_COLD explicit Trainer(const Settings& settings)
        : Base(settings),
          head_{settings.number("LOG_STD_LOWER_BOUND"), settings.number("LOG_STD_UPPER_BOUND"),
                settings.number("LOG_PROBABILITY_EPSILON")},
          target_entropy_(settings.number("TARGET_ENTROPY")),
          adaptive_alpha_(settings.flag("ADAPTIVE_ALPHA")),
          log_alpha_(std::log(settings.number("ALPHA"))) {
        initialize_policy(actor(), random_);
        critics_.initialize(random_);
    }

    [[nodiscard]] RL_TOOLS_COLD std::vector<float> numbers(const std::string& name) override {
        if (name == "alpha") {
            return {std::exp(log_alpha_)};
        }
        if (name == "last_batch") {
            return this->last_batch_with(target_sampled_.noise, pass_.sampled.noise);
        }
        return Base::numbers(name);
    }

    RL_TOOLS_COLD void visit_state(StateVisitor& visitor) override {
        Base::visit_state(visitor);
        optimizer_.visit_state(visitor, "actor/optimizer");
        visitor("log_alpha", log_alpha_);
        visitor("log_alpha/moments", log_alpha_moments_, 2);
    }

private:
    using Base::actor;
    using Base::batch_;
    using Base::critics_;
    using Base::optimizer_;
    using Base::options_;
    using Base::policy_;
    using Base::random_;
    using Base::reward_unit_;
    using Base::target_;

    // The temperature in the critics' unit.
    [[nodiscard]] T alpha() const { return std::exp(log_alpha_) / reward_unit_; }

    void sample(const float* observation, float* action) override {
        policy_.evaluate(observation, explored_, Actor::NUM_LAYERS);
        fill_normal(random_, noise_, ACTION_DIM);
        for (size_t i = 0; i < ACTION_DIM; i++) {
            const float log_std =
                math::clamp(explored_[ACTION_DIM + i], head_.log_std_lower_bound, head_.log_std_upper_bound);
            action[i] = math::tanh(explored_[i] + std::exp(log_std) * noise_[i]);
        }
    }

    void compute_target() override {
        this->draw_noise(target_sampled_.noise);
        nn::training::forward(actor(), batch_.next_observation, pass_.actor);
        sample_actions(head_, pass_.actor.last().output, target_sampled_);
        this->join(batch_.next_observation, target_sampled_.action, pass_.critic_input);
        critics_.evaluate_targets(pass_.critic_input);
        critic_target(options_.gamma, options_.ignore_termination, alpha(), batch_.reward, batch_.terminated,
                      critics_.value(0), critics_.value(1), target_sampled_.log_probability.row(0), target_);
    }

    void update_actor() override {
        this->draw_noise(pass_.sampled.noise);
        const T alpha = this->alpha();
        pass_.loss_and_gradient(head_, alpha, actor(), critics_.online, critics_.tape, batch_.observation,
                                optimizer_.gradient);
        optimizer_.step(options_.adam, actor());
        if (adaptive_alpha_) {
            const T gradient = alpha_gradient(alpha, target_entropy_, pass_.sampled.log_probability);
            const nn::training::adam::BiasCorrection<T> correction(options_.adam, optimizer_.updates);
            nn::training::adam::step_array(options_.adam, correction, 1, &log_alpha_, &gradient, &log_alpha_moments_[0],
                                           &log_alpha_moments_[1]);
        }
    }

    [[nodiscard]] bool actor_is_finite() override { return Base::actor_is_finite() && math::is_finite(log_alpha_); }

    HeadSettings<T> head_;
    T target_entropy_;
    bool adaptive_alpha_;
    T log_alpha_;
    T log_alpha_moments_[2]{};
    T explored_[2 * ACTION_DIM]{};  // the actor's output for one environment, and its noise
    T noise_[ACTION_DIM]{};

    // Zero-initialised: the padding of derivatives stays zero from here on.
    SampledActions<T, ACTION_DIM, BATCH_SIZE> target_sampled_{};
    ActorPass<T, Actor, Critic, OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE> pass_{};
};

}  // namespace rl_tools::rl::sac
