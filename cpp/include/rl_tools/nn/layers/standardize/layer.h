// Observation normalisation: (x - mean) * precision, number by number.
#pragma once

#include <rl_tools/nn/chain.h>
#include <rl_tools/nn/layers/elementwise.h>

namespace rl_tools::nn::layers::standardize {

using elementwise::Specification;

template <typename T_SPEC>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::DIM;
    static constexpr TI OUTPUT_DIM = SPEC::DIM;
    typename SPEC::STORAGE::template Array<T, SPEC::DIM> mean;
    typename SPEC::STORAGE::template Array<T, SPEC::DIM> precision;
};

// For the policy's digest: rl_tools/embed/digest.h.
template <typename SPEC, typename DIGEST>
inline void add_to_digest(const Layer<SPEC>& layer, DIGEST& digest) {
    digest.tag(0x01);
    digest.size(SPEC::DIM);
    digest.array(layer.mean);
    digest.array(layer.precision);
}

}  // namespace rl_tools::nn::layers::standardize

namespace rl_tools::nn {
template <typename SPEC>
inline constexpr math::Operations operations<layers::standardize::Layer<SPEC>> = math::MULTIPLY_ADD;
}  // namespace rl_tools::nn
