// What both programs of benchmarks/kernels.py do with their infer(): once to see how deep the stack goes, once between
// two marks, where the emulator counts instructions. Writes the stack's depth, then the bits of the output.
#pragma once

#include "semihosting.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
[[gnu::noinline]] inline void mark_start() { asm volatile("nop" ::: "memory"); }
[[gnu::noinline]] inline void mark_stop() { asm volatile("nop" ::: "memory"); }
}

namespace driver {

constexpr std::uint32_t PAINT = 0xA5A5A5A5;
constexpr std::size_t PAINTED_WORDS = 2048;

[[gnu::noinline]] inline void paint_stack(std::uint32_t* top) {
    for (volatile std::uint32_t* word = top - PAINTED_WORDS; word < top; word++) {
        *word = PAINT;
    }
}

template <std::size_t OUTPUTS, typename INFER>
int measure(INFER infer, const float* input) {
    static float output[OUTPUTS];
    std::uint32_t* top;
    asm volatile("mov %0, sp" : "=r"(top));
    paint_stack(top - 16);  // less than paint_stack's own frame is not counted on
    infer(input, output);
    const std::uint32_t* deepest = top - 16 - PAINTED_WORDS;
    while (*deepest == PAINT) {
        deepest++;
    }
    mark_start();
    infer(input, output);
    mark_stop();
    semihosting::write_hex(static_cast<std::uint32_t>(top - deepest) * 4);
    for (const float number : output) {
        std::uint32_t bits;
        memcpy(&bits, &number, sizeof bits);
        semihosting::write_hex(bits);
    }
    return 0;
}

}  // namespace driver
