// The dense layer in portable C++, several outputs at a time: every input is loaded once per panel of rows, and no
// addition waits for the one before it. Each output keeps its own accumulator and its order, so the bits are those of
// the row-by-row kernel (operations_generic.h).
#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/nn/layers/dense/panel_layer.h>

#include <utility>

namespace rl_tools::nn::layers::dense {

namespace portable {

// Where the weights of a panel lie: between two rows, and between two columns.
template <size_t T_COLUMNS, size_t T_ROW_STRIDE, size_t T_COLUMN_STRIDE>
struct Strides {
    static constexpr size_t COLUMNS = T_COLUMNS;
    static constexpr size_t ROW = T_ROW_STRIDE;
    static constexpr size_t COLUMN = T_COLUMN_STRIDE;
};

// Packs of indices instead of loops: unrolled at every optimisation level, so that the accumulators stay in registers.
template <typename ARITHMETIC, size_t ROW_STRIDE, typename T, size_t... ROWS>
inline void column(T* accumulators, const T* weights, T x, std::index_sequence<ROWS...>) {
    ((accumulators[ROWS] = multiply_add(ARITHMETIC{}, accumulators[ROWS], weights[ROWS * ROW_STRIDE], x)), ...);
}

template <typename ARITHMETIC, typename STRIDES, typename T, typename ROWS, size_t... COLUMNS>
inline void columns(T* accumulators, const T* weights, const T* input, ROWS rows, std::index_sequence<COLUMNS...>) {
    (column<ARITHMETIC, STRIDES::ROW>(accumulators, weights + COLUMNS * STRIDES::COLUMN, input[COLUMNS], rows), ...);
}

// As many outputs as ROWS has indices.
template <typename ARITHMETIC, typename STRIDES, ActivationFunction FUNCTION, typename T, size_t... ROWS>
inline void panel(const T* biases, const T* weights, const T* input, T* output, std::index_sequence<ROWS...> rows) {
    constexpr size_t UNROLLED = 4;
    constexpr size_t REST = STRIDES::COLUMNS % UNROLLED;
    T accumulators[sizeof...(ROWS)] = {biases[ROWS]...};
    const T* const end = input + (STRIDES::COLUMNS - REST);
    while (input != end) {
        columns<ARITHMETIC, STRIDES>(accumulators, weights, input, rows, std::make_index_sequence<UNROLLED>{});
        input += UNROLLED;
        weights += UNROLLED * STRIDES::COLUMN;
    }
    if constexpr (REST > 0) {
        columns<ARITHMETIC, STRIDES>(accumulators, weights, input, rows, std::make_index_sequence<REST>{});
    }
    ((output[ROWS] = activate<per_output(FUNCTION)>(accumulators[ROWS])), ...);
}

// The panels from the one of output FIRST on, which are all of different sizes; maybe none, and GCC 8 warns of that.
template <typename ARITHMETIC, size_t FIRST, typename SPEC, typename LAYOUT>
inline void tail_panels([[maybe_unused]] const PanelLayer<SPEC, LAYOUT>& layer,
                        [[maybe_unused]] const typename SPEC::T* input, [[maybe_unused]] typename SPEC::T* output) {
    if constexpr (FIRST < SPEC::OUTPUT_DIM) {
        constexpr size_t ROWS = panel_of(FIRST, SPEC::OUTPUT_DIM, LAYOUT::ROWS).rows;
        using STRIDES = Strides<SPEC::INPUT_DIM, 1, ROWS>;
        const auto* biases = layer.data() + FIRST * (SPEC::INPUT_DIM + 1);
        panel<ARITHMETIC, STRIDES, SPEC::ACTIVATION_FUNCTION>(biases, biases + ROWS, input, output + FIRST,
                                                              std::make_index_sequence<ROWS>{});
        tail_panels<ARITHMETIC, FIRST + ROWS>(layer, input, output);
    }
}

}  // namespace portable

template <typename ARITHMETIC, typename SPEC, typename LAYOUT>
inline void evaluate(const devices::Generic<ARITHMETIC>&, const PanelLayer<SPEC, LAYOUT>& layer,
                     const typename SPEC::T* input, typename SPEC::T* output) {
    constexpr size_t ROWS = LAYOUT::ROWS;
    constexpr size_t WHOLE = SPEC::OUTPUT_DIM - SPEC::OUTPUT_DIM % ROWS;
    using STRIDES = portable::Strides<SPEC::INPUT_DIM, 1, ROWS>;
    const auto* biases = layer.data();
    for (size_t row = 0; row < WHOLE; row += ROWS) {
        portable::panel<ARITHMETIC, STRIDES, SPEC::ACTIVATION_FUNCTION>(biases, biases + ROWS, input, output + row,
                                                                        std::make_index_sequence<ROWS>{});
        biases += ROWS * (SPEC::INPUT_DIM + 1);
    }
    portable::tail_panels<ARITHMETIC, WHOLE>(layer, input, output);
    activate_all<per_vector(SPEC::ACTIVATION_FUNCTION), SPEC::OUTPUT_DIM>(output);
}

}  // namespace rl_tools::nn::layers::dense
