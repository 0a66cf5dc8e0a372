// The head of a TD3 actor (Fujimoto et al., arXiv:1802.09477): exploration adds noise of this standard deviation,
// the deterministic action is the input, clamped to [-1, 1].
#pragma once

#include <rl_tools/nn/chain.h>
#include <rl_tools/nn/layers/elementwise.h>

namespace rl_tools::nn::layers::td3_sampling {

using elementwise::Specification;

template <typename T_SPEC>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::DIM;
    static constexpr TI OUTPUT_DIM = SPEC::DIM;
    T std;
};

// For the policy's digest: rl_tools/embed/digest.h.
template <typename SPEC, typename DIGEST>
inline void add_to_digest(const Layer<SPEC>& layer, DIGEST& digest) {
    digest.tag(0x05);
    digest.size(SPEC::DIM);
    digest.number(layer.std);
}

}  // namespace rl_tools::nn::layers::td3_sampling

namespace rl_tools::nn {
template <typename SPEC>
inline constexpr bool has_sampling<layers::td3_sampling::Layer<SPEC>> = true;
template <typename SPEC>
inline constexpr math::Operations operations<layers::td3_sampling::Layer<SPEC>> = math::COMPARE;
}  // namespace rl_tools::nn
