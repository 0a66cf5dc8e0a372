// A tensor of static shape, row-major (the last index runs fastest), whose numbers live inside it.
// Sequences are [steps, batch, dimension].
#pragma once

#include <rl_tools/rl_tools.h>

namespace rl_tools {

namespace tensor {

template <typename T_TI, T_TI... T_DIMENSIONS>
struct Shape {
    using TI = T_TI;
    static constexpr TI N = sizeof...(T_DIMENSIONS);
    static constexpr TI SIZE = (T_DIMENSIONS * ...);
    static constexpr TI DIMENSIONS[sizeof...(T_DIMENSIONS)] = {T_DIMENSIONS...};
    template <TI INDEX>
    static constexpr TI GET = DIMENSIONS[INDEX];
    static_assert(((T_DIMENSIONS > 0) && ...), "rl_tools: every dimension of a tensor is at least one");
};

template <typename T_T, typename T_TI, typename T_SHAPE>
struct Specification {
    using T = T_T;
    using TI = T_TI;
    using SHAPE = T_SHAPE;
};

}  // namespace tensor

template <typename T_SPEC>
struct Tensor {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    using SHAPE = typename SPEC::SHAPE;
    T _data[SHAPE::SIZE];
};

namespace tensor {

// Where the number at these indices is. Fewer indices than dimensions: where that part of the tensor begins.
template <typename SHAPE, typename... INDICES>
constexpr typename SHAPE::TI offset(INDICES... indices) {
    using TI = typename SHAPE::TI;
    static_assert(sizeof...(INDICES) > 0 && sizeof...(INDICES) <= SHAPE::N,
                  "rl_tools: a tensor has one index per dimension");
    const TI index[] = {static_cast<TI>(indices)...};
    TI result = 0;
    for (TI i = 0; i < SHAPE::N; i++) {
        result = result * SHAPE::DIMENSIONS[i] + (i < sizeof...(INDICES) ? index[i] : 0);
    }
    return result;
}

}  // namespace tensor

template <typename DEVICE, typename SPEC, typename... INDICES>
inline typename SPEC::T get(const DEVICE&, const Tensor<SPEC>& tensor, INDICES... indices) {
    static_assert(sizeof...(INDICES) == SPEC::SHAPE::N, "rl_tools: a number needs one index per dimension");
    return tensor._data[tensor::offset<typename SPEC::SHAPE>(indices...)];
}

template <typename DEVICE, typename SPEC, typename... INDICES>
inline void set(const DEVICE&, Tensor<SPEC>& tensor, typename SPEC::T value, INDICES... indices) {
    static_assert(sizeof...(INDICES) == SPEC::SHAPE::N, "rl_tools: a number needs one index per dimension");
    tensor._data[tensor::offset<typename SPEC::SHAPE>(indices...)] = value;
}

template <typename DEVICE, typename SPEC>
inline void set_all(const DEVICE&, Tensor<SPEC>& tensor, typename SPEC::T value) {
    for (auto& number : tensor._data) {
        number = value;
    }
}

template <typename DEVICE, typename SPEC>
inline void copy(const DEVICE&, const Tensor<SPEC>& source, Tensor<SPEC>& target) {
    target = source;
}

}  // namespace rl_tools
