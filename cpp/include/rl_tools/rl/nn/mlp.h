// A multilayer perceptron on a batch: forward, and backward to its parameters, to its inputs, or to both.
#pragma once

#include <rl_tools/nn_models/mlp/network.h>
#include <rl_tools/rl/nn/dense.h>

namespace rl_tools::nn::training {

// NUM_LAYERS counts as RLtools does: input, hidden and output layers, so 3 means two layers of HIDDEN_DIM units.
template <typename T, size_t INPUT_DIM, size_t OUTPUT_DIM, size_t HIDDEN_DIM, size_t NUM_LAYERS,
          ActivationFunction HIDDEN_ACTIVATION, ActivationFunction OUTPUT_ACTIVATION, typename... LAYERS>
struct MlpOf {
    static_assert(NUM_LAYERS >= 2, "rl_tools: an mlp has at least an input and an output layer");
    using NEXT =
        layers::dense::Layer<layers::dense::Specification<T, size_t, sizeof...(LAYERS) == 0 ? INPUT_DIM : HIDDEN_DIM,
                                                          HIDDEN_DIM, HIDDEN_ACTIVATION>>;
    using type = typename MlpOf<T, INPUT_DIM, OUTPUT_DIM, HIDDEN_DIM, NUM_LAYERS - 1, HIDDEN_ACTIVATION,
                                OUTPUT_ACTIVATION, LAYERS..., NEXT>::type;
};

template <typename T, size_t INPUT_DIM, size_t OUTPUT_DIM, size_t HIDDEN_DIM, ActivationFunction HIDDEN_ACTIVATION,
          ActivationFunction OUTPUT_ACTIVATION, typename FIRST, typename... LAYERS>
struct MlpOf<T, INPUT_DIM, OUTPUT_DIM, HIDDEN_DIM, 1, HIDDEN_ACTIVATION, OUTPUT_ACTIVATION, FIRST, LAYERS...> {
    using LAST =
        layers::dense::Layer<layers::dense::Specification<T, size_t, HIDDEN_DIM, OUTPUT_DIM, OUTPUT_ACTIVATION>>;
    using type = nn_models::mlp::NeuralNetwork<FIRST, LAYERS..., LAST>;
};

template <typename T, size_t INPUT_DIM, size_t OUTPUT_DIM, size_t HIDDEN_DIM, size_t NUM_LAYERS,
          ActivationFunction HIDDEN_ACTIVATION, ActivationFunction OUTPUT_ACTIVATION = ActivationFunction::IDENTITY>
using Mlp =
    typename MlpOf<T, INPUT_DIM, OUTPUT_DIM, HIDDEN_DIM, NUM_LAYERS, HIDDEN_ACTIVATION, OUTPUT_ACTIVATION>::type;

template <typename CHAIN, size_t SAMPLES>
struct ChainTape;

template <typename HEAD, size_t SAMPLES>
struct ChainTape<Chain<HEAD>, SAMPLES> {
    OutputTape<HEAD, SAMPLES> head;
    auto& last() { return head; }
    const auto& last() const { return head; }
};

template <typename HEAD, typename NEXT, typename... TAIL, size_t SAMPLES>
struct ChainTape<Chain<HEAD, NEXT, TAIL...>, SAMPLES> {
    HiddenTape<HEAD, SAMPLES> head;
    ChainTape<Chain<NEXT, TAIL...>, SAMPLES> tail;
    auto& last() { return tail.last(); }
    const auto& last() const { return tail.last(); }
};

template <typename MLP, size_t SAMPLES>
using Tape = ChainTape<typename MLP::LAYERS, SAMPLES>;

template <typename HEAD, typename... TAIL, typename INPUT, size_t SAMPLES>
inline void forward(const Chain<HEAD, TAIL...>& chain, const INPUT& input,
                    ChainTape<Chain<HEAD, TAIL...>, SAMPLES>& tape) {
    forward(chain.head, input, tape.head);
    if constexpr (sizeof...(TAIL) > 0) {
        forward(chain.tail, tape.head.output, tape.tail);
    }
}

template <typename... LAYERS, typename INPUT, size_t SAMPLES>
inline void forward(const nn_models::mlp::NeuralNetwork<LAYERS...>& network, const INPUT& input,
                    ChainTape<Chain<LAYERS...>, SAMPLES>& tape) {
    forward(network.layers, input, tape);
}

// Takes the derivative by the chain's output in `tape.last().delta` and brings each layer's delta to its activation's
// input.
template <typename HEAD, typename... TAIL, size_t SAMPLES>
inline void backward_deltas(const Chain<HEAD, TAIL...>& chain, ChainTape<Chain<HEAD, TAIL...>, SAMPLES>& tape) {
    if constexpr (sizeof...(TAIL) == 0) {
        through_activation(tape.head);
    } else {
        backward_deltas(chain.tail, tape.tail);
        backward_input(chain.tail.head, tape.tail.head, tape.head);
    }
}

template <typename HEAD, typename... TAIL, typename INPUT, size_t SAMPLES>
inline void backward_parameters(const INPUT& input, ChainTape<Chain<HEAD, TAIL...>, SAMPLES>& tape,
                                Chain<HEAD, TAIL...>& gradient) {
    backward_parameters(input, tape.head, gradient.head);
    if constexpr (sizeof...(TAIL) > 0) {
        backward_parameters(tape.head.output, tape.tail, gradient.tail);
    }
}

// To the parameters. The loss's derivative by the output stands in `tape.last().delta`.
template <typename... LAYERS, typename INPUT, size_t SAMPLES>
inline void backward(const nn_models::mlp::NeuralNetwork<LAYERS...>& network, const INPUT& input,
                     ChainTape<Chain<LAYERS...>, SAMPLES>& tape, nn_models::mlp::NeuralNetwork<LAYERS...>& gradient) {
    backward_deltas(network.layers, tape);
    backward_parameters(input, tape, gradient.layers);
}

// To the inputs FIRST .. FIRST + COUNT only. `network` has the weights of the forward pass, whose columns are used.
template <size_t FIRST, typename... LAYERS, typename T, size_t COUNT, size_t SAMPLES>
inline void backward_to_input(const nn_models::mlp::NeuralNetwork<LAYERS...>& network,
                              ChainTape<Chain<LAYERS...>, SAMPLES>& tape,
                              Batch<T, COUNT, SAMPLES>& derivative_by_input) {
    backward_deltas(network.layers, tape);
    backward_input<FIRST>(tape.head, derivative_by_input);
}

}  // namespace rl_tools::nn::training
