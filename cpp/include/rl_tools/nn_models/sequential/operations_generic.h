// A pass through a whole model: the deterministic policy.
#pragma once

#include <rl_tools/devices/devices.h>
#include <rl_tools/nn_models/sequential/model.h>

namespace rl_tools {

namespace nn_models::sequential {

// Walks through the primitive layers, from `input` through the two scratch vectors to `output`.
// The kernels are found by argument-dependent lookup in each layer's own namespace, with the device tag as it came:
// a tag that were passed as its base would be sliced, and the fast kernel silently never called.
template <typename DEVICE, typename T>
struct Pass {
    const DEVICE& device;
    const T* input;
    T* scratch;
    T* other_scratch;
    T* output;
    size_t remaining;  // primitive layers still to come; the last of them writes to `output`

    template <typename LAYER>
    void operator()(const LAYER& layer) {
        if (remaining == 0) {
            return;
        }
        T* const target = remaining == 1 ? output : scratch;
        evaluate(device, layer, input, target);
        input = target;
        scratch = other_scratch;
        other_scratch = target;
        remaining--;
    }

    template <typename COMPOSITE>
    void numbers_of(const COMPOSITE&) {}  // none of them changes the deterministic action
};

// The first `layer_count` primitive layers of the model, on one input vector.
template <typename DEVICE, typename... MODULES, typename BUFFER>
inline void evaluate_prefix(const DEVICE& device, const Model<MODULES...>& model,
                            const typename Model<MODULES...>::T* input, typename Model<MODULES...>::T* output,
                            BUFFER& buffer, size_t layer_count) {
    Pass<DEVICE, typename Model<MODULES...>::T> pass{device, input, buffer.tick, buffer.tock, output, layer_count};
    for_each_primitive(model, pass);
}

}  // namespace nn_models::sequential

// One input vector to one output vector.
template <typename DEVICE, typename... MODULES, typename BUFFER>
inline void evaluate(const DEVICE& device, const nn_models::sequential::Model<MODULES...>& model,
                     const typename nn_models::sequential::Model<MODULES...>::T* input,
                     typename nn_models::sequential::Model<MODULES...>::T* output, BUFFER& buffer) {
    nn_models::sequential::evaluate_prefix(device, model, input, output, buffer,
                                           nn::Primitives<nn_models::sequential::Model<MODULES...>>::COUNT);
}

// A batch: one row in, one row out. The generator is only used when sampling, which is not asked for here.
template <typename DEVICE, typename... MODULES, typename INPUT_SPEC, typename OUTPUT_SPEC, typename BUFFER,
          typename ENGINE>
inline void evaluate(const DEVICE& device, const nn_models::sequential::Model<MODULES...>& model,
                     const MatrixStatic<INPUT_SPEC>& input, MatrixStatic<OUTPUT_SPEC>& output, BUFFER& buffer,
                     ENGINE&) {
    using MODEL = nn_models::sequential::Model<MODULES...>;
    static_assert(INPUT_SPEC::COLS == MODEL::INPUT_DIM, "rl_tools: the input needs INPUT_DIM columns");
    static_assert(OUTPUT_SPEC::COLS == MODEL::OUTPUT_DIM, "rl_tools: the output needs OUTPUT_DIM columns");
    static_assert(INPUT_SPEC::ROWS == OUTPUT_SPEC::ROWS, "rl_tools: input and output need the same number of rows");
    static_assert(INPUT_SPEC::ROWS <= BUFFER::BATCH_SIZE, "rl_tools: the buffer is for a smaller batch");
    for (typename INPUT_SPEC::TI row = 0; row < INPUT_SPEC::ROWS; row++) {
        evaluate(device, model, row_data(input, row), row_data(output, row), buffer);
    }
}

}  // namespace rl_tools
