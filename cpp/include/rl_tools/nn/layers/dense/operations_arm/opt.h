// The dense layer for ARM cores: several outputs at a time, so that every input is loaded once per panel of rows
// and no addition waits for the one before it. Each output keeps its own accumulator and its order: the bits are the
// generic kernel's.
#pragma once

#include <rl_tools/devices/arm.h>
#include <rl_tools/nn/layers/dense/operations_generic.h>

#include <utility>

namespace rl_tools::nn::layers::dense {

namespace opt {

// Packs of indices instead of loops: unrolled at every optimisation level, so that the accumulators stay in registers.
template <typename ARITHMETIC, size_t INPUT_DIM, typename T, size_t... ROWS>
inline void column(T* accumulators, const T* weights, T x, std::index_sequence<ROWS...>) {
    ((accumulators[ROWS] = arithmetic::multiply_add(ARITHMETIC{}, accumulators[ROWS], weights[ROWS * INPUT_DIM], x)),
     ...);
}

template <typename ARITHMETIC, size_t INPUT_DIM, typename T, typename ROWS, size_t... COLUMNS>
inline void columns(T* accumulators, const T* weights, const T* input, ROWS rows, std::index_sequence<COLUMNS...>) {
    (column<ARITHMETIC, INPUT_DIM>(accumulators, weights + COLUMNS, input[COLUMNS], rows), ...);
}

// As many outputs as ROWS has indices, from `row` on.
template <typename ARITHMETIC, typename SPEC, size_t... ROWS>
inline void panel(const Layer<SPEC>& layer, size_t row, const typename SPEC::T* input, typename SPEC::T* output,
                  std::index_sequence<ROWS...> rows) {
    using T = typename SPEC::T;
    constexpr size_t INPUT_DIM = SPEC::INPUT_DIM;
    constexpr size_t UNROLLED = 4;
    constexpr size_t REST = INPUT_DIM % UNROLLED;
    const T* weights = layer.weights.data() + row * INPUT_DIM;
    const T* biases = layer.biases.data() + row;
    T accumulators[sizeof...(ROWS)] = {biases[ROWS]...};
    const T* const end = input + (INPUT_DIM - REST);
    while (input != end) {
        columns<ARITHMETIC, INPUT_DIM>(accumulators, weights, input, rows, std::make_index_sequence<UNROLLED>{});
        input += UNROLLED;
        weights += UNROLLED;
    }
    if constexpr (REST > 0) {
        columns<ARITHMETIC, INPUT_DIM>(accumulators, weights, input, rows, std::make_index_sequence<REST>{});
    }
    ((output[row + ROWS] = activate<SPEC::ACTIVATION_FUNCTION>(accumulators[ROWS])), ...);
}

}  // namespace opt

template <typename ARITHMETIC, typename SPEC>
inline void evaluate(const devices::ARM<ARITHMETIC>&, const Layer<SPEC>& layer, const typename SPEC::T* input,
                     typename SPEC::T* output) {
    constexpr size_t PANEL = 4;
    constexpr size_t REST = SPEC::OUTPUT_DIM % PANEL;
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM - REST;
    for (size_t row = 0; row < WHOLE; row += PANEL) {
        opt::panel<ARITHMETIC>(layer, row, input, output, std::make_index_sequence<PANEL>{});
    }
    if constexpr (REST > 0) {
        opt::panel<ARITHMETIC>(layer, WHOLE, input, output, std::make_index_sequence<REST>{});
    }
}

}  // namespace rl_tools::nn::layers::dense
