// Soft actor-critic with twin critics and a learned temperature (Haarnoja et al., arXiv:1812.05905).
//
//  1. actions are uniform until N_WARMUP_STEPS transitions are stored, then sampled from the actor;
//  2. both critics share one target, computed once per update;
//  3. a truncated transition bootstraps from the observation it led to, a terminated one does not;
//  4. the log-std is clamped (gradient zero outside), not squashed;
//  5. order of an update: critics, actor, temperature, targets; each with the values the ones before it left.
#pragma once

#include <rl_tools/nn/layers/rescale/layer.h>
#include <rl_tools/nn/layers/sample_and_squash/layer.h>
#include <rl_tools/nn/training/adam.h>
#include <rl_tools/nn_models/sequential/model.h>
#include <rl_tools/rl/algorithms/sac/losses.h>
#include <rl_tools/rl/components/normal.h>
#include <rl_tools/rl/inference.h>
#include <rl_tools/rl/trainer.h>

#include <stdexcept>

namespace rl_tools::rl::sac {

// The options that are code: sizes and activation functions.
//
//     struct Config {
//         static constexpr size_t OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE;
//         static constexpr size_t ACTOR_HIDDEN_DIM, ACTOR_NUM_LAYERS, CRITIC_HIDDEN_DIM, CRITIC_NUM_LAYERS;
//         static constexpr nn::ActivationFunction ACTOR_ACTIVATION_FUNCTION, CRITIC_ACTIVATION_FUNCTION;
//         static constexpr bool RESCALE;  // the environment's action box is not [-1, 1]
//     };

namespace details {

template <typename MLP, size_t ACTION_DIM, bool RESCALE>
struct PolicyOf {
    using SQUASH =
        nn::layers::sample_and_squash::Layer<nn::layers::sample_and_squash::Specification<float, size_t, ACTION_DIM>>;
    using type = nn_models::sequential::Model<MLP, SQUASH>;
};

template <typename MLP, size_t ACTION_DIM>
struct PolicyOf<MLP, ACTION_DIM, true> {
    using SQUASH = typename PolicyOf<MLP, ACTION_DIM, false>::SQUASH;
    using RESCALE = nn::layers::rescale::Layer<nn::layers::rescale::Specification<float, size_t, ACTION_DIM>>;
    using type = nn_models::sequential::Model<MLP, SQUASH, RESCALE>;
};

}  // namespace details

template <typename CONFIG>
class Trainer final : public rl::Trainer {
public:
    static constexpr size_t OBSERVATION_DIM = CONFIG::OBSERVATION_DIM;
    static constexpr size_t ACTION_DIM = CONFIG::ACTION_DIM;
    static constexpr size_t BATCH_SIZE = CONFIG::BATCH_SIZE;
    using T = float;
    using Actor = nn::training::Mlp<T, OBSERVATION_DIM, 2 * ACTION_DIM, CONFIG::ACTOR_HIDDEN_DIM,
                                    CONFIG::ACTOR_NUM_LAYERS, CONFIG::ACTOR_ACTIVATION_FUNCTION>;
    using Critic = nn::training::Mlp<T, OBSERVATION_DIM + ACTION_DIM, 1, CONFIG::CRITIC_HIDDEN_DIM,
                                     CONFIG::CRITIC_NUM_LAYERS, CONFIG::CRITIC_ACTIVATION_FUNCTION>;
    using Policy = typename details::PolicyOf<Actor, ACTION_DIM, CONFIG::RESCALE>::type;

