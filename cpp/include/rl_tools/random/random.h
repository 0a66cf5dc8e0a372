// Random numbers that are the same on every platform: xoshiro128++ (Blackman and Vigna, 2019), seeded by SplitMix64.
// 32-bit operations only, 16 bytes of state. The normal distribution uses our own log, and sqrtf, which IEEE 754
// defines to the last place.
#pragma once

#include <rl_tools/containers/matrix.h>
#include <rl_tools/containers/tensor.h>
#include <rl_tools/devices/devices.h>
#include <rl_tools/math/functions.h>

#if !defined(RL_TOOLS_GNU_EXTENSIONS)
#include <cmath>
#endif

namespace rl_tools::random {

struct Engine {
    uint32_t state[4];
};

inline uint64_t split_mix(uint64_t& state) {
    state += 0x9E3779B97F4A7C15ULL;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

inline Engine default_engine(const devices::random::Generic&, uint64_t seed) {
    const uint64_t low = split_mix(seed);
    const uint64_t high = split_mix(seed);
    return {{static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32), static_cast<uint32_t>(high),
             static_cast<uint32_t>(high >> 32)}};
}

inline uint32_t rotate_left(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

inline uint32_t next(Engine& engine) {
    uint32_t* s = engine.state;
    const uint32_t result = rotate_left(s[0] + s[3], 7) + s[0];
    const uint32_t t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 11);
    return result;
}

// [0, 1): 24 random bits, every value exact.
inline float uniform(Engine& engine) { return static_cast<float>(next(engine) >> 8) * 0x1p-24F; }

// 0 .. bound-1 without bias worth naming for bounds far below 2^32 (Lemire's multiplication, without rejection).
inline uint32_t uniform_index(Engine& engine, uint32_t bound) {
    return static_cast<uint32_t>((static_cast<uint64_t>(next(engine)) * bound) >> 32);
}

inline float square_root(float x) {
#if defined(RL_TOOLS_GNU_EXTENSIONS)
    return __builtin_sqrtf(x);  // needs no header of a C library
#else
    return std::sqrt(x);
#endif
}

// Standard normal: Marsaglia's polar method, one of its two values.
inline float normal(Engine& engine) {
    float u;
    float s;
    do {
        u = 2.0F * uniform(engine) - 1.0F;
        const float v = 2.0F * uniform(engine) - 1.0F;
        s = math::horner(arithmetic::rounded(u * u), v, v);
    } while (s >= 1.0F || s <= 0.0F);
    return arithmetic::rounded(u * square_root(-2.0F * math::log(s) / s));
}

}  // namespace rl_tools::random

namespace rl_tools {

// Fills a matrix or a tensor with standard normal numbers.
template <typename DEVICE, typename SPEC>
inline void randn(const DEVICE&, MatrixStatic<SPEC>& matrix, random::Engine& engine) {
    for (auto& number : matrix._data) {
        number = random::normal(engine);
    }
}

template <typename DEVICE, typename SPEC>
inline void randn(const DEVICE&, Tensor<SPEC>& tensor, random::Engine& engine) {
    for (auto& number : tensor._data) {
        number = random::normal(engine);
    }
}

}  // namespace rl_tools
