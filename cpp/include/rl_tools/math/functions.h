// tanh, exp, sigmoid and the two activations built on them, in plain float32: the same bits on every core and compiler.
// C libraries differ (glibc, newlib and picolibc each give other bits), so none is used here.
// Errors against the exact value, all float32 arguments: tanh and exp below 2 ULP (tests/policy/test_functions.py).
#pragma once

#include <rl_tools/arithmetic.h>
#include <rl_tools/math/tanh_table.h>

#include <cstring>

namespace rl_tools::math {

inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

constexpr uint32_t SIGN_BIT = 0x80000000U;
constexpr uint32_t INFINITY_BITS = 0x7F800000U;

// c + a * b with both roundings, in every mode: an elementary function has one definition.
inline float horner(float c, float a, float b) { return arithmetic::multiply_add(arithmetic::Separate{}, c, a, b); }

// An integer test: it holds under every floating-point flag.
inline bool is_finite(float x) { return (bits_of(x) & INFINITY_BITS) != INFINITY_BITS; }

// One table row for the nearest eighth and a polynomial in what is left: no division.
inline float tanh(float x) {
    constexpr uint32_t SATURATED = 0x41120000U;     // 9.125, the last row: tanh rounds to 1 from here on
    constexpr float ROUND_TO_EIGHTHS = 1048576.0F;  // 2^20: adding it leaves multiples of 1/8
    constexpr uint32_t ROUND_TO_EIGHTHS_BITS = 0x49800000U;
    const uint32_t bits = bits_of(x);
    uint32_t magnitude = bits & ~SIGN_BIT;
    if (magnitude > INFINITY_BITS) {
        return x;  // NaN
    }
    magnitude = magnitude < SATURATED ? magnitude : SATURATED;
    const float a = float_of(magnitude);
    const float shifted = a + ROUND_TO_EIGHTHS;
    const float t = a - (shifted - ROUND_TO_EIGHTHS);  // exact, |t| <= 1/16
    const float* c = TANH_TABLE[bits_of(shifted) - ROUND_TO_EIGHTHS_BITS];
    const float y = horner(c[0], horner(c[1], horner(c[2], horner(c[3], c[4], t), t), t), t);
    return float_of(bits_of(y) | (bits & SIGN_BIT));
}

// exp(n*ln2 + r) = 2^n * (1 + r + r^2 * p(r)), |r| <= ln2/2, ln2 split in two so that n*LN2_HIGH is exact.
inline float exp(float x) {
    constexpr float OVERFLOW_ABOVE = 0x1.62e42ep+6F;  // largest x whose exp is finite
    constexpr float ZERO_BELOW = -0x1.9fe36ap+6F;     // exp rounds to 0 below
    constexpr float ROUND_TO_INTEGER = 12582912.0F;   // 1.5 * 2^23
    constexpr float LOG2_E = 0x1.715476p+0F;
    constexpr float LN2_HIGH = 0x1.62e4p-1F;
    constexpr float LN2_LOW = 0x1.7f7d1cp-20F;
    if (!(x <= OVERFLOW_ABOVE)) {
        return x + float_of(INFINITY_BITS);  // infinity, or the NaN that came in
    }
    if (x < ZERO_BELOW) {
        return 0.0F;
    }
    const float shifted = horner(ROUND_TO_INTEGER, x, LOG2_E);
    const float n = shifted - ROUND_TO_INTEGER;
    const float r = horner(horner(x, -n, LN2_HIGH), -n, LN2_LOW);
    float p = horner(0x1.1239ep-7F, 0x1.6a3d7ap-10F, r);
    p = horner(0x1.5558cp-5F, p, r);
    p = horner(0x1.555492p-3F, p, r);
    p = horner(0x1.fffffcp-2F, p, r);
    const float y = 1.0F + horner(r, p, arithmetic::rounded(r * r));
    // Two factors, because 2^n itself leaves the range at both ends.
    const int32_t exponent = static_cast<int32_t>(n);
    const int32_t half = exponent / 2;
    const float first = float_of(static_cast<uint32_t>(half + 127) << 23);
    const float second = float_of(static_cast<uint32_t>(exponent - half + 127) << 23);
    return arithmetic::rounded(arithmetic::rounded(y * first) * second);
}

inline float sigmoid(float x) { return 1.0F / (1.0F + exp(-x)); }

// RLtools' rational tanh, kept because checkpoints name it: at most 0.024 from tanh.
inline float fast_tanh(float x) {
    const float clamped = x < -3.0F ? -3.0F : (x > 3.0F ? 3.0F : x);
    const float square = arithmetic::rounded(clamped * clamped);
    return arithmetic::rounded(clamped * (27.0F + square)) / horner(27.0F, 9.0F, square);
}

// The tanh form (Hendrycks and Gimpel, arXiv:1606.08415).
inline float gelu(float x) {
    const float cube = arithmetic::rounded(arithmetic::rounded(x * x) * x);
    const float inner = arithmetic::rounded(0.797884561F * horner(x, 0.044715F, cube));
    return arithmetic::rounded(arithmetic::rounded(0.5F * x) * (1.0F + tanh(inner)));
}

}  // namespace rl_tools::math
