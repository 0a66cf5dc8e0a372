// A gated recurrent unit (Cho et al., arXiv:1406.1078), the reset gate after the product, as in PyTorch and cuDNN:
//   r = sigmoid(Wr x + br + Ur h + cr)        z = sigmoid(Wz x + bz + Uz h + cz)
//   n = tanh(Wn x + bn + r * (Un h + cn))     h' = (1 - z) * n + z * h
// Each of the two products is a dense layer of three times HIDDEN_DIM rows, in the order r, z, n: so the kernels of the
// dense layer are the unit's kernels. The state belongs to the caller.
#pragma once

#include <rl_tools/nn/chain.h>
#include <rl_tools/nn/layers/dense/panel_layer.h>

namespace rl_tools::nn::layers::gru {

template <typename T_T, typename T_TI, T_TI T_INPUT_DIM, T_TI T_HIDDEN_DIM, typename T_STORAGE = parameters::Owned>
struct Specification {
    using T = T_T;
    using TI = T_TI;
    using STORAGE = T_STORAGE;
    static constexpr TI INPUT_DIM = T_INPUT_DIM;
    static constexpr TI HIDDEN_DIM = T_HIDDEN_DIM;
    static_assert(INPUT_DIM > 0 && HIDDEN_DIM > 0, "rl_tools: a gru has at least one input and one hidden number");
};

// The dense layer behind the gates of DIM inputs, row by row.
template <typename SPEC, typename SPEC::TI DIM>
using Gates = dense::Layer<dense::Specification<typename SPEC::T, typename SPEC::TI, DIM, 3 * SPEC::HIDDEN_DIM,
                                                ActivationFunction::IDENTITY, typename SPEC::STORAGE>>;

// The gates' layers are parameters, so that a device may have them in a layout of its own.
template <typename T_SPEC, typename T_INPUT_GATES = Gates<T_SPEC, T_SPEC::INPUT_DIM>,
          typename T_HIDDEN_GATES = Gates<T_SPEC, T_SPEC::HIDDEN_DIM>>
struct Layer {
    using SPEC = T_SPEC;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::INPUT_DIM;
    static constexpr TI HIDDEN_DIM = SPEC::HIDDEN_DIM;
    static constexpr TI OUTPUT_DIM = HIDDEN_DIM;
    T_INPUT_GATES input;
    T_HIDDEN_GATES hidden;
    typename SPEC::STORAGE::template Array<T, HIDDEN_DIM> initial_state;
};

template <size_t ROWS, size_t READ_AHEAD_BYTES, typename SPEC, typename... GATES>
constexpr auto in_layout(layout::Panels<ROWS, READ_AHEAD_BYTES> layout, const Layer<SPEC, GATES...>& layer) {
    using RESULT = Layer<SPEC, decltype(in_layout(layout, layer.input)), decltype(in_layout(layout, layer.hidden))>;
    return RESULT{in_layout(layout, layer.input), in_layout(layout, layer.hidden), layer.initial_state};
}

// For the policy's digest: rl_tools/embed/digest.h.
template <typename SPEC, typename... GATES, typename DIGEST>
inline void add_to_digest(const Layer<SPEC, GATES...>& layer, DIGEST& digest) {
    digest.tag(0x07);
    digest.size(SPEC::INPUT_DIM);
    digest.size(SPEC::HIDDEN_DIM);
    add_weights_and_biases(layer.input, digest);
    add_weights_and_biases(layer.hidden, digest);
    digest.array(layer.initial_state);
}

}  // namespace rl_tools::nn::layers::gru

namespace rl_tools::nn {
template <typename SPEC, typename INPUT_GATES, typename HIDDEN_GATES>
inline constexpr size_t state_dim<layers::gru::Layer<SPEC, INPUT_GATES, HIDDEN_GATES>> = SPEC::HIDDEN_DIM;
template <typename SPEC, typename INPUT_GATES, typename HIDDEN_GATES>
inline constexpr size_t scratch_dim<layers::gru::Layer<SPEC, INPUT_GATES, HIDDEN_GATES>> = 6 * SPEC::HIDDEN_DIM;
template <typename SPEC, typename INPUT_GATES, typename HIDDEN_GATES>
inline constexpr math::Operations operations<layers::gru::Layer<SPEC, INPUT_GATES, HIDDEN_GATES>> =
    math::MULTIPLY_ADD | operations_of(ActivationFunction::SIGMOID) | operations_of(ActivationFunction::TANH);
}  // namespace rl_tools::nn
