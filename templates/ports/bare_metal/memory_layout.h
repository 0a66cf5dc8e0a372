// The symbols of firmware.ld. Only their addresses mean something.
#pragma once

#include <cstdint>

extern "C" {
extern const std::uint32_t __flash_begin[];
extern const std::uint32_t __flash_end[];
extern std::uint32_t __stack_begin[];
extern std::uint32_t __stack_end[];
extern std::uint32_t __data_begin[];
extern std::uint32_t __data_end[];
extern const std::uint32_t __data_load[];
extern std::uint32_t __bss_begin[];
extern std::uint32_t __bss_end[];
using Constructor = void (*)();
extern Constructor __init_array_begin[];
extern Constructor __init_array_end[];
}
