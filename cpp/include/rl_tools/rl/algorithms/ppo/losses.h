// The policy's side of PPO (Schulman et al., arXiv:1707.06347): a normal distribution with a mean from the network and
// a log-std of its own per action, the clipped objective, and the divergence from the policy that collected.
#pragma once

#include <rl_tools/rl/nn/batch.h>

#include <cmath>

namespace rl_tools::rl::ppo {

// log pi(action | state), summed over the action's numbers.
template <typename T, size_t ACTION_DIM, size_t SAMPLES>
inline void log_probabilities(const nn::training::Batch<T, ACTION_DIM, SAMPLES>& mean, const T (&log_std)[ACTION_DIM],
                              const nn::training::Batch<T, ACTION_DIM, SAMPLES>& action,
                              T (&log_probability)[SAMPLES]) {
    constexpr T HALF_LOG_TWO_PI = T(0.91893853320467274178);
    for (T& number : log_probability) {
        number = 0;
    }
    for (size_t row = 0; row < ACTION_DIM; row++) {
        const T precision = std::exp(-log_std[row]);
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            const T deviation = (action.row(row)[sample] - mean.row(row)[sample]) * precision;
            log_probability[sample] -= T(0.5) * deviation * deviation + log_std[row] + HALF_LOG_TWO_PI;
        }
    }
}

// To mean 0 and standard deviation 1 over the samples.
template <typename T, size_t SAMPLES>
inline void normalize(T epsilon, T (&advantage)[SAMPLES]) {
    T mean = 0;
    for (const T number : advantage) {
        mean += number / static_cast<T>(SAMPLES);
    }
    T variance = 0;
    for (const T number : advantage) {
        variance += (number - mean) * (number - mean) / static_cast<T>(SAMPLES);
    }
    const T scale = 1 / (std::sqrt(variance) + epsilon);
    for (T& number : advantage) {
        number = (number - mean) * scale;
    }
}

// Divergence KL(old || new), the mean over the samples. `epsilon` stands in the logarithm, as RLtools has it.
template <typename T, size_t ACTION_DIM, size_t SAMPLES>
inline T divergence(T epsilon, const nn::training::Batch<T, ACTION_DIM, SAMPLES>& old_mean,
                    const T (&old_log_std)[ACTION_DIM], const nn::training::Batch<T, ACTION_DIM, SAMPLES>& mean,
                    const T (&log_std)[ACTION_DIM]) {
    T sum = 0;
    for (size_t row = 0; row < ACTION_DIM; row++) {
        const T ratio = std::exp(log_std[row] - old_log_std[row]);
        const T old_variance = std::exp(2 * old_log_std[row]);
        const T half_precision = T(0.5) * std::exp(-2 * log_std[row]);
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            const T shift = mean.row(row)[sample] - old_mean.row(row)[sample];
            sum += std::log(ratio + epsilon) + (old_variance + shift * shift) * half_precision - T(0.5);
        }
    }
    return sum / static_cast<T>(SAMPLES);
}

template <typename T, size_t ACTION_DIM, size_t SAMPLES>
struct Collected {
    nn::training::Batch<T, ACTION_DIM, SAMPLES> action;
    nn::training::Batch<T, ACTION_DIM, SAMPLES> mean;
    T log_probability[SAMPLES];
    T advantage[SAMPLES];
};

// What the loss computes on its way.
template <typename T, size_t SAMPLES>
struct LossScratch {
    T log_probability[SAMPLES];
    T by_log_probability[SAMPLES];
};

// Mean over samples of -min(ratio * advantage, clip(ratio, 1 - epsilon, 1 + epsilon) * advantage), minus the entropy's
// share. Leaves the derivatives by mean and log-std; the mean's padding stays zero. Returns the loss.
template <typename T, size_t ACTION_DIM, size_t SAMPLES>
inline T policy_loss(T epsilon_clip, T entropy_coefficient, const Collected<T, ACTION_DIM, SAMPLES>& collected,
                     const nn::training::Batch<T, ACTION_DIM, SAMPLES>& mean, const T (&log_std)[ACTION_DIM],
                     nn::training::Batch<T, ACTION_DIM, SAMPLES>& by_mean, T (&by_log_std)[ACTION_DIM],
                     LossScratch<T, SAMPLES>& scratch) {
    constexpr T WEIGHT = T(1) / static_cast<T>(SAMPLES);
    constexpr T HALF_LOG_TWO_PI_E = T(1.41893853320467274178);
    T(&log_probability)[SAMPLES] = scratch.log_probability;
    T(&by_log_probability)[SAMPLES] = scratch.by_log_probability;
    log_probabilities(mean, log_std, collected.action, log_probability);
    T loss = 0;
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        const T ratio = std::exp(log_probability[sample] - collected.log_probability[sample]);
        const T advantage = collected.advantage[sample];
        const T above = ratio < 1 - epsilon_clip ? 1 - epsilon_clip : ratio;
        const T clipped = above > 1 + epsilon_clip ? 1 + epsilon_clip : above;
        const bool is_clipped = clipped * advantage < ratio * advantage;
        loss -= WEIGHT * advantage * (is_clipped ? clipped : ratio);
        by_log_probability[sample] = is_clipped ? T(0) : -WEIGHT * advantage * ratio;
    }
    for (size_t row = 0; row < ACTION_DIM; row++) {
        const T precision = std::exp(-log_std[row]);
        T sum = -entropy_coefficient;
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            const T deviation = (collected.action.row(row)[sample] - mean.row(row)[sample]) * precision;
            by_mean.row(row)[sample] = by_log_probability[sample] * deviation * precision;
            sum += by_log_probability[sample] * (deviation * deviation - 1);
        }
        by_log_std[row] = sum;
        loss -= entropy_coefficient * (log_std[row] + HALF_LOG_TWO_PI_E);
    }
    return loss;
}

}  // namespace rl_tools::rl::ppo
