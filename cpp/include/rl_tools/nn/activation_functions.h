// The activation functions of a layer; the numbers are part of the checkpoint's digest.
#pragma once

#include <rl_tools/math/functions.h>
#include <rl_tools/math/operations.h>

namespace rl_tools::nn {

enum class ActivationFunction : uint8_t { IDENTITY = 0, RELU = 1, GELU = 2, TANH = 3, FAST_TANH = 4, SIGMOID = 5 };

template <ActivationFunction FUNCTION>
inline float activate(float x) {
    if constexpr (FUNCTION == ActivationFunction::RELU) {
        return arithmetic::scalar(
            x > 0.0F ? x : 0.0F);  // +0 for -0 and for NaN on every core, unlike a maximum instruction
    } else if constexpr (FUNCTION == ActivationFunction::GELU) {
        return math::gelu(x);
    } else if constexpr (FUNCTION == ActivationFunction::TANH) {
        return math::tanh(x);
    } else if constexpr (FUNCTION == ActivationFunction::FAST_TANH) {
        return math::fast_tanh(x);
    } else if constexpr (FUNCTION == ActivationFunction::SIGMOID) {
        return math::sigmoid(x);
    } else {
        static_assert(FUNCTION == ActivationFunction::IDENTITY,
                      "rl_tools: this activation function has no branch here");
        return x;
    }
}

constexpr math::Operations operations_of(ActivationFunction function) {
    switch (function) {
        case ActivationFunction::IDENTITY:
            return math::NO_OPERATIONS;
        case ActivationFunction::RELU:
            return math::COMPARE;
        case ActivationFunction::GELU:
        case ActivationFunction::TANH:
            return math::MULTIPLY_ADD;
        case ActivationFunction::FAST_TANH:
            return math::MULTIPLY_ADD | math::COMPARE | math::DIVIDE;
        case ActivationFunction::SIGMOID:
            return math::ALL_OPERATIONS;
    }
    return math::ALL_OPERATIONS;
}

// A kernel applies the cheap functions to each output as it leaves a register, and the others afterwards to all
// outputs: their code is there once per layer, and tanh does several numbers at a time.
constexpr bool is_cheap(ActivationFunction function) {
    return function == ActivationFunction::IDENTITY || function == ActivationFunction::RELU;
}

constexpr ActivationFunction per_output(ActivationFunction function) {
    return is_cheap(function) ? function : ActivationFunction::IDENTITY;
}

constexpr ActivationFunction per_vector(ActivationFunction function) {
    return is_cheap(function) ? ActivationFunction::IDENTITY : function;
}

template <ActivationFunction FUNCTION, size_t SIZE>
inline void activate_all(float* numbers) {
    if constexpr (FUNCTION == ActivationFunction::TANH) {
        math::tanh_all<SIZE>(numbers);
    } else if constexpr (FUNCTION != ActivationFunction::IDENTITY) {
        for (size_t i = 0; i < SIZE; i++) {
            numbers[i] = activate<FUNCTION>(numbers[i]);
        }
    }
}

}  // namespace rl_tools::nn
