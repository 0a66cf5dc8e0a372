// The dense layer for the Cortex-M7F: beside every VMLA or VFMA a VLDR, which the core issues in the same cycle, for a
// weight of the next input. VMLA.F32 rounds the product and the sum: `separate` in one instruction.
// What it must equal, bit for bit, is the portable kernel in operations_panel.h.
#pragma once

#include <rl_tools/devices/arm.h>
#include <rl_tools/nn/layers/dense/operations_panel.h>

#if defined(__ARM_FP) && defined(__ARM_FEATURE_FMA) && defined(__thumb2__)

#include <type_traits>

namespace rl_tools::nn::layers::dense {

namespace cortex_m7f {

// What VMLA does, for the panels of less than eight outputs.
struct Chained {};

inline float multiply_add(Chained, float accumulator, float weight, float x) {
    asm("vmla.f32 %0, %1, %2" : "+t"(accumulator) : "t"(weight), "t"(x));
    return accumulator;
}

// clang-format off: one line of assembly, one of text.
// Macros, because only the preprocessor can put the text of an assembly statement together; none is left afterwards.
// s0-s7: the accumulators; s8-s15: inputs; s16-s23 and s24-s31: the weights of this input and of the next, in turn.
// M: the instruction; X: the input's register; AT: the offset of the next input's weights.
// LOAD: of an input that is needed later.
#define RLT_LOAD(REGISTER, POINTER, AT) "vldr.32 s" #REGISTER ", [%[" #POINTER "], #" #AT "]\n"
#define RLT_STEP(M, A, W, X, NEXT, AT) M " s" #A ", s" #W ", s" #X "\n" RLT_LOAD(NEXT, stream, AT + 4 * A)
#define RLT_EVEN(M, X, AT, LOAD) \
    RLT_STEP(M, 0, 16, X, 24, AT) LOAD RLT_STEP(M, 1, 17, X, 25, AT) \
    RLT_STEP(M, 2, 18, X, 26, AT) RLT_STEP(M, 3, 19, X, 27, AT) RLT_STEP(M, 4, 20, X, 28, AT) \
    RLT_STEP(M, 5, 21, X, 29, AT) RLT_STEP(M, 6, 22, X, 30, AT) RLT_STEP(M, 7, 23, X, 31, AT)
#define RLT_ODD(M, X, AT, LOAD) \
    RLT_STEP(M, 0, 24, X, 16, AT) LOAD RLT_STEP(M, 1, 25, X, 17, AT) \
    RLT_STEP(M, 2, 26, X, 18, AT) RLT_STEP(M, 3, 27, X, 19, AT) RLT_STEP(M, 4, 28, X, 20, AT) \
    RLT_STEP(M, 5, 29, X, 21, AT) RLT_STEP(M, 6, 30, X, 22, AT) RLT_STEP(M, 7, 31, X, 23, AT)

// Eight inputs. The first two are loaded here and not in the block before: nothing behind the input is ever read.
#define RLT_BLOCK(M) \
    RLT_LOAD(8, input, 0) RLT_LOAD(9, input, 4) \
    "subs %[block], #1\n" \
    "add %[input], #32\n" \
    RLT_EVEN(M, 8, 32, RLT_LOAD(10, input, -24)) RLT_ODD(M, 9, 64, RLT_LOAD(11, input, -20)) \
    RLT_EVEN(M, 10, 96, RLT_LOAD(12, input, -16)) RLT_ODD(M, 11, 128, RLT_LOAD(13, input, -12)) \
    RLT_EVEN(M, 12, 160, RLT_LOAD(14, input, -8)) RLT_ODD(M, 13, 192, RLT_LOAD(15, input, -4)) \
    RLT_EVEN(M, 14, 224, "") RLT_ODD(M, 15, 256, "")

// Up to seven more.
#define RLT_IF_REST(N, TEXT) ".if %c[rest] > " #N "\n" TEXT ".endif\n"
#define RLT_REST(M) \
    RLT_IF_REST(0, RLT_LOAD(8, input, 0)) RLT_IF_REST(1, RLT_LOAD(9, input, 4)) \
    RLT_IF_REST(0, RLT_EVEN(M, 8, 32, RLT_IF_REST(2, RLT_LOAD(10, input, 8)))) \
    RLT_IF_REST(1, RLT_ODD(M, 9, 64, RLT_IF_REST(3, RLT_LOAD(11, input, 12)))) \
    RLT_IF_REST(2, RLT_EVEN(M, 10, 96, RLT_IF_REST(4, RLT_LOAD(12, input, 16)))) \
    RLT_IF_REST(3, RLT_ODD(M, 11, 128, RLT_IF_REST(5, RLT_LOAD(13, input, 20)))) \
    RLT_IF_REST(4, RLT_EVEN(M, 12, 160, RLT_IF_REST(6, RLT_LOAD(14, input, 24)))) \
    RLT_IF_REST(5, RLT_ODD(M, 13, 192, "")) RLT_IF_REST(6, RLT_EVEN(M, 14, 224, "")) \
    RLT_IF_REST(0, "add %[stream], #32 * %c[rest]\n")

// VMAXNM with +0 is `x > 0 ? x : 0`, NaN and -0 included: it takes the number if the other one is a quiet NaN (what has
// been added is never a signalling one), and +0 of two zeros.
#define RLT_MAX(A) "vmaxnm.f32 s" #A ", s" #A ", s16\n"
#define RLT_STORE(A) "vstr.32 s" #A ", [%[output], #4 * " #A "]\n"
#define RLT_RELU \
    "vmov s16, %[zero]\n" RLT_MAX(0) RLT_MAX(1) RLT_MAX(2) \
    RLT_MAX(3) RLT_STORE(0) RLT_MAX(4) RLT_STORE(1) RLT_MAX(5) RLT_STORE(2) RLT_MAX(6) RLT_STORE(3) \
    RLT_MAX(7) RLT_STORE(4) RLT_STORE(5) RLT_STORE(6) RLT_STORE(7) \
    "add %[output], #32\n"

// The biases, the first input's weights, all inputs, the activation function.
#define RLT_PANEL(M) \
    asm volatile( \
        RLT_LOAD(16, stream, 32) RLT_LOAD(17, stream, 36) RLT_LOAD(18, stream, 40) RLT_LOAD(19, stream, 44) \
        RLT_LOAD(20, stream, 48) RLT_LOAD(21, stream, 52) RLT_LOAD(22, stream, 56) RLT_LOAD(23, stream, 60) \
        "vldmia %[stream]!, {s0-s7}\n" \
        ".if %c[blocks]\n" \
        "1:\n" RLT_BLOCK(M) \
        "add %[stream], #256\n" \
        "bne 1b\n" \
        ".endif\n" RLT_REST(M) \
        ".if %c[relu]\n" RLT_RELU ".else\n vstmia %[output]!, {s0-s7}\n .endif\n" \
        : [stream] "+r"(stream), [input] "+r"(input), [output] "+r"(output), [block] "+r"(block) \
        : [blocks] "i"(COLUMNS / 8), [rest] "i"(COLUMNS % 8), [relu] "i"(RELU_APPLIED ? 1 : 0), [zero] "r"(0) \
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", \
          "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", \
          "cc", "memory")

// clang-format on
// Eight outputs from the stream of one panel; returns where the next panel begins. Reads 32 bytes behind the panel.
// Inlined, or the registers that the assembly uses would be saved once per panel.
template <typename ARITHMETIC, size_t COLUMNS, bool RELU_APPLIED>
[[gnu::always_inline]] inline const float* panel(const float* stream, const float* input, float* output) {
    size_t block = COLUMNS / 8;
    if constexpr (std::is_same_v<ARITHMETIC, arithmetic::Fused>) {
        RLT_PANEL("vfma.f32");
    } else {
        RLT_PANEL("vmla.f32");
    }
    return stream;
}

}  // namespace cortex_m7f

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::CortexM7F<ARITHMETIC>&, const PanelLayer<SPEC, layout::Panels<8, 32>>& layer,
                     const float* input, float* output) {
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM - SPEC::OUTPUT_DIM % 8;
    constexpr auto FUNCTION = SPEC::ACTIVATION_FUNCTION;
    using ONE_INSTRUCTION =
        std::conditional_t<std::is_same_v<ARITHMETIC, arithmetic::Fused>, arithmetic::Fused, cortex_m7f::Chained>;
    const float* stream = layer.data();
    for (float* target = output; target != output + WHOLE; target += 8) {
        stream = cortex_m7f::panel < ARITHMETIC, SPEC::INPUT_DIM,
        FUNCTION == ActivationFunction::RELU > (stream, input, target);
    }
    portable::tail_panels<ONE_INSTRUCTION, WHOLE>(layer, input, output);
    activate_all<per_vector(FUNCTION), SPEC::OUTPUT_DIM>(output);
}

}  // namespace rl_tools::nn::layers::dense

#undef RLT_LOAD
#undef RLT_STEP
#undef RLT_EVEN
#undef RLT_ODD
#undef RLT_BLOCK
#undef RLT_IF_REST
#undef RLT_REST
#undef RLT_MAX
#undef RLT_STORE
#undef RLT_RELU
#undef RLT_PANEL

#endif
