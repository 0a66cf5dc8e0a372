// tanh, exp, log, sigmoid and the activations built on them, in plain float32: the same bits on every core and
// compiler. C libraries differ (glibc, newlib and picolibc each give other bits), so none is used here. Errors over all
// 2^32 arguments: docs/functions.md, measured by tests/cpp/function_errors.cpp.
#pragma once

#include <rl_tools/math/arithmetic.h>
#include <rl_tools/math/bits.h>
#include <rl_tools/math/tanh_table.h>

#include <utility>

namespace rl_tools::math {

// c + a * b with both roundings, in every mode: an elementary function has one definition.
inline float horner(float c, float a, float b) { return arithmetic::multiply_add(arithmetic::Separate{}, c, a, b); }

// An integer test: it holds under every floating-point flag.
inline bool is_finite(float x) { return (bits_of(x) & INFINITY_BITS) != INFINITY_BITS; }

// The smaller of two numbers below 2^31. A saturating addition needs neither a comparison nor a copy.
inline uint32_t at_most(uint32_t limit, uint32_t x) {
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    const uint32_t gap = 0x7FFFFFFFU - limit;
    uint32_t sum;
    asm("qadd %0, %1, %2" : "=r"(sum) : "r"(x), "r"(gap));
    return sum - gap;
#else
    return x < limit ? x : limit;
#endif
}

// As many numbers at a time as LANES has indices, each step for all of them: no step waits for the one before it.
// One table row for the nearest eighth and a polynomial in what is left: no division and no branch.
template <size_t... LANES>
inline void tanh_lanes(const float* x, float* y, std::index_sequence<LANES...>) {
    constexpr uint32_t SATURATED = 0x41120000U;     // 9.125, the last row: tanh rounds to 1 from here on
    constexpr float ROUND_TO_EIGHTHS = 1048576.0F;  // 2^20: adding it leaves multiples of 1/8
    constexpr uint32_t ROUND_TO_EIGHTHS_BITS = 0x49800000U;
    const uint32_t bits[] = {bits_of(x[LANES])...};
    const uint32_t magnitudes[] = {(bits[LANES] & ~SIGN_BIT)...};
    // All ones for a NaN, else zero: set in the result, they make a NaN of it.
    const uint32_t nan[] = {(0U - ((INFINITY_BITS - magnitudes[LANES]) >> 31))...};
    const float a[] = {arithmetic::scalar(float_of(at_most(SATURATED, magnitudes[LANES])))...};
    const float shifted[] = {(a[LANES] + ROUND_TO_EIGHTHS)...};
    // The row of `bits - ROUND_TO_EIGHTHS_BITS`, with the subtraction taken out of the loop.
    constexpr uintptr_t ROW_BYTES = sizeof *TANH_TABLE;
    const uintptr_t row_of_no_bits = reinterpret_cast<uintptr_t>(TANH_TABLE) - ROUND_TO_EIGHTHS_BITS * ROW_BYTES;
    const float* const c[] = {reinterpret_cast<const float*>(row_of_no_bits + bits_of(shifted[LANES]) * ROW_BYTES)...};
    const float t[] = {(a[LANES] - (shifted[LANES] - ROUND_TO_EIGHTHS))...};  // exact, |t| <= 1/16
    float sums[] = {c[LANES][4]...};
    ((sums[LANES] = horner(c[LANES][3], sums[LANES], t[LANES])), ...);
    ((sums[LANES] = horner(c[LANES][2], sums[LANES], t[LANES])), ...);
    ((sums[LANES] = horner(c[LANES][1], sums[LANES], t[LANES])), ...);
    ((sums[LANES] = horner(c[LANES][0], sums[LANES], t[LANES])), ...);
    ((y[LANES] = float_of(bits_of(sums[LANES]) | (bits[LANES] & SIGN_BIT) | nan[LANES])), ...);
}

inline float tanh(float x) {
    float y;
    tanh_lanes(&x, &y, std::make_index_sequence<1>{});
    return y;
}

template <size_t SIZE>
inline void tanh_all(float* numbers) {
    constexpr size_t LANES = 4;
    constexpr size_t REST = SIZE % LANES;
    float* const end = numbers + (SIZE - REST);
    for (; numbers != end; numbers += LANES) {
        tanh_lanes(numbers, numbers, std::make_index_sequence<LANES>{});
    }
    if constexpr (REST > 0) {
        tanh_lanes(numbers, numbers, std::make_index_sequence<REST>{});
    }
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

// log(2^k * (1 + f)) = k*ln2 + f - f^2/2 + f^3 * p(f), 1 + f in [sqrt(1/2), sqrt(2)); p by benchmarks/fit_log.py.
// -0 and +0 give -infinity, negative numbers NaN.
inline float log(float x) {
    constexpr uint32_t SQRT_HALF = 0x3F3504F3U;
    constexpr uint32_t ONE = 0x3F800000U;
    constexpr uint32_t SMALLEST_NORMAL = 0x00800000U;
    constexpr uint32_t MANTISSA = 0x007FFFFFU;
    constexpr float LN2_HIGH = 0x1.62e4p-1F;  // 16 bits, so that k * LN2_HIGH is exact
    constexpr float LN2_LOW = 0x1.7f7d1cp-20F;
    uint32_t bits = bits_of(x);
    int32_t k = -127;
    if (bits - 1U >= INFINITY_BITS - 1U) {  // zero, negative, infinity, NaN
        if ((bits & ~SIGN_BIT) == 0) {
            return float_of(SIGN_BIT | INFINITY_BITS);
        }
        return (bits & SIGN_BIT) != 0 && bits <= (SIGN_BIT | INFINITY_BITS) ? float_of(0x7FC00000U) : x;
    }
    if (bits < SMALLEST_NORMAL) {
        bits = bits_of(x * 0x1p+23F);
        k -= 23;
    }
    bits += ONE - SQRT_HALF;  // the exponent's field now turns over at sqrt(1/2) instead of 1
    k += static_cast<int32_t>(bits >> 23);
    const float f = float_of((bits & MANTISSA) + SQRT_HALF) - 1.0F;
    float p = horner(-0x1.dd5f0ap-4F, 0x1.13ee0cp-4F, f);
    p = horner(0x1.e6afb6p-4F, p, f);
    p = horner(-0x1.fc452cp-4F, p, f);
    p = horner(0x1.233db8p-3F, p, f);
    p = horner(-0x1.555b7p-3F, p, f);
    p = horner(0x1.99a464p-3F, p, f);
    p = horner(-0x1.000008p-2F, p, f);
    p = horner(0x1.555548p-2F, p, f);
    const float square = arithmetic::rounded(f * f);
    const float exponent = static_cast<float>(k);
    float rest = arithmetic::rounded(arithmetic::rounded(f * square) * p);
    rest = horner(rest, exponent, LN2_LOW);
    rest = horner(rest, -0.5F, square);
    return horner(f + rest, exponent, LN2_HIGH);
}

// Of exp(-|x|), which cannot overflow: so very negative arguments keep their last places down to the smallest float.
inline float sigmoid(float x) {
    const uint32_t bits = bits_of(x);
    const float e = exp(float_of(bits | SIGN_BIT));
    return ((bits & SIGN_BIT) != 0 ? e : 1.0F) / (1.0F + e);
}

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
