// Proximal policy optimisation (Schulman et al., arXiv:1707.06347).
//
//  1. N environments are stepped side by side; after so many steps all of their experience is trained on, then
//  forgotten;
//  2. advantages keep termination and truncation apart: a truncated step bootstraps from the observation it led to,
//     before the reset;
//  3. actions are unbounded normal numbers, clamped only on their way to the environment (and so in the export);
//  4. the log-std is a parameter of its own per action, learned with the actor's optimiser;
//  5. advantages are normalised per minibatch; what does not fill a minibatch waits for the next epoch's shuffle;
//  6. observations, where they are normalised, are normalised by all that were seen up to the same step, and stay so:
//     the first minibatch of a training meets exactly the policy that collected it;
//  7. the adaptive learning rate follows the divergence from the collecting policy, minibatch by minibatch, and is the
//     actor's: the divergence says nothing about the critic;
//  8. the first policy is the middle of the action range with the initial noise, whatever it observes;
//  9. the critic learns returns in units of their own: less their mean, by their standard deviation. When these move,
//     its last layer moves with them, so that its values stay (PopArt; van Hasselt et al., arXiv:1602.07714).
#pragma once

#include <rl_tools/nn/layers/standardize/operations_generic.h>
#include <rl_tools/rl/algorithms/ppo/losses.h>
#include <rl_tools/rl/components/advantages.h>
#include <rl_tools/rl/components/first_weights.h>
#include <rl_tools/rl/components/normal.h>
#include <rl_tools/rl/components/optimizer.h>
#include <rl_tools/rl/components/running_normalizer.h>
#include <rl_tools/rl/components/squared_error.h>
#include <rl_tools/rl/inference.h>
#include <rl_tools/rl/nn/subnormals.h>
#include <rl_tools/rl/policy.h>

#include <numeric>
#include <stdexcept>

namespace rl_tools::rl::ppo {

// The options that are code: sizes, activation functions and the policy's modules.
//
//     struct Config {
//         static constexpr size_t OBSERVATION_DIM, ACTION_DIM, BATCH_SIZE, N_ENVIRONMENTS;
//         static constexpr size_t ACTOR_HIDDEN_DIM, ACTOR_NUM_LAYERS, CRITIC_HIDDEN_DIM, CRITIC_NUM_LAYERS;
//         static constexpr nn::ActivationFunction ACTOR_ACTIVATION_FUNCTION, CRITIC_ACTIVATION_FUNCTION;
//         static constexpr bool NORMALIZE_OBSERVATIONS;
//     };

struct Options {
    float gamma;
    float lambda;
    float epsilon_clip;
    float initial_action_std;
    float action_entropy_coefficient;
    float advantage_epsilon;
    float kl_threshold;
    float kl_epsilon;
    float learning_rate_decay;
    float learning_rate_min;
    float learning_rate_max;
    bool learn_action_std;
    bool normalize_advantage;
    bool normalize_values;
    bool adaptive_learning_rate;
    bool ignore_termination;
    size_t n_warmup_steps_actor;
    size_t n_warmup_steps_critic;
    size_t n_epochs;
    size_t steps_per_env;
    nn::training::adam::Settings<float> adam;

