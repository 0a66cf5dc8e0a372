// A dense layer in panels (rl_tools/containers/layout.h): the same numbers as a Layer, in the order a kernel reads
// them. The compiler permutes a checkpoint's bytes into it, so it is a constant in flash, and the only copy there.
#pragma once

#include <rl_tools/containers/layout.h>
#include <rl_tools/nn/layers/dense/layer.h>

namespace rl_tools::nn::layers::dense {

// The panel that holds an output: its first output, and how many it has.
struct Panel {
    size_t first;
    size_t rows;
};

constexpr Panel panel_of(size_t row, size_t output_dim, size_t panel_rows) {
    Panel panel{row - row % panel_rows, panel_rows};
    while (panel.first + panel.rows > output_dim || row >= panel.first + panel.rows) {
        if (panel.first + panel.rows <= output_dim) {
            panel.first += panel.rows;
        }
        panel.rows /= 2;
    }
    return panel;
}

template <typename T_SPEC, typename T_LAYOUT>
struct PanelLayer {
    using SPEC = T_SPEC;
    using LAYOUT = T_LAYOUT;
    using T = typename SPEC::T;
    using TI = typename SPEC::TI;
    static constexpr TI INPUT_DIM = SPEC::INPUT_DIM;
    static constexpr TI OUTPUT_DIM = SPEC::OUTPUT_DIM;
    static constexpr size_t SIZE = OUTPUT_DIM * (INPUT_DIM + 1) * sizeof(T);

    // Bytes, because a number cannot be made from its bytes in a constant expression of C++17.
    // No flash line and no cache line is cut where the panels do not ask for it.
    alignas(16) unsigned char bytes[SIZE + LAYOUT::READ_AHEAD_BYTES];

    [[nodiscard]] const T* data() const { return reinterpret_cast<const T*>(bytes); }

    [[nodiscard]] const T& bias(size_t row) const {
        const Panel panel = panel_of(row, OUTPUT_DIM, LAYOUT::ROWS);
        return data()[panel.first * (INPUT_DIM + 1) + row - panel.first];
    }

    [[nodiscard]] const T& weight(size_t row, size_t col) const {
        const Panel panel = panel_of(row, OUTPUT_DIM, LAYOUT::ROWS);
        return data()[panel.first * (INPUT_DIM + 1) + (col + 1) * panel.rows + row - panel.first];
    }
};

// Moves one number; returns where the next one goes.
constexpr unsigned char* put_number(unsigned char* to, const unsigned char* from) {
    return to[0] = from[0], to[1] = from[1], to[2] = from[2], to[3] = from[3], to + 4;
}

// Compilers bound what a constant expression may do: few statements per number (docs/architecture.md).
template <size_t ROWS, size_t READ_AHEAD_BYTES, typename SPEC>
constexpr auto in_layout(layout::Panels<ROWS, READ_AHEAD_BYTES>, const Layer<SPEC>& layer) {
    static_assert(sizeof(typename SPEC::T) == 4, "rl_tools: panels hold numbers of four bytes");
    PanelLayer<SPEC, layout::Panels<ROWS, READ_AHEAD_BYTES>> result{};
    unsigned char* to = result.bytes;
    size_t end = 0;
    for (size_t first = 0; first < SPEC::OUTPUT_DIM; first = end) {
        end = first + panel_of(first, SPEC::OUTPUT_DIM, ROWS).rows;
        for (size_t row = first; row < end; row++) {
            to = put_number(to, layer.biases.bytes + 4 * row);
        }
        for (size_t col = 0; col < SPEC::INPUT_DIM; col++) {
            for (size_t row = first; row < end; row++) {
                to = put_number(to, layer.weights.bytes + 4 * (row * SPEC::INPUT_DIM + col));
            }
        }
    }
    return result;
}

// The same bytes as of the layer row by row, gathered from where the kernels read them.
template <typename SPEC, typename LAYOUT, typename DIGEST>
inline void add_weights_and_biases(const PanelLayer<SPEC, LAYOUT>& layer, DIGEST& digest) {
    for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
        for (size_t col = 0; col < SPEC::INPUT_DIM; col++) {
            digest.number(layer.weight(row, col));
        }
    }
    for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
        digest.number(layer.bias(row));
    }
}

template <typename SPEC, typename LAYOUT, typename DIGEST>
inline void add_to_digest(const PanelLayer<SPEC, LAYOUT>& layer, DIGEST& digest) {
    add_dense(layer, digest);
}

}  // namespace rl_tools::nn::layers::dense

namespace rl_tools::nn {
template <typename SPEC, typename LAYOUT>
inline constexpr math::Operations operations<layers::dense::PanelLayer<SPEC, LAYOUT>> =
    operations<layers::dense::Layer<SPEC>>;
}  // namespace rl_tools::nn
