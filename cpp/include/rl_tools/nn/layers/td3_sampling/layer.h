// The head of a TD3 actor (Fujimoto et al., arXiv:1802.09477): exploration adds noise of this standard deviation,
// the deterministic action is the input, clamped to [-1, 1].
#pragma once

#include <rl_tools/nn/chain.h>

namespace rl_tools::nn::layers::td3_sampling {

template <typename T_T, typename T_TI, T_TI T_DIM>
struct Specification {
    using T = T_T;
    using TI = T_TI;
    static constexpr TI DIM = T_DIM;
};

template <typename T_SPEC>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::DIM;
    static constexpr TI OUTPUT_DIM = SPEC::DIM;
    T std;
};

}  // namespace rl_tools::nn::layers::td3_sampling

namespace rl_tools::nn {
template <typename SPEC>
inline constexpr bool has_sampling<layers::td3_sampling::Layer<SPEC>> = true;
}  // namespace rl_tools::nn