    RL_TOOLS_COLD explicit Options(const Settings& settings) : adam(adam_settings(settings)) {
        gamma = settings.number("GAMMA");
        lambda = settings.number("LAMBDA");
        epsilon_clip = settings.number("EPSILON_CLIP");
        initial_action_std = settings.number("INITIAL_ACTION_STD");
        action_entropy_coefficient = settings.number("ACTION_ENTROPY_COEFFICIENT");
        advantage_epsilon = settings.number("ADVANTAGE_EPSILON");
        kl_threshold = settings.number("ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD");
        kl_epsilon = settings.number("POLICY_KL_EPSILON");
        learning_rate_decay = settings.number("ADAPTIVE_LEARNING_RATE_DECAY");
        learning_rate_min = settings.number("ADAPTIVE_LEARNING_RATE_MIN");
        learning_rate_max = settings.number("ADAPTIVE_LEARNING_RATE_MAX");
        learn_action_std = settings.flag("LEARN_ACTION_STD");
        normalize_advantage = settings.flag("NORMALIZE_ADVANTAGE");
        normalize_values = settings.flag("NORMALIZE_VALUES");
        adaptive_learning_rate = settings.flag("ADAPTIVE_LEARNING_RATE");
        ignore_termination = settings.flag("IGNORE_TERMINATION");
        n_warmup_steps_actor = settings.count("N_WARMUP_STEPS_ACTOR");
        n_warmup_steps_critic = settings.count("N_WARMUP_STEPS_CRITIC");
        n_epochs = settings.count("N_EPOCHS");
        steps_per_env = settings.count("ON_POLICY_RUNNER_STEPS_PER_ENV");
    }
};

template <typename CONFIG>
class Trainer final : public rl::Trainer {
public:
    static constexpr size_t OBSERVATION_DIM = CONFIG::OBSERVATION_DIM;
    static constexpr size_t ACTION_DIM = CONFIG::ACTION_DIM;
    static constexpr size_t BATCH_SIZE = CONFIG::BATCH_SIZE;
    static constexpr size_t ENVIRONMENTS = CONFIG::N_ENVIRONMENTS;
    using T = float;
    using Actor = nn::training::Mlp<T, OBSERVATION_DIM, ACTION_DIM, CONFIG::ACTOR_HIDDEN_DIM, CONFIG::ACTOR_NUM_LAYERS,
                                    CONFIG::ACTOR_ACTIVATION_FUNCTION>;
    using Critic = nn::training::Mlp<T, OBSERVATION_DIM, 1, CONFIG::CRITIC_HIDDEN_DIM, CONFIG::CRITIC_NUM_LAYERS,
                                     CONFIG::CRITIC_ACTIVATION_FUNCTION>;
    using Standardize =
        nn::layers::standardize::Layer<nn::layers::standardize::Specification<T, size_t, OBSERVATION_DIM>>;
    // Rescaling clamps to the bounds: also where they are [-1, 1].
    using Policy = std::conditional_t<CONFIG::NORMALIZE_OBSERVATIONS, PolicyOf<true, ACTION_DIM, Standardize, Actor>,
                                      PolicyOf<true, ACTION_DIM, Actor>>;

    RL_TOOLS_COLD explicit Trainer(const Settings& settings)
        : options_(settings),
          random_(random::default_engine(devices::random::Generic{}, settings.seed)),
          adam_actor_(options_.adam),
          rollout_(options_.steps_per_env * ENVIRONMENTS),
          next_inputs_(ENVIRONMENTS * OBSERVATION_DIM) {
        // Biases as well: from 0 more seeds fail (docs/learning_decisions.md, "How training starts").
        nn::training::initialize(actor(), random_);
        initialize_policy(actor(), random_);
        nn::training::initialize(critic_, random_);
        for (T& number : log_std_) {
            number = std::log(options_.initial_action_std);
        }
        read_bounds(settings, nn::get<Rescale<ACTION_DIM>>(policy_.changing_model().modules));
        if constexpr (CONFIG::NORMALIZE_OBSERVATIONS) {
            read_normalizer();
        }
    }

    [[nodiscard]] size_t environments() const override { return ENVIRONMENTS; }
    [[nodiscard]] size_t observation_dim() const override { return OBSERVATION_DIM; }
    [[nodiscard]] size_t action_dim() const override { return ACTION_DIM; }

    void act(const float* observation, float* action) override { policy_.evaluate(observation, action); }

    void explore(const float* observations, float* actions) override {
        if constexpr (CONFIG::NORMALIZE_OBSERVATIONS) {
            normalizer_.add(observations, ENVIRONMENTS);
            read_normalizer();
        }
        const size_t first = step_ * ENVIRONMENTS;
        memcpy(rollout_.observations.data() + first * OBSERVATION_DIM, observations,
               ENVIRONMENTS * OBSERVATION_DIM * sizeof(T));
        T* const inputs = rollout_.inputs.data() + first * OBSERVATION_DIM;
        standardize(observations, inputs);
        set_columns(inputs, side_by_side_.input);
        nn::training::forward(actor(), side_by_side_.input, side_by_side_.actor);
        nn::training::forward(critic_, side_by_side_.input, side_by_side_.critic);
        sample(first, actions);
    }

