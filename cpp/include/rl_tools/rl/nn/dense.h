// A dense layer on a batch: forward, and the three derivatives. The layer itself is the inference library's:
// what a target runs carries no training vocabulary, the state of training lives beside it.
//
// A network reads and gives a batch by features (`Batch`), and has one row per sample (`SampleRows`) between its
// layers. So a product's vectors lie along a layer's outputs, and nothing is transposed but weights and the first
// layer's gradient.
#pragma once

#include <rl_tools/rl/nn/activation.h>
#include <rl_tools/rl/nn/batch.h>
#include <rl_tools/rl/nn/columns.h>
#include <rl_tools/rl/nn/multiply.h>
#include <rl_tools/rl/nn/sums.h>

namespace rl_tools::nn::training {

struct Nothing {};

// A layer's weights with its rows padded to whole vectors: the copy that a kernel needs where the layer's are not.
template <typename SPEC>
struct PaddedWeights {
    using T = typename SPEC::T;
    static constexpr size_t STRIDE = padded<T>(SPEC::INPUT_DIM);
    static constexpr bool ARE_THE_LAYERS = STRIDE == SPEC::INPUT_DIM;
    struct Copy {
        alignas(VECTOR_BYTES) T numbers[SPEC::OUTPUT_DIM * STRIDE];
    };
    std::conditional_t<ARE_THE_LAYERS, Nothing, Copy> copy;

    // Zero-initialised, the padding stays zero.
    const T* of(const layers::dense::Layer<SPEC>& layer) {
        if constexpr (ARE_THE_LAYERS) {
            return layer.weights.data();
        } else {
            for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
                memcpy(copy.numbers + row * STRIDE, layer.weights.data() + row * SPEC::INPUT_DIM,
                       SPEC::INPUT_DIM * sizeof(T));
            }
            return copy.numbers;
        }
    }
};

// What a pass through a layer leaves behind: its outputs, its inputs to the activation where the derivative needs
// them, and the loss's derivative by those inputs; beside them the weights in the orders that the kernels read.
template <typename LAYER, typename T_OUTPUT>
struct LayerTape {
    using OUTPUT = T_OUTPUT;
    OUTPUT output;
    OUTPUT delta;
    std::conditional_t<NEEDS_INPUT<LAYER::SPEC::ACTIVATION_FUNCTION>, OUTPUT, Nothing> before_activation;
    PaddedWeights<typename LAYER::SPEC> weights;
};

// Of a layer that another one follows.
template <typename LAYER, size_t SAMPLES>
struct HiddenTape : LayerTape<LAYER, SampleRows<typename LAYER::T, SAMPLES, LAYER::OUTPUT_DIM>> {
    using COLUMNS = layers::dense::ColumnLayer<typename LAYER::SPEC>;
    COLUMNS columns;           // the weights of the last forward pass
    COLUMNS gradient_columns;  // scratch of a network's first layer
};

// Of a network's last layer.
template <typename LAYER, size_t SAMPLES>
struct OutputTape : LayerTape<LAYER, Batch<typename LAYER::T, LAYER::OUTPUT_DIM, SAMPLES>> {};

// What a product starts from, and where its sums go. They know no more of a layer than the kernel needs, and no
// lambda's type: layers that differ in something else share the kernel's code.
template <typename T>
struct FromZero {
    Vector<T> operator()(size_t, size_t) const { return Vector<T>{}; }
};

template <typename T>
struct FromBiases {
    const T* biases;
    Vector<T> operator()(size_t, size_t col) const { return load(biases + col); }
};

template <typename T, ActivationFunction FUNCTION, size_t STRIDE>
struct Activated {
    T* output;
    T* before;  // where the activation's derivative needs its input

    void operator()(size_t row, size_t col, Vector<T> sum) const {
        const size_t at = row * STRIDE + col;
        if constexpr (NEEDS_INPUT<FUNCTION>) {
            store(before + at, sum);
        }
        store(output + at, training::activated<FUNCTION, T>(sum));
    }
};

template <typename LAYER, typename OUTPUT>
inline auto activated_into(LayerTape<LAYER, OUTPUT>& tape) {
    constexpr auto FUNCTION = LAYER::SPEC::ACTIVATION_FUNCTION;
    Activated<typename LAYER::T, FUNCTION, OUTPUT::STRIDE> activated{tape.output.numbers, nullptr};
    if constexpr (NEEDS_INPUT<FUNCTION>) {
        activated.before = tape.before_activation.numbers;
    }
    return activated;
}

