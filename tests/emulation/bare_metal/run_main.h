// From the first instruction to main() and out again through semihosting: main()'s result is QEMU's exit code.
#pragma once

#include "semihosting.h"

#include <cstdint>

extern "C" {
extern std::uint32_t __stack_end[];
extern std::uint32_t __data_load[];
extern std::uint32_t __data_begin[];
extern std::uint32_t __data_end[];
extern std::uint32_t __bss_begin[];
extern std::uint32_t __bss_end[];
using Constructor = void (*)();
extern Constructor __init_array_begin[];
extern Constructor __init_array_end[];
}

int main();

namespace {

[[noreturn]] void run_main() {
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
    semihosting::exit(main() == 0);
}

[[noreturn]] void fault() {
    semihosting::write("fault\n");
    semihosting::exit(false);
}

}  // namespace