    [[nodiscard]] bool observe(const float* rewards, const float* next_observations, const bool* terminated,
                               const bool* truncated) override {
        const size_t first = step_ * ENVIRONMENTS;
        bool is_cut = step_ + 1 == options_.steps_per_env;
        for (size_t i = 0; i < ENVIRONMENTS; i++) {
            rollout_.rewards[first + i] = rewards[i];
            rollout_.terminated[first + i] = terminated[i] ? 1 : 0;
            rollout_.truncated[first + i] = truncated[i] ? 1 : 0;
            is_cut = is_cut || terminated[i] || truncated[i];
        }
        if (is_cut) {
            compute_next_values(first, next_observations);
        }
        step_++;
        if (step_ < options_.steps_per_env) {
            return true;
        }
        step_ = 0;
        train();
        return optimizer_.is_finite(actor()) && critic_optimizer_.is_finite(critic_) &&
               nn::training::all_finite(log_std_, ACTION_DIM);
    }

    [[nodiscard]] RL_TOOLS_COLD std::vector<float> numbers(const std::string& name) override {
        if (name == "actor") {
            return nn::training::numbers_of(actor());
        }
        if (name == "critic") {
            return nn::training::numbers_of(critic_);
        }
        if (name == "log_std") {
            return {log_std_, log_std_ + ACTION_DIM};
        }
        if (name == "learning_rate") {
            return {adam_actor_.learning_rate};
        }
        if (name == "normalizer") {
            return normalizer_numbers();
        }
        if (name == "value_unit") {
            return {value_mean_, value_std_};
        }
        if (name == "observations") {
            const size_t rows = (is_full_ ? options_.steps_per_env : step_) * ENVIRONMENTS;
            return {rollout_.observations.begin(),
                    rollout_.observations.begin() + static_cast<ptrdiff_t>(rows * OBSERVATION_DIM)};
        }
        if (name == "rollout") {
            return rollout_numbers();
        }
        throw std::invalid_argument("no numbers are called " + name);
    }

    // Between two trainings the experience is forgotten, but for the observations, which an export shows examples of.
    RL_TOOLS_COLD void visit_state(StateVisitor& visitor) override {
        visitor("random", random_.state, 4);
        visit_integer(visitor, "iteration", iteration_);
        visit_integer(visitor, "rollout/is_full", is_full_);
        visitor("rollout/observations", rollout_.observations.data(), rollout_.observations.size());
        visitor("rollout/order", rollout_.order.data(), rollout_.order.size());
        visit_model(visitor, "actor", actor());
        optimizer_.visit_state(visitor, "actor/optimizer");
        visitor("log_std", log_std_, ACTION_DIM);
        visitor("log_std/first_moment", log_std_moments_[0], ACTION_DIM);
        visitor("log_std/second_moment", log_std_moments_[1], ACTION_DIM);
        visitor("actor/learning_rate", adam_actor_.learning_rate);
        visit_model(visitor, "critic", critic_);
        critic_optimizer_.visit_state(visitor, "critic/optimizer");
        returns_normalizer_.visit_state(visitor, "returns");
        read_value_unit();
        normalizer_.visit_state(visitor, "normalizer");
        if (!options_.adaptive_learning_rate) {
            adam_actor_.learning_rate = options_.adam.learning_rate;
        }
        if constexpr (CONFIG::NORMALIZE_OBSERVATIONS) {
            read_normalizer();
        }
        for (const uint32_t row : rollout_.order) {
            if (row >= rollout_.order.size()) {
                throw std::invalid_argument("its order names row " + std::to_string(row) + " of " +
                                            std::to_string(rollout_.order.size()));
            }
        }
    }

private:
    // Of the weight that an iteration's returns have in the critic's unit, so much is left an iteration later.
    static constexpr double RETURNS_KEPT = 0.9;

    // All steps of all environments: step t of environment n is row t * ENVIRONMENTS + n.
    struct Rollout {
        std::vector<T> observations;  // as the environment gave them
        std::vector<T> inputs;        // as the networks saw them
        std::vector<T> actions;
        std::vector<T> means;
        std::vector<T> log_probabilities;
        std::vector<T> values;
        std::vector<T> rewards;
        std::vector<T> next_values;
        std::vector<T> advantages;
        std::vector<T> returns;
        std::vector<uint8_t> terminated;
        std::vector<uint8_t> truncated;
        std::vector<uint32_t> order;

