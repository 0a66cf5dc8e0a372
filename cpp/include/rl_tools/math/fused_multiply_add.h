// a * b + c rounded once, to nearest, ties to even, in integers: for cores without an instruction for it.
// C libraries are no help: newlib's fmaf computes in double and rounds a second time to float, which is wrong when the
// first rounding ends in the middle between two floats.
#pragma once

#include <rl_tools/math/bits.h>

namespace rl_tools::math {

// A finite number: mantissa * 2^(exponent - 150).
struct Unpacked {
    uint32_t mantissa;
    int32_t exponent;
};

// Of a number that is not zero.
inline int32_t leading_zeros(uint64_t number) {
#if defined(RL_TOOLS_GNU_EXTENSIONS)
    return __builtin_clzll(number);
#else
    int32_t zeros = 0;
    for (int32_t bits = 32; bits > 0; bits /= 2) {
        if (number >> (64 - bits) == 0) {
            number <<= bits;
            zeros += bits;
        }
    }
    return zeros;
#endif
}

inline Unpacked unpack(uint32_t bits) {
    constexpr uint32_t HIDDEN_BIT = 0x00800000U;
    const auto exponent = static_cast<int32_t>((bits & INFINITY_BITS) >> 23);
    const uint32_t fraction = bits & (HIDDEN_BIT - 1);
    return exponent == 0 ? Unpacked{fraction, 1} : Unpacked{fraction | HIDDEN_BIT, exponent};
}

// value / 2^shift; the last bit is set if anything was lost, so that a later rounding still knows of it.
inline uint64_t shift_right_sticky(uint64_t value, int32_t shift) {
    if (shift >= 63) {
        return value != 0 ? 1 : 0;
    }
    const uint64_t kept = value >> shift;
    return kept | ((kept << shift) != value ? 1U : 0U);
}

// magnitude * 2^exponent as a float; magnitude is neither 0 nor above 2^63, exponent at least -188.
inline float round_to_float(uint32_t sign, uint64_t magnitude, int32_t exponent) {
    constexpr int32_t MANTISSA_BITS = 24;
    constexpr int32_t SMALLEST_EXPONENT = -149;  // of the last place of subnormal numbers
    const int32_t excess = 64 - leading_zeros(magnitude) - MANTISSA_BITS;
    const int32_t last_place = excess + exponent < SMALLEST_EXPONENT ? SMALLEST_EXPONENT : excess + exponent;
    const int32_t shift = last_place - exponent;
    uint32_t mantissa;
    if (shift <= 0) {
        mantissa = static_cast<uint32_t>(magnitude) << -shift;
    } else {
        const uint64_t half = uint64_t{1} << (shift - 1);
        const uint64_t is_odd = (magnitude >> shift) & 1U;
        mantissa = static_cast<uint32_t>((magnitude + (half - 1) + is_odd) >> shift);
    }
    // The mantissa's hidden bit, or a carry out of it, adds one to the exponent field.
    const uint32_t bits = (static_cast<uint32_t>(last_place - SMALLEST_EXPONENT) << 23) + mantissa;
    return float_of(sign | (bits < INFINITY_BITS ? bits : INFINITY_BITS));
}

// Not inlined: as large as the library calls beside it.
RL_TOOLS_NOINLINE inline float fused_multiply_add(float a, float b, float c) {
    const uint32_t a_bits = bits_of(a);
    const uint32_t b_bits = bits_of(b);
    const uint32_t c_bits = bits_of(c);
    const uint32_t a_magnitude = a_bits & ~SIGN_BIT;
    const uint32_t b_magnitude = b_bits & ~SIGN_BIT;
    const uint32_t c_magnitude = c_bits & ~SIGN_BIT;
    if (a_magnitude - 1 >= INFINITY_BITS - 1 || b_magnitude - 1 >= INFINITY_BITS - 1) {
        return a * b + c;  // the product is exact: zero, infinite or NaN
    }
    if (c_magnitude - 1 >= INFINITY_BITS - 1) {
        return c_magnitude == 0 ? a * b : c + c;  // a finite product changes no infinity
    }
    const Unpacked x = unpack(a_bits);
    const Unpacked y = unpack(b_bits);
    const Unpacked z = unpack(c_bits);
    // Both with their highest bit at 2^61 at most, so that a sum stays below 2^63, and a zero in every bit below:
    // what the alignment loses is then far below the rounding, also after the closest cancellation.
    constexpr int32_t PRODUCT_SHIFT = 14;
    constexpr int32_t ADDEND_SHIFT = 38;
    uint64_t product = (static_cast<uint64_t>(x.mantissa) * y.mantissa) << PRODUCT_SHIFT;
    uint64_t addend = static_cast<uint64_t>(z.mantissa) << ADDEND_SHIFT;
    int32_t exponent = x.exponent + y.exponent - 300 - PRODUCT_SHIFT;
    const int32_t distance = exponent - (z.exponent - 150 - ADDEND_SHIFT);
    if (distance >= 0) {
        addend = shift_right_sticky(addend, distance);
    } else {
        product = shift_right_sticky(product, -distance);
        exponent -= distance;
    }
    uint32_t sign = (a_bits ^ b_bits) & SIGN_BIT;
    if (sign == (c_bits & SIGN_BIT)) {
        return round_to_float(sign, product + addend, exponent);
    }
    if (product == addend) {
        return 0.0F;
    }
    const bool is_addend_larger = addend > product;
    sign ^= is_addend_larger ? SIGN_BIT : 0U;
    return round_to_float(sign, is_addend_larger ? addend - product : product - addend, exponent);
}

}  // namespace rl_tools::math
