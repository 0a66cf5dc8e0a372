// Device tags. They inherit, kernels overload on them: what has no kernel of its own uses its parent's.
// A tag carries the arithmetic mode, so that it is one decision per program, and the layout that its kernels read.
#pragma once

#include <rl_tools/containers/layout.h>
#include <rl_tools/math/arithmetic.h>

namespace rl_tools::devices {

namespace random {
struct Generic {};
}  // namespace random

namespace logging {
struct Generic {};
}  // namespace logging

template <typename T_ARITHMETIC = arithmetic::Separate>
struct Generic {
    using index_t = size_t;
    using ARITHMETIC = T_ARITHMETIC;
    using LAYOUT = layout::Rows;
    random::Generic random{};
    logging::Generic logger{};
};

template <typename ARITHMETIC>
constexpr bool derives_from_generic(const Generic<ARITHMETIC>*) {
    return true;
}
constexpr bool derives_from_generic(const void*) { return false; }

template <typename DEVICE>
inline constexpr bool is_device = derives_from_generic(static_cast<const DEVICE*>(nullptr));

}  // namespace rl_tools::devices
