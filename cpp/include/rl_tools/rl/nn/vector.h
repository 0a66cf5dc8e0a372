// SIMD vectors as the compiler offers them on every CPU: GCC's and Clang's vector extension, no intrinsics. For other
// compilers an array of numbers with the same operators, each a loop (portable_vector.h): slower, and the same kernels.
// Training only: the order in which a sum is taken depends on the CPU's width, a policy's evaluation never does.
#pragma once

#include <rl_tools/rl_tools.h>

#if !defined(RL_TOOLS_GNU_EXTENSIONS)
#include <rl_tools/rl/nn/portable_vector.h>
#endif

#include <cstring>
#include <utility>

namespace rl_tools::nn::training {

#if defined(__AVX512F__)
constexpr size_t VECTOR_BYTES = 64;
constexpr size_t VECTOR_REGISTERS = 32;
#elif defined(__AVX__)
constexpr size_t VECTOR_BYTES = 32;
constexpr size_t VECTOR_REGISTERS = 16;
#elif defined(__aarch64__) || defined(_M_ARM64)
constexpr size_t VECTOR_BYTES = 16;
constexpr size_t VECTOR_REGISTERS = 32;
#else
constexpr size_t VECTOR_BYTES = 16;
constexpr size_t VECTOR_REGISTERS = 16;
#endif

#if defined(RL_TOOLS_GNU_EXTENSIONS)

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

// A part of a vector.
template <typename T, size_t BYTES>
struct PartOf {
    typedef T type __attribute__((vector_size(BYTES)));
};

#else

template <typename T>
struct VectorOf {
    using type = portable::Lanes<T, VECTOR_BYTES / sizeof(T)>;
    using integer = typename type::Integers;
};

template <typename T, size_t BYTES>
struct PartOf {
    using type = portable::Lanes<T, BYTES / sizeof(T)>;
};

#endif

template <typename T, size_t BYTES>
using VectorOfBytes = typename PartOf<T, BYTES>::type;

template <typename T>
using Vector = typename VectorOf<T>::type;

template <typename T>
constexpr size_t LANES = VECTOR_BYTES / sizeof(T);

template <typename T>
constexpr size_t padded(size_t count) {
    return (count + LANES<T> - 1) / LANES<T> * LANES<T>;
}

// Less zero, which changes no number, so that nothing is computed; plus zero would turn -0 into 0.
template <typename T>
inline Vector<T> broadcast(T value) {
    return value - Vector<T>{};
}

#if defined(RL_TOOLS_GNU_EXTENSIONS)

template <typename T>
inline Vector<T> load(const T* from) {
    return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(from);
}

template <typename T>
inline void store(T* to, Vector<T> vector) {
    *reinterpret_cast<typename VectorOf<T>::unaligned*>(to) = vector;
}

template <typename T>
inline Vector<T> select(typename VectorOf<T>::integer condition, Vector<T> yes, Vector<T> no) {
    return condition ? yes : no;
}

template <typename T>
inline Vector<T> converted(typename VectorOf<T>::integer integers) {
    return __builtin_convertvector(integers, Vector<T>);
}

// With zeros behind it. Lane by lane it stays in its register; a copy of its bytes would go through memory.
template <typename T, typename PART, size_t... LANE>
inline Vector<T> widened(PART part, std::index_sequence<LANE...>) {
    return Vector<T>{part[LANE]...};
}

// The first halves of two vectors, or from FIRST = LANES / 2 on the second ones, lane by lane in turn.
template <typename T, size_t FIRST, size_t... LANE>
inline Vector<T> interleaved(Vector<T> a, Vector<T> b, std::index_sequence<LANE...>) {
#if defined(__clang__)
    return __builtin_shufflevector(a, b, (FIRST + LANE / 2 + LANE % 2 * LANES<T>)...);
#else
    return __builtin_shuffle(a, b, typename VectorOf<T>::integer{(FIRST + LANE / 2 + LANE % 2 * LANES<T>)...});
#endif
}

#else

template <typename T>
inline Vector<T> load(const T* from) {
    Vector<T> vector;
    memcpy(&vector, from, sizeof vector);
    return vector;
}

template <typename T>
inline void store(T* to, Vector<T> vector) {
    memcpy(to, &vector, sizeof vector);
}

template <typename T>
inline Vector<T> select(typename VectorOf<T>::integer condition, Vector<T> yes, Vector<T> no) {
    for (size_t lane = 0; lane < LANES<T>; lane++) {
        no[lane] = condition[lane] != 0 ? yes[lane] : no[lane];
    }
    return no;
}

template <typename T>
inline Vector<T> converted(typename VectorOf<T>::integer integers) {
    Vector<T> vector;
    for (size_t lane = 0; lane < LANES<T>; lane++) {
        vector[lane] = static_cast<T>(integers[lane]);
    }
    return vector;
}

template <typename T, typename PART, size_t... LANE>
inline Vector<T> widened(PART part, std::index_sequence<LANE...>) {
    Vector<T> vector{};
    ((vector[LANE] = part[LANE]), ...);
    return vector;
}

template <typename T, size_t FIRST, size_t... LANE>
inline Vector<T> interleaved(Vector<T> a, Vector<T> b, std::index_sequence<LANE...>) {
    Vector<T> vector;
    ((vector[LANE] = (LANE % 2 == 0 ? a : b)[FIRST + LANE / 2]), ...);
    return vector;
}

#endif

// LANES vectors as the rows of a square: rows become columns. Interleaving its halves as often as a lane's number has
// bits turns the numbers of row and column round.
template <typename T>
RL_TOOLS_ALWAYS_INLINE void transpose(Vector<T> (&rows)[LANES<T>]) {
    constexpr size_t HALF = LANES<T> / 2;
    constexpr std::make_index_sequence<LANES<T>> ALL{};
#pragma GCC unroll 4
    for (size_t bit = 1; bit < LANES<T>; bit *= 2) {
        Vector<T> turned[LANES<T>];
#pragma GCC unroll 8
        for (size_t i = 0; i < HALF; i++) {
            turned[2 * i] = interleaved<T, 0>(rows[i], rows[i + HALF], ALL);
            turned[2 * i + 1] = interleaved<T, HALF>(rows[i], rows[i + HALF], ALL);
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES<T>; i++) {
            rows[i] = turned[i];
        }
    }
}

// The sum of each vector's lanes, as the lanes of one: two vectors become one of both's halves added up, until each
// lane is a vector's sum.
template <typename T>
RL_TOOLS_ALWAYS_INLINE Vector<T> sums_of(Vector<T> (&vectors)[LANES<T>]) {
    constexpr std::make_index_sequence<LANES<T>> ALL{};
#pragma GCC unroll 4
    for (size_t half = LANES<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
        for (size_t i = 0; i < half; i++) {
            vectors[i] = interleaved<T, 0>(vectors[i], vectors[i + half], ALL) +
                         interleaved<T, LANES<T> / 2>(vectors[i], vectors[i + half], ALL);
        }
    }
    return vectors[0];
}

}  // namespace rl_tools::nn::training
