// Every message of the link, byte by byte. Generated from the table in rltools_embed/device/messages.py, which has the
// rules by which it grows: change the table, then run `python -m rltools_embed.device.messages_header`.
#pragma once

#include <rl_tools/embed/crc32.h>
#include <rl_tools/embed/little_endian.h>
#include <rl_tools/embed/tagged.h>

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

inline constexpr uint16_t protocol_version = 2;

enum class Message : uint8_t {
    hello = 1,
    evaluate = 2,
    trace = 3,
    benchmark = 4,
    self_test = 5,
    statistics = 6,
    reset = 7,
};

// A response carries the request's type with this bit set, so nobody takes an echo for an answer.
inline constexpr uint8_t response_bit = 0x80;
inline constexpr uint8_t error_type = 255;

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

enum class ArithmeticFault : uint32_t {
    subnormal_operand = 1,
    subnormal_result = 2,
    rounding = 4,
    sign_of_zero = 8,
    special_number = 16,
    multiply_add = 32,
    comparison = 64,
    division = 128,
    conversion = 256,
    kernel = 512,
    default_nan = 1024,
};

inline constexpr size_t digest_size = 32;
inline constexpr size_t frame_checksum_size = 4;

// What is fixed and required, as text. Its hash travels in the HELLO.
inline constexpr char layout[] =
    "frame(type:u8,sequence:u16,payload,crc32:u32)\n"
    "hello=1()->(protocol_version:u16,layout_hash:u32,largest_payload:u32,observation_dim:u32,action_dim:u32,"
    "layer_count:u16,arithmetic:u8,tick_hz:u32,digest:u8[32],1=board:text,...)\n"
    "evaluate=2(count:u16,observations:f32[])->(count:u16,actions:f32[])\n"
    "trace=3(layer:u16,observation:f32[])->(layer:u16,output:f32[])\n"
    "benchmark=4(repeats:u16,observation:f32[])->(evaluation_ticks:u64,empty_ticks:u64,...)\n"
    "self_test=5()->(examples:u32,mismatches:u32,...)\n"
    "statistics=6()->(stack_bytes:u32,stack_used_bytes:u32,frames_accepted:u32,frames_rejected:u32,...)\n"
    "reset=7()->(...)\n"
    "error=255->(code:u8,request:u8,...)\n";

inline constexpr uint32_t layout_hash = crc32(layout, sizeof layout - 1);

struct FrameHeader {
    static constexpr size_t head_size = 3;
    [[nodiscard]] static constexpr uint8_t type(const uint8_t* bytes) { return load_little_endian<uint8_t>(bytes); }
    [[nodiscard]] static constexpr uint16_t sequence(const uint8_t* bytes) {
        return load_little_endian<uint16_t>(bytes + 1);
    }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint8_t{values.type});
        writer.put(uint16_t{values.sequence});
    }
};

struct HelloRequest {
    static constexpr size_t head_size = 0;
};

struct HelloResponse {
    static constexpr size_t head_size = 57;
    [[nodiscard]] static constexpr size_t size(size_t board) {
        return head_size + tagged_size(board) + tagged_size(4) + tagged_size(1);
    }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint16_t{values.protocol_version});
        writer.put(uint32_t{values.layout_hash});
        writer.put(uint32_t{values.largest_payload});
        writer.put(uint32_t{values.observation_dim});
        writer.put(uint32_t{values.action_dim});
        writer.put(uint16_t{values.layer_count});
        writer.put(uint8_t{values.arithmetic});
        writer.put(uint32_t{values.tick_hz});
        static_assert(sizeof values.digest == digest_size);
        writer.put_bytes(values.digest, digest_size);
        put_tagged(writer, 1, values.board);
        put_tagged(writer, 2, uint32_t{values.arithmetic_faults});
        put_tagged(writer, 3, uint8_t{values.float_mode});
    }
};

