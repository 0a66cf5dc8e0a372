// What the frames of the link mean: numbers of the messages and of the errors, and the layout of every payload as text.
// The hash of that text travels in the HELLO, so a host of another version recognises a stale firmware at once.
// rltools_embed/device/protocol.py holds the same text as data; a test compares the two.
#pragma once

#include <rl_tools/embed/crc32.h>

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

inline constexpr uint16_t protocol_version = 1;

enum class Message : uint8_t {
    hello = 0x01,
    evaluate = 0x02,
    trace = 0x03,
    benchmark = 0x04,
    self_test = 0x05,
    statistics = 0x06,
    reset = 0x07,
};

// A response carries the request's type with this bit set, so nobody takes an echo for an answer.
inline constexpr uint8_t response_bit = 0x80;
inline constexpr uint8_t error_type = 0xFF;

enum class ErrorCode : uint8_t {
    unknown_type = 1,
    bad_size = 2,
    layer_out_of_range = 3,
    reply_too_long = 4,
};

enum class Arithmetic : uint8_t {
    separate = 0,
    fused = 1,
};

// What the firmware is, beyond its policy. `tick_hz` 0: ask the port's cycles_hz().
struct Identity {
    const char* board;
    Arithmetic arithmetic;
    uint32_t tick_hz;
};

// Version and hash stay where they are in every version to come.
inline constexpr char layout[] =
    "frame(type:u8,sequence:u16,payload,crc32:u32)\n"
    "hello=1()->(protocol_version:u16,layout_hash:u32,largest_payload:u32,observation_dim:u32,action_dim:u32,"
    "layer_count:u16,arithmetic:u8,tick_hz:u32,digest:u8[32],board:text)\n"
    "evaluate=2(count:u16,observations:f32[])->(count:u16,actions:f32[])\n"
    "trace=3(layer:u16,observation:f32[])->(layer:u16,output:f32[])\n"
    "benchmark=4(repeats:u16,observation:f32[])->(evaluation_ticks:u64,empty_ticks:u64)\n"
    "self_test=5()->(examples:u32,mismatches:u32)\n"
    "statistics=6()->(stack_bytes:u32,stack_used_bytes:u32,frames_accepted:u32,frames_rejected:u32)\n"
    "reset=7()->()\n"
    "error=255->(code:u8,request:u8)\n"
    "codes(unknown_type=1,bad_size=2,layer_out_of_range=3,reply_too_long=4)\n";

inline constexpr uint32_t layout_hash = crc32(layout, sizeof layout - 1);

}  // namespace rl_tools::embed
