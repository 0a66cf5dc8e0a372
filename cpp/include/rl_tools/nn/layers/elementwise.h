// What the layers that treat each number by itself share. DIM is the number of their outputs.
// Each has a `Layer` of its own: a shared base class would come first in the aggregate, where a checkpoint's
// {{low}, {high}} has no braces for it.
#pragma once

#include <rl_tools/containers/parameters.h>

namespace rl_tools::nn::layers::elementwise {

template <typename T_T, typename T_TI, T_TI T_DIM, typename T_STORAGE = parameters::Owned>
struct Specification {
    using T = T_T;
    using TI = T_TI;
    using STORAGE = T_STORAGE;
    static constexpr TI DIM = T_DIM;
};

}  // namespace rl_tools::nn::layers::elementwise
