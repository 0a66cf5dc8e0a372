// What every header of the library relies on, checked once:
// IEEE-754 float32 without fast-math, little-endian bytes, C++17, a compiler that has all of it.
// Everything else stands in the headers named after what they hold.
#pragma once

#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "rl_tools: -ffast-math, -Ofast and /fp:fast change the result of a policy; compile without them"
#endif
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 8
#error "rl_tools: GCC is older than 8; platform_packages = platformio/toolchain-gccarmnoneeabi@~1.90301.0 has 9.3"
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "rl_tools: checkpoints hold little-endian numbers; this target is big-endian"
#endif
#if !defined(_MSVC_LANG) && __cplusplus < 201703L
#error "rl_tools: compile as C++17 or later (-std=c++17; on Arduino also unset -std=gnu++11)"
#endif

#include <rl_tools/compiler.h>

#include <cstddef>
#include <cstdint>
#include <limits>

static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4, "rl_tools: float must be IEEE-754 binary32");
