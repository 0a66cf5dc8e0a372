// The one way to clamp: comparisons, so that a NaN stays a NaN on every core.
#pragma once

#include <rl_tools/math/arithmetic.h>

namespace rl_tools::math {

inline float clamp(float x, float low, float high) { return arithmetic::scalar(x < low ? low : (x > high ? high : x)); }

}  // namespace rl_tools::math
