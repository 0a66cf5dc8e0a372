// A dense layer on a batch: forward, and the three derivatives. The layer itself is the inference library's:
// what a target runs carries no training vocabulary, the state of training lives beside it.
#pragma once

#include <rl_tools/nn/layers/dense/layer.h>
#include <rl_tools/nn/training/activation.h>
#include <rl_tools/nn/training/batch.h>
#include <rl_tools/nn/training/multiply.h>

namespace rl_tools::nn::training {

struct Nothing {};

namespace weights {

// Vector instructions that each of the two ways takes, roughly: eight more for the sum across a vector's lanes;
// one per two numbers to transpose the inputs.
template <typename T, size_t INPUTS, size_t OUTPUTS, size_t SAMPLES>
constexpr bool DOT_PRODUCTS_ARE_CHEAPER = INPUTS * OUTPUTS * (padded<T>(SAMPLES) / LANES<T> + 8) <
                                          OUTPUTS * padded<T>(INPUTS) / LANES<T> * SAMPLES + INPUTS * SAMPLES / 2;

}  // namespace weights

// What a pass through a layer leaves behind: its outputs, its inputs to the activation where the derivative needs
// them, and the loss's derivative by those inputs.
template <typename LAYER, size_t SAMPLES>
struct LayerTape {
    using OUTPUT = Batch<typename LAYER::T, LAYER::OUTPUT_DIM, SAMPLES>;
    OUTPUT output;
    OUTPUT delta;
    std::conditional_t<NEEDS_INPUT<LAYER::SPEC::ACTIVATION_FUNCTION>, OUTPUT, Nothing> before_activation;
    // The layer's inputs, one row per sample: scratch for the derivative by the weights.
    using INPUT_SAMPLES = Batch<typename LAYER::T, SAMPLES, LAYER::INPUT_DIM>;
    std::conditional_t<
        weights::DOT_PRODUCTS_ARE_CHEAPER<typename LAYER::T, LAYER::INPUT_DIM, LAYER::OUTPUT_DIM, SAMPLES>, Nothing,
        INPUT_SAMPLES>
        input_samples;
};

template <typename SPEC, size_t SAMPLES>
inline void forward(const layers::dense::Layer<SPEC>& layer,
                    const Batch<typename SPEC::T, SPEC::INPUT_DIM, SAMPLES>& input,
                    LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
    using T = typename SPEC::T;
    constexpr auto FUNCTION = SPEC::ACTIVATION_FUNCTION;
    constexpr size_t STRIDE = padded<T>(SAMPLES);
    const T* const biases = layer.biases.data();
    multiply<T, SPEC::OUTPUT_DIM, STRIDE, SPEC::INPUT_DIM, SPEC::INPUT_DIM, 1, STRIDE>(
        layer.weights.data(), input.numbers, [biases](size_t row) { return biases[row]; },
        [&tape](size_t row, size_t col, Vector<T> sum) {
            if constexpr (NEEDS_INPUT<FUNCTION>) {
                store(tape.before_activation.row(row) + col, sum);
            }
            store(tape.output.row(row) + col, activated<FUNCTION, T>(sum));
        });
}

// The derivative of the activation where the tape has stood since the forward pass.
template <typename SPEC, size_t SAMPLES>
inline Vector<typename SPEC::T> derivative_at(const LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape, size_t row,
                                              size_t col) {
    using T = typename SPEC::T;
    constexpr auto FUNCTION = SPEC::ACTIVATION_FUNCTION;
    if constexpr (NEEDS_INPUT<FUNCTION>) {
        return derivative<FUNCTION, T>(load(tape.before_activation.row(row) + col), Vector<T>{});
    } else if constexpr (FUNCTION == ActivationFunction::IDENTITY) {
        return broadcast(T(1));
    } else {
        return derivative<FUNCTION, T>(Vector<T>{}, load(tape.output.row(row) + col));
    }
}

// From the loss's derivative by the layer's output to that by its activation's input, in place.
template <typename SPEC, size_t SAMPLES>
inline void through_activation(LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
    using T = typename SPEC::T;
    if constexpr (SPEC::ACTIVATION_FUNCTION != ActivationFunction::IDENTITY) {
        for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
            for (size_t col = 0; col < padded<T>(SAMPLES); col += LANES<T>) {
                T* const delta = tape.delta.row(row) + col;
                store(delta, load(delta) * derivative_at(tape, row, col));
            }
        }
    }
}

