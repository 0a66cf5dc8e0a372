// tanh, exp, sigmoid and the two activations built on them, in plain float32: the same bits on every core and compiler.
// C libraries differ (glibc, newlib and picolibc each give other bits), so none is used here.
// Errors against the exact value, all float32 arguments: tanh and exp below 2 ULP (tests/policy/test_functions.py).
#pragma once

#include <rl_tools/arithmetic.h>
#include <rl_tools/math/tanh_table.h>

#include <cstring>
#include <utility>

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
    const float a[] = {float_of(at_most(SATURATED, magnitudes[LANES]))...};
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
