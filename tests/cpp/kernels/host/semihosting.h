// On a host the text goes to stdout; tests/emulation/bare_metal/ has the cores' way.
#pragma once

#include <cstdio>

namespace semihosting {

inline void write(const char* text) { fputs(text, stdout); }

}  // namespace semihosting
