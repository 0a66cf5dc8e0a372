// Actions in [-1, 1] to the environment's bounds, clamped, so that no rounding can leave them.
#pragma once

#include <rl_tools/nn/chain.h>
#include <rl_tools/nn/layers/elementwise.h>

namespace rl_tools::nn::layers::rescale {

using elementwise::Specification;

template <typename T_SPEC>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::DIM;
    static constexpr TI OUTPUT_DIM = SPEC::DIM;
    typename SPEC::STORAGE::template Array<T, SPEC::DIM> low;
    typename SPEC::STORAGE::template Array<T, SPEC::DIM> high;
};

// For the policy's digest: rl_tools/embed/digest.h.
template <typename SPEC, typename DIGEST>
inline void add_to_digest(const Layer<SPEC>& layer, DIGEST& digest) {
    digest.tag(0x06);
    digest.size(SPEC::DIM);
    digest.array(layer.low);
    digest.array(layer.high);
}

}  // namespace rl_tools::nn::layers::rescale

namespace rl_tools::nn {
template <typename SPEC>
inline constexpr math::Operations operations<layers::rescale::Layer<SPEC>> = math::MULTIPLY_ADD | math::COMPARE;
}  // namespace rl_tools::nn
