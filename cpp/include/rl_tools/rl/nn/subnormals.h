// Subnormal numbers as zeros while training computes. Adam's moments of a weight that has stopped learning shrink into
// them and stay there, and an instruction that meets one takes Intel's CPUs over a hundred cycles.
// Training only: a policy's evaluation has its bits with them.
#pragma once

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace rl_tools::nn::training {

// In this thread, as long as one of these lives, where the CPU is an x86. Other CPUs lose little to subnormal numbers.
class SubnormalsAreZero {
public:
    SubnormalsAreZero(const SubnormalsAreZero&) = delete;
    SubnormalsAreZero& operator=(const SubnormalsAreZero&) = delete;

#if defined(__SSE__) || defined(_M_X64)
    SubnormalsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | RESULTS | OPERANDS); }
    ~SubnormalsAreZero() { _mm_setcsr(before_); }

private:
    // Bits of MXCSR: flush to zero, denormals are zeros (Intel's manual, volume 1, 10.2.3).
    static constexpr unsigned RESULTS = 1U << 15;
    static constexpr unsigned OPERANDS = 1U << 6;

    unsigned before_;
#else
    SubnormalsAreZero() {}
    ~SubnormalsAreZero() {}
#endif
};

}  // namespace rl_tools::nn::training