// Multiplies by the derivative of the activation where the tape has stood since the forward pass, and stores that as
// the tape's delta.
template <typename T, ActivationFunction FUNCTION, size_t STRIDE>
struct ThroughActivation {
    const T* known;  // the activation's inputs where its derivative needs them, else its outputs
    T* delta;

    void operator()(size_t row, size_t col, Vector<T> by_output) const {
        const size_t at = row * STRIDE + col;
        store(delta + at, by_output * derivative<FUNCTION, T>(load(known + at), load(known + at)));
    }
};

template <typename LAYER, typename OUTPUT>
inline auto through_activation_of(LayerTape<LAYER, OUTPUT>& tape) {
    constexpr auto FUNCTION = LAYER::SPEC::ACTIVATION_FUNCTION;
    using Through = ThroughActivation<typename LAYER::T, FUNCTION, OUTPUT::STRIDE>;
    if constexpr (NEEDS_INPUT<FUNCTION>) {
        return Through{tape.before_activation.numbers, tape.delta.numbers};
    } else {
        return Through{tape.output.numbers, tape.delta.numbers};
    }
}

// ------------------------------------------------------------------------------------------------------------- forward

// INPUT: a batch in either order.
template <typename SPEC, typename INPUT, size_t SAMPLES>
inline void forward(const layers::dense::Layer<SPEC>& layer, const INPUT& input,
                    HiddenTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
    using T = typename SPEC::T;
    constexpr size_t STRIDE = layers::dense::ColumnLayer<SPEC>::STRIDE;
    tape.columns.take(layer);
    multiply<T, SAMPLES, SPEC::OUTPUT_DIM, SPEC::INPUT_DIM, INPUT::SAMPLE_STRIDE, INPUT::FEATURE_STRIDE, STRIDE>(
        input.numbers, tape.columns.weights, FromBiases<T>{tape.columns.biases}, activated_into(tape));
}

// The dot product of each sample's row with each of `others`, each vector of samples handed to
// `store_vector(other, sample, vector)`.
template <typename T, size_t SAMPLES, size_t FEATURES, typename STORE>
inline void multiply_rows(const SampleRows<T, SAMPLES, FEATURES>& rows, const T* others, size_t count,
                          const STORE& store_vector) {
    constexpr size_t STRIDE = SampleRows<T, SAMPLES, FEATURES>::STRIDE;
    for (size_t sample = 0; sample < SAMPLES; sample += LANES<T>) {
        for (size_t other = 0; other < count; other++) {
            store_vector(other, sample,
                         dot_products<T, STRIDE>(rows.numbers + sample * STRIDE, others + other * STRIDE));
        }
    }
}

template <typename SPEC, size_t SAMPLES>
inline void forward(const layers::dense::Layer<SPEC>& layer,
                    const SampleRows<typename SPEC::T, SAMPLES, SPEC::INPUT_DIM>& input,
                    OutputTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
    using T = typename SPEC::T;
    const auto activated = activated_into(tape);
    const T* const biases = layer.biases.data();
    multiply_rows(input, tape.weights.of(layer), SPEC::OUTPUT_DIM, [&](size_t output, size_t sample, Vector<T> sums) {
        activated(output, sample, sums + broadcast(biases[output]));
    });
}

// ------------------------------------------------------------------------------------------------------------ backward

// From the loss's derivative by the network's output to that by its activation's input, in place.
template <typename SPEC, size_t SAMPLES>
inline void through_activation(OutputTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
    using T = typename SPEC::T;
    if constexpr (SPEC::ACTIVATION_FUNCTION != ActivationFunction::IDENTITY) {
        const auto through = through_activation_of(tape);
        for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
            for (size_t col = 0; col < padded<T>(SAMPLES); col += LANES<T>) {
                through(row, col, load(tape.delta.row(row) + col));
            }
        }
    }
}

// From a layer's delta to that of the layer before it.
template <typename SPEC, typename TAPE, typename BEFORE>
inline void backward_input(const layers::dense::Layer<SPEC>& layer, TAPE& tape, BEFORE& before) {
    using T = typename SPEC::T;
    using DELTA = typename TAPE::OUTPUT;
    multiply<T, DELTA::SAMPLES, SPEC::INPUT_DIM, SPEC::OUTPUT_DIM, DELTA::SAMPLE_STRIDE, DELTA::FEATURE_STRIDE,
             PaddedWeights<SPEC>::STRIDE>(tape.delta.numbers, tape.weights.of(layer), FromZero<T>{},
                                          through_activation_of(before));
}

