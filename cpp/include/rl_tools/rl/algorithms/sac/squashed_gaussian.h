// The actor's head while training: u = mean + std * noise, action = tanh(u), and the action's log-probability
// (Haarnoja et al., arXiv:1812.05905, appendix C), with exact derivatives.
#pragma once

#include <rl_tools/nn/training/batch.h>

#include <cmath>

namespace rl_tools::rl::sac {

template <typename T>
struct HeadSettings {
    T log_std_lower_bound;
    T log_std_upper_bound;
    T log_probability_epsilon;  // keeps log(1 - action^2) finite where the action saturates
};

template <typename T, size_t ACTION_DIM, size_t SAMPLES>
struct SampledActions {
    nn::training::Batch<T, ACTION_DIM, SAMPLES> noise;  // drawn by the caller
    nn::training::Batch<T, ACTION_DIM, SAMPLES> std;
    nn::training::Batch<T, ACTION_DIM, SAMPLES> action;
    T log_probability[SAMPLES];
};

// head: rows of means, then rows of log-stds.
template <typename T, size_t ACTION_DIM, size_t SAMPLES>
inline void sample_actions(const HeadSettings<T>& settings, const nn::training::Batch<T, 2 * ACTION_DIM, SAMPLES>& head,
                           SampledActions<T, ACTION_DIM, SAMPLES>& sampled) {
    constexpr T HALF_LOG_TWO_PI = T(0.91893853320467274178);
    for (T& log_probability : sampled.log_probability) {
        log_probability = 0;
    }
    for (size_t row = 0; row < ACTION_DIM; row++) {
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            const T free_log_std = head.row(ACTION_DIM + row)[sample];
            const T above = free_log_std < settings.log_std_lower_bound ? settings.log_std_lower_bound : free_log_std;
            const T log_std = above > settings.log_std_upper_bound ? settings.log_std_upper_bound : above;
            const T noise = sampled.noise.row(row)[sample];
            const T std = std::exp(log_std);
            const T action = std::tanh(head.row(row)[sample] + std * noise);
            sampled.std.row(row)[sample] = std;
            sampled.action.row(row)[sample] = action;
            sampled.log_probability[sample] += T(-0.5) * noise * noise - log_std - HALF_LOG_TWO_PI -
                                               std::log(1 - action * action + settings.log_probability_epsilon);
        }
    }
}

// The derivative by the head of
//     mean over samples of (alpha * log_probability) + sum over samples of (what `by_action` is the derivative of).
template <typename T, size_t ACTION_DIM, size_t SAMPLES>
inline void backward_through_sampling(const HeadSettings<T>& settings, T alpha,
                                      const nn::training::Batch<T, 2 * ACTION_DIM, SAMPLES>& head,
                                      const SampledActions<T, ACTION_DIM, SAMPLES>& sampled,
                                      const nn::training::Batch<T, ACTION_DIM, SAMPLES>& by_action,
                                      nn::training::Batch<T, 2 * ACTION_DIM, SAMPLES>& by_head) {
    const T weight = alpha / static_cast<T>(SAMPLES);
    for (size_t row = 0; row < ACTION_DIM; row++) {
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            const T free_log_std = head.row(ACTION_DIM + row)[sample];
            const bool bounded =
                free_log_std < settings.log_std_lower_bound || free_log_std > settings.log_std_upper_bound;
            const T action = sampled.action.row(row)[sample];
            const T slope = 1 - action * action;
            const T by_u =
                slope * (by_action.row(row)[sample] + weight * 2 * action / (slope + settings.log_probability_epsilon));
            by_head.row(row)[sample] = by_u;
            by_head.row(ACTION_DIM + row)[sample] =
                bounded ? T(0) : by_u * sampled.noise.row(row)[sample] * sampled.std.row(row)[sample] - weight;
        }
    }
}

}  // namespace rl_tools::rl::sac
