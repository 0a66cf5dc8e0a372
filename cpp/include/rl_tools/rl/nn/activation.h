// Activation functions and their derivatives on vectors.
// Training may round differently from the inference functions (rl_tools/math/functions.h); both are the same functions.
#pragma once

#include <rl_tools/nn/activation_functions.h>
#include <rl_tools/rl/nn/vector.h>

#include <cmath>
#include <type_traits>

namespace rl_tools::nn::training {

// RELU, TANH and SIGMOID have a derivative that follows from their output; the others need their input kept.
template <ActivationFunction FUNCTION>
constexpr bool NEEDS_INPUT = FUNCTION == ActivationFunction::GELU || FUNCTION == ActivationFunction::FAST_TANH;

// Float: the polynomial of rl_tools::math::exp, on vectors. Double (the tests' precision): the C library's.
template <typename T>
inline Vector<T> exp(Vector<T> x) {
    Vector<T> result;
    if constexpr (std::is_same_v<T, float>) {
        using Integer = typename VectorOf<float>::integer;
        x = select<T>(x < -87.0F, broadcast(-87.0F), x);
        x = select<T>(x > 88.0F, broadcast(88.0F), x);
        const Vector<T> shifted = x * 0x1.715476p+0F + 12582912.0F;
        const Vector<T> n = shifted - 12582912.0F;
        const Vector<T> r = (x - n * 0x1.62e4p-1F) - n * 0x1.7f7d1cp-20F;
        Vector<T> p = r * 0x1.6a3d7ap-10F + 0x1.1239ep-7F;
        p = p * r + 0x1.5558cp-5F;
        p = p * r + 0x1.555492p-3F;
        p = p * r + 0x1.fffffcp-2F;
        const Vector<T> y = (p * (r * r) + r) + 1.0F;
        Integer shifted_bits;
        memcpy(&shifted_bits, &shifted, sizeof shifted);
        const Integer scale_bits = (shifted_bits - 0x4B400000 + 127) << 23;
        Vector<T> scale;
        memcpy(&scale, &scale_bits, sizeof scale);
        result = y * scale;
    } else {
        for (size_t lane = 0; lane < LANES<T>; lane++) {
            result[lane] = std::exp(x[lane]);
        }
    }
    return result;
}

// Float: the polynomial of rl_tools::math::log, of normal positive numbers only. Double: the C library's.
template <typename T>
inline Vector<T> log(Vector<T> x) {
    Vector<T> result;
    if constexpr (std::is_same_v<T, float>) {
        using Integer = typename VectorOf<float>::integer;
        Integer bits;
        memcpy(&bits, &x, sizeof x);
        bits += 0x3F800000 - 0x3F3504F3;  // the exponent's field now turns over at sqrt(1/2) instead of 1
        const Vector<T> exponent = converted<T>((bits >> 23) - 127);
        const Integer mantissa_bits = (bits & 0x007FFFFF) + 0x3F3504F3;
        Vector<T> mantissa;
        memcpy(&mantissa, &mantissa_bits, sizeof mantissa);
        const Vector<T> f = mantissa - 1.0F;
        Vector<T> p = f * 0x1.13ee0cp-4F - 0x1.dd5f0ap-4F;
        p = p * f + 0x1.e6afb6p-4F;
        p = p * f - 0x1.fc452cp-4F;
        p = p * f + 0x1.233db8p-3F;
        p = p * f - 0x1.555b7p-3F;
        p = p * f + 0x1.99a464p-3F;
        p = p * f - 0x1.000008p-2F;
        p = p * f + 0x1.555548p-2F;
        const Vector<T> square = f * f;
        const Vector<T> rest = f * square * p + exponent * 0x1.7f7d1cp-20F - 0.5F * square;
        result = f + rest + exponent * 0x1.62e4p-1F;
    } else {
        for (size_t lane = 0; lane < LANES<T>; lane++) {
            result[lane] = std::log(x[lane]);
        }
    }
    return result;
}

template <typename T>
inline Vector<T> sigmoid(Vector<T> x) {
    return T(1) / (T(1) + exp<T>(-x));
}

template <typename T>
inline Vector<T> tanh(Vector<T> x) {
    return T(1) - T(2) / (exp<T>(T(2) * x) + T(1));
}

template <ActivationFunction FUNCTION, typename T>
inline Vector<T> activated(Vector<T> x) {
    if constexpr (FUNCTION == ActivationFunction::RELU) {
        return select<T>(x > T(0), x, Vector<T>{});
    } else if constexpr (FUNCTION == ActivationFunction::TANH) {
        return tanh<T>(x);
    } else if constexpr (FUNCTION == ActivationFunction::SIGMOID) {
        return sigmoid<T>(x);
    } else if constexpr (FUNCTION == ActivationFunction::FAST_TANH) {
        const Vector<T> upper = select<T>(x > T(3), broadcast(T(3)), x);
        const Vector<T> clamped = select<T>(upper < T(-3), broadcast(T(-3)), upper);
        const Vector<T> square = clamped * clamped;
        return clamped * (T(27) + square) / (T(27) + T(9) * square);
    } else if constexpr (FUNCTION == ActivationFunction::GELU) {
        return T(0.5) * x * (T(1) + tanh<T>(T(0.7978845608028654) * (x + T(0.044715) * x * x * x)));
    } else {
        return x;
    }
}

// d activated(input) / d input. `input` is only read where NEEDS_INPUT, `output` only where not.
template <ActivationFunction FUNCTION, typename T>
inline Vector<T> derivative(Vector<T> input, Vector<T> output) {
    if constexpr (FUNCTION == ActivationFunction::RELU) {
        return select<T>(output > T(0), broadcast(T(1)), Vector<T>{});
    } else if constexpr (FUNCTION == ActivationFunction::TANH) {
        return T(1) - output * output;
    } else if constexpr (FUNCTION == ActivationFunction::SIGMOID) {
        return output * (T(1) - output);
    } else if constexpr (FUNCTION == ActivationFunction::FAST_TANH) {
        // (x^3 + 27x) / (9x^2 + 27): the derivative is ((x^2 - 9) / (3 (x^2 + 3)))^2.
        const Vector<T> square = input * input;
        const Vector<T> root = (square - T(9)) / (T(3) * (square + T(3)));
        return select<T>(square < T(9), root * root, Vector<T>{});
    } else if constexpr (FUNCTION == ActivationFunction::GELU) {
        const Vector<T> square = input * input;
        const Vector<T> t = tanh<T>(T(0.7978845608028654) * (input + T(0.044715) * square * input));
        const Vector<T> inner = T(0.7978845608028654) * (T(1) + T(3 * 0.044715) * square);
        return T(0.5) * (T(1) + t) + T(0.5) * input * (T(1) - t * t) * inner;
    } else {
        return broadcast(T(1));
    }
}

}  // namespace rl_tools::nn::training
