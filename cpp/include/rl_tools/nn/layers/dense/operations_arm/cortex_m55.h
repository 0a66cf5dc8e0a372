// The dense layer for the vector unit of the Cortex-M55: four outputs per register, sixteen per panel, beside every
// load of four weights the multiplications of the four before. That unit flushes subnormal numbers to zero, always, and
// sets two flags of FPSCR. So nothing is lost: a layer in which they appear is evaluated again, one number at a
// time. It costs time only where there are subnormal numbers. What it must equal, bit for bit, is the portable kernel
// in operations_panel.h.
#pragma once

#include <rl_tools/devices/arm.h>
#include <rl_tools/nn/layers/dense/operations_arm/cortex_m4f.h>
#include <rl_tools/nn/layers/dense/operations_panel.h>

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)

#include <type_traits>

namespace rl_tools::nn::layers::dense {

namespace cortex_m55 {

constexpr uint32_t FLUSHED = (1U << 7) | (1U << 3);  // FPSCR: input denormal, underflow

// Forgets what was flushed before; the flags are sticky.
inline void clear_flushed() {
    uint32_t status;
    asm volatile("vmrs %0, fpscr" : "=r"(status)::"memory");
    if ((status & FLUSHED) != 0) {
        asm volatile("vmsr fpscr, %0" ::"r"(status & ~FLUSHED) : "memory");
    }
}

inline bool has_flushed() {
    uint32_t status;
    asm volatile("vmrs %0, fpscr" : "=r"(status)::"memory");
    return (status & FLUSHED) != 0;
}

// clang-format off: one line of assembly, one of text.
// Macros, because only the preprocessor can put the text of an assembly statement together; none is left afterwards.
// q0-q3: the accumulators of a panel; q4-q7: weights, and then products; r8, r10-r12: inputs.
// M: accumulator A plus weights W times input X.
#define RLT_LOAD(W) "vldrw.u32 q" #W ", [%[stream]], #16\n"
#define RLT_FUSED(A, W, X) "vfma.f32 q" #A ", q" #W ", r" #X "\n"
#define RLT_SEPARATE(A, W, X) "vmul.f32 q" #W ", q" #W ", r" #X "\n vadd.f32 q" #A ", q" #A ", q" #W "\n"

// The weights of one input.
#define RLT_16_ONE(M, X) \
    RLT_LOAD(4) RLT_LOAD(5) M(0, 4, X) RLT_LOAD(6) M(1, 5, X) RLT_LOAD(7) M(2, 6, X) M(3, 7, X)
#define RLT_16_FOUR(M) \
    RLT_LOAD(4) \
    RLT_LOAD(5) M(0, 4, 8) RLT_LOAD(6) M(1, 5, 8) RLT_LOAD(7) M(2, 6, 8) RLT_LOAD(4) M(3, 7, 8) \
    RLT_LOAD(5) M(0, 4, 10) RLT_LOAD(6) M(1, 5, 10) RLT_LOAD(7) M(2, 6, 10) RLT_LOAD(4) M(3, 7, 10) \
    RLT_LOAD(5) M(0, 4, 11) RLT_LOAD(6) M(1, 5, 11) RLT_LOAD(7) M(2, 6, 11) RLT_LOAD(4) M(3, 7, 11) \
    RLT_LOAD(5) M(0, 4, 12) RLT_LOAD(6) M(1, 5, 12) RLT_LOAD(7) M(2, 6, 12) M(3, 7, 12)
#define RLT_8_ONE(M, X) RLT_LOAD(4) RLT_LOAD(5) M(0, 4, X) M(1, 5, X)
#define RLT_8_FOUR(M) \
    RLT_LOAD(4) RLT_LOAD(5) M(0, 4, 8) RLT_LOAD(6) M(1, 5, 8) RLT_LOAD(7) M(0, 6, 10) RLT_LOAD(4) M(1, 7, 10) \
    RLT_LOAD(5) M(0, 4, 11) RLT_LOAD(6) M(1, 5, 11) RLT_LOAD(7) M(0, 6, 12) M(1, 7, 12)
#define RLT_4_ONE(M, X) RLT_LOAD(4) M(0, 4, X)
#define RLT_4_FOUR(M) \
    RLT_LOAD(4) RLT_LOAD(5) M(0, 4, 8) RLT_LOAD(6) M(0, 5, 10) RLT_LOAD(7) M(0, 6, 11) M(0, 7, 12)

#define RLT_BIASES_4 "vldrw.u32 q0, [%[stream]], #16\n"
#define RLT_BIASES_8 RLT_BIASES_4 "vldrw.u32 q1, [%[stream]], #16\n"
#define RLT_BIASES_16 RLT_BIASES_8 "vldrw.u32 q2, [%[stream]], #16\n vldrw.u32 q3, [%[stream]], #16\n"

// VMAXNM with +0 is `x > 0 ? x : 0`, NaN and -0 included: it takes the number if the other one is a quiet NaN (what has
// been added is never a signalling one), and +0 of two zeros.
#define RLT_RELU_4 "vmov.i32 q4, #0\n vmaxnm.f32 q0, q0, q4\n"
#define RLT_RELU_8 RLT_RELU_4 "vmaxnm.f32 q1, q1, q4\n"
#define RLT_RELU_16 RLT_RELU_8 "vmaxnm.f32 q2, q2, q4\n vmaxnm.f32 q3, q3, q4\n"

#define RLT_STORE_4 "vstrw.32 q0, [%[output]], #16\n"
#define RLT_STORE_8 RLT_STORE_4 "vstrw.32 q1, [%[output]], #16\n"
#define RLT_STORE_16 RLT_STORE_8 "vstrw.32 q2, [%[output]], #16\n vstrw.32 q3, [%[output]], #16\n"

// The biases; four inputs at a time, then what is left of them; the activation function.
#define RLT_PANEL(N, M) \
    asm volatile( \
        RLT_BIASES_##N \
        ".if %c[blocks]\n" \
        "dls lr, %[block]\n" \
        "1: ldmia %[input]!, {r8, r10, r11, r12}\n" RLT_##N##_FOUR(M) \
        "le lr, 1b\n" \
        ".endif\n" \
        ".if %c[rest] > 0\n ldr r8, [%[input]], #4\n" RLT_##N##_ONE(M, 8) ".endif\n" \
        ".if %c[rest] > 1\n ldr r8, [%[input]], #4\n" RLT_##N##_ONE(M, 8) ".endif\n" \
        ".if %c[rest] > 2\n ldr r8, [%[input]], #4\n" RLT_##N##_ONE(M, 8) ".endif\n" \
        ".if %c[relu]\n" RLT_RELU_##N ".endif\n" RLT_STORE_##N \
        : [stream] "+r"(stream), [input] "+r"(input), [output] "+r"(output) \
        : [block] "r"(COLUMNS / 4), [blocks] "i"(COLUMNS / 4), [rest] "i"(COLUMNS % 4), \
          [relu] "i"(RELU_APPLIED ? 1 : 0) \
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", \
          "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", \
          "r8", "r10", "r11", "r12", "lr", "cc", "memory")

// clang-format on
// Sixteen, eight or four outputs from the stream of one panel; returns where the next panel begins.
// Inlined, or the registers that the assembly uses would be saved once per panel.
template <size_t ROWS, typename ARITHMETIC, size_t COLUMNS, bool RELU_APPLIED>
[[gnu::always_inline]] inline const float* panel(const float* stream, const float* input, float* output) {
    if constexpr (std::is_same_v<ARITHMETIC, arithmetic::Fused>) {
        if constexpr (ROWS == 16) {
            RLT_PANEL(16, RLT_FUSED);
        } else if constexpr (ROWS == 8) {
            RLT_PANEL(8, RLT_FUSED);
        } else {
            RLT_PANEL(4, RLT_FUSED);
        }
    } else {
        if constexpr (ROWS == 16) {
            RLT_PANEL(16, RLT_SEPARATE);
        } else if constexpr (ROWS == 8) {
            RLT_PANEL(8, RLT_SEPARATE);
        } else {
            RLT_PANEL(4, RLT_SEPARATE);
        }
    }
    return stream;
}

// math::tanh of `size` numbers, four at a time, the last ones under a mask. See math::tanh_lanes for the steps.
// q0: the numbers; q1: magnitudes, and then t; q2: rows of the table; q3: sums; q4: coefficients; q5: all ones for a
// NaN.
[[gnu::noinline]] inline void tanh_all(float* numbers, size_t size) {
    constexpr uint32_t SATURATED = 0x41120000U;
    constexpr uint32_t ROUND_TO_EIGHTHS_BITS = 0x49800000U;
    constexpr uintptr_t ROW_BYTES = sizeof *math::TANH_TABLE;
    const uintptr_t row_of_no_bits = reinterpret_cast<uintptr_t>(math::TANH_TABLE) - ROUND_TO_EIGHTHS_BITS * ROW_BYTES;
    // clang-format off
    asm volatile(
        "vdup.32 q6, %[saturated]\n"
        "vdup.32 q7, %[infinity]\n"
        "dlstp.32 lr, %[size]\n"
        "1: vldrw.u32 q0, [%[numbers]]\n"
        "vabs.f32 q1, q0\n"
        "vsub.i32 q5, q7, q1\n"
        "vmin.s32 q1, q1, q6\n"
        "vshr.s32 q5, q5, #31\n"
        "vadd.f32 q2, q1, %[round_to_eighths]\n"
        "vsub.f32 q3, q2, %[round_to_eighths]\n"
        "vmul.i32 q2, q2, %[row_bytes]\n"
        "vsub.f32 q1, q1, q3\n"
        "vadd.i32 q2, q2, %[row_of_no_bits]\n"
        "vldrw.u32 q3, [q2, #16]\n"
        "vldrw.u32 q4, [q2, #12]\n"
        "vmul.f32 q3, q3, q1\n vadd.f32 q3, q3, q4\n"
        "vldrw.u32 q4, [q2, #8]\n"
        "vmul.f32 q3, q3, q1\n vadd.f32 q3, q3, q4\n"
        "vldrw.u32 q4, [q2, #4]\n"
        "vmul.f32 q3, q3, q1\n vadd.f32 q3, q3, q4\n"
        "vldrw.u32 q4, [q2]\n"
        "vmul.f32 q3, q3, q1\n vadd.f32 q3, q3, q4\n"
        "vmov.i32 q4, #0x80000000\n"
        "vand q0, q0, q4\n"
        "vorr q3, q3, q5\n"
        "vorr q3, q3, q0\n"
        "vstrw.32 q3, [%[numbers]], #16\n"
        "letp lr, 1b\n"
        : [numbers] "+r"(numbers)
        : [size] "r"(size), [saturated] "r"(SATURATED), [infinity] "r"(math::INFINITY_BITS),
          [round_to_eighths] "r"(ROUND_TO_EIGHTHS_BITS), [row_bytes] "r"(ROW_BYTES),
          [row_of_no_bits] "r"(row_of_no_bits)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16",
          "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31",
          "lr", "cc", "memory");
    // clang-format on
}

// The panels from the one of output FIRST on, which are all of different sizes.
template <size_t FIRST, typename ARITHMETIC, typename SPEC>
[[gnu::always_inline]] inline void tail_panels(const float* stream, const float* input, float* output,
                                               uint32_t& status) {
    if constexpr (FIRST < SPEC::OUTPUT_DIM) {
        constexpr size_t ROWS = panel_of(FIRST, SPEC::OUTPUT_DIM, 16).rows;
        constexpr bool RELU = SPEC::ACTIVATION_FUNCTION == ActivationFunction::RELU;
        if constexpr (ROWS >= 4) {
            stream = panel<ROWS, ARITHMETIC, SPEC::INPUT_DIM, RELU>(stream, input, output + FIRST);
        } else {
            stream = cortex_m4f::panel<ROWS, ARITHMETIC, SPEC::INPUT_DIM, RELU>(stream, input, output + FIRST, status);
        }
        tail_panels<FIRST + ROWS, ARITHMETIC, SPEC>(stream, input, output, status);
    }
}

// One number at a time: see arithmetic::scalar.
template <typename ARITHMETIC, typename SPEC, typename LAYOUT>
[[gnu::noinline, gnu::cold]] inline void evaluate_with_subnormals(const PanelLayer<SPEC, LAYOUT>& layer,
                                                                  const float* input, float* output) {
    for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
        const float* weight = &layer.weight(row, 0);
        const size_t stride = panel_of(row, SPEC::OUTPUT_DIM, LAYOUT::ROWS).rows;
        float accumulator = layer.bias(row);
        for (size_t col = 0; col < SPEC::INPUT_DIM; col++) {
            accumulator = arithmetic::multiply_add(ARITHMETIC{}, accumulator, *weight, input[col]);
            weight += stride;
        }
        output[row] = activate<SPEC::ACTIVATION_FUNCTION>(accumulator);
    }
}

}  // namespace cortex_m55

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::CortexM55<ARITHMETIC>&, const PanelLayer<SPEC, layout::Panels<16>>& layer,
                     const float* input, float* output) {
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM - SPEC::OUTPUT_DIM % 16;
    constexpr bool RELU = SPEC::ACTIVATION_FUNCTION == ActivationFunction::RELU;
    const float* stream = layer.data();
    uint32_t status = 0;
    cortex_m55::clear_flushed();
    for (float* target = output; target != output + WHOLE; target += 16) {
        stream = cortex_m55::panel<16, ARITHMETIC, SPEC::INPUT_DIM, RELU>(stream, input, target);
    }
    cortex_m55::tail_panels<WHOLE, ARITHMETIC, SPEC>(stream, input, output, status);
    if constexpr (SPEC::ACTIVATION_FUNCTION == ActivationFunction::TANH) {
        cortex_m55::tanh_all(output, SPEC::OUTPUT_DIM);
    } else {
        cortex_m4f::finish<SPEC>(output, status);
    }
    if (cortex_m55::has_flushed()) {
        cortex_m55::evaluate_with_subnormals<ARITHMETIC>(layer, input, output);
    }
}

}  // namespace rl_tools::nn::layers::dense

#undef RLT_LOAD
#undef RLT_FUSED
#undef RLT_SEPARATE
#undef RLT_16_ONE
#undef RLT_16_FOUR
#undef RLT_8_ONE
#undef RLT_8_FOUR
#undef RLT_4_ONE
#undef RLT_4_FOUR
#undef RLT_BIASES_4
#undef RLT_BIASES_8
#undef RLT_BIASES_16
#undef RLT_RELU_4
#undef RLT_RELU_8
#undef RLT_RELU_16
#undef RLT_STORE_4
#undef RLT_STORE_8
#undef RLT_STORE_16
#undef RLT_PANEL

#endif
