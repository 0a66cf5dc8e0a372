// In the place of a project's src/rlt_embed/policy.h: a policy whose answers are long and known.
#pragma once

#include <cstdint>

#include "rlt_embed/board.h"

template <std::uint32_t SIZE>
struct Same {
    float numbers[SIZE] = {};
    constexpr explicit Same(float number) {
        for (float& each : numbers) {
            each = number;
        }
    }
};

struct Policy {
    static constexpr std::uint32_t observation_dim = 2;
    static constexpr std::uint32_t action_dim = 150;
    static constexpr std::uint32_t layer_count = 1;
    static constexpr std::uint32_t widest_layer = 150;

    static constexpr Same<observation_dim> low{-10.0F}, high{10.0F};
    static constexpr Same<action_dim> lowest{-1000.0F}, highest{1000.0F};
    static constexpr const float* observation_low() { return low.numbers; }
    static constexpr const float* observation_high() { return high.numbers; }
    static constexpr const float* action_low() { return lowest.numbers; }
    static constexpr const float* action_high() { return highest.numbers; }

    // Every seventh is a zero, so that frames have blocks of all lengths.
    static void evaluate(const float* observation, float* action) {
        for (std::uint32_t i = 0; i < action_dim; i++) {
            action[i] = i % 7 == 0 ? 0.0F : observation[0] + static_cast<float>(i) * 1.0001F;
        }
    }
    static void step(const float* observation, float* action) { evaluate(observation, action); }
    static void reset() {}
    static void load() {}
    static std::uint32_t trace(std::uint32_t, const float* observation, float* output) {
        evaluate(observation, output);
        return action_dim;
    }
    static void digest(std::uint8_t out[32]) {
        for (int i = 0; i < 32; i++) {
            out[i] = static_cast<std::uint8_t>(i);
        }
    }
    static std::uint32_t self_test(std::uint32_t& examples) {
        examples = 1;
        return 0;
    }
    static std::uint32_t arithmetic_faults() { return 0; }
    static std::uint8_t float_mode() { return 0; }
};
