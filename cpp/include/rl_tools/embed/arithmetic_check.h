// Whether this program computes as IEEE 754 says, which is what a policy's bits rest on. ROMs, link lines, mode
// registers and flags of other code can change that without a word: subnormal numbers become zeros, results are rounded
// upwards, a multiplication and an addition become one operation. So each operation that the policy's layers use is
// done here, through the functions that the layers call, on operands where such programs differ; and the dense layer's
// kernel is compared with single operations. Expected results: tests/policy/test_arithmetic_check.py computes them
// anew.
#pragma once

#include <rl_tools/embed/messages.h>
#include <rl_tools/math/clamp.h>
#include <rl_tools/math/float_mode.h>
#include <rl_tools/math/operations.h>
#include <rl_tools/nn/layers/dense/operations_arm/opt.h>

namespace rl_tools::embed {

namespace arithmetic_check {

enum class Operation : uint8_t { product, sum, is_less, relu, quotient, to_integer, from_integer };

// `operation` of a and b gives `expected`; all are bits. If not, that shows `fault`.
struct Case {
    constexpr Case(ArithmeticFault fault, Operation operation, uint32_t a, uint32_t b, uint32_t expected)
        : a(a), b(b), expected(expected), fault(static_cast<uint16_t>(fault)), operation(operation) {}
    uint32_t a, b, expected;
    uint16_t fault;
    Operation operation;
};

// a + b * c.
struct MultiplyAdd {
    uint32_t a, b, c, expected;
    ArithmeticFault fault;
};

constexpr uint32_t any_nan = 0x7FC00000U;

// A number that the compiler does not know.
inline uint32_t opaque(uint32_t bits) {
    const volatile uint32_t hidden = bits;
    return hidden;
}

inline float number(uint32_t bits) { return math::float_of(opaque(bits)); }

// 0x1p-149 is the smallest number, 0x1p-126 the smallest that is not subnormal.
inline constexpr Case basic_cases[] = {
    // 0x1p-149 * 0x1p+24; -0x1p-149 * 0x1p+24; twice the largest subnormal number; 0x1p-126 + 0x1p-149
    {ArithmeticFault::subnormal_operand, Operation::product, 0x00000001, 0x4B800000, 0x01000000},
    {ArithmeticFault::subnormal_operand, Operation::product, 0x4B800000, 0x80000001, 0x81000000},
    {ArithmeticFault::subnormal_operand, Operation::product, 0x007FFFFF, 0x40000000, 0x00FFFFFE},
    {ArithmeticFault::subnormal_operand, Operation::sum, 0x00800000, 0x00000001, 0x00800001},
    // 0x1p-126 / 2, also of the other sign; 0x1p-75 * 0x1p-74; 0x1.000002p-126 - 0x1p-126
    {ArithmeticFault::subnormal_result, Operation::product, 0x00800000, 0x3F000000, 0x00400000},
    {ArithmeticFault::subnormal_result, Operation::product, 0x80800000, 0x3F000000, 0x80400000},
    {ArithmeticFault::subnormal_result, Operation::product, 0x1A000000, 0x1A800000, 0x00000001},
    {ArithmeticFault::subnormal_result, Operation::sum, 0x00800001, 0x80800000, 0x00000001},
    // 1 + 0x1p-24 and 0x1.000002p+0 + 0x1p-24 are in the middle between two floats: the even one, in both directions
    {ArithmeticFault::rounding, Operation::sum, 0x3F800000, 0x33800000, 0x3F800000},
    {ArithmeticFault::rounding, Operation::sum, 0x3F800001, 0x33800000, 0x3F800002},
    {ArithmeticFault::rounding, Operation::sum, 0xBF800000, 0xB3800000, 0xBF800000},
    {ArithmeticFault::rounding, Operation::sum, 0xBF800001, 0xB3800000, 0xBF800002},
    // 0x1.000002p+0 times itself, and times 1.5: in the middle again
    {ArithmeticFault::rounding, Operation::product, 0x3F800001, 0x3F800001, 0x3F800002},
    {ArithmeticFault::rounding, Operation::product, 0x3F800001, 0x3FC00000, 0x3FC00002},
    {ArithmeticFault::rounding, Operation::product, 0xBF800001, 0x3FC00000, 0xBFC00002},
    // -0 * 1; 0 * -1; -0 + -0; -0 + 0; 1 - 1; a negative product that is too small for any other number
    {ArithmeticFault::sign_of_zero, Operation::product, 0x80000000, 0x3F800000, 0x80000000},
    {ArithmeticFault::sign_of_zero, Operation::product, 0x00000000, 0xBF800000, 0x80000000},
    {ArithmeticFault::sign_of_zero, Operation::sum, 0x80000000, 0x80000000, 0x80000000},
    {ArithmeticFault::sign_of_zero, Operation::sum, 0x80000000, 0x00000000, 0x00000000},
    {ArithmeticFault::sign_of_zero, Operation::sum, 0x3F800000, 0xBF800000, 0x00000000},
    {ArithmeticFault::sign_of_zero, Operation::product, 0x9A000000, 0x19800000, 0x80000000},
    // infinity + 1; twice the largest number; infinity - infinity; 0 * infinity; NaN + 1
    {ArithmeticFault::special_number, Operation::sum, 0x7F800000, 0x3F800000, 0x7F800000},
    {ArithmeticFault::special_number, Operation::product, 0x7F7FFFFF, 0x40000000, 0x7F800000},
    {ArithmeticFault::special_number, Operation::sum, 0x7F800000, 0xFF800000, any_nan},
    {ArithmeticFault::special_number, Operation::product, 0x00000000, 0x7F800000, any_nan},
    {ArithmeticFault::special_number, Operation::sum, 0x7FC00000, 0x3F800000, any_nan},
};

// a + b * c. 0x1.000002p+0 squared is 0x1.000004p+0 + 0x1p-46: the second part is there if nothing was rounded between.
// The other case is 1 + 0x1p-24 + 0x1p-60, which rounds up, but not through a double.
inline constexpr MultiplyAdd separate_cases[] = {
    {0xBF800002, 0x3F800001, 0x3F800001, 0x00000000, ArithmeticFault::multiply_add},
    {0x3F800000, 0x36800800, 0x3C7FF001, 0x3F800000, ArithmeticFault::multiply_add},
};
inline constexpr MultiplyAdd fused_cases[] = {
    {0xBF800002, 0x3F800001, 0x3F800001, 0x28800000, ArithmeticFault::multiply_add},
    {0x3F800000, 0x36800800, 0x3C7FF001, 0x3F800001, ArithmeticFault::multiply_add},
    // 0x1p-126 - 0x1p-76 * 0x1p-51; 0x1p-149 + 0x1p-76 * -0x1p-74
    {0x00800000, 0x99800000, 0x26000000, 0x00400000, ArithmeticFault::subnormal_result},
    {0x80000000, 0x19800000, 0x9A800000, 0x80000000, ArithmeticFault::sign_of_zero},
};

inline constexpr Case comparisons[] = {
    {ArithmeticFault::comparison, Operation::is_less, 0x00000000, 0x00000001, 1},
    {ArithmeticFault::comparison, Operation::is_less, 0x80000001, 0x80000000, 1},
    {ArithmeticFault::comparison, Operation::is_less, 0x00000001, 0x00000002, 1},
    {ArithmeticFault::comparison, Operation::is_less, 0x80000000, 0x00000000, 0},
    {ArithmeticFault::comparison, Operation::is_less, 0x7FC00000, 0x3F800000, 0},
    {ArithmeticFault::comparison, Operation::is_less, 0x3F800000, 0x7FC00000, 0},
    {ArithmeticFault::comparison, Operation::is_less, 0xFF800000, 0xFF7FFFFF, 1},
    {ArithmeticFault::comparison, Operation::relu, 0x00000001, 0, 0x00000001},
    {ArithmeticFault::comparison, Operation::relu, 0x80000000, 0, 0x00000000},
    {ArithmeticFault::comparison, Operation::relu, 0x7FC00000, 0, 0x00000000},
};

// 1/3; 0x1p-126 / 2; 3 * 0x1p-149 / 2, in the middle; 1 / infinity; 1 / 0; 0 / 0
inline constexpr Case quotients[] = {
    {ArithmeticFault::division, Operation::quotient, 0x3F800000, 0x40400000, 0x3EAAAAAB},
    {ArithmeticFault::division, Operation::quotient, 0x00800000, 0x40000000, 0x00400000},
    {ArithmeticFault::division, Operation::quotient, 0x00000003, 0x40000000, 0x00000002},
    {ArithmeticFault::division, Operation::quotient, 0x3F800000, 0x7F800000, 0x00000000},
    {ArithmeticFault::division, Operation::quotient, 0x3F800000, 0x80000000, 0xFF800000},
    {ArithmeticFault::division, Operation::quotient, 0x00000000, 0x00000000, any_nan},
};

// Towards zero: 1.75, -1.75, -0.99999994; and back: -2, 0x1000001, which is in the middle
inline constexpr Case conversions[] = {
    {ArithmeticFault::conversion, Operation::to_integer, 0x3FE00000, 0, 1},
    {ArithmeticFault::conversion, Operation::to_integer, 0xBFE00000, 0, 0xFFFFFFFF},
    {ArithmeticFault::conversion, Operation::to_integer, 0xBF7FFFFF, 0, 0},
    {ArithmeticFault::conversion, Operation::from_integer, 0xFFFFFFFE, 0, 0xC0000000},
    {ArithmeticFault::conversion, Operation::from_integer, 0x01000001, 0, 0x4B800000},
};

// One result; a branch is there only for operations that the policy uses.
template <math::Operations OPERATIONS>
inline uint32_t result_of(const Case& each) {
    using math::bits_of;
    if constexpr (math::has(OPERATIONS, math::CONVERT)) {
        if (each.operation == Operation::from_integer) {
            return bits_of(static_cast<float>(static_cast<int32_t>(opaque(each.a))));
        }
    }
    const float a = number(each.a);
    const float b = number(each.b);
    if (each.operation == Operation::product) {
        return bits_of(arithmetic::rounded(arithmetic::scalar(a) * b));
    }
    if (each.operation == Operation::sum) {
        return bits_of(arithmetic::scalar(arithmetic::scalar(a) + b));
    }
    if constexpr (math::has(OPERATIONS, math::COMPARE)) {
        if (each.operation == Operation::is_less) {
            return a < b ? 1 : 0;
        }
        if (each.operation == Operation::relu) {
            return bits_of(nn::activate<nn::ActivationFunction::RELU>(a));
        }
    }
    if constexpr (math::has(OPERATIONS, math::DIVIDE)) {
        if (each.operation == Operation::quotient) {
            return bits_of(a / b);
        }
    }
    if constexpr (math::has(OPERATIONS, math::CONVERT)) {
        if (each.operation == Operation::to_integer) {
            return static_cast<uint32_t>(static_cast<int32_t>(a));
        }
    }
    return each.expected;
}

inline bool is_nan(uint32_t bits) { return (bits & ~math::SIGN_BIT) > math::INFINITY_BITS; }

// Once in the program, whatever there is to try: small, not fast.
template <math::Operations OPERATIONS>
RL_TOOLS_NOINLINE RL_TOOLS_COLD uint32_t faults_among(const Case* each, const Case* end) {
    uint32_t faults = 0;
    for (; each != end; each++) {
        const uint32_t result = result_of<OPERATIONS>(*each);
        if (each->expected == any_nan ? !is_nan(result) : result != each->expected) {
            faults |= each->fault;
        }
    }
    return faults;
}

template <math::Operations OPERATIONS, size_t COUNT>
inline uint32_t faults_among(const Case (&cases)[COUNT]) {
    return faults_among<OPERATIONS>(cases, cases + COUNT);
}

template <typename ARITHMETIC, size_t COUNT>
RL_TOOLS_NOINLINE RL_TOOLS_COLD uint32_t faults_among(const MultiplyAdd (&cases)[COUNT]) {
    uint32_t faults = 0;
    for (const MultiplyAdd& each : cases) {
        const float result = arithmetic::multiply_add(ARITHMETIC{}, number(each.a), number(each.b), number(each.c));
        faults |= math::bits_of(result) != each.expected ? static_cast<uint32_t>(each.fault) : 0;
    }
    return faults;
}

// A dense layer of such numbers, through the device's own kernel and one operation after the other.
struct Kernel {
    static constexpr size_t INPUTS = 5;
    static constexpr size_t OUTPUTS = 8;
    using Spec = nn::layers::dense::Specification<float, size_t, INPUTS, OUTPUTS, nn::ActivationFunction::IDENTITY,
                                                  parameters::ReadOnly>;