// The loss's derivative by inputs FIRST .. FIRST + COUNT of a network, of which this is the first layer's tape.
template <size_t FIRST, size_t COUNT, typename LAYER, size_t SAMPLES>
inline void backward_input(const HiddenTape<LAYER, SAMPLES>& tape,
                           Batch<typename LAYER::T, COUNT, SAMPLES>& derivative_by_input) {
    static_assert(FIRST + COUNT <= LAYER::INPUT_DIM, "rl_tools: the network has no such inputs");
    using T = typename LAYER::T;
    multiply_rows(
        tape.delta, tape.columns.weights + FIRST * tape.columns.STRIDE, COUNT,
        [&](size_t input, size_t sample, Vector<T> sums) { store(derivative_by_input.row(input) + sample, sums); });
}

// Rows of COLS numbers each, without padding.
template <typename T, size_t COLS>
struct IntoRows {
    T* target;

    void operator()(size_t row, size_t col, Vector<T> sum) const {
        if (COLS % LANES<T> == 0 || col + LANES<T> <= COLS) {
            store(target + row * COLS + col, sum);
        } else {
            memcpy(target + row * COLS + col, &sum, (COLS - col) * sizeof(T));
        }
    }
};

template <typename T, size_t FEATURES, size_t SAMPLES>
inline void backward_biases(const Batch<T, FEATURES, SAMPLES>& delta, T* gradient) {
    sums_of_rows(delta.numbers, FEATURES, delta.STRIDE, gradient);
}

template <typename T, size_t SAMPLES, size_t FEATURES>
inline void backward_biases(const SampleRows<T, SAMPLES, FEATURES>& delta, T* gradient) {
    sums_of_columns(delta.numbers, SAMPLES, delta.STRIDE, FEATURES, gradient);
}

// The loss's derivative by weights and biases: a gradient is a layer. Overwrites `gradient`.
template <typename SPEC, size_t SAMPLES, typename TAPE>
inline void backward_parameters(const SampleRows<typename SPEC::T, SAMPLES, SPEC::INPUT_DIM>& input, const TAPE& tape,
                                layers::dense::Layer<SPEC>& gradient) {
    using T = typename SPEC::T;
    using DELTA = typename TAPE::OUTPUT;
    backward_biases(tape.delta, gradient.biases.data());
    constexpr size_t STRIDE = SampleRows<T, SAMPLES, SPEC::INPUT_DIM>::STRIDE;
    multiply<T, SPEC::OUTPUT_DIM, SPEC::INPUT_DIM, SAMPLES, DELTA::FEATURE_STRIDE, DELTA::SAMPLE_STRIDE, STRIDE>(
        tape.delta.numbers, input.numbers, FromZero<T>{}, IntoRows<T, SPEC::INPUT_DIM>{gradient.weights.data()});
}

// Of a network's first layer: its input stands by features, so the product is the gradient's columns.
template <typename SPEC, size_t SAMPLES>
inline void backward_parameters(const Batch<typename SPEC::T, SPEC::INPUT_DIM, SAMPLES>& input,
                                HiddenTape<layers::dense::Layer<SPEC>, SAMPLES>& tape,
                                layers::dense::Layer<SPEC>& gradient) {
    using T = typename SPEC::T;
    using INPUT = Batch<T, SPEC::INPUT_DIM, SAMPLES>;
    constexpr size_t STRIDE = layers::dense::ColumnLayer<SPEC>::STRIDE;
    T* const columns = tape.gradient_columns.weights;
    backward_biases(tape.delta, gradient.biases.data());
    multiply<T, SPEC::INPUT_DIM, SPEC::OUTPUT_DIM, SAMPLES, INPUT::FEATURE_STRIDE, INPUT::SAMPLE_STRIDE, STRIDE>(
        input.numbers, tape.delta.numbers, FromZero<T>{},
        [columns](size_t row, size_t col, Vector<T> sum) { store(columns + row * STRIDE + col, sum); });
    transpose(columns, SPEC::INPUT_DIM, SPEC::OUTPUT_DIM, STRIDE, gradient.weights.data(), SPEC::INPUT_DIM);
}

}  // namespace rl_tools::nn::training
