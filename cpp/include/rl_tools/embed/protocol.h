// What a firmware is, beyond its policy. The messages themselves are in messages.h.
#pragma once

#include <rl_tools/embed/messages.h>

#include <stdint.h>

namespace rl_tools::embed {

// `board` has at most 255 letters. `tick_hz` 0: ask the port's cycles_hz().
struct Identity {
    const char* board;
    Arithmetic arithmetic;
    uint32_t tick_hz;
};

}  // namespace rl_tools::embed
