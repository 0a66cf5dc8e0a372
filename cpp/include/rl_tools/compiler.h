// What C++17 has no word for, in the words of each compiler; and whether GNU's extensions (vector types, builtins,
// assembler statements) may be used. RL_TOOLS_NO_GNU_EXTENSIONS leaves them out where the compiler has them.
#pragma once

// clang-cl is Clang without __GNUC__.
#if (defined(__GNUC__) || defined(__clang__)) && !defined(RL_TOOLS_NO_GNU_EXTENSIONS)
#define RL_TOOLS_GNU_EXTENSIONS
#endif

#if defined(RL_TOOLS_GNU_EXTENSIONS)
#define RL_TOOLS_ALWAYS_INLINE inline __attribute__((always_inline))
#define RL_TOOLS_NOINLINE __attribute__((noinline))
#define RL_TOOLS_RESTRICT __restrict__
// Before what runs once in a training or on demand: made small instead of fast, it compiles sooner.
#define RL_TOOLS_COLD __attribute__((cold))
// Before a function that only the outside calls: there wherever it is defined, which may be in several translation
// units. Where no word exists for that, in one.
#define RL_TOOLS_ENTRY_POINT inline __attribute__((used))
#elif defined(_MSC_VER)
#define RL_TOOLS_ALWAYS_INLINE __forceinline
#define RL_TOOLS_NOINLINE __declspec(noinline)
#define RL_TOOLS_RESTRICT __restrict
#define RL_TOOLS_COLD
#define RL_TOOLS_ENTRY_POINT inline  // what is exported is there
#else
#define RL_TOOLS_ALWAYS_INLINE inline
#define RL_TOOLS_NOINLINE
#define RL_TOOLS_RESTRICT
#define RL_TOOLS_COLD
#define RL_TOOLS_ENTRY_POINT
#endif
