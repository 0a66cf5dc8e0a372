// The target and the losses of TD3 (Fujimoto et al., arXiv:1802.09477), and the actor's derivative.
#pragma once

#include <rl_tools/rl/nn/mlp.h>

namespace rl_tools::rl::td3 {

template <typename T>
inline T clamped(T x, T low, T high) {
    const T above = x < low ? low : x;
    return above > high ? high : above;
}

// Target policy smoothing: the target actor's action with clipped noise, within [-1, 1]. `noise` is standard normal.
template <typename T, size_t ACTION_DIM, size_t SAMPLES>
inline void smooth_actions(T std, T clip, const nn::training::Batch<T, ACTION_DIM, SAMPLES>& noise,
                           const nn::training::Batch<T, ACTION_DIM, SAMPLES>& action,
                           nn::training::Batch<T, ACTION_DIM, SAMPLES>& smoothed) {
    for (size_t row = 0; row < ACTION_DIM; row++) {
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            const T shift = clamped(std * noise.row(row)[sample], -clip, clip);
            smoothed.row(row)[sample] = clamped(action.row(row)[sample] + shift, T(-1), T(1));
        }
    }
}

// reward + gamma * min(Q1, Q2)(s', a'): a truncated step bootstraps like any other, a terminated one does not.
template <typename T, size_t SAMPLES>
inline void critic_target(T gamma, bool ignore_termination, const T* reward, const bool* terminated,
                          const T* next_value_1, const T* next_value_2, T (&target)[SAMPLES]) {
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        const T value = next_value_1[sample] < next_value_2[sample] ? next_value_1[sample] : next_value_2[sample];
        const bool ends = terminated[sample] && !ignore_termination;
        target[sample] = reward[sample] + (ends ? T(0) : gamma * value);
    }
}

// The whole of: mean over samples of -Q1(s, actor(s)).
// Leaves the derivative in `gradient`; the critic's parameters are not touched. Returns the loss.
template <typename T, typename ACTOR, typename CRITIC, size_t OBSERVATION_DIM, size_t ACTION_DIM, size_t SAMPLES>
struct ActorPass {
    nn::training::Tape<ACTOR, SAMPLES> actor;
    nn::training::Batch<T, OBSERVATION_DIM + ACTION_DIM, SAMPLES> critic_input;

    // Overwrites the critic's tape: whose it is, it is in the cache.
    T loss_and_gradient(const ACTOR& network, const CRITIC& critic_network, nn::training::Tape<CRITIC, SAMPLES>& critic,
                        const nn::training::Batch<T, OBSERVATION_DIM, SAMPLES>& observation, ACTOR& gradient) {
        constexpr T WEIGHT = T(1) / static_cast<T>(SAMPLES);
        nn::training::forward(network, observation, actor);
        nn::training::copy_rows(observation, critic_input, 0, OBSERVATION_DIM);
        nn::training::copy_rows(actor.last().output, critic_input, OBSERVATION_DIM, ACTION_DIM);
        nn::training::forward(critic_network, critic_input, critic);
        T loss = 0;
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            loss -= WEIGHT * critic.last().output.row(0)[sample];
            critic.last().delta.row(0)[sample] = -WEIGHT;
        }
        nn::training::backward_to_input<OBSERVATION_DIM>(critic_network, critic, actor.last().delta);
        nn::training::backward(network, observation, actor, gradient);
        return loss;
    }
};

}  // namespace rl_tools::rl::td3