    struct Bytes {
        alignas(4) unsigned char weights[4 * INPUTS * OUTPUTS];
        alignas(4) unsigned char biases[4 * OUTPUTS];
    };

    // Weights and inputs whose products are subnormal, in the middle between two floats, inexact, zeros, or so large
    // that the order of the sum shows.
    static constexpr uint32_t weights[] = {0x3F800001, 0x00800001, 0x80000001, 0x33800000, 0x3F000000,
                                           0x007FFFFF, 0xBF800001, 0x80000000, 0x36800800, 0x3FC00000,
                                           0x1A400000, 0x4B800000, 0xCB800001};
    static constexpr uint32_t biases[] = {0x00000000, 0x80000000, 0x3F800000, 0x80800000,
                                          0xBF800002, 0x00000001, 0x80000001, 0x00000000};
    static constexpr uint32_t inputs[] = {0x3F800001, 0x3F000000, 0x40000000, 0x3C7FF001, 0x00800000};

    static constexpr uint32_t weight(size_t index) { return weights[index % (sizeof weights / sizeof *weights)]; }

    static constexpr void put(unsigned char* to, uint32_t bits) {
        for (size_t i = 0; i < 4; i++) {
            to[i] = static_cast<unsigned char>(bits >> (8 * i));
        }
    }

