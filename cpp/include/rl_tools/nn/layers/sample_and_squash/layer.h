// The head of a SAC actor (Haarnoja et al., arXiv:1812.05905): 2*DIM inputs, the mean and the log-std of a Gaussian,
// give DIM actions in [-1, 1]. The deterministic action is tanh(mean); the log-std only matters when sampling.
#pragma once

#include <rl_tools/nn/chain.h>
#include <rl_tools/nn/layers/elementwise.h>

namespace rl_tools::nn::layers::sample_and_squash {

using elementwise::Specification;

template <typename T_SPEC>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = 2 * SPEC::DIM;
    static constexpr TI OUTPUT_DIM = SPEC::DIM;
    T log_std_lower_bound;
    T log_std_upper_bound;
};

// For the policy's digest: rl_tools/embed/digest.h.
template <typename SPEC, typename DIGEST>
inline void add_to_digest(const Layer<SPEC>& layer, DIGEST& digest) {
    digest.tag(0x04);
    digest.size(SPEC::DIM);
    digest.number(layer.log_std_lower_bound);
    digest.number(layer.log_std_upper_bound);
}

}  // namespace rl_tools::nn::layers::sample_and_squash

namespace rl_tools::nn {
template <typename SPEC>
inline constexpr bool has_sampling<layers::sample_and_squash::Layer<SPEC>> = true;
template <typename SPEC>
inline constexpr math::Operations operations<layers::sample_and_squash::Layer<SPEC>> = math::MULTIPLY_ADD;
}  // namespace rl_tools::nn