    explicit Trainer(const Settings& settings)
        : options_(settings),
          random_(random::default_engine(devices::random::Generic{}, settings.seed)),
          buffer_(options_.replay_buffer_cap) {
        nn::training::initialize(actor(), random_);
        for (size_t i = 0; i < 2; i++) {
            nn::training::initialize(critics_[i], random_);
            targets_[i] = critics_[i];
        }
        log_alpha_ = std::log(static_cast<T>(settings.numbers.at("ALPHA")));
        if constexpr (CONFIG::RESCALE) {
            auto& rescale = policy_.modules.tail.tail.head;
            for (size_t i = 0; i < ACTION_DIM; i++) {
                rescale.low.values[i] = settings.action_low.at(i);
                rescale.high.values[i] = settings.action_high.at(i);
            }
        }
    }

    [[nodiscard]] size_t observation_dim() const override { return OBSERVATION_DIM; }
    [[nodiscard]] size_t action_dim() const override { return ACTION_DIM; }

    void act(const float* observation, float* action) override {
        evaluate(device_, policy_, observation, action, policy_buffer_);
    }

    void explore(const float* observation, float* action) override {
        memcpy(pending_.observation, observation, sizeof pending_.observation);
        if (step_ < options_.n_warmup_steps) {
            for (float& number : pending_.action) {
                number = 2.0F * random::uniform(random_) - 1.0F;
            }
        } else {
            sample(observation, pending_.action);
        }
        if constexpr (CONFIG::RESCALE) {
            evaluate(device_, policy_.modules.tail.tail.head, pending_.action, action);
        } else {
            memcpy(action, pending_.action, sizeof pending_.action);
        }
    }

    [[nodiscard]] bool observe(float reward, const float* next_observation, bool terminated, bool truncated) override {
        pending_.reward = reward;
        memcpy(pending_.next_observation, next_observation, sizeof pending_.next_observation);
        pending_.terminated = terminated;
        pending_.truncated = truncated;
        buffer_.add(pending_);
        step_++;
        return update();
    }

