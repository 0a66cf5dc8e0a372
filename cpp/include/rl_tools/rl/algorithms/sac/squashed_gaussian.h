// The actor's head while training: u = mean + std * noise, action = tanh(u), and the action's log-probability
// (Haarnoja et al., arXiv:1812.05905, appendix C), with exact derivatives.
#pragma once

#include <rl_tools/rl/nn/activation.h>
#include <rl_tools/rl/nn/batch.h>

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
    nn::training::Batch<T, 1, SAMPLES> log_probability;
};

// head: rows of means, then rows of log-stds.
template <typename T, size_t ACTION_DIM, size_t SAMPLES>
inline void sample_actions(const HeadSettings<T>& settings, const nn::training::Batch<T, 2 * ACTION_DIM, SAMPLES>& head,
                           SampledActions<T, ACTION_DIM, SAMPLES>& sampled) {
    using nn::training::broadcast;
    using nn::training::load;
    using nn::training::select;
    using nn::training::store;
    using Vector = nn::training::Vector<T>;
    constexpr T HALF_LOG_TWO_PI = T(0.91893853320467274178);
    for (size_t col = 0; col < head.STRIDE; col += nn::training::LANES<T>) {
        Vector log_probability{};
        for (size_t row = 0; row < ACTION_DIM; row++) {
            const Vector free_log_std = load(head.row(ACTION_DIM + row) + col);
            const Vector above = select<T>(free_log_std < settings.log_std_lower_bound,
                                           broadcast(settings.log_std_lower_bound), free_log_std);
            const Vector log_std =
                select<T>(above > settings.log_std_upper_bound, broadcast(settings.log_std_upper_bound), above);
            const Vector noise = load(sampled.noise.row(row) + col);
            const Vector std = nn::training::exp<T>(log_std);
            const Vector action = nn::training::tanh<T>(load(head.row(row) + col) + std * noise);
            store(sampled.std.row(row) + col, std);
            store(sampled.action.row(row) + col, action);
            log_probability += T(-0.5) * noise * noise - log_std - HALF_LOG_TWO_PI -
                               nn::training::log<T>(1 - action * action + settings.log_probability_epsilon);
        }
        store(sampled.log_probability.row(0) + col, log_probability);
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
