// A pass through a whole model, and the steps of a recurrent one.
// Without a mode the policy is deterministic; mode::Sample draws from its distribution.
#pragma once

#include <rl_tools/containers/tensor.h>
#include <rl_tools/devices/devices.h>
#include <rl_tools/mode.h>
#include <rl_tools/nn_models/sequential/model.h>
#include <rl_tools/random/random.h>

#include <type_traits>

namespace rl_tools {

namespace nn_models::sequential {

// Walks through the primitive layers, from `input` through the two scratch vectors to `output`.
// The kernels are found by argument-dependent lookup in each layer's own namespace, with the device tag as it came:
// a tag that were passed as its base would be sliced, and the fast kernel silently never called.
template <typename DEVICE, typename T, typename MODE>
struct Pass {
    static constexpr bool IS_SAMPLING = std::is_same_v<MODE, mode::Sample>;

    const DEVICE& device;
    const T* input;
    T* scratch;
    T* other_scratch;
    T* gates;  // scratch of the recurrent layers
    T* output;
    size_t remaining;        // primitive layers still to come; the last of them writes to `output`
    T* state;                // of the next recurrent layer; nullptr: each is at its initial state
    random::Engine* engine;  // for sampling

    template <typename LAYER>
    void operator()(const LAYER& layer) {
        if (remaining == 0) {
            return;
        }
        T* const target = remaining == 1 ? output : scratch;
        apply(layer, target);
        input = target;
        scratch = other_scratch;
        other_scratch = target;
        remaining--;
    }

    // Called after a composite's layers: `other_scratch` is their output.
    template <typename COMPOSITE>
    void numbers_of(const COMPOSITE& composite) {
        if constexpr (IS_SAMPLING) {
            perturb(device, composite, other_scratch, *engine);
        } else {
            static_cast<void>(composite);  // none of these numbers changes the deterministic action
        }
    }

private:
    template <typename LAYER>
    void apply(const LAYER& layer, T* target) {
        if constexpr (nn::state_dim<LAYER> > 0) {
            evaluate_step(device, layer, input, state == nullptr ? layer.initial_state.data() : state, gates, target);
            if (state != nullptr) {
                for (size_t i = 0; i < nn::state_dim<LAYER>; i++) {
                    *state++ = target[i];
                }
            }
        } else if constexpr (IS_SAMPLING && nn::has_sampling<LAYER>) {
            sample(device, layer, input, target, *engine);
        } else {
            evaluate(device, layer, input, target);
        }
    }
};

// The first `layer_count` primitive layers of the model, on one input vector.
template <typename MODE = mode::Deterministic, typename DEVICE, typename... MODULES, typename BUFFER>
inline void evaluate_prefix(const DEVICE& device, const Model<MODULES...>& model,
                            const typename Model<MODULES...>::T* input, typename Model<MODULES...>::T* output,
                            BUFFER& buffer, size_t layer_count, typename Model<MODULES...>::T* state = nullptr,
                            random::Engine* engine = nullptr) {
    using T = typename Model<MODULES...>::T;
    Pass<DEVICE, T, MODE> pass{device, input,       buffer.tick, buffer.tock, buffer.gates.data(),
                               output, layer_count, state,       engine};
    for_each_primitive(model, pass);
}

template <typename T>
struct Reset {
    T* state;

    template <typename LAYER>
    void operator()(const LAYER& layer) {
        if constexpr (nn::state_dim<LAYER> > 0) {
            for (size_t i = 0; i < nn::state_dim<LAYER>; i++) {
                *state++ = layer.initial_state.data()[i];
            }
        }
    }

