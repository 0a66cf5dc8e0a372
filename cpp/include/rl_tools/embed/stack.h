// How deep the stack ever was: start-up code paints the unused part with a pattern, later the lowest word that lost it
// tells. Pure functions over [lowest, end), so that they are tested on the host; the port knows its linker's symbols.
// The stack grows downwards, as on every core we support.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

inline constexpr uint32_t stack_pattern = 0xA5C35A3CU;

// `end` is the lowest address in use, at most the stack pointer. Volatile: nobody seems to read what is written here.
inline void paint_stack(uint32_t* lowest, const uint32_t* end) {
    for (volatile uint32_t* word = lowest; word < end; word = word + 1) {
        *word = stack_pattern;
    }
}

// Paints from `lowest` to a little below the caller's frame; call it first thing in start-up code.
// `margin_words` stay unpainted, for this function's own frame and an interrupt's; they count as used.
inline void paint_stack_below_caller(uint32_t* lowest, size_t margin_words = 32) {
    const uint32_t* const frame = static_cast<const uint32_t*>(__builtin_frame_address(0));
    paint_stack(lowest, frame - margin_words);
}

// Bytes from the deepest word that was ever written to `end`, the stack's highest address. A word that happened to
// receive the pattern itself is counted as unused: an error of 4 bytes with a chance of 2^-32.
[[nodiscard]] inline size_t stack_high_water_bytes(const uint32_t* lowest, const uint32_t* end) {
    const volatile uint32_t* word = lowest;
    while (word < end && *word == stack_pattern) {
        word = word + 1;
    }
    return static_cast<size_t>(reinterpret_cast<const volatile uint8_t*>(end) -
                               reinterpret_cast<const volatile uint8_t*>(word));
}

}  // namespace rl_tools::embed
