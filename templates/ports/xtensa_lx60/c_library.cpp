// What compiled code takes for granted of a C library: there is none for these cores.
#include <cstddef>
#include <cstdint>

extern "C" {

// The compiler must not make calls of these functions out of their own loops.
#define PLAIN_LOOP __attribute__((used, optimize("no-tree-loop-distribute-patterns")))

PLAIN_LOOP void* memcpy(void* to, const void* from, std::size_t size) {
    for (std::size_t i = 0; i < size; i++) {
        static_cast<std::uint8_t*>(to)[i] = static_cast<const std::uint8_t*>(from)[i];
    }
    return to;
}

PLAIN_LOOP void* memmove(void* to, const void* from, std::size_t size) {
    auto* const target = static_cast<std::uint8_t*>(to);
    const auto* const source = static_cast<const std::uint8_t*>(from);
    if (target < source) {
        return memcpy(to, from, size);
    }
    for (std::size_t i = size; i > 0; i--) {
        target[i - 1] = source[i - 1];
    }
    return to;
}

PLAIN_LOOP void* memset(void* to, int value, std::size_t size) {
    for (std::size_t i = 0; i < size; i++) {
        static_cast<std::uint8_t*>(to)[i] = static_cast<std::uint8_t>(value);
    }
    return to;
}

PLAIN_LOOP int memcmp(const void* a, const void* b, std::size_t size) {
    for (std::size_t i = 0; i < size; i++) {
        const int difference = static_cast<const std::uint8_t*>(a)[i] - static_cast<const std::uint8_t*>(b)[i];
        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}

PLAIN_LOOP std::size_t strlen(const char* text) {
    std::size_t size = 0;
    while (text[size] != '\0') {
        size++;
    }
    return size;
}

}  // extern "C"
