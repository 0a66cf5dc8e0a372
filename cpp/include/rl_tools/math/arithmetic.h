// The two arithmetic modes in which a policy gives the same bits on every core.
// Separate rounds after the multiplication and after the addition; Fused rounds once.
// The mode is part of the device tag, so host and target cannot disagree unnoticed.
#pragma once

#include <rl_tools/math/fused_multiply_add.h>
#include <rl_tools/rl_tools.h>

namespace rl_tools::arithmetic {

struct Separate {
    static constexpr uint8_t CODE = 0;
};

struct Fused {
    static constexpr uint8_t CODE = 1;
};

// Compilers may contract a*b+c into one rounding where the target has such an instruction (GCC does so by default).
// An empty statement that claims to read and write the product keeps the two roundings apart; it emits no instruction.
// GCC has no macro for -ffp-contract, so this does not depend on the flags at all.
// A compiler without such statements stores the product and loads it again where there may be a fused instruction.
inline float rounded(float product) {
#if !defined(RL_TOOLS_GNU_EXTENSIONS)
#if (!defined(_M_IX86) && !defined(_M_X64)) || defined(_M_ARM64EC) || defined(__AVX2__)
    const volatile float stored = product;
    product = stored;
#endif
#elif defined(__ARM_FEATURE_FMA) && defined(__ARM_FP) && !defined(__aarch64__)
    asm("" : "+t"(product));
#elif defined(__aarch64__)
    asm("" : "+w"(product));
#elif defined(__FMA__) || defined(__FMA4__) || defined(__AVX512F__)
    asm("" : "+x"(product));
#elif defined(__riscv_flen) || defined(__XTENSA__)
    // A core without an FPU multiplies in a library call, which nothing can contract.
#if !defined(__XTENSA_SOFT_FLOAT__)
    asm("" : "+f"(product));
#endif
#endif
    return product;
}

// The vector unit of the Cortex-M55 flushes subnormal numbers to zero, and compilers use it for whole loops of plain
// C++. What went through here stays a number of its own.
inline float scalar(float x) {
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
    asm("" : "+t"(x));
#endif
    return x;
}

// accumulator + weight * x in the given mode.
inline float multiply_add(Separate, float accumulator, float weight, float x) {
    return scalar(accumulator + rounded(scalar(weight) * x));
}

inline float multiply_add(Fused, float accumulator, float weight, float x) {
#if defined(RL_TOOLS_GNU_EXTENSIONS) &&                                                                  \
    (defined(__FP_FAST_FMAF) || (defined(__ARM_FEATURE_FMA) && defined(__ARM_FP)) || defined(__FMA__) || \
     defined(__AVX512F__) || defined(__riscv_flen))
    return scalar(__builtin_fmaf(scalar(weight), x, accumulator));  // one instruction
#else
    return math::fused_multiply_add(weight, x, accumulator);
#endif
}

}  // namespace rl_tools::arithmetic
