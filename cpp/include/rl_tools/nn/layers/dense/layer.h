// A dense layer: OUTPUT_DIM rows of INPUT_DIM weights, a bias per row, an activation function.
#pragma once

#include <rl_tools/containers/parameters.h>
#include <rl_tools/nn/activation_functions.h>
#include <rl_tools/nn/chain.h>

namespace rl_tools::nn::layers::dense {

template <typename T_T, typename T_TI, T_TI T_INPUT_DIM, T_TI T_OUTPUT_DIM, ActivationFunction T_ACTIVATION_FUNCTION,
          typename T_STORAGE = parameters::Owned>
struct Specification {
    using T = T_T;
    using TI = T_TI;
    using STORAGE = T_STORAGE;
    static constexpr TI INPUT_DIM = T_INPUT_DIM;
    static constexpr TI OUTPUT_DIM = T_OUTPUT_DIM;
    static constexpr ActivationFunction ACTIVATION_FUNCTION = T_ACTIVATION_FUNCTION;
    static_assert(INPUT_DIM > 0 && OUTPUT_DIM > 0, "rl_tools: a dense layer has at least one input and one output");
};

template <typename T_SPEC>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::INPUT_DIM;
    static constexpr TI OUTPUT_DIM = SPEC::OUTPUT_DIM;
    typename SPEC::STORAGE::template Array<T, OUTPUT_DIM * INPUT_DIM> weights;  // row-major: [output][input]
    typename SPEC::STORAGE::template Array<T, OUTPUT_DIM> biases;
};

// For the policy's digest: rl_tools/embed/digest.h.
template <typename SPEC, typename DIGEST>
inline void add_weights_and_biases(const Layer<SPEC>& layer, DIGEST& digest) {
    digest.array(layer.weights);
    digest.array(layer.biases);
}

template <typename LAYER, typename DIGEST>
inline void add_dense(const LAYER& layer, DIGEST& digest) {
    digest.tag(0x02);
    digest.size(LAYER::INPUT_DIM);
    digest.size(LAYER::OUTPUT_DIM);
    digest.tag(static_cast<uint8_t>(LAYER::SPEC::ACTIVATION_FUNCTION));
    add_weights_and_biases(layer, digest);
}

template <typename SPEC, typename DIGEST>
inline void add_to_digest(const Layer<SPEC>& layer, DIGEST& digest) {
    add_dense(layer, digest);
}

}  // namespace rl_tools::nn::layers::dense

namespace rl_tools::nn {
template <typename SPEC>
inline constexpr math::Operations operations<layers::dense::Layer<SPEC>> =
    math::MULTIPLY_ADD | operations_of(SPEC::ACTIVATION_FUNCTION);
}  // namespace rl_tools::nn
