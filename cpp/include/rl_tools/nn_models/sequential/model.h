// Modules in a row: the whole policy.
#pragma once

#include <rl_tools/containers/matrix.h>
#include <rl_tools/containers/numbers.h>
#include <rl_tools/nn/chain.h>

namespace rl_tools::nn_models::sequential {

template <typename... T_MODULES>
struct Model {
    using MODULES = nn::Chain<T_MODULES...>;
    using T = typename MODULES::HEAD::T;
    using TI = typename MODULES::HEAD::TI;
    static constexpr TI INPUT_DIM = MODULES::HEAD::INPUT_DIM;
    static constexpr TI OUTPUT_DIM = MODULES::LAST::OUTPUT_DIM;

    static constexpr TI STATE_DIM = nn::Primitives<MODULES>::STATE_DIM;  // 0: the model remembers nothing

    // Scratch for one pass: two vectors of the widest layer, and a recurrent layer's gates. Rows of a batch pass one
    // after another, so the batch size costs no memory.
    template <TI T_BATCH_SIZE, typename T_TAG = MatrixStaticTag>
    struct Buffer {
        static constexpr TI BATCH_SIZE = T_BATCH_SIZE;
        T tick[nn::Primitives<MODULES>::WIDEST];
        T tock[nn::Primitives<MODULES>::WIDEST];
        Numbers<T, nn::Primitives<MODULES>::SCRATCH_DIM> gates;
    };

    // What a recurrent model carries from one step to the next, for every row of a batch. `reset` it before the first.
    template <TI T_BATCH_SIZE, typename T_TAG = MatrixStaticTag>
    struct State {
        static constexpr TI BATCH_SIZE = T_BATCH_SIZE;
        Numbers<T, T_BATCH_SIZE * STATE_DIM> numbers;
    };

    MODULES modules;
};

template <typename... MODULES, typename VISITOR>
inline void for_each_primitive(const Model<MODULES...>& model, VISITOR& visitor) {
    nn::for_each_primitive(model.modules, visitor);
}

template <typename LAYOUT, typename... MODULES>
constexpr auto in_layout(LAYOUT layout, const Model<MODULES...>& model) {
    using CHAIN = decltype(in_layout(layout, model.modules));
    return typename nn::Rebind<Model, CHAIN>::type{in_layout(layout, model.modules)};
}

}  // namespace rl_tools::nn_models::sequential

namespace rl_tools::nn {
template <typename... MODULES>
struct Primitives<nn_models::sequential::Model<MODULES...>> : Primitives<Chain<MODULES...>> {};
}  // namespace rl_tools::nn