        explicit Rollout(size_t rows)
            : observations(rows * OBSERVATION_DIM),
              inputs(rows * OBSERVATION_DIM),
              actions(rows * ACTION_DIM),
              means(rows * ACTION_DIM),
              log_probabilities(rows),
              values(rows),
              rewards(rows),
              next_values(rows),
              advantages(rows),
              returns(rows),
              terminated(rows),
              truncated(rows),
              order(rows) {
            std::iota(order.begin(), order.end(), 0U);
        }
    };

    // What is drawn for a step of all environments.
    struct Draw {
        nn::training::Batch<T, ACTION_DIM, ENVIRONMENTS> action;
        T noise[ENVIRONMENTS];
        T log_probability[ENVIRONMENTS];
    };

    // Both networks on `SAMPLES` observations.
    template <size_t SAMPLES>
    struct Pass {
        nn::training::Batch<T, OBSERVATION_DIM, SAMPLES> input;
        nn::training::Tape<Actor, SAMPLES> actor;
        nn::training::Tape<Critic, SAMPLES> critic;
    };

    Actor& actor() { return nn::get<Actor>(policy_.changing_model().modules); }

    void read_normalizer() {
        auto& layer = nn::get<Standardize>(policy_.changing_model().modules);
        for (size_t i = 0; i < OBSERVATION_DIM; i++) {
            layer.mean.values[i] = static_cast<T>(normalizer_.mean[i]);
            layer.precision.values[i] = static_cast<T>(normalizer_.precision(i));
        }
    }

    // One row per environment.
    void standardize(const T* observations, T* inputs) {
        if constexpr (CONFIG::NORMALIZE_OBSERVATIONS) {
            const auto& layer = nn::get<Standardize>(policy_.model().modules);
            for (size_t row = 0; row < ENVIRONMENTS; row++) {
                evaluate(device_, layer, observations + row * OBSERVATION_DIM, inputs + row * OBSERVATION_DIM);
            }
        } else {
            memcpy(inputs, observations, ENVIRONMENTS * OBSERVATION_DIM * sizeof(T));
        }
    }

    static void set_columns(const T* rows, nn::training::Batch<T, OBSERVATION_DIM, ENVIRONMENTS>& batch) {
        for (size_t sample = 0; sample < ENVIRONMENTS; sample++) {
            for (size_t i = 0; i < OBSERVATION_DIM; i++) {
                batch.row(i)[sample] = rows[sample * OBSERVATION_DIM + i];
            }
        }
    }

    // In units of reward.
    [[nodiscard]] T side_by_side_value(size_t environment) const {
        return value_mean_ + value_std_ * side_by_side_.critic.last().output.row(0)[environment];
    }

    void sample(size_t first, float* actions) {
        const auto& mean = side_by_side_.actor.last().output;
        for (size_t row = 0; row < ACTION_DIM; row++) {
            fill_normal(random_, draw_.noise, ENVIRONMENTS);
            const T std = std::exp(log_std_[row]);
            for (size_t i = 0; i < ENVIRONMENTS; i++) {
                draw_.action.row(row)[i] = mean.row(row)[i] + std * draw_.noise[i];
            }
        }
        log_probabilities(mean, log_std_, draw_.action, draw_.log_probability);
        const auto& rescale = nn::get<Rescale<ACTION_DIM>>(policy_.model().modules);
        for (size_t i = 0; i < ENVIRONMENTS; i++) {
            T* const stored = rollout_.actions.data() + (first + i) * ACTION_DIM;
            for (size_t row = 0; row < ACTION_DIM; row++) {
                stored[row] = draw_.action.row(row)[i];
                rollout_.means[(first + i) * ACTION_DIM + row] = mean.row(row)[i];
            }
            rollout_.log_probabilities[first + i] = draw_.log_probability[i];
            rollout_.values[first + i] = side_by_side_value(i);
            evaluate(device_, rescale, stored, actions + i * ACTION_DIM);
        }
    }

