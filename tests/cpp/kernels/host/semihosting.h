// On a host the text goes to stdout; bare_metal/ of the benchmarks has the cores' way.
#pragma once

#include <cstdio>

namespace semihosting {

inline void write(const char* text) { fputs(text, stdout); }

}  // namespace semihosting
