// The mode register of the floating-point unit. Other code of a program may have set it to flush subnormal numbers to
// zero or to round in another direction; a policy's bits hold in the mode of IEEE 754 alone. A core without such a
// register, or with a software library instead, has nothing to set.
#pragma once

#include <rl_tools/rl_tools.h>

#if !defined(RL_TOOLS_GNU_EXTENSIONS) && defined(_M_X64) && !defined(_M_ARM64EC)
#include <xmmintrin.h>
#endif

namespace rl_tools::math {

// What a mode register does otherwise than IEEE 754; bits, because several may hold.
enum FloatMode : uint8_t {
    STANDARD_MODE = 0,
    FLUSHES_SUBNORMALS = 1,  // operands, results or both
    DEFAULT_NAN = 2,         // no NaN keeps its payload
    ROUNDS_OTHERWISE = 4,    // up, down or towards zero
};

namespace float_mode {

#if defined(RL_TOOLS_GNU_EXTENSIONS) && defined(__aarch64__)

// FPCR, Arm Architecture Reference Manual, DDI 0487, C5.2.8.
constexpr uint64_t FLUSHES = 1U << 24 | 1U << 0, NANS = 1U << 25, ROUNDING = 3U << 22;
using Register = uint64_t;
inline Register read() {
    Register value;
    asm volatile("mrs %0, fpcr" : "=r"(value)::"memory");
    return value;
}
inline void write(Register value) { asm volatile("msr fpcr, %0" ::"r"(value) : "memory"); }

#elif defined(RL_TOOLS_GNU_EXTENSIONS) && defined(__ARM_FP)

// FPSCR, Armv7-M Architecture Reference Manual, DDI 0403, B4.1.58.
constexpr uint32_t FLUSHES = 1U << 24, NANS = 1U << 25, ROUNDING = 3U << 22;
using Register = uint32_t;
inline Register read() {
    Register value;
    asm volatile("vmrs %0, fpscr" : "=r"(value)::"memory");
    return value;
}
inline void write(Register value) { asm volatile("vmsr fpscr, %0" ::"r"(value) : "memory"); }

#elif defined(RL_TOOLS_GNU_EXTENSIONS) && defined(__SSE__)

// MXCSR, Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 10.2.3.
constexpr uint32_t FLUSHES = 1U << 15 | 1U << 6, NANS = 0, ROUNDING = 3U << 13;
using Register = uint32_t;
inline Register read() {
    Register value;
    asm volatile("stmxcsr %0" : "=m"(value)::"memory");
    return value;
}
inline void write(Register value) { asm volatile("ldmxcsr %0" ::"m"(value) : "memory"); }

#elif !defined(RL_TOOLS_GNU_EXTENSIONS) && defined(_M_X64) && !defined(_M_ARM64EC)

constexpr uint32_t FLUSHES = 1U << 15 | 1U << 6, NANS = 0, ROUNDING = 3U << 13;
using Register = uint32_t;
inline Register read() { return _mm_getcsr(); }
inline void write(Register value) { _mm_setcsr(value); }

#elif defined(RL_TOOLS_GNU_EXTENSIONS) && defined(__riscv_flen)

// frm, The RISC-V Instruction Set Manual, volume I, 11.2.
constexpr uint32_t FLUSHES = 0, NANS = 0, ROUNDING = 7;
using Register = uint32_t;
inline Register read() {
    Register value;
    asm volatile("frrm %0" : "=r"(value)::"memory");
    return value;
}
inline void write(Register value) { asm volatile("fsrm %0" ::"r"(value) : "memory"); }

#elif defined(RL_TOOLS_GNU_EXTENSIONS) && defined(__XTENSA__) && !defined(__XTENSA_SOFT_FLOAT__)

// FCR, Xtensa Instruction Set Architecture Reference Manual, 4.3.11.
constexpr uint32_t FLUSHES = 0, NANS = 0, ROUNDING = 3;
using Register = uint32_t;
inline Register read() {
    Register value;
    asm volatile("rur.fcr %0" : "=r"(value)::"memory");
    return value;
}
inline void write(Register value) { asm volatile("wur.fcr %0" ::"r"(value) : "memory"); }

#else

constexpr uint32_t FLUSHES = 0, NANS = 0, ROUNDING = 0;
using Register = uint32_t;
inline Register read() { return 0; }
inline void write(Register) {}

#endif

constexpr Register DEVIATIONS = FLUSHES | NANS | ROUNDING;

}  // namespace float_mode

// The mode that is set now: bits of FloatMode.
inline uint8_t current_float_mode() {
    const float_mode::Register found = float_mode::read();
    return static_cast<uint8_t>(((found & float_mode::FLUSHES) != 0 ? FLUSHES_SUBNORMALS : STANDARD_MODE) |
                                ((found & float_mode::NANS) != 0 ? DEFAULT_NAN : STANDARD_MODE) |
                                ((found & float_mode::ROUNDING) != 0 ? ROUNDS_OTHERWISE : STANDARD_MODE));
}

// IEEE 754 for as long as it lives; then the mode that was there before. The flags of exceptions are left alone.
class StandardFloatMode {
public:
    StandardFloatMode() : before_(float_mode::read() & float_mode::DEVIATIONS) {
        if (before_ != 0) {
            float_mode::write(float_mode::read() & ~float_mode::DEVIATIONS);
        }
    }
    ~StandardFloatMode() {
        if (before_ != 0) {
            float_mode::write(float_mode::read() | before_);
        }
    }
    StandardFloatMode(const StandardFloatMode&) = delete;
    StandardFloatMode& operator=(const StandardFloatMode&) = delete;

private:
    const float_mode::Register before_;
};

}  // namespace rl_tools::math
