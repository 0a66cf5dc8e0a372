// tanh of NUMBERS numbers, as a layer's activation function does it: in place, and without a branch on their values.
#include "driver.h"

#include <rl_tools/math/functions.h>

[[gnu::noinline]] void infer(const float*, float* output) { rl_tools::math::tanh_all<NUMBERS>(output); }

int main() { return driver::measure<NUMBERS>(infer, nullptr); }
