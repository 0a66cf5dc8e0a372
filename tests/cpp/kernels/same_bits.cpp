// Every kernel of a device against the generic one, bit for bit, over the shapes of shapes.h.
// Outputs lie between guard words; the input ends with RAM, so that reading one byte behind it is a fault.
#include "semihosting.h"
#include "shapes.h"

#include <rl_tools/devices/esp32.h>
#include <rl_tools/devices/riscv.h>
#include <rl_tools/nn/layers/dense/operations_arm/opt.h>

#include <new>
#include <type_traits>

namespace {

namespace rlt = rl_tools;
namespace dense = rlt::nn::layers::dense;
using rlt::nn::ActivationFunction;

extern "C" float __ram_last_kib[256];

constexpr size_t LARGEST = 70;
const float GUARD = -6.2598534e+18F;

struct Random {
    uint32_t state = 0x12345678;
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }
    // Uniform in [-1, 1).
    float number() { return static_cast<float>(static_cast<int32_t>(next())) * 0x1p-31F; }
    // Biases and products of two of these are subnormal, or not far above.
    float tiny() { return next() % 8 == 0 ? number() * 0x1p-125F : number() * 0x1p-63F; }
    float special() {
        constexpr uint32_t BITS[] = {0x00000000, 0x80000000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0x7F800000,
                                     0xFF800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x00000001, 0x80000001, 0x00800000};
        return next() % 2 == 0 ? number() : rlt::math::float_of(BITS[next() % (sizeof BITS / sizeof *BITS)]);
    }
};

Random generator;
alignas(16) unsigned char row_memory[4 * LARGEST * (LARGEST + 1)];
alignas(16) unsigned char panel_memory[sizeof row_memory + 64];
uint32_t comparisons = 0;
uint32_t differences = 0;

bool is_nan(uint32_t bits) { return (bits & 0x7FFFFFFF) > 0x7F800000; }

bool is_same(float found, float expected) {
    const uint32_t a = rlt::math::bits_of(found);
    const uint32_t b = rlt::math::bits_of(expected);
    return a == b || (is_nan(a) && is_nan(b));
}

[[gnu::noinline]] void compare(const float* found, const float* expected, size_t size) {
    comparisons++;
    bool same = is_same(found[0], GUARD) && is_same(found[size + 1], GUARD);
    for (size_t i = 1; i <= size; i++) {
        same = same && is_same(found[i], expected[i]);
    }
    differences += same ? 0 : 1;
}

template <typename DEVICE, typename LAYER>
[[gnu::noinline]] void evaluate_on(const void* layer, const float* input, float* output) {
    evaluate(DEVICE{}, *static_cast<const LAYER*>(layer), input, output);
}

using Evaluate = void (*)(const void* layer, const float* input, float* output);

// Once for all shapes: only the kernels are compiled for each.
void compare_layer(Evaluate kernel, const void* layer, Evaluate generic, const void* reference, size_t inputs,
                   size_t outputs) {
    float found[LARGEST + 2];
    float expected[LARGEST + 2];
    float* const input = __ram_last_kib + 256 - inputs;
    for (uint32_t pass = 0; pass < 5; pass++) {
        for (size_t i = 0; i < inputs; i++) {
            input[i] = pass < 2 ? generator.number() : pass < 4 ? generator.special() : generator.tiny();
        }
        for (size_t i = 0; i < outputs + 2; i++) {
            found[i] = GUARD;
        }
        kernel(layer, input, found + 1);
        generic(reference, input, expected + 1);
        compare(found, expected, outputs);
    }
}

template <typename DEVICE, size_t INPUTS, size_t OUTPUTS, ActivationFunction FUNCTION>
[[gnu::noinline]] void compare_shape() {
    using SPEC = dense::Specification<float, size_t, INPUTS, OUTPUTS, FUNCTION>;
    using LAYOUT = typename DEVICE::LAYOUT;
    using PANELS = std::conditional_t<std::is_same_v<LAYOUT, rlt::layout::Rows>, rlt::layout::Panels<8>, LAYOUT>;
    using Row = dense::Layer<SPEC>;
    using Panel = dense::PanelLayer<SPEC, PANELS>;
    auto& rows = *new (row_memory) Row;
    auto& panels = *new (panel_memory) Panel;
    static_assert(sizeof rows <= sizeof row_memory && sizeof panels <= sizeof panel_memory);
    const bool tiny = generator.next() % 2 == 0;
    for (size_t row = 0; row < OUTPUTS; row++) {
        rows.biases.values[row] = tiny ? generator.number() * 0x1p-126F : generator.number();
        const_cast<float&>(panels.bias(row)) = rows.biases.values[row];
        for (size_t col = 0; col < INPUTS; col++) {
            rows.weights.values[row * INPUTS + col] = tiny ? generator.tiny() : generator.number();
            const_cast<float&>(panels.weight(row, col)) = rows.weights.values[row * INPUTS + col];
        }
    }
    constexpr Evaluate generic = evaluate_on<rlt::devices::Generic<typename DEVICE::ARITHMETIC>, Row>;
    compare_layer(evaluate_on<DEVICE, Panel>, &panels, generic, &rows, INPUTS, OUTPUTS);
    compare_layer(evaluate_on<DEVICE, Row>, &rows, generic, &rows, INPUTS, OUTPUTS);
}

}  // namespace

int main() {
#define SHAPE(INPUTS, OUTPUTS, FUNCTION) \
    compare_shape<rlt::devices::TAG<rlt::arithmetic::ARITHMETIC>, INPUTS, OUTPUTS, ActivationFunction::FUNCTION>();
    SHAPES
#undef SHAPE
    semihosting::write_hex(comparisons);
    semihosting::write_hex(differences);
    return differences == 0 ? 0 : 1;
}
