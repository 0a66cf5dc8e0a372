// The dense layer for the Cortex-M4F: one VLDM for many weights, then all products, then all additions, so that nothing
// waits for the operation before it. VMUL and VADD take a cycle each, VMLA and VFMA three (Arm, Cortex-M4 Technical
// Reference Manual, "FPU instruction set"): the fastest kernel is the one that rounds twice.
// What it must equal, bit for bit, is the portable kernel in operations_panel.h.
#pragma once

#include <rl_tools/devices/arm.h>
#include <rl_tools/nn/layers/dense/operations_panel.h>

#if defined(__ARM_FP) && defined(__ARM_FEATURE_FMA) && defined(__thumb2__)

#include <type_traits>

namespace rl_tools::nn::layers::dense {

namespace cortex_m4f {

// clang-format off: one line of assembly, one of text.
// Macros, because only the preprocessor can put the text of an assembly statement together; none is left afterwards.
// s0-s7: the accumulators of a panel; s8-s15: inputs; s16-s31: weights, and then products.
// P makes a product, S adds it to an accumulator; fused, S does both.
#define RLT_VMUL(W, X) "vmul.f32 s" #W ", s" #W ", s" #X "\n"
#define RLT_VADD(A, W, X) "vadd.f32 s" #A ", s" #A ", s" #W "\n"
#define RLT_NONE(W, X) ""
#define RLT_VFMA(A, W, X) "vfma.f32 s" #A ", s" #W ", s" #X "\n"

// The weights of one input, for four outputs or two.
#define RLT_P4(P, A, B, C, D, X) P(A, X) P(B, X) P(C, X) P(D, X)
#define RLT_S4(S, A, B, C, D, X) S(0, A, X) S(1, B, X) S(2, C, X) S(3, D, X)
#define RLT_S4_UPPER(S, A, B, C, D, X) S(4, A, X) S(5, B, X) S(6, C, X) S(7, D, X)
#define RLT_P2(P, A, B, X) P(A, X) P(B, X)
#define RLT_S2(S, A, B, X) S(0, A, X) S(1, B, X)

// A panel of eight outputs: two inputs, and one.
#define RLT_8_P_FIRST(P, X) RLT_P4(P, 16, 17, 18, 19, X) RLT_P4(P, 20, 21, 22, 23, X)
#define RLT_8_S_FIRST(S, X) RLT_S4(S, 16, 17, 18, 19, X) RLT_S4_UPPER(S, 20, 21, 22, 23, X)
#define RLT_8_P_SECOND(P, X) RLT_P4(P, 24, 25, 26, 27, X) RLT_P4(P, 28, 29, 30, 31, X)
#define RLT_8_S_SECOND(S, X) RLT_S4(S, 24, 25, 26, 27, X) RLT_S4_UPPER(S, 28, 29, 30, 31, X)
#define RLT_8_TWO(P, S, X, Y) \
    "vldmia %[stream]!, {s16-s31}\n" \
    RLT_8_P_FIRST(P, X) RLT_8_P_SECOND(P, Y) \
    RLT_8_S_FIRST(S, X) RLT_8_S_SECOND(S, Y)
#define RLT_8_ONE(P, S, X) "vldmia %[stream]!, {s16-s23}\n" RLT_8_P_FIRST(P, X) RLT_8_S_FIRST(S, X)
#define RLT_8_FOUR(P, S, X, Y, Z, U) RLT_8_TWO(P, S, X, Y) RLT_8_TWO(P, S, Z, U)
#define RLT_8_EIGHT(P, S) RLT_8_FOUR(P, S, 8, 9, 10, 11) RLT_8_FOUR(P, S, 12, 13, 14, 15)

// A panel of four.
#define RLT_4_P(P, X, Y, Z, U) \
    RLT_P4(P, 16, 17, 18, 19, X) RLT_P4(P, 20, 21, 22, 23, Y) \
    RLT_P4(P, 24, 25, 26, 27, Z) RLT_P4(P, 28, 29, 30, 31, U)
#define RLT_4_S(S, X, Y, Z, U) \
    RLT_S4(S, 16, 17, 18, 19, X) RLT_S4(S, 20, 21, 22, 23, Y) \
    RLT_S4(S, 24, 25, 26, 27, Z) RLT_S4(S, 28, 29, 30, 31, U)
#define RLT_4_ONE(P, S, X) "vldmia %[stream]!, {s16-s19}\n" RLT_P4(P, 16, 17, 18, 19, X) RLT_S4(S, 16, 17, 18, 19, X)
#define RLT_4_FOUR(P, S, X, Y, Z, U) "vldmia %[stream]!, {s16-s31}\n" RLT_4_P(P, X, Y, Z, U) RLT_4_S(S, X, Y, Z, U)
#define RLT_4_EIGHT(P, S) RLT_4_FOUR(P, S, 8, 9, 10, 11) RLT_4_FOUR(P, S, 12, 13, 14, 15)

// A panel of two.
#define RLT_2_P(P) \
    RLT_P2(P, 16, 17, 8) RLT_P2(P, 18, 19, 9) RLT_P2(P, 20, 21, 10) RLT_P2(P, 22, 23, 11) \
    RLT_P2(P, 24, 25, 12) RLT_P2(P, 26, 27, 13) RLT_P2(P, 28, 29, 14) RLT_P2(P, 30, 31, 15)
#define RLT_2_S(S) \
    RLT_S2(S, 16, 17, 8) RLT_S2(S, 18, 19, 9) RLT_S2(S, 20, 21, 10) RLT_S2(S, 22, 23, 11) \
    RLT_S2(S, 24, 25, 12) RLT_S2(S, 26, 27, 13) RLT_S2(S, 28, 29, 14) RLT_S2(S, 30, 31, 15)
#define RLT_2_ONE(P, S, X) "vldmia %[stream]!, {s16-s17}\n" RLT_P2(P, 16, 17, X) RLT_S2(S, 16, 17, X)
#define RLT_2_FOUR(P, S, X, Y, Z, U) RLT_2_ONE(P, S, X) RLT_2_ONE(P, S, Y) RLT_2_ONE(P, S, Z) RLT_2_ONE(P, S, U)
#define RLT_2_EIGHT(P, S) "vldmia %[stream]!, {s16-s31}\n" RLT_2_P(P) RLT_2_S(S)

// A single output.
#define RLT_1_P(P) P(16, 8) P(17, 9) P(18, 10) P(19, 11) P(20, 12) P(21, 13) P(22, 14) P(23, 15)
#define RLT_1_S(S) \
    S(0, 16, 8) S(0, 17, 9) S(0, 18, 10) S(0, 19, 11) S(0, 20, 12) S(0, 21, 13) S(0, 22, 14) S(0, 23, 15)
#define RLT_1_ONE(P, S, X) "vldmia %[stream]!, {s16}\n" P(16, X) S(0, 16, X)
#define RLT_1_FOUR(P, S, X, Y, Z, U) RLT_1_ONE(P, S, X) RLT_1_ONE(P, S, Y) RLT_1_ONE(P, S, Z) RLT_1_ONE(P, S, U)
#define RLT_1_EIGHT(P, S) "vldmia %[stream]!, {s16-s23}\n" RLT_1_P(P) RLT_1_S(S)

// ReLU on the bits: what has its sign bit set becomes +0, all else stays. A NaN without the sign bit would stay too,
// so every accumulator goes into a comparison that is unordered if one of them is a NaN; `status` collects its flags.
// (Infinities of both signs look like a NaN here: that only costs the second look at the layer's outputs.)
#define RLT_COMPARE(A, B) "vcmp.f32 s" #A ", s" #B "\n vmrs r8, fpscr\n orr %[status], %[status], r8\n"
#define RLT_RELU_FOUR(A, B, C, D) \
    "vmov r8, r10, s" #A ", s" #B "\n" \
    "vmov r11, r12, s" #C ", s" #D "\n" \
    "bic r8, r8, r8, asr #31\n bic r10, r10, r10, asr #31\n" \
    "bic r11, r11, r11, asr #31\n bic r12, r12, r12, asr #31\n" \
    "stmia %[output]!, {r8, r10, r11, r12}\n"
#define RLT_8_RELU \
    "vadd.f32 s16, s0, s1\n vadd.f32 s17, s2, s3\n vadd.f32 s18, s4, s5\n vadd.f32 s19, s6, s7\n" \
    "vadd.f32 s16, s16, s17\n vadd.f32 s18, s18, s19\n" \
    RLT_COMPARE(16, 18) RLT_RELU_FOUR(0, 1, 2, 3) RLT_RELU_FOUR(4, 5, 6, 7)
// Fewer instructions, but VFMA is slow on this core.
#define RLT_8_RELU_FUSED \
    "vmul.f32 s16, s0, s1\n vmul.f32 s17, s2, s3\n vfma.f32 s16, s4, s5\n vfma.f32 s17, s6, s7\n" \
    RLT_COMPARE(16, 17) RLT_RELU_FOUR(0, 1, 2, 3) RLT_RELU_FOUR(4, 5, 6, 7)
#define RLT_4_RELU \
    "vadd.f32 s16, s0, s1\n vadd.f32 s17, s2, s3\n" \
    RLT_COMPARE(16, 17) RLT_RELU_FOUR(0, 1, 2, 3)
#define RLT_2_RELU \
    RLT_COMPARE(0, 1) \
    "vmov r8, r10, s0, s1\n bic r8, r8, r8, asr #31\n bic r10, r10, r10, asr #31\n stmia %[output]!, {r8, r10}\n"
#define RLT_1_RELU \
    RLT_COMPARE(0, 0) "vmov r8, s0\n bic r8, r8, r8, asr #31\n str r8, [%[output]], #4\n"

// Biases into the accumulators; eight inputs at a time, then what is left of them; the accumulators into the output.
#define RLT_PANEL(ACCUMULATORS, N, P, S, RELU) \
    asm volatile( \
        "vldmia %[stream]!, {" ACCUMULATORS "}\n" \
        ".if %c[blocks]\n" \
        "1: vldmia %[input]!, {s8-s15}\n" RLT_##N##_EIGHT(P, S) \
        "subs %[block], #1\n" \
        "bne 1b\n" \
        ".endif\n" \
        ".if %c[rest] & 4\n vldmia %[input]!, {s8-s11}\n" RLT_##N##_FOUR(P, S, 8, 9, 10, 11) ".endif\n" \
        ".if %c[rest] & 2\n vldmia %[input]!, {s8-s9}\n" RLT_##N##_ONE(P, S, 8) RLT_##N##_ONE(P, S, 9) ".endif\n" \
        ".if %c[rest] & 1\n vldmia %[input]!, {s8}\n" RLT_##N##_ONE(P, S, 8) ".endif\n" \
        ".if %c[relu]\n" RELU ".else\n vstmia %[output]!, {" ACCUMULATORS "}\n .endif\n" \
        : [stream] "+r"(stream), [input] "+r"(input), [output] "+r"(output), [block] "+r"(block), [status] "+r"(status) \
        : [blocks] "i"(COLUMNS / 8), [rest] "i"(COLUMNS % 8), [relu] "i"(RELU_APPLIED ? 1 : 0) \
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", \
          "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", \
          "r8", "r10", "r11", "r12", "cc", "memory")

// clang-format on
// ROWS outputs from the stream of one panel; returns where the next panel begins.
// Inlined, or the registers that the assembly uses would be saved once per panel.
template <size_t ROWS, typename ARITHMETIC, size_t COLUMNS, bool RELU_APPLIED>
[[gnu::always_inline]] inline const float* panel(const float* stream, const float* input, float* output,
                                                 uint32_t& status) {
    size_t block = COLUMNS / 8;
    if constexpr (std::is_same_v<ARITHMETIC, arithmetic::Fused>) {
        if constexpr (ROWS == 8) {
            RLT_PANEL("s0-s7", 8, RLT_NONE, RLT_VFMA, RLT_8_RELU_FUSED);
        } else if constexpr (ROWS == 4) {
            RLT_PANEL("s0-s3", 4, RLT_NONE, RLT_VFMA, RLT_4_RELU);
        } else if constexpr (ROWS == 2) {
            RLT_PANEL("s0-s1", 2, RLT_NONE, RLT_VFMA, RLT_2_RELU);
        } else {
            RLT_PANEL("s0", 1, RLT_NONE, RLT_VFMA, RLT_1_RELU);
        }
    } else {
        if constexpr (ROWS == 8) {
            RLT_PANEL("s0-s7", 8, RLT_VMUL, RLT_VADD, RLT_8_RELU);
        } else if constexpr (ROWS == 4) {
            RLT_PANEL("s0-s3", 4, RLT_VMUL, RLT_VADD, RLT_4_RELU);
        } else if constexpr (ROWS == 2) {
            RLT_PANEL("s0-s1", 2, RLT_VMUL, RLT_VADD, RLT_2_RELU);
        } else {
            RLT_PANEL("s0", 1, RLT_VMUL, RLT_VADD, RLT_1_RELU);
        }
    }
    return stream;
}

// The panels from the one of output FIRST on, which are all of different sizes.
template <size_t FIRST, typename ARITHMETIC, typename SPEC>
[[gnu::always_inline]] inline void tail_panels([[maybe_unused]] const float* stream,
                                               [[maybe_unused]] const float* input, [[maybe_unused]] float* output,
                                               uint32_t& status) {
    if constexpr (FIRST < SPEC::OUTPUT_DIM) {
        constexpr size_t ROWS = panel_of(FIRST, SPEC::OUTPUT_DIM, 8).rows;
        constexpr bool RELU = SPEC::ACTIVATION_FUNCTION == ActivationFunction::RELU;
        stream = panel<ROWS, ARITHMETIC, SPEC::INPUT_DIM, RELU>(stream, input, output + FIRST, status);
        tail_panels<FIRST + ROWS, ARITHMETIC, SPEC>(stream, input, output, status);
    }
}

// What ReLU makes of the NaNs that are left. Seldom called, and the same for every layer.
[[gnu::noinline, gnu::cold]] inline void relu_of_nan(float* output, size_t size) {
    for (size_t i = 0; i < size; i++) {
        output[i] = activate<ActivationFunction::RELU>(output[i]);
    }
}

// The activation function, but for what the panels have done already.
template <typename SPEC>
inline void finish(float* output, uint32_t status) {
    constexpr uint32_t UNORDERED = 1U << 28;
    if constexpr (SPEC::ACTIVATION_FUNCTION == ActivationFunction::RELU) {
        if ((status & UNORDERED) != 0) {
            relu_of_nan(output, SPEC::OUTPUT_DIM);
        }
    } else {
        activate_all<SPEC::ACTIVATION_FUNCTION, SPEC::OUTPUT_DIM>(output);
    }
}

}  // namespace cortex_m4f

template <typename ARITHMETIC, typename SPEC, size_t READ_AHEAD_BYTES>
inline void evaluate(const devices::CortexM4F<ARITHMETIC>&,
                     const PanelLayer<SPEC, layout::Panels<8, READ_AHEAD_BYTES>>& layer, const float* input,
                     float* output) {
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM - SPEC::OUTPUT_DIM % 8;
    constexpr bool RELU = SPEC::ACTIVATION_FUNCTION == ActivationFunction::RELU;
    const float* stream = layer.data();
    uint32_t status = 0;
    for (float* target = output; target != output + WHOLE; target += 8) {
        stream = cortex_m4f::panel<8, ARITHMETIC, SPEC::INPUT_DIM, RELU>(stream, input, target, status);
    }
    cortex_m4f::tail_panels<WHOLE, ARITHMETIC, SPEC>(stream, input, output, status);
    cortex_m4f::finish<SPEC>(output, status);
}

}  // namespace rl_tools::nn::layers::dense

#undef RLT_VMUL
#undef RLT_VADD
#undef RLT_NONE
#undef RLT_VFMA
#undef RLT_P4
#undef RLT_S4
#undef RLT_S4_UPPER
#undef RLT_P2
#undef RLT_S2
#undef RLT_8_P_FIRST
#undef RLT_8_S_FIRST
#undef RLT_8_P_SECOND
#undef RLT_8_S_SECOND
#undef RLT_8_TWO
#undef RLT_8_ONE
#undef RLT_8_FOUR
#undef RLT_8_EIGHT
#undef RLT_4_P
#undef RLT_4_S
#undef RLT_4_ONE
#undef RLT_4_FOUR
#undef RLT_4_EIGHT
#undef RLT_2_P
#undef RLT_2_S
#undef RLT_2_ONE
#undef RLT_2_FOUR
#undef RLT_2_EIGHT
#undef RLT_1_P
#undef RLT_1_S
#undef RLT_1_ONE
#undef RLT_1_FOUR
#undef RLT_1_EIGHT
#undef RLT_COMPARE
#undef RLT_RELU_FOUR
#undef RLT_8_RELU
#undef RLT_8_RELU_FUSED
#undef RLT_4_RELU
#undef RLT_2_RELU
#undef RLT_1_RELU
#undef RLT_PANEL

#endif
