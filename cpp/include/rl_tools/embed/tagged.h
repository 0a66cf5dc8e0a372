// Tagged fields of an answer: number u8, size u8, value. A host skips numbers that it does not know, so a firmware may
// send more than an older host expects. WRITER is a `FrameSender`, or anything else with its `put` and `put_bytes`.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

inline constexpr size_t longest_tagged_value = 0xFF;

// Bytes that a field with a value of `value_size` bytes takes.
[[nodiscard]] constexpr size_t tagged_size(size_t value_size) { return 2 + value_size; }

// Letters and how many they are, which is known before the program runs: counted then, it would take the C library.
struct Text {
    constexpr explicit Text(const char* text) : letters(text) {
        while (text[size] != '\0') {
            ++size;
        }
    }

    const char* letters;
    size_t size = 0;
};

template <typename WRITER, typename INTEGER>
void put_tagged(WRITER& writer, uint8_t number, INTEGER value) {
    writer.put(number);
    writer.put(static_cast<uint8_t>(sizeof value));
    writer.put(value);
}

// At most `longest_tagged_value` letters: the caller checks that.
template <typename WRITER>
void put_tagged(WRITER& writer, uint8_t number, const Text& text) {
    writer.put(number);
    writer.put(static_cast<uint8_t>(text.size));
    for (size_t i = 0; i < text.size; ++i) {
        writer.put(static_cast<uint8_t>(text.letters[i]));
    }
}

template <typename WRITER, size_t SIZE>
void put_tagged(WRITER& writer, uint8_t number, const uint8_t (&bytes)[SIZE]) {
    static_assert(SIZE <= longest_tagged_value);
    writer.put(number);
    writer.put(static_cast<uint8_t>(SIZE));
    writer.put_bytes(bytes, SIZE);
}

}  // namespace rl_tools::embed