// The loss's derivative by inputs FIRST .. FIRST + COUNT, each vector handed to `store_vector(input, col, vector)`.
template <size_t FIRST, size_t COUNT, typename SPEC, size_t SAMPLES, typename STORE>
inline void backward_input(const layers::dense::Layer<SPEC>& layer,
                           const LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape, const STORE& store_vector) {
    using T = typename SPEC::T;
    constexpr size_t STRIDE = padded<T>(SAMPLES);
    multiply<T, COUNT, STRIDE, SPEC::OUTPUT_DIM, 1, SPEC::INPUT_DIM, STRIDE>(
        layer.weights.data() + FIRST, tape.delta.numbers, [](size_t) { return T(0); }, store_vector);
}

namespace weights {

// For each of COUNT items, the sum over the columns of what `vector_of(item, column)` gives: LANES items at a time, so
// that their sums across lanes are taken together.
template <typename T, size_t COUNT, size_t STRIDE, typename VECTOR_OF>
inline void sums(const VECTOR_OF& vector_of, T* target) {
    for (size_t first = 0; first < COUNT; first += LANES<T>) {
        Vector<T> items[LANES<T>];
        for (size_t i = 0; i < LANES<T>; i++) {
            Vector<T> sum{};
            if (first + i < COUNT) {
#pragma GCC unroll 1
                for (size_t col = 0; col < STRIDE; col += LANES<T>) {
                    sum += vector_of(first + i, col);
                }
            }
            items[i] = sum;
        }
        const Vector<T> sum = sums_of<T>(items);
        memcpy(target + first, &sum, (COUNT - first < LANES<T> ? COUNT - first : LANES<T>)*sizeof(T));
    }
}

// One row per sample.
template <typename T, size_t FEATURES, size_t SAMPLES>
inline void transpose(const Batch<T, FEATURES, SAMPLES>& batch, Batch<T, SAMPLES, FEATURES>& transposed) {
    for (size_t feature = 0; feature < FEATURES; feature += LANES<T>) {
        for (size_t sample = 0; sample < SAMPLES; sample += LANES<T>) {
            Vector<T> square[LANES<T>];
            for (size_t i = 0; i < LANES<T>; i++) {
                square[i] = feature + i < FEATURES ? load(batch.row(feature + i) + sample) : Vector<T>{};
            }
            training::transpose<T>(square);
            for (size_t i = 0; i < LANES<T> && sample + i < SAMPLES; i++) {
                store(transposed.row(sample + i) + feature, square[i]);
            }
        }
    }
}

}  // namespace weights

// The loss's derivative by weights and biases: a gradient is a layer. Overwrites `gradient`.
template <typename SPEC, size_t SAMPLES>
inline void backward_parameters(const Batch<typename SPEC::T, SPEC::INPUT_DIM, SAMPLES>& input,
                                LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape,
                                layers::dense::Layer<SPEC>& gradient) {
    using T = typename SPEC::T;
    constexpr size_t INPUTS = SPEC::INPUT_DIM;
    constexpr size_t OUTPUTS = SPEC::OUTPUT_DIM;
    constexpr size_t STRIDE = padded<T>(SAMPLES);
    const auto& delta = tape.delta;
    weights::sums<T, OUTPUTS, STRIDE>([&](size_t row, size_t sample) { return load(delta.row(row) + sample); },
                                      gradient.biases.data());
    if constexpr (weights::DOT_PRODUCTS_ARE_CHEAPER<T, INPUTS, OUTPUTS, SAMPLES>) {
        weights::sums<T, OUTPUTS * INPUTS, STRIDE>(
            [&](size_t weight, size_t sample) {
                return load(delta.row(weight / INPUTS) + sample) * load(input.row(weight % INPUTS) + sample);
            },
            gradient.weights.data());
    } else {
        weights::transpose(input, tape.input_samples);
        T* const target = gradient.weights.data();
        multiply<T, OUTPUTS, padded<T>(INPUTS), SAMPLES, STRIDE, 1, padded<T>(INPUTS)>(
            tape.delta.numbers, tape.input_samples.numbers, [](size_t) { return T(0); },
            [target](size_t row, size_t col, Vector<T> sum) {
                if (col + LANES<T> <= INPUTS) {
                    store(target + row * INPUTS + col, sum);
                } else {
                    memcpy(target + row * INPUTS + col, &sum, (INPUTS - col) * sizeof(T));
                }
            });
    }
}

}  // namespace rl_tools::nn::training