    void compute_next_values(size_t first, const float* next_observations) {
        standardize(next_observations, next_inputs_.data());
        set_columns(next_inputs_.data(), side_by_side_.input);
        nn::training::forward(critic_, side_by_side_.input, side_by_side_.critic);
        for (size_t i = 0; i < ENVIRONMENTS; i++) {
            rollout_.next_values[first + i] = side_by_side_value(i);
        }
    }

    void train() {
        const nn::training::SubnormalsAreZero subnormals;
        is_full_ = true;
        iteration_++;
        finish_rollout();
        memcpy(collecting_log_std_, log_std_, sizeof log_std_);
        for (size_t epoch = 0; epoch < options_.n_epochs; epoch++) {
            shuffle();
            for (size_t begin = 0; begin + BATCH_SIZE <= rollout_.order.size(); begin += BATCH_SIZE) {
                gather(rollout_.order.data() + begin);
                if (iteration_ > options_.n_warmup_steps_critic) {
                    update_critic();
                }
                if (iteration_ > options_.n_warmup_steps_actor) {
                    update_actor();
                }
            }
        }
    }

    void finish_rollout() {
        for (size_t i = 0; i + ENVIRONMENTS < rollout_.values.size(); i++) {
            if (rollout_.terminated[i] == 0 && rollout_.truncated[i] == 0) {
                rollout_.next_values[i] = rollout_.values[i + ENVIRONMENTS];
            }
        }
        const Experience<T> experience{rollout_.rewards.data(), rollout_.values.data(), rollout_.next_values.data(),
                                       rollout_.terminated.data(), rollout_.truncated.data()};
        estimate_advantages(options_.gamma, options_.lambda, options_.ignore_termination, options_.steps_per_env,
                            ENVIRONMENTS, experience, rollout_.advantages.data());
        for (size_t i = 0; i < rollout_.returns.size(); i++) {
            rollout_.returns[i] = rollout_.advantages[i] + rollout_.values[i];
        }
        if (options_.normalize_values) {
            normalize_values();
        }
    }

    // The returns so far decide the unit, the latest iterations most; the critic's last layer follows, its values stay.
    void normalize_values() {
        const T old_mean = value_mean_;
        const T old_std = value_std_;
        returns_normalizer_.discount(RETURNS_KEPT);
        returns_normalizer_.add(rollout_.returns.data(), rollout_.returns.size());
        read_value_unit();
        nn::training::transform_outputs(critic_, old_std / value_std_, (old_mean - value_mean_) / value_std_);
        for (T& number : rollout_.returns) {
            number = (number - value_mean_) / value_std_;
        }
    }

    void read_value_unit() {
        value_mean_ = static_cast<T>(returns_normalizer_.mean[0]);
        value_std_ = static_cast<T>(1 / returns_normalizer_.precision(0));
    }

    // Fisher and Yates.
    void shuffle() {
        for (size_t i = rollout_.order.size(); i > 1; i--) {
            const size_t other = random::uniform_index(random_, static_cast<uint32_t>(i));
            std::swap(rollout_.order[i - 1], rollout_.order[other]);
        }
    }

    void gather(const uint32_t* rows) {
        for (size_t sample = 0; sample < BATCH_SIZE; sample++) {
            const size_t row = rows[sample];
            for (size_t i = 0; i < OBSERVATION_DIM; i++) {
                pass_.input.row(i)[sample] = rollout_.inputs[row * OBSERVATION_DIM + i];
            }
            for (size_t i = 0; i < ACTION_DIM; i++) {
                collected_.action.row(i)[sample] = rollout_.actions[row * ACTION_DIM + i];
                collected_.mean.row(i)[sample] = rollout_.means[row * ACTION_DIM + i];
            }
            collected_.log_probability[sample] = rollout_.log_probabilities[row];
            collected_.advantage[sample] = rollout_.advantages[row];
            returns_[sample] = rollout_.returns[row];
        }
        if (options_.normalize_advantage) {
            normalize(options_.advantage_epsilon, collected_.advantage);
        }
    }

    void update_critic() {
        nn::training::forward(critic_, pass_.input, pass_.critic);
        squared_error(pass_.critic.last().output, returns_, pass_.critic.last().delta);
        nn::training::backward(critic_, pass_.input, pass_.critic, critic_optimizer_.gradient);
        critic_optimizer_.step(options_.adam, critic_);
    }

