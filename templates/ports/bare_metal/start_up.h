// What a bare board does between its first instructions and main(): variables and constructors.
#pragma once

#include "memory_layout.h"

int main();

namespace bare_metal {

[[noreturn]] inline void run_main() {
    const std::uint32_t* from = __data_load;
    for (std::uint32_t* to = __data_begin; to < __data_end; to++) {
        *to = *from++;
    }
    for (std::uint32_t* to = __bss_begin; to < __bss_end; to++) {
        *to = 0;
    }
    for (Constructor* constructor = __init_array_begin; constructor < __init_array_end; constructor++) {
        (*constructor)();
    }
    main();
    for (;;) {
    }
}

}  // namespace bare_metal