struct EvaluateRequest {
    static constexpr size_t head_size = 2;
    [[nodiscard]] static constexpr size_t size(size_t observations) { return head_size + 4 * observations; }
    [[nodiscard]] static constexpr uint16_t count(const uint8_t* bytes) { return load_little_endian<uint16_t>(bytes); }
    [[nodiscard]] static constexpr const uint8_t* observations(const uint8_t* bytes) { return bytes + head_size; }
};

struct EvaluateResponse {
    static constexpr size_t head_size = 2;
    [[nodiscard]] static constexpr size_t size(size_t actions) { return head_size + 4 * actions; }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint16_t{values.count});
    }
};

struct TraceRequest {
    static constexpr size_t head_size = 2;
    [[nodiscard]] static constexpr size_t size(size_t observation) { return head_size + 4 * observation; }
    [[nodiscard]] static constexpr uint16_t layer(const uint8_t* bytes) { return load_little_endian<uint16_t>(bytes); }
    [[nodiscard]] static constexpr const uint8_t* observation(const uint8_t* bytes) { return bytes + head_size; }
};

struct TraceResponse {
    static constexpr size_t head_size = 2;
    [[nodiscard]] static constexpr size_t size(size_t output) { return head_size + 4 * output; }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint16_t{values.layer});
    }
};

struct BenchmarkRequest {
    static constexpr size_t head_size = 2;
    [[nodiscard]] static constexpr size_t size(size_t observation) { return head_size + 4 * observation; }
    [[nodiscard]] static constexpr uint16_t repeats(const uint8_t* bytes) {
        return load_little_endian<uint16_t>(bytes);
    }
    [[nodiscard]] static constexpr const uint8_t* observation(const uint8_t* bytes) { return bytes + head_size; }
};

struct BenchmarkResponse {
    static constexpr size_t head_size = 16;
    [[nodiscard]] static constexpr size_t size() { return head_size; }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint64_t{values.evaluation_ticks});
        writer.put(uint64_t{values.empty_ticks});
    }
};

struct SelfTestRequest {
    static constexpr size_t head_size = 0;
};

struct SelfTestResponse {
    static constexpr size_t head_size = 8;
    [[nodiscard]] static constexpr size_t size() { return head_size; }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint32_t{values.examples});
        writer.put(uint32_t{values.mismatches});
    }
};

struct StatisticsRequest {
    static constexpr size_t head_size = 0;
};

struct StatisticsResponse {
    static constexpr size_t head_size = 16;
    [[nodiscard]] static constexpr size_t size() { return head_size + 9 * tagged_size(4) + tagged_size(8); }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint32_t{values.stack_bytes});
        writer.put(uint32_t{values.stack_used_bytes});
        writer.put(uint32_t{values.frames_accepted});
        writer.put(uint32_t{values.frames_rejected});
        put_tagged(writer, 1, uint32_t{values.frames_overlong});
        put_tagged(writer, 2, uint32_t{values.answers_dropped});
        if (values.control != nullptr) {
            put_tagged(writer, 3, uint32_t{values.control->period_us});
            put_tagged(writer, 4, uint32_t{values.control->steps});
            put_tagged(writer, 5, uint32_t{values.control->fallbacks});
            put_tagged(writer, 6, uint32_t{values.control->overruns});
            put_tagged(writer, 7, uint32_t{values.control->late_steps});
            put_tagged(writer, 8, uint32_t{values.control->worst_lateness_us});
            put_tagged(writer, 9, uint64_t{values.control->total_lateness_us});
            put_tagged(writer, 10, uint32_t{values.control->worst_execution_us});
        }
    }
};

struct ResetRequest {
    static constexpr size_t head_size = 0;
};

struct ResetResponse {
    static constexpr size_t head_size = 0;
    [[nodiscard]] static constexpr size_t size() { return head_size; }
};

struct Refusal {
    static constexpr size_t head_size = 2;
    [[nodiscard]] static constexpr size_t size() { return head_size; }
    template <typename WRITER, typename VALUES>
    static void write(WRITER& writer, const VALUES& values) {
        writer.put(uint8_t{values.code});
        writer.put(uint8_t{values.request});
    }
};

}  // namespace rl_tools::embed