    void update_actor() {
        nn::training::forward(actor(), pass_.input, pass_.actor);
        if (options_.adaptive_learning_rate) {
            adapt_learning_rate();
        }
        policy_loss(options_.epsilon_clip, options_.action_entropy_coefficient, collected_, pass_.actor.last().output,
                    log_std_, pass_.actor.last().delta, by_log_std_, loss_scratch_);
        nn::training::backward(actor(), pass_.input, pass_.actor, optimizer_.gradient);
        optimizer_.step(adam_actor_, actor());
        if (options_.learn_action_std) {
            const nn::training::adam::BiasCorrection<T> correction(adam_actor_, optimizer_.updates);
            nn::training::adam::step_array(adam_actor_, correction, ACTION_DIM, log_std_, by_log_std_,
                                           log_std_moments_[0], log_std_moments_[1]);
        }
    }

    // Down where the policy has gone too far from the one that collected, up where it hardly moved.
    void adapt_learning_rate() {
        const T kl =
            divergence(options_.kl_epsilon, collected_.mean, collecting_log_std_, pass_.actor.last().output, log_std_);
        T& rate = adam_actor_.learning_rate;
        if (kl > 2 * options_.kl_threshold) {
            rate = std::fmax(options_.learning_rate_min, rate * options_.learning_rate_decay);
        } else if (kl < options_.kl_threshold / 2) {
            rate = std::fmin(options_.learning_rate_max, rate / options_.learning_rate_decay);
        }
    }

    std::vector<float> normalizer_numbers() {
        std::vector<float> all;
        if constexpr (CONFIG::NORMALIZE_OBSERVATIONS) {
            const auto& layer = nn::get<Standardize>(policy_.model().modules);
            all.insert(all.end(), layer.mean.data(), layer.mean.data() + OBSERVATION_DIM);
            all.insert(all.end(), layer.precision.data(), layer.precision.data() + OBSERVATION_DIM);
        }
        return all;
    }

    // Per row: input, action, log-probability, value, reward, next value, terminated, truncated, advantage.
    // Tests repeat the training from it in NumPy.
    [[nodiscard]] std::vector<float> rollout_numbers() const {
        std::vector<float> all;
        const auto append = [&all](const std::vector<T>& from, size_t row, size_t width) {
            all.insert(all.end(), from.data() + row * width, from.data() + (row + 1) * width);
        };
        for (size_t row = 0; row < rollout_.values.size(); row++) {
            append(rollout_.inputs, row, OBSERVATION_DIM);
            append(rollout_.actions, row, ACTION_DIM);
            append(rollout_.log_probabilities, row, 1);
            append(rollout_.values, row, 1);
            append(rollout_.rewards, row, 1);
            append(rollout_.next_values, row, 1);
            all.push_back(rollout_.terminated[row]);
            all.push_back(rollout_.truncated[row]);
            append(rollout_.advantages, row, 1);
        }
        return all;
    }

    Options options_;
    devices::TrainingHost device_;
    random::Engine random_;
    nn::training::adam::Settings<T> adam_actor_;
    RunningNormalizer<OBSERVATION_DIM> normalizer_;
    RunningNormalizer<1> returns_normalizer_;
    T value_mean_ = 0;
    T value_std_ = 1;
    Rollout rollout_;
    std::vector<T> next_inputs_;  // of `compute_next_values`, one row per environment
    size_t step_ = 0;
    size_t iteration_ = 0;
    bool is_full_ = false;

    // Zero-initialised: the padding of derivatives stays zero from here on.
    HostPolicy<Policy> policy_;
    Critic critic_{};
    T log_std_[ACTION_DIM]{};
    T collecting_log_std_[ACTION_DIM]{};
    Optimizer<Actor> optimizer_;
    Optimizer<Critic> critic_optimizer_;
    T log_std_moments_[2][ACTION_DIM]{};
    T by_log_std_[ACTION_DIM]{};
    Draw draw_{};
    Pass<ENVIRONMENTS> side_by_side_{};
    Pass<BATCH_SIZE> pass_{};
    Collected<T, ACTION_DIM, BATCH_SIZE> collected_{};
    LossScratch<T, BATCH_SIZE> loss_scratch_{};
    T returns_[BATCH_SIZE]{};
};

}  // namespace rl_tools::rl::ppo