    static constexpr Bytes make_bytes() {
        Bytes bytes{};
        for (size_t i = 0; i < INPUTS * OUTPUTS; i++) {
            put(bytes.weights + 4 * i, weight(i));
        }
        for (size_t i = 0; i < OUTPUTS; i++) {
            put(bytes.biases + 4 * i, biases[i]);
        }
        return bytes;
    }
};

inline constexpr Kernel::Bytes kernel_bytes = Kernel::make_bytes();
inline constexpr nn::layers::dense::Layer<Kernel::Spec> kernel_layer{{kernel_bytes.weights}, {kernel_bytes.biases}};
template <typename LAYOUT>
inline constexpr auto kernel_layer_in = in_layout(LAYOUT{}, kernel_layer);

template <typename DEVICE>
RL_TOOLS_NOINLINE RL_TOOLS_COLD uint32_t faults_of_kernel() {
    float inputs[Kernel::INPUTS];
    float outputs[Kernel::OUTPUTS];
    for (size_t i = 0; i < Kernel::INPUTS; i++) {
        inputs[i] = number(Kernel::inputs[i]);
    }
    evaluate(DEVICE{}, kernel_layer_in<typename DEVICE::LAYOUT>, inputs, outputs);
    for (size_t row = 0; row < Kernel::OUTPUTS; row++) {
        float sum = number(Kernel::biases[row]);
        for (size_t col = 0; col < Kernel::INPUTS; col++) {
            sum = arithmetic::multiply_add(typename DEVICE::ARITHMETIC{}, sum,
                                           number(Kernel::weight(row * Kernel::INPUTS + col)), inputs[col]);
        }
        if (math::bits_of(sum) != math::bits_of(outputs[row])) {
            return static_cast<uint32_t>(ArithmeticFault::kernel);
        }
    }
    return 0;
}

}  // namespace arithmetic_check

// Bits of ArithmeticFault, in the mode that is set now; none: the operations in OPERATIONS and the dense kernel of
// DEVICE compute as they should.
template <typename DEVICE, math::Operations OPERATIONS>
RL_TOOLS_NOINLINE uint32_t arithmetic_faults() {
    using namespace arithmetic_check;
    using ARITHMETIC = typename DEVICE::ARITHMETIC;
    uint32_t faults = faults_among<OPERATIONS>(basic_cases) | faults_among<arithmetic::Separate>(separate_cases) |
                      faults_of_kernel<DEVICE>();
    if constexpr (ARITHMETIC::CODE == arithmetic::Fused::CODE) {
        faults |= faults_among<ARITHMETIC>(fused_cases);
    }
    if constexpr (math::has(OPERATIONS, math::COMPARE)) {
        faults |= faults_among<OPERATIONS>(comparisons);
    }
    if constexpr (math::has(OPERATIONS, math::DIVIDE)) {
        faults |= faults_among<OPERATIONS>(quotients);
    }
    if constexpr (math::has(OPERATIONS, math::CONVERT)) {
        faults |= faults_among<OPERATIONS>(conversions);
    }
    if ((math::current_float_mode() & math::DEFAULT_NAN) != 0) {
        faults |= static_cast<uint32_t>(ArithmeticFault::default_nan);
    }
    return faults;
}

}  // namespace rl_tools::embed