    [[nodiscard]] std::vector<float> numbers(const std::string& name) override {
        if (name == "actor") {
            return nn::training::numbers_of(actor());
        }
        if (name == "critic_1" || name == "critic_2") {
            return nn::training::numbers_of(critics_[name == "critic_2" ? 1 : 0]);
        }
        if (name == "critic_target_1" || name == "critic_target_2") {
            return nn::training::numbers_of(targets_[name == "critic_target_2" ? 1 : 0]);
        }
        if (name == "alpha") {
            return {std::exp(log_alpha_)};
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
        if (name == "last_batch") {
            return last_batch();
        }
        throw std::invalid_argument("no numbers are called " + name);
    }

private:
    struct Options {
        T gamma;
        T critic_polyak;
        T target_entropy;
        HeadSettings<T> head;
        nn::training::adam::Settings<T> adam;
        bool ignore_termination;
        bool adaptive_alpha;
        bool shared_batch;
        size_t critic_training_interval;
        size_t actor_training_interval;
        size_t critic_target_update_interval;
        size_t n_warmup_steps;
        size_t n_warmup_steps_actor;
        size_t n_warmup_steps_critic;
        size_t replay_buffer_cap;

        explicit Options(const Settings& settings) {
            const auto number = [&settings](const char* name) { return static_cast<T>(settings.numbers.at(name)); };
            const auto count = [&settings](const char* name) { return static_cast<size_t>(settings.numbers.at(name)); };
            gamma = number("GAMMA");
            critic_polyak = number("CRITIC_POLYAK");
            target_entropy = number("TARGET_ENTROPY");
            head = {number("LOG_STD_LOWER_BOUND"), number("LOG_STD_UPPER_BOUND"), number("LOG_PROBABILITY_EPSILON")};
            adam = {number("OPTIMIZER_ALPHA"), number("OPTIMIZER_BETA_1"), number("OPTIMIZER_BETA_2"),
                    number("OPTIMIZER_EPSILON"), number("OPTIMIZER_EPSILON_SQRT")};
            ignore_termination = count("IGNORE_TERMINATION") != 0;
            adaptive_alpha = count("ADAPTIVE_ALPHA") != 0;
            shared_batch = count("SHARED_BATCH") != 0;
            critic_training_interval = count("CRITIC_TRAINING_INTERVAL");
            actor_training_interval = count("ACTOR_TRAINING_INTERVAL");
            critic_target_update_interval = count("CRITIC_TARGET_UPDATE_INTERVAL");
            n_warmup_steps = count("N_WARMUP_STEPS");
            n_warmup_steps_actor = count("N_WARMUP_STEPS_ACTOR");
            n_warmup_steps_critic = count("N_WARMUP_STEPS_CRITIC");
            replay_buffer_cap = count("REPLAY_BUFFER_CAP");
        }
    };

    using ActorTape = nn::training::Tape<Actor, BATCH_SIZE>;
    using CriticTape = nn::training::Tape<Critic, BATCH_SIZE>;
    using TransitionBatchOf = TransitionBatch<T, OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE>;

    Actor& actor() { return policy_.modules.head; }

    void sample(const float* observation, float* action) {
        float head[2 * ACTION_DIM];
        float noise[ACTION_DIM];
        nn_models::sequential::evaluate_prefix(device_, policy_, observation, head, policy_buffer_, Actor::NUM_LAYERS);
        fill_normal(random_, noise, ACTION_DIM);
        for (size_t i = 0; i < ACTION_DIM; i++) {
            const float log_std =
                math::clamp(head[ACTION_DIM + i], options_.head.log_std_lower_bound, options_.head.log_std_upper_bound);
            action[i] = math::tanh(head[i] + std::exp(log_std) * noise[i]);
        }
    }

    // False: a parameter or its gradient is not finite.
    [[nodiscard]] bool update() {
        const bool critics_are_due =
            step_ > options_.n_warmup_steps_critic && step_ % options_.critic_training_interval == 0;
        const bool actor_is_due =
            step_ > options_.n_warmup_steps_actor && step_ % options_.actor_training_interval == 0;
        bool finite = true;
        if (critics_are_due || actor_is_due) {
            gather(buffer_, random_, batch_);
        }
        if (critics_are_due) {
            update_critics();
            finite = is_finite(critics_[0], critic_moments_[0]) && is_finite(critics_[1], critic_moments_[1]);
        }
        if (actor_is_due) {
            if (critics_are_due && !options_.shared_batch) {
                gather(buffer_, random_, batch_);
            }
            update_actor();
            finite = finite && is_finite(actor(), actor_moments_) && math::is_finite(log_alpha_);
        }
        if (step_ > options_.n_warmup_steps_critic && step_ % options_.critic_target_update_interval == 0) {
            for (size_t i = 0; i < 2; i++) {
                nn::training::update_target(targets_[i], critics_[i], options_.critic_polyak);
            }
        }
        return finite;
    }

    // An infinite second moment would leave its weight where it is for ever: finite, and no longer learning.
    template <typename MODEL>
    [[nodiscard]] static bool is_finite(MODEL& model, nn::training::adam::Moments<MODEL>& moments) {
        return nn::training::all_finite(model) && nn::training::all_finite(moments.second);
    }

    void update_critics() {
        compute_target();
        critic_updates_++;
        for (size_t i = 0; i < 2; i++) {
            CriticTape& tape = pass_.critic[i];
            nn::training::forward(critics_[i], batch_.observation_action, tape);
            critic_loss(tape.last().output, target_, tape.last().delta);
            nn::training::backward(critics_[i], batch_.observation_action, tape, critic_gradient_);
            nn::training::adam::step(options_.adam, critic_updates_, critics_[i], critic_gradient_, critic_moments_[i]);
        }
    }

    void compute_target() {
        draw_noise(target_sampled_);
        nn::training::forward(actor(), batch_.next_observation, pass_.actor);
        sample_actions(options_.head, pass_.actor.last().output, target_sampled_);
        nn::training::copy_rows(batch_.next_observation, pass_.critic_input, 0, OBSERVATION_DIM);
        nn::training::copy_rows(target_sampled_.action, pass_.critic_input, OBSERVATION_DIM, ACTION_DIM);
        for (size_t i = 0; i < 2; i++) {
            nn::training::forward(targets_[i], pass_.critic_input, pass_.critic[i]);
        }
        critic_target(options_.gamma, options_.ignore_termination, std::exp(log_alpha_), batch_.reward,
                      batch_.terminated, pass_.critic[0].last().output.row(0), pass_.critic[1].last().output.row(0),
                      target_sampled_.log_probability, target_);
    }

    void update_actor() {
        draw_noise(pass_.sampled);
        const T alpha = std::exp(log_alpha_);
        pass_.loss_and_gradient(options_.head, alpha, actor(), critics_, batch_.observation, actor_gradient_);
        actor_updates_++;
        nn::training::adam::step(options_.adam, actor_updates_, actor(), actor_gradient_, actor_moments_);
        if (options_.adaptive_alpha) {
            const T gradient = alpha_gradient(alpha, options_.target_entropy, pass_.sampled.log_probability);
            nn::training::adam::step_array(options_.adam,
                                           nn::training::adam::BiasCorrection<T>(options_.adam, actor_updates_), 1,
                                           &log_alpha_, &gradient, &log_alpha_moments_[0], &log_alpha_moments_[1]);
        }
    }

    void draw_noise(SampledActions<T, ACTION_DIM, BATCH_SIZE>& sampled) {
        for (size_t i = 0; i < ACTION_DIM; i++) {
            fill_normal(random_, sampled.noise.row(i), BATCH_SIZE);
        }
    }

    template <typename APPEND>
    std::vector<float> replayed(const APPEND& append) const {
        std::vector<float> all;
        for (size_t i = 0; i < buffer_.size(); i++) {
            append(all, buffer_[i]);
        }
        return all;
    }

    // Per sample of the last update: observation, action, reward, next observation, terminated, the target's noise,
    // the actor's noise, the target. Tests repeat the update from it in NumPy.
    std::vector<float> last_batch() const {
        std::vector<float> all;
        const auto column = [&all](const auto& batch, size_t sample) {
            for (size_t i = 0; i < batch.FEATURES; i++) {
                all.push_back(batch.row(i)[sample]);
            }
        };
        for (size_t sample = 0; sample < BATCH_SIZE; sample++) {
            column(batch_.observation_action, sample);
            all.push_back(batch_.reward[sample]);
            column(batch_.next_observation, sample);
            all.push_back(batch_.terminated[sample] ? 1.0F : 0.0F);
            column(target_sampled_.noise, sample);
            column(pass_.sampled.noise, sample);
            all.push_back(target_[sample]);
        }
        return all;
    }

    Options options_;
    devices::TrainingHost device_;
    random::Engine random_;
    ReplayBuffer<OBSERVATION_DIM, ACTION_DIM> buffer_;
    Transition<OBSERVATION_DIM, ACTION_DIM> pending_{};
    size_t step_ = 0;

    // Zero-initialised: the padding of derivatives stays zero from here on.
    Policy policy_{};
    typename Policy::template Buffer<1> policy_buffer_{};
    Critic critics_[2]{};
    Critic targets_[2]{};
    T log_alpha_ = 0;
    uint64_t critic_updates_ = 0;
    uint64_t actor_updates_ = 0;
    nn::training::adam::Moments<Actor> actor_moments_{};
    nn::training::adam::Moments<Critic> critic_moments_[2]{};
    T log_alpha_moments_[2]{};

    TransitionBatchOf batch_{};
    SampledActions<T, ACTION_DIM, BATCH_SIZE> target_sampled_{};
    T target_[BATCH_SIZE]{};
    ActorPass<T, Actor, Critic, OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE> pass_{};
    Actor actor_gradient_{};
    Critic critic_gradient_{};
};

}  // namespace rl_tools::rl::sac
