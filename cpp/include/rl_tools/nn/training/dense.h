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

// What a product starts from, and where its sums go. They know no more of a layer than the kernel needs, and no
// lambda's type: layers that differ in something else share the kernel's code.
template <typename T>
struct FromZero {
    T operator()(size_t) const { return T(0); }
};

template <typename T>
struct FromBiases {
    const T* biases;
    T operator()(size_t row) const { return biases[row]; }
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

template <typename SPEC, size_t SAMPLES>
inline void forward(const layers::dense::Layer<SPEC>& layer,
                    const Batch<typename SPEC::T, SPEC::INPUT_DIM, SAMPLES>& input,
                    LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
    using T = typename SPEC::T;
    constexpr auto FUNCTION = SPEC::ACTIVATION_FUNCTION;
    constexpr size_t STRIDE = padded<T>(SAMPLES);
    Activated<T, FUNCTION, STRIDE> activated{tape.output.numbers, nullptr};
    if constexpr (NEEDS_INPUT<FUNCTION>) {
        activated.before = tape.before_activation.numbers;
    }
    multiply<T, SPEC::OUTPUT_DIM, SAMPLES, SPEC::INPUT_DIM, SPEC::INPUT_DIM, 1, STRIDE>(
        layer.weights.data(), input.numbers, FromBiases<T>{layer.biases.data()}, activated);
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

template <typename SPEC, size_t SAMPLES>
inline auto through_activation_of(LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
    using T = typename SPEC::T;
    constexpr auto FUNCTION = SPEC::ACTIVATION_FUNCTION;
    using Through = ThroughActivation<T, FUNCTION, padded<T>(SAMPLES)>;
    if constexpr (NEEDS_INPUT<FUNCTION>) {
        return Through{tape.before_activation.numbers, tape.delta.numbers};
    } else {
        return Through{tape.output.numbers, tape.delta.numbers};
    }
}

// From the loss's derivative by the layer's output to that by its activation's input, in place.
template <typename SPEC, size_t SAMPLES>
inline void through_activation(LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape) {
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

// The loss's derivative by inputs FIRST .. FIRST + COUNT, each vector handed to `store_vector(input, col, vector)`.
template <size_t FIRST, size_t COUNT, typename SPEC, size_t SAMPLES, typename STORE>
inline void backward_input(const layers::dense::Layer<SPEC>& layer,
                           const LayerTape<layers::dense::Layer<SPEC>, SAMPLES>& tape, const STORE& store_vector) {
    using T = typename SPEC::T;
    constexpr size_t STRIDE = padded<T>(SAMPLES);
    multiply<T, COUNT, SAMPLES, SPEC::OUTPUT_DIM, 1, SPEC::INPUT_DIM, STRIDE>(
        layer.weights.data() + FIRST, tape.delta.numbers, FromZero<T>{}, store_vector);
}

namespace weights {

// How many rows of each operand are multiplied with one another at a time: so many sums lie in registers, and the sums
// across their lanes are taken together.
template <typename T>
constexpr size_t BLOCK_ROWS = LANES<T> >= 16 ? 4 : 2;

// The sum of each row. Neither it nor `products_of_rows` knows sizes: a copy for each layer would compile for longer.
template <typename T>
RL_TOOLS_NOINLINE void sums_of_rows(const T* rows, size_t count, size_t stride, T* target) {
    for (size_t first = 0; first < count; first += LANES<T>) {
        Vector<T> items[LANES<T>];
        for (size_t i = 0; i < LANES<T>; i++) {
            Vector<T> sum{};
            for (size_t col = 0; first + i < count && col < stride; col += LANES<T>) {
                sum += load(rows + (first + i) * stride + col);
            }
            items[i] = sum;
        }
        const Vector<T> sums = sums_of<T>(items);
        memcpy(target + first, &sums, (count - first < LANES<T> ? count - first : LANES<T>)*sizeof(T));
    }
}

// The dot product of each row of `a` with each of `b`, a's rows outside; ROWS of a at a time.
template <typename T, size_t ROWS>
RL_TOOLS_NOINLINE void products_of_rows(const T* a, size_t a_rows, const T* b, size_t b_rows, size_t stride,
                                        T* target) {
    constexpr size_t COLS = LANES<T> / ROWS;
    for (size_t row = 0; row < a_rows; row += ROWS) {
        for (size_t col = 0; col < b_rows; col += COLS) {
            // Beyond the last row stands the last one again; those products are not kept.
            const T* of_a[ROWS];
            const T* of_b[COLS];
            for (size_t i = 0; i < ROWS; i++) {
                of_a[i] = a + (row + i < a_rows ? row + i : a_rows - 1) * stride;
            }
            for (size_t i = 0; i < COLS; i++) {
                of_b[i] = b + (col + i < b_rows ? col + i : b_rows - 1) * stride;
            }
            Vector<T> items[LANES<T>]{};
#pragma GCC unroll 1
            for (size_t sample = 0; sample < stride; sample += LANES<T>) {
#pragma GCC unroll 16
                for (size_t i = 0; i < LANES<T>; i++) {
                    items[i] += load(of_a[i / COLS] + sample) * load(of_b[i % COLS] + sample);
                }
            }
            const Vector<T> sums = sums_of<T>(items);
            for (size_t i = 0; i < ROWS && row + i < a_rows; i++) {
                const size_t count = b_rows - col < COLS ? b_rows - col : COLS;
                memcpy(target + (row + i) * b_rows + col, reinterpret_cast<const T*>(&sums) + i * COLS,
                       count * sizeof(T));
            }
        }
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
    weights::sums_of_rows(tape.delta.numbers, OUTPUTS, STRIDE, gradient.biases.data());
    if constexpr (weights::DOT_PRODUCTS_ARE_CHEAPER<T, INPUTS, OUTPUTS, SAMPLES>) {
        constexpr size_t ROWS = OUTPUTS < weights::BLOCK_ROWS<T> ? 1 : weights::BLOCK_ROWS<T>;
        weights::products_of_rows<T, ROWS>(tape.delta.numbers, OUTPUTS, input.numbers, INPUTS, STRIDE,
                                           gradient.weights.data());
    } else {
        weights::transpose(input, tape.input_samples);
        T* const target = gradient.weights.data();
        multiply<T, OUTPUTS, INPUTS, SAMPLES, STRIDE, 1, padded<T>(INPUTS)>(
            tape.delta.numbers, tape.input_samples.numbers, FromZero<T>{},
            [target](size_t row, size_t col, Vector<T> sum) {
                if (INPUTS % LANES<T> == 0 || col + LANES<T> <= INPUTS) {
                    store(target + row * INPUTS + col, sum);
                } else {
                    memcpy(target + row * INPUTS + col, &sum, (INPUTS - col) * sizeof(T));
                }
            });
    }
}

}  // namespace rl_tools::nn::training
