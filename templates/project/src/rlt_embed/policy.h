// The policy of include/checkpoint.h as this board computes it. Compiled once, in policy.cpp: include this anywhere.
#pragma once

#include <rl_tools/embed/policy.h>

#include "../../include/checkpoint.h"
#include "rlt_embed/device.h"

struct Policy {
    using Rounding = std::conditional_t<board::fused, rl_tools::arithmetic::Fused, rl_tools::arithmetic::Separate>;
    using Device = board::Device<Rounding>;
    using Checkpoint = policy::Checkpoint;
    using Model = decltype(in_layout(Device::LAYOUT{}, Checkpoint::module()));

    static constexpr std::uint32_t observation_dim = Model::INPUT_DIM;
    static constexpr std::uint32_t action_dim = Model::OUTPUT_DIM;
    static constexpr std::uint32_t layer_count = rl_tools::nn::Primitives<Model>::COUNT;
    static constexpr std::uint32_t widest_layer = rl_tools::nn::Primitives<Model>::WIDEST;

    // observation: observation_dim numbers; action: action_dim numbers, within action_low() and action_high().
    static void evaluate(const float* observation, float* action);

    // A recurrent policy: reset() at the beginning of an episode, step() for every observation.
    // These two share no variable with the others: the link may go on in another task.
    static void reset();
    static void step(const float* observation, float* action);

    // The bounds that the environment gave; the largest float where it gave none.
    static constexpr const float* observation_low() { return Checkpoint::observation_low(); }
    static constexpr const float* observation_high() { return Checkpoint::observation_high(); }
    static constexpr const float* action_low() { return Checkpoint::action_low(); }
    static constexpr const float* action_high() { return Checkpoint::action_high(); }

    // An action in the environment's own units. Another number only where training scaled between the two.
    static void to_actuators(const float* action, float* actuators);
    static constexpr const float* actuator_low() { return rl_tools::embed::ActuatorBounds<Checkpoint>::low(); }
    static constexpr const float* actuator_high() { return rl_tools::embed::ActuatorBounds<Checkpoint>::high(); }

    // What the link asks for; see rl_tools/embed/policy.h.
    static void load();
    static std::uint32_t trace(std::uint32_t layer, const float* observation, float* output);
    static void digest(std::uint8_t out[32], void (*pause)());
    static std::uint32_t self_test(std::uint32_t& examples);
    static std::uint32_t arithmetic_faults();
    static std::uint8_t float_mode();
};
