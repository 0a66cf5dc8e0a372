// A kind of layer that the library does not have: offset + gain * x, number by number, clamped to [-limit, limit].
// One header has all of it: the type, its evaluation, and its part of the digest.
#pragma once

#include <rl_tools/containers/parameters.h>
#include <rl_tools/devices/devices.h>
#include <rl_tools/math/clamp.h>

namespace rl_tools::nn::layers::gain_and_offset {

template <typename T_T, typename T_TI, T_TI T_DIM, typename T_STORAGE = parameters::Owned>
struct Specification {
    using T = T_T;
    using TI = T_TI;
    using STORAGE = T_STORAGE;
    static constexpr TI DIM = T_DIM;
};

template <typename T_SPEC>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::DIM;
    static constexpr TI OUTPUT_DIM = SPEC::DIM;
    typename SPEC::STORAGE::template Array<T, SPEC::DIM> gain;
    typename SPEC::STORAGE::template Array<T, SPEC::DIM> offset;
    T limit;
};

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    for (typename SPEC::TI i = 0; i < SPEC::DIM; i++) {
        const auto sum = arithmetic::multiply_add(ARITHMETIC{}, layer.offset.data()[i], layer.gain.data()[i], input[i]);
        output[i] = math::clamp(sum, -layer.limit, layer.limit);
    }
}

template <typename SPEC, typename DIGEST>
inline void add_to_digest(const Layer<SPEC>& layer, DIGEST& digest) {
    digest.tag(0xF0);
    digest.size(SPEC::DIM);
    digest.array(layer.gain);
    digest.array(layer.offset);
    digest.number(layer.limit);
}

}  // namespace rl_tools::nn::layers::gain_and_offset
