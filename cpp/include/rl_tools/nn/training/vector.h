// SIMD vectors as the compiler offers them on every CPU: GCC's and Clang's vector extension, no intrinsics.
// Training only: the order in which a sum is taken depends on the CPU's width, a policy's evaluation never does.
#pragma once

#include <rl_tools/rl_tools.h>

#include <cstring>

namespace rl_tools::nn::training {

#if defined(__AVX512F__)
constexpr size_t VECTOR_BYTES = 64;
constexpr size_t VECTOR_REGISTERS = 32;
#elif defined(__AVX__)
constexpr size_t VECTOR_BYTES = 32;
constexpr size_t VECTOR_REGISTERS = 16;
#elif defined(__aarch64__)
constexpr size_t VECTOR_BYTES = 16;
constexpr size_t VECTOR_REGISTERS = 32;
#else
constexpr size_t VECTOR_BYTES = 16;
constexpr size_t VECTOR_REGISTERS = 16;
#endif

template <typename T>
struct VectorOf;

// may_alias: they are loaded from arrays of numbers.
template <>
struct VectorOf<float> {
    typedef float type __attribute__((vector_size(VECTOR_BYTES), may_alias));
    typedef float unaligned __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(4)));
    typedef int32_t integer __attribute__((vector_size(VECTOR_BYTES), may_alias));
};

template <>
struct VectorOf<double> {
    typedef double type __attribute__((vector_size(VECTOR_BYTES), may_alias));
    typedef double unaligned __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(8)));
    typedef int64_t integer __attribute__((vector_size(VECTOR_BYTES), may_alias));
};

template <typename T>
using Vector = typename VectorOf<T>::type;

template <typename T>
constexpr size_t LANES = VECTOR_BYTES / sizeof(T);

template <typename T>
constexpr size_t padded(size_t count) {
    return (count + LANES<T> - 1) / LANES<T> * LANES<T>;
}

template <typename T>
inline Vector<T> load(const T* from) {
    return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(from);
}

template <typename T>
inline void store(T* to, Vector<T> vector) {
    *reinterpret_cast<typename VectorOf<T>::unaligned*>(to) = vector;
}

template <typename T>
inline Vector<T> broadcast(T value) {
    return Vector<T>{} + value;
}

// The sum of a vector's lanes, halves first.
template <typename T>
inline T sum_of(Vector<T> vector) {
    T lanes[LANES<T>];
    memcpy(lanes, &vector, sizeof lanes);
    for (size_t half = LANES<T> / 2; half > 0; half /= 2) {
        for (size_t lane = 0; lane < half; lane++) {
            lanes[lane] += lanes[lane + half];
        }
    }
    return lanes[0];
}

}  // namespace rl_tools::nn::training
