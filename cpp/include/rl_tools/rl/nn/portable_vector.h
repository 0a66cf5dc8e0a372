// A vector as an array of numbers, with the operators that the kernels use: for compilers without vector types.
// A loop that has no more in it than one operation is what every compiler can make vector instructions of.
#pragma once

#include <rl_tools/compiler.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace rl_tools::nn::training::portable {

template <typename T, size_t T_COUNT>
struct Lanes {
    static constexpr size_t COUNT = T_COUNT;
    // What comparisons give: integers as wide as the numbers, with every bit set where they hold.
    using Integers = Lanes<std::conditional_t<sizeof(T) == 4, int32_t, int64_t>, COUNT>;

    T numbers[COUNT];

    Lanes() = default;
    // One number in every lane: what an operand that is no vector becomes.
    RL_TOOLS_ALWAYS_INLINE Lanes(T number) {
        for (size_t lane = 0; lane < COUNT; lane++) {
            numbers[lane] = number;
        }
    }

    T& operator[](size_t lane) { return numbers[lane]; }
    const T& operator[](size_t lane) const { return numbers[lane]; }

    friend Lanes operator+(const Lanes& a, const Lanes& b) { return each(a, b, std::plus<T>{}); }
    friend Lanes operator-(const Lanes& a, const Lanes& b) { return each(a, b, std::minus<T>{}); }
    friend Lanes operator*(const Lanes& a, const Lanes& b) { return each(a, b, std::multiplies<T>{}); }
    friend Lanes operator/(const Lanes& a, const Lanes& b) { return each(a, b, std::divides<T>{}); }
    friend Lanes operator&(const Lanes& a, const Lanes& b) { return each(a, b, std::bit_and<T>{}); }
    friend Lanes operator>>(const Lanes& a, T bits) {
        return each(a, bits, [](T x, T count) { return x >> count; });
    }
    friend Lanes operator<<(const Lanes& a, T bits) {
        return each(a, bits, [](T x, T count) { return x << count; });
    }
    friend Lanes operator-(const Lanes& a) {
        return each(a, a, [](T x, T) { return -x; });
    }
    friend Integers operator<(const Lanes& a, const Lanes& b) { return compared(a, b, std::less<T>{}); }
    friend Integers operator>(const Lanes& a, const Lanes& b) { return compared(a, b, std::greater<T>{}); }

    RL_TOOLS_ALWAYS_INLINE Lanes& operator+=(const Lanes& other) {
        for (size_t lane = 0; lane < COUNT; lane++) {
            numbers[lane] += other.numbers[lane];
        }
        return *this;
    }

private:
    template <typename OPERATION>
    RL_TOOLS_ALWAYS_INLINE static Lanes each(const Lanes& a, const Lanes& b, OPERATION operation) {
        Lanes result;
        for (size_t lane = 0; lane < COUNT; lane++) {
            result[lane] = operation(a[lane], b[lane]);
        }
        return result;
    }

    template <typename COMPARISON>
    RL_TOOLS_ALWAYS_INLINE static Integers compared(const Lanes& a, const Lanes& b, COMPARISON comparison) {
        Integers result;
        for (size_t lane = 0; lane < COUNT; lane++) {
            result[lane] = comparison(a[lane], b[lane]) ? -1 : 0;
        }
        return result;
    }
};

}  // namespace rl_tools::nn::training::portable