    template <typename COMPOSITE>
    void numbers_of(const COMPOSITE&) {}
};

// `rows` vectors, one after another; `state` is nullptr where every row is a beginning.
template <typename MODE, typename DEVICE, typename... MODULES, typename BUFFER, typename ENGINE>
inline void evaluate_rows(const DEVICE& device, const Model<MODULES...>& model,
                          const typename Model<MODULES...>::T* input, typename Model<MODULES...>::T* output,
                          size_t rows, BUFFER& buffer, typename Model<MODULES...>::T* state, ENGINE& engine) {
    using MODEL = Model<MODULES...>;
    random::Engine* source = nullptr;
    if constexpr (std::is_same_v<MODE, mode::Sample>) {
        source = &engine;
    } else {
        static_cast<void>(engine);
    }
    for (size_t row = 0; row < rows; row++) {
        auto* const own = state == nullptr ? nullptr : state + row * MODEL::STATE_DIM;
        evaluate_prefix<MODE>(device, model, input + row * MODEL::INPUT_DIM, output + row * MODEL::OUTPUT_DIM, buffer,
                              nn::Primitives<MODEL>::COUNT, own, source);
    }
}

// Whether a pass can be made of these types at all; a wrong type is one sentence of the compiler.
template <typename MODE, typename DEVICE, typename MODEL, typename INPUT_SPEC, typename OUTPUT_SPEC, typename ENGINE>
constexpr bool has_matching_types() {
    constexpr bool HAS_A_DEVICE = devices::is_device<DEVICE>;
    constexpr bool HAS_OUR_TYPES = std::is_same_v<typename INPUT_SPEC::T, typename MODEL::T> &&
                                   std::is_same_v<typename OUTPUT_SPEC::T, typename MODEL::T>;
    constexpr bool HAS_A_MODE = std::is_same_v<MODE, mode::Deterministic> || std::is_same_v<MODE, mode::Sample>;
    constexpr bool HAS_AN_ENGINE = std::is_same_v<MODE, mode::Deterministic> || std::is_same_v<ENGINE, random::Engine>;
    static_assert(HAS_A_DEVICE, "rl_tools: the device is a tag of rl_tools::devices, such as devices::DefaultCPU");
    static_assert(HAS_OUR_TYPES, "rl_tools: input and output need numbers of the model's type");
    static_assert(HAS_A_MODE, "rl_tools: the mode is mode::Deterministic or mode::Sample");
    static_assert(HAS_AN_ENGINE, "rl_tools: sampling needs a random::Engine, as from random::default_engine");
    return HAS_A_DEVICE && HAS_OUR_TYPES && HAS_AN_ENGINE;
}

// A batch; `state` as above.
template <typename MODE, typename MODEL, typename DEVICE, typename INPUT_SPEC, typename OUTPUT_SPEC, typename BUFFER,
          typename ENGINE>
inline void evaluate_batch(const DEVICE& device, const MODEL& model, const MatrixStatic<INPUT_SPEC>& input,
                           MatrixStatic<OUTPUT_SPEC>& output, BUFFER& buffer, typename MODEL::T* state,
                           ENGINE& engine) {
    static_assert(INPUT_SPEC::COLS == MODEL::INPUT_DIM, "rl_tools: the input needs INPUT_DIM columns");
    static_assert(OUTPUT_SPEC::COLS == MODEL::OUTPUT_DIM, "rl_tools: the output needs OUTPUT_DIM columns");
    static_assert(INPUT_SPEC::ROWS == OUTPUT_SPEC::ROWS, "rl_tools: input and output need the same number of rows");
    static_assert(INPUT_SPEC::ROWS <= BUFFER::BATCH_SIZE, "rl_tools: the buffer is for a smaller batch");
    // Without the condition the sentence would be followed by a page of others.
    if constexpr (has_matching_types<MODE, DEVICE, MODEL, INPUT_SPEC, OUTPUT_SPEC, ENGINE>()) {
        evaluate_rows<MODE>(device, model, input._data, output._data, INPUT_SPEC::ROWS, buffer, state, engine);
    }
}

}  // namespace nn_models::sequential

// One input vector to one output vector. A recurrent model takes one step from its initial state.
template <typename DEVICE, typename... MODULES, typename BUFFER>
inline void evaluate(const DEVICE& device, const nn_models::sequential::Model<MODULES...>& model,
                     const typename nn_models::sequential::Model<MODULES...>::T* input,
                     typename nn_models::sequential::Model<MODULES...>::T* output, BUFFER& buffer) {
    using MODEL = nn_models::sequential::Model<MODULES...>;
    nn_models::sequential::evaluate_prefix(device, model, input, output, buffer, nn::Primitives<MODEL>::COUNT);
}

// A batch: one row in, one row out. The generator is only used by mode::Sample.
template <typename DEVICE, typename... MODULES, typename INPUT_SPEC, typename OUTPUT_SPEC, typename BUFFER,
          typename ENGINE, typename MODE = mode::Deterministic>
inline void evaluate(const DEVICE& device, const nn_models::sequential::Model<MODULES...>& model,
                     const MatrixStatic<INPUT_SPEC>& input, MatrixStatic<OUTPUT_SPEC>& output, BUFFER& buffer,
                     ENGINE& engine, const MODE& = MODE{}) {
    nn_models::sequential::evaluate_batch<MODE>(device, model, input, output, buffer, nullptr, engine);
}

// Begins a new episode.
template <typename DEVICE, typename... MODULES, typename STATE>
inline void reset(const DEVICE&, const nn_models::sequential::Model<MODULES...>& model, STATE& state) {
    using MODEL = nn_models::sequential::Model<MODULES...>;
    nn_models::sequential::Reset<typename MODEL::T> reset{state.numbers.data()};
    for (size_t row = 0; row < STATE::BATCH_SIZE; row++) {
        for_each_primitive(model, reset);
    }
}

// One step of one input vector; `state` goes with it. A model without memory does the same as `evaluate`.
template <typename DEVICE, typename... MODULES, typename STATE, typename BUFFER>
inline void evaluate_step(const DEVICE& device, const nn_models::sequential::Model<MODULES...>& model,
                          const typename nn_models::sequential::Model<MODULES...>::T* input, STATE& state,
                          typename nn_models::sequential::Model<MODULES...>::T* output, BUFFER& buffer) {
    using MODEL = nn_models::sequential::Model<MODULES...>;
    nn_models::sequential::evaluate_prefix(device, model, input, output, buffer, nn::Primitives<MODEL>::COUNT,
                                           state.numbers.data());
}

// One step of a batch: every row has its own state.
template <typename DEVICE, typename... MODULES, typename INPUT_SPEC, typename STATE, typename OUTPUT_SPEC,
          typename BUFFER, typename ENGINE, typename MODE = mode::Deterministic>
inline void evaluate_step(const DEVICE& device, const nn_models::sequential::Model<MODULES...>& model,
                          const MatrixStatic<INPUT_SPEC>& input, STATE& state, MatrixStatic<OUTPUT_SPEC>& output,
                          BUFFER& buffer, ENGINE& engine, const MODE& = MODE{}) {
    static_assert(STATE::BATCH_SIZE == INPUT_SPEC::ROWS, "rl_tools: the state needs as many rows as the input");
    nn_models::sequential::evaluate_batch<MODE>(device, model, input, output, buffer, state.numbers.data(), engine);
}

// Sequences [steps, batch, dimension] from their beginning: every row of the batch is an episode, step by step.
template <typename DEVICE, typename... MODULES, typename INPUT_SPEC, typename OUTPUT_SPEC, typename BUFFER,
          typename ENGINE, typename MODE = mode::Deterministic>
inline void evaluate(const DEVICE& device, const nn_models::sequential::Model<MODULES...>& model,
                     const Tensor<INPUT_SPEC>& input, Tensor<OUTPUT_SPEC>& output, BUFFER& buffer, ENGINE& engine,
                     const MODE& = MODE{}) {
    using MODEL = nn_models::sequential::Model<MODULES...>;
    using INPUT_SHAPE = typename INPUT_SPEC::SHAPE;
    using OUTPUT_SHAPE = typename OUTPUT_SPEC::SHAPE;
    constexpr bool ARE_SEQUENCES = INPUT_SHAPE::N == 3 && OUTPUT_SHAPE::N == 3;
    static_assert(ARE_SEQUENCES, "rl_tools: a sequence is [steps, batch, dimension]");
    if constexpr (ARE_SEQUENCES &&
                  nn_models::sequential::has_matching_types<MODE, DEVICE, MODEL, INPUT_SPEC, OUTPUT_SPEC, ENGINE>()) {
        constexpr auto STEPS = INPUT_SHAPE::template GET<0>;
        constexpr auto BATCH = INPUT_SHAPE::template GET<1>;
        static_assert(INPUT_SHAPE::template GET<2> == MODEL::INPUT_DIM, "rl_tools: the input needs INPUT_DIM numbers");
        static_assert(OUTPUT_SHAPE::template GET<2> == MODEL::OUTPUT_DIM,
                      "rl_tools: the output needs OUTPUT_DIM numbers");
        static_assert(STEPS == OUTPUT_SHAPE::template GET<0> && BATCH == OUTPUT_SHAPE::template GET<1>,
                      "rl_tools: input and output need the same steps and the same batch");
        static_assert(BATCH <= BUFFER::BATCH_SIZE, "rl_tools: the buffer is for a smaller batch");
        typename MODEL::template State<BATCH> state;
        reset(device, model, state);
        for (typename INPUT_SPEC::TI step = 0; step < STEPS; step++) {
            nn_models::sequential::evaluate_rows<MODE>(device, model, input._data + tensor::offset<INPUT_SHAPE>(step),
                                                       output._data + tensor::offset<OUTPUT_SHAPE>(step), BATCH, buffer,
                                                       state.numbers.data(), engine);
        }
    }
}

}  // namespace rl_tools
