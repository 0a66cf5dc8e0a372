// From the policy's actions to the numbers that the environment itself takes, where training put a scaling between them
// (gymnasium's RescaleAction). A checkpoint without actuator bounds has no scaling: its actions go on as they are.
// The two ends are exact; between them three float32 roundings, the same on every core.
#pragma once

#include <rl_tools/math/clamp.h>

#include <type_traits>

namespace rl_tools::embed {

// The environment's own bounds: behind the scaling, and the action's where there is none.
template <typename CHECKPOINT, typename = void>
struct ActuatorBounds {
    static constexpr bool is_scaled = false;
    static constexpr const float* low() { return CHECKPOINT::action_low(); }
    static constexpr const float* high() { return CHECKPOINT::action_high(); }
};

template <typename CHECKPOINT>
struct ActuatorBounds<CHECKPOINT, std::void_t<decltype(CHECKPOINT::actuator_low())>> {
    static constexpr bool is_scaled = true;
    static constexpr const float* low() { return CHECKPOINT::actuator_low(); }
    static constexpr const float* high() { return CHECKPOINT::actuator_high(); }
};

namespace actuators_detail {

// Constants in flash. Double only at compile time: a target sees none.
template <typename CHECKPOINT, size_t ACTION_DIM>
struct Scaling {
    float action_middle[ACTION_DIM];
    float middle[ACTION_DIM];
    float gain[ACTION_DIM];

    constexpr Scaling() : action_middle(), middle(), gain() {
        for (size_t i = 0; i < ACTION_DIM; ++i) {
            const double action_low = static_cast<double>(CHECKPOINT::action_low()[i]);
            const double action_high = static_cast<double>(CHECKPOINT::action_high()[i]);
            const double low = static_cast<double>(CHECKPOINT::actuator_low()[i]);
            const double high = static_cast<double>(CHECKPOINT::actuator_high()[i]);
            action_middle[i] = static_cast<float>(0.5 * (action_low + action_high));
            middle[i] = static_cast<float>(0.5 * (low + high));
            gain[i] = static_cast<float>((high - low) / (action_high - action_low));
        }
    }
};

template <typename CHECKPOINT, size_t ACTION_DIM>
inline constexpr Scaling<CHECKPOINT, ACTION_DIM> scaling{};

}  // namespace actuators_detail

// action, actuators: ACTION_DIM numbers each; they may be the same array. An action beyond its bounds gives the end.
template <typename CHECKPOINT, size_t ACTION_DIM>
inline void to_actuators(const float* action, float* actuators) {
    for (size_t i = 0; i < ACTION_DIM; ++i) {
        const float x = action[i];
        if constexpr (ActuatorBounds<CHECKPOINT>::is_scaled) {
            constexpr auto& scaling = actuators_detail::scaling<CHECKPOINT, ACTION_DIM>;
            const float low = CHECKPOINT::actuator_low()[i];
            const float high = CHECKPOINT::actuator_high()[i];
            const float from_middle = arithmetic::scalar(x - scaling.action_middle[i]);
            const float between =
                arithmetic::multiply_add(arithmetic::Separate{}, scaling.middle[i], scaling.gain[i], from_middle);
            const bool is_low = x <= CHECKPOINT::action_low()[i];
            const bool is_high = x >= CHECKPOINT::action_high()[i];
            actuators[i] = is_low ? low : (is_high ? high : math::clamp(between, low, high));
        } else {
            actuators[i] = x;
        }
    }
}

}  // namespace rl_tools::embed
