// The three losses of soft actor-critic (Haarnoja et al., arXiv:1812.05905) and their derivatives.
#pragma once

#include <rl_tools/rl/algorithms/sac/squashed_gaussian.h>
#include <rl_tools/rl/components/replay_buffer.h>
#include <rl_tools/rl/nn/mlp.h>

namespace rl_tools::rl::sac {

// reward + gamma * (min(Q1, Q2)(s', a') - alpha * log pi(a'|s')): a truncated step bootstraps like any other,
// a terminated one does not.
template <typename T, size_t SAMPLES>
inline void critic_target(T gamma, bool ignore_termination, T alpha, const T* reward, const bool* terminated,
                          const T* next_value_1, const T* next_value_2, const T* next_log_probability,
                          T (&target)[SAMPLES]) {
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        const T value = next_value_1[sample] < next_value_2[sample] ? next_value_1[sample] : next_value_2[sample];
        const bool ends = terminated[sample] && !ignore_termination;
        target[sample] = reward[sample] + (ends ? T(0) : gamma * (value - alpha * next_log_probability[sample]));
    }
}

// Derivatives by Q1 and Q2 of: mean over samples of -min(Q1, Q2). Leaves the padding at zero. Returns the loss.
template <typename T, size_t SAMPLES>
inline T actor_value_loss(const nn::training::Batch<T, 1, SAMPLES>& value_1,
                          const nn::training::Batch<T, 1, SAMPLES>& value_2,
                          nn::training::Batch<T, 1, SAMPLES>& by_value_1,
                          nn::training::Batch<T, 1, SAMPLES>& by_value_2) {
    constexpr T WEIGHT = T(1) / static_cast<T>(SAMPLES);
    T loss = 0;
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        const bool first = value_1.row(0)[sample] < value_2.row(0)[sample];
        by_value_1.row(0)[sample] = first ? -WEIGHT : T(0);
        by_value_2.row(0)[sample] = first ? T(0) : -WEIGHT;
        loss -= WEIGHT * (first ? value_1.row(0)[sample] : value_2.row(0)[sample]);
    }
    return loss;
}

// The whole of: mean over samples of (alpha * log_probability - min(Q1, Q2)(s, a)), a sampled from the actor.
// Leaves the derivative in `gradient`; the critics' parameters are not touched. Returns the loss.
template <typename T, typename ACTOR, typename CRITIC, size_t OBSERVATION_DIM, size_t ACTION_DIM, size_t SAMPLES>
struct ActorPass {
    using CriticTapes = nn::training::Tape<CRITIC, SAMPLES>[2];

    nn::training::Tape<ACTOR, SAMPLES> actor;
    SampledActions<T, ACTION_DIM, SAMPLES> sampled;
    nn::training::Batch<T, OBSERVATION_DIM + ACTION_DIM, SAMPLES> critic_input;
    nn::training::Batch<T, ACTION_DIM, SAMPLES> by_action[2];

    // Overwrites the critics' tapes: whose they are, they are in the cache.
    T loss_and_gradient(const HeadSettings<T>& settings, T alpha, const ACTOR& network, const CRITIC (&critics)[2],
                        CriticTapes& critic, const nn::training::Batch<T, OBSERVATION_DIM, SAMPLES>& observation,
                        ACTOR& gradient) {
        T loss = forward(settings, alpha, network, critics, critic, observation);
        loss += actor_value_loss(critic[0].last().output, critic[1].last().output, critic[0].last().delta,
                                 critic[1].last().delta);
        for (size_t i = 0; i < 2; i++) {
            nn::training::backward_to_input<OBSERVATION_DIM>(critics[i], critic[i], by_action[i]);
        }
        for (size_t i = 0; i < ACTION_DIM * by_action[0].STRIDE; i++) {
            by_action[0].numbers[i] += by_action[1].numbers[i];
        }
        backward_through_sampling(settings, alpha, actor.last().output, sampled, by_action[0], actor.last().delta);
        nn::training::backward(network, observation, actor, gradient);
        return loss;
    }

private:
    T forward(const HeadSettings<T>& settings, T alpha, const ACTOR& network, const CRITIC (&critics)[2],
              CriticTapes& critic, const nn::training::Batch<T, OBSERVATION_DIM, SAMPLES>& observation) {
        nn::training::forward(network, observation, actor);
        sample_actions(settings, actor.last().output, sampled);
        nn::training::copy_rows(observation, critic_input, 0, OBSERVATION_DIM);
        nn::training::copy_rows(sampled.action, critic_input, OBSERVATION_DIM, ACTION_DIM);
        for (size_t i = 0; i < 2; i++) {
            nn::training::forward(critics[i], critic_input, critic[i]);
        }
        T entropy_loss = 0;
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            entropy_loss += alpha * sampled.log_probability.row(0)[sample] / static_cast<T>(SAMPLES);
        }
        return entropy_loss;
    }
};

// Derivative by log(alpha) of: mean over samples of -alpha * (log_probability + target_entropy).
template <typename T, size_t SAMPLES>
inline T alpha_gradient(T alpha, T target_entropy, const nn::training::Batch<T, 1, SAMPLES>& log_probability) {
    T sum = 0;
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        sum += log_probability.row(0)[sample] + target_entropy;
    }
    return -alpha * sum / static_cast<T>(SAMPLES);
}

}  // namespace rl_tools::rl::sac
