// The policy's digest, computed from the numbers where they lie: SHA-256 over the structure and every number.
// The byte layout is part of the design (docs/architecture.md, "The digest"); rltools_embed/policy/digest.py is its
// twin.
#pragma once

#include <rl_tools/embed/sha256.h>
#include <rl_tools/math/functions.h>
#include <rl_tools/nn/layers/dense/panel_layer.h>
#include <rl_tools/nn/layers/gru/layer.h>
#include <rl_tools/nn/layers/rescale/layer.h>
#include <rl_tools/nn/layers/sample_and_squash/layer.h>
#include <rl_tools/nn/layers/standardize/layer.h>
#include <rl_tools/nn/layers/td3_sampling/layer.h>
#include <rl_tools/nn_models/mlp_unconditional_stddev/network.h>

namespace rl_tools::embed {

class DigestVisitor {
public:
    template <typename SPEC>
    void operator()(const nn::layers::standardize::Layer<SPEC>& layer) {
        tag(0x01);
        word(SPEC::DIM);
        array(layer.mean);
        array(layer.precision);
    }

    template <typename SPEC>
    void operator()(const nn::layers::dense::Layer<SPEC>& layer) {
        dense(layer);
    }

    template <typename SPEC, typename LAYOUT>
    void operator()(const nn::layers::dense::PanelLayer<SPEC, LAYOUT>& layer) {
        dense(layer);
    }

    template <typename STORAGE, typename... LAYERS>
    void numbers_of(const nn_models::mlp_unconditional_stddev::NeuralNetwork<STORAGE, LAYERS...>& network) {
        tag(0x03);
        word(network.OUTPUT_DIM);
        array(network.log_std);
    }

    template <typename SPEC>
    void operator()(const nn::layers::sample_and_squash::Layer<SPEC>& layer) {
        tag(0x04);
        word(SPEC::DIM);
        word(math::bits_of(layer.log_std_lower_bound));
        word(math::bits_of(layer.log_std_upper_bound));
    }

    template <typename SPEC>
    void operator()(const nn::layers::td3_sampling::Layer<SPEC>& layer) {
        tag(0x05);
        word(SPEC::DIM);
        word(math::bits_of(layer.std));
    }

    template <typename SPEC>
    void operator()(const nn::layers::rescale::Layer<SPEC>& layer) {
        tag(0x06);
        word(SPEC::DIM);
        array(layer.low);
        array(layer.high);
    }

    template <typename SPEC, typename... GATES>
    void operator()(const nn::layers::gru::Layer<SPEC, GATES...>& layer) {
        tag(0x07);
        word(SPEC::INPUT_DIM);
        word(SPEC::HIDDEN_DIM);
        weights_and_biases(layer.input);
        weights_and_biases(layer.hidden);
        array(layer.initial_state);
    }

    void finish(uint8_t out[32]) { hash_.finish(out); }

private:
    template <typename LAYER>
    void dense(const LAYER& layer) {
        tag(0x02);
        word(LAYER::INPUT_DIM);
        word(LAYER::OUTPUT_DIM);
        tag(static_cast<uint8_t>(LAYER::SPEC::ACTIVATION_FUNCTION));
        weights_and_biases(layer);
    }

    template <typename SPEC>
    void weights_and_biases(const nn::layers::dense::Layer<SPEC>& layer) {
        array(layer.weights);
        array(layer.biases);
    }

    // The same bytes as of the layer row by row, gathered from where the kernels read them.
    template <typename SPEC, typename LAYOUT>
    void weights_and_biases(const nn::layers::dense::PanelLayer<SPEC, LAYOUT>& layer) {
        for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
            for (size_t col = 0; col < SPEC::INPUT_DIM; col++) {
                word(math::bits_of(layer.weight(row, col)));
            }
        }
        for (size_t row = 0; row < SPEC::OUTPUT_DIM; row++) {
            word(math::bits_of(layer.bias(row)));
        }
    }

    void tag(uint8_t value) { hash_.update(&value, 1); }

    void word(size_t value) {
        const uint8_t bytes[4] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                                  static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
        hash_.update(bytes, sizeof bytes);
    }

    // Targets are little-endian (rl_tools.h checks), so the numbers are hashed as they lie.
    template <typename ARRAY>
    void array(const ARRAY& numbers) {
        hash_.update(reinterpret_cast<const uint8_t*>(numbers.data()), ARRAY::size * sizeof(*numbers.data()));
    }

    Sha256 hash_;
};

}  // namespace rl_tools::embed
