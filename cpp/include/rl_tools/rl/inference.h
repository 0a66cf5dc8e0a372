// The device tag under which a training host evaluates its policy: the inference arithmetic, one output per lane.
// Each output keeps its accumulator and its order, so the bits are those of every other device.
#pragma once

#include <rl_tools/devices/cpu.h>
#include <rl_tools/nn/layers/dense/operations_generic.h>
#include <rl_tools/nn/layers/rescale/operations_generic.h>
#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn/training/vector.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>

namespace rl_tools::devices {
struct TrainingHost : CPU<arithmetic::Separate> {};
}  // namespace rl_tools::devices

namespace rl_tools::nn::layers::dense {

namespace host {

using training::LANES;
using training::Vector;

// The products as numbers of their own: what `arithmetic::rounded` does to one.
inline Vector<float> rounded(Vector<float> products) {
#if !defined(RL_TOOLS_GNU_EXTENSIONS)
    for (size_t lane = 0; lane < LANES<float>; lane++) {
        products[lane] = arithmetic::rounded(products[lane]);
    }
#elif defined(__aarch64__)
    asm("" : "+w"(products));
#elif defined(__AVX512F__)
    asm("" : "+v"(products));
#elif defined(__FMA__)
    asm("" : "+x"(products));
#endif
    return products;
}

// LANES outputs from `row` on, one per lane: each is summed in the order of every other device.
template <typename SPEC>
inline void outputs(const Layer<SPEC>& layer, size_t row, const float* input, float* output) {
    constexpr size_t INPUTS = SPEC::INPUT_DIM;
    constexpr size_t WHOLE = INPUTS / LANES<float> * LANES<float>;
    const float* const weights = layer.weights.data() + row * INPUTS;
    Vector<float> sums = training::load(layer.biases.data() + row);
    for (size_t first = 0; first < WHOLE; first += LANES<float>) {
        Vector<float> square[LANES<float>];
        for (size_t i = 0; i < LANES<float>; i++) {
            square[i] = training::load(weights + i * INPUTS + first);
        }
        training::transpose<float>(square);
        for (size_t i = 0; i < LANES<float>; i++) {
            sums += rounded(square[i] * input[first + i]);
        }
    }
    for (size_t col = WHOLE; col < INPUTS; col++) {
        float column[LANES<float>];
        for (size_t i = 0; i < LANES<float>; i++) {
            column[i] = weights[i * INPUTS + col];
        }
        sums += rounded(training::load(column) * input[col]);
    }
    float numbers[LANES<float>];
    training::store(numbers, sums);
    for (size_t i = 0; i < LANES<float>; i++) {
        output[row + i] = activate<SPEC::ACTIVATION_FUNCTION>(numbers[i]);
    }
}

}  // namespace host

template <typename SPEC>
inline void evaluate(const devices::TrainingHost&, const Layer<SPEC>& layer, const float* input, float* output) {
    static_assert(std::is_same_v<typename SPEC::T, float>, "rl_tools: a policy is made of floats");
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM / host::LANES<float> * host::LANES<float>;
    for (size_t row = 0; row < WHOLE; row += host::LANES<float>) {
        host::outputs(layer, row, input, output);
    }
    for (size_t row = WHOLE; row < SPEC::OUTPUT_DIM; row++) {
        const float* const weights = layer.weights.data() + row * SPEC::INPUT_DIM;
        float sum = layer.biases.data()[row];
        for (size_t col = 0; col < SPEC::INPUT_DIM; col++) {
            sum = arithmetic::multiply_add(arithmetic::Separate{}, sum, weights[col], input[col]);
        }
        output[row] = activate<SPEC::ACTIVATION_FUNCTION>(sum);
    }
}

}  // namespace rl_tools::nn::layers::dense
