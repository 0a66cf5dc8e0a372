// The device's side of the link: answers requests about one policy over one port. Call `step()` from firmware_loop().
//
//     inline constexpr rl_tools::embed::Identity identity{"nucleo_f446re", rl_tools::embed::Arithmetic::separate, 0};
//     rl_tools::embed::Server<Policy, Port, identity> server;          // at namespace scope: .bss, not the stack
//     void firmware_loop() { if (!server.step()) port::idle(); }
//
// POLICY, all static: observation_dim, action_dim, layer_count, widest_layer, evaluate(), trace(), digest() (with or
// without a function to call now and then), self_test(), arithmetic_faults(), float_mode(). T_PORT (PORT alone is a
// register's macro on SAMD), all static: int read() (next byte or -1), size_t write_some(const uint8_t*, size_t) (takes
// what goes without waiting and says how much that was), uint32_t cycles(), uint32_t cycles_hz(), void feed_watchdog()
// (between two evaluations of one request, outside of what is measured, within a digest, and while an answer waits;
// empty where there is none), void reset() (after every byte that was taken has left), const uint32_t* stack_begin()
// and stack_end() (lowest and highest address; nullptr both where the stack is not measured).
//
// No step waits for the port. An answer stays in its buffer, and each step offers the port what is left of it; until
// all is taken no further request is. When the port has taken nothing for a quarter of a second, nobody reads: it is
// dropped. The clock is cycles(), which every firmware has; micros() would bring a division of 64 bits.
#pragma once

#include <rl_tools/embed/control_statistics.h>
#include <rl_tools/embed/frame.h>
#include <rl_tools/embed/protocol.h>
#include <rl_tools/embed/stack.h>

#include <stddef.h>
#include <stdint.h>

#include <type_traits>

namespace rl_tools::embed {

namespace server_detail {

// Whether the policy's digest takes a function to call now and then.
template <typename POLICY, typename = void>
inline constexpr bool digest_pauses = false;
template <typename POLICY>
inline constexpr bool
    digest_pauses<POLICY, std::void_t<decltype(POLICY::digest(static_cast<uint8_t*>(nullptr), nullptr))>> = true;

[[nodiscard]] constexpr size_t larger(size_t a, size_t b) { return a > b ? a : b; }

// The compiler may assume nothing about the memory behind `values` from here on, so it neither hoists an evaluation out
// of a loop nor drops one whose output nobody reads.
inline void forget(float* values) { asm volatile("" : : "r"(values) : "memory"); }

}  // namespace server_detail

// The shortest buffer in which every message fits.
template <typename POLICY>
[[nodiscard]] constexpr size_t least_buffer_size(const Identity& identity) {
    using server_detail::larger;
    size_t payload = HelloResponse::size(Text(identity.board).size);
    payload = larger(payload, StatisticsResponse::size());
    payload = larger(payload, EvaluateRequest::size(POLICY::observation_dim));
    payload = larger(payload, BenchmarkRequest::size(POLICY::observation_dim));
    payload = larger(payload, EvaluateResponse::size(POLICY::action_dim));
    payload = larger(payload, TraceRequest::size(POLICY::observation_dim));
    payload = larger(payload, TraceResponse::size(larger(POLICY::action_dim, POLICY::widest_layer)));
    return frame_overhead + payload;
}

template <typename POLICY>
[[nodiscard]] constexpr size_t default_buffer_size(const Identity& identity) {
    return server_detail::larger(256, least_buffer_size<POLICY>(identity));
}

template <typename POLICY, typename T_PORT, const Identity& IDENTITY,
          size_t BUFFER_SIZE = default_buffer_size<POLICY>(IDENTITY)>
class Server {
    static constexpr Text board{IDENTITY.board};
    static_assert(BUFFER_SIZE >= least_buffer_size<POLICY>(IDENTITY), "the longest message does not fit");
    static_assert(POLICY::layer_count <= 0xFFFFU, "layers are numbered by u16");
    static_assert(board.size <= longest_tagged_value, "the board's name is too long for its field");

public:
    static constexpr size_t largest_payload = BUFFER_SIZE - frame_overhead;

    // Takes the bytes that have arrived, up to the end of one request, and answers it. True: there was a byte, or an
    // answer is on its way, so that the next step must not wait for a byte.
    bool step() {
        if (!flush()) {
            return true;
        }
        for (size_t taken = 0; taken < 2 * BUFFER_SIZE; ++taken) {  // a babbling host must not hold the control loop
            const int byte = T_PORT::read();
            if (byte < 0) {
                return taken != 0;
            }
            if (receiver_.push(static_cast<uint8_t>(byte)) == Reception::frame) {
                answer();
                static_cast<void>(flush());
                return true;
            }
        }
        return true;
    }

    // Reports the statistics of a control loop, too, from now on; nullptr: there is none.
    void watch(ControlStatisticsSource source) { control_ = source; }

    // Text for people, sent by the steps to come. It must stay where it is.
    void say(const char* text, size_t size) { start(reinterpret_cast<const uint8_t*>(text), size); }

    // Offers the port what is left of the answer, once. True: nothing is left.
    [[gnu::noinline]] bool flush() {
        if (left_ == 0) {
            return true;
        }
        const size_t taken = T_PORT::write_some(next_, left_);
        const uint32_t now = T_PORT::cycles();
        if (taken != 0 && taken <= left_) {
            next_ += taken;
            left_ -= taken;
            progress_at_ = now;
        } else if (now - progress_at_ >= T_PORT::cycles_hz() / 4) {
            left_ = 0;
            dropped_ += is_answer_ ? 1U : 0U;
        } else {
            T_PORT::feed_watchdog();
        }
        if (left_ == 0 && resets_) {
            resets_ = false;
            T_PORT::reset();
        }
        return left_ == 0;
    }

    [[nodiscard]] uint32_t frames_accepted() const { return receiver_.accepted(); }
    [[nodiscard]] uint32_t frames_rejected() const { return receiver_.rejected(); }

private:
    static constexpr size_t observation_dim = static_cast<size_t>(POLICY::observation_dim);
    static constexpr size_t action_dim = static_cast<size_t>(POLICY::action_dim);
    static constexpr size_t observation_size = 4 * observation_dim;

    void answer() {
        if ((receiver_.type() & response_bit) != 0) {
            return;  // our own answer on a line that echoes: an error in reply would be echoed for ever
        }
        switch (static_cast<Message>(receiver_.type())) {
            case Message::hello:
                return hello();
            case Message::evaluate:
                return evaluate();
            case Message::trace:
                return trace();
            case Message::benchmark:
                return benchmark();
            case Message::self_test:
                return self_test();
            case Message::statistics:
                return statistics();
            case Message::reset:
                return reset();
        }
        refuse(ErrorCode::unknown_type);
    }

    // What an answer holds is a struct whose members have the names of its fields in messages.h: one that is missing or
    // too wide does not compile.

    void hello() {
        if (!payload_has(HelloRequest::head_size)) {
            return;
        }
        uint8_t digest[digest_size];
        if constexpr (server_detail::digest_pauses<POLICY>) {
            POLICY::digest(digest, [] { T_PORT::feed_watchdog(); });
        } else {
            POLICY::digest(digest);
        }
        const struct {
            const uint8_t (&digest)[digest_size];
            uint16_t protocol_version = embed::protocol_version;
            uint32_t layout_hash = embed::layout_hash;
            uint32_t largest_payload = static_cast<uint32_t>(Server::largest_payload);
            uint32_t observation_dim = static_cast<uint32_t>(POLICY::observation_dim);
            uint32_t action_dim = static_cast<uint32_t>(POLICY::action_dim);
            uint16_t layer_count = static_cast<uint16_t>(POLICY::layer_count);
            uint8_t arithmetic = static_cast<uint8_t>(IDENTITY.arithmetic);
            uint32_t tick_hz = IDENTITY.tick_hz != 0 ? IDENTITY.tick_hz : T_PORT::cycles_hz();
            Text board = Server::board;
            uint32_t arithmetic_faults = POLICY::arithmetic_faults();
            uint8_t float_mode = POLICY::float_mode();
        } values{digest};
        begin_answer();
        HelloResponse::write(reply_, values);
        send();
    }

    void evaluate() {
        if (!payload_has_at_least(EvaluateRequest::head_size)) {
            return;
        }
        const uint16_t count = EvaluateRequest::count(receiver_.payload());
        if (count > largest_payload / observation_size) {  // before a product that could wrap around
            return refuse(ErrorCode::bad_size);
        }
        if (!payload_has(EvaluateRequest::size(count * observation_dim))) {
            return;
        }
        const uint8_t* const observations = EvaluateRequest::observations(receiver_.payload());
        const struct {
            uint16_t count;
        } values{count};
        begin_answer();
        EvaluateResponse::write(reply_, values);
        for (size_t i = 0; i < count; ++i) {
            load_floats(observations + i * observation_size, observation_, observation_dim);
            POLICY::evaluate(observation_, output_);
            reply_.put_floats(output_, action_dim);
            T_PORT::feed_watchdog();
        }
        send();
    }

    void trace() {
        if (!load_observation<TraceRequest>()) {
            return;
        }
        const struct {
            uint16_t layer;
        } values{TraceRequest::layer(receiver_.payload())};
        if (values.layer >= POLICY::layer_count) {
            return refuse(ErrorCode::layer_out_of_range);
        }
        const size_t width = static_cast<size_t>(POLICY::trace(values.layer, observation_, output_));
        begin_answer();
        TraceResponse::write(reply_, values);
        reply_.put_floats(output_, width);
        send();
    }

    void benchmark() {
        if (!load_observation<BenchmarkRequest>()) {
            return;
        }
        const uint16_t repeats = BenchmarkRequest::repeats(receiver_.payload());
        struct {
            uint64_t evaluation_ticks;
            uint64_t empty_ticks;
        } values;
        values.evaluation_ticks = measure<true>(repeats);
        values.empty_ticks = measure<false>(repeats);
        begin_answer();
        BenchmarkResponse::write(reply_, values);
        send();
    }

    void self_test() {
        if (!payload_has(SelfTestRequest::head_size)) {
            return;
        }
        struct {
            uint32_t examples = 0;
            uint32_t mismatches = 0;
        } values;
        values.mismatches = POLICY::self_test(values.examples);
        begin_answer();
        SelfTestResponse::write(reply_, values);
        send();
    }

    void statistics() {
        if (!payload_has(StatisticsRequest::head_size)) {
            return;
        }
        const uint32_t* const lowest = T_PORT::stack_begin();
        const uint32_t* const end = T_PORT::stack_end();
        const bool measured = lowest != nullptr && end != nullptr;
        struct {
            uint32_t stack_bytes;
            uint32_t stack_used_bytes;
            uint32_t frames_accepted;
            uint32_t frames_rejected;
            uint32_t frames_overlong;
            uint32_t answers_dropped;
            const ControlStatistics* control;
        } values;
        values.stack_bytes = static_cast<uint32_t>(measured ? static_cast<size_t>(end - lowest) * sizeof(uint32_t) : 0);
        values.stack_used_bytes = static_cast<uint32_t>(measured ? stack_high_water_bytes(lowest, end) : 0);
        values.frames_accepted = receiver_.accepted();
        values.frames_rejected = receiver_.rejected();
        values.frames_overlong = receiver_.overlong();
        values.answers_dropped = dropped_;
        values.control = control_ == nullptr ? nullptr : control_();
        begin_answer();
        StatisticsResponse::write(reply_, values);
        send();
    }

    void reset() {
        if (!payload_has(ResetRequest::head_size)) {
            return;
        }
        begin_answer();
        send();
        resets_ = true;
    }

    // The counter wraps after 2^32 ticks, a minute or less: one evaluation is short against that, their sum is not.
    // Both loops read the counter in the same way, so the empty one measures what the reading costs. Not inlined: what
    // is measured must not depend on the code around it.
    template <bool EVALUATES>
    [[nodiscard, gnu::noinline]] uint64_t measure(uint32_t repeats) {
        uint64_t ticks = 0;
        for (uint32_t i = 0; i < repeats; ++i) {
            server_detail::forget(observation_);
            const uint32_t start = T_PORT::cycles();
            if constexpr (EVALUATES) {
                POLICY::evaluate(observation_, output_);
            }
            server_detail::forget(output_);
            ticks += static_cast<uint32_t>(T_PORT::cycles() - start);
            T_PORT::feed_watchdog();
        }
        return ticks;
    }

    [[nodiscard]] bool payload_has(size_t size) {
        if (receiver_.payload_size() == size) {
            return true;
        }
        refuse(ErrorCode::bad_size);
        return false;
    }

    [[nodiscard]] bool payload_has_at_least(size_t size) {
        if (receiver_.payload_size() >= size) {
            return true;
        }
        refuse(ErrorCode::bad_size);
        return false;
    }

    // Of a request that has one observation behind its head.
    template <typename REQUEST>
    [[nodiscard]] bool load_observation() {
        if (!payload_has(REQUEST::size(observation_dim))) {
            return false;
        }
        load_floats(receiver_.payload() + REQUEST::head_size, observation_, observation_dim);
        return true;
    }

    void begin_answer() { reply_.begin(static_cast<uint8_t>(receiver_.type() | response_bit), receiver_.sequence()); }

    void refuse(ErrorCode code) {
        put_refusal(code);
        send();
    }

    void put_refusal(ErrorCode code) {
        const struct {
            uint8_t code;
            uint8_t request;
        } values{static_cast<uint8_t>(code), receiver_.type()};
        reply_.begin(error_type, receiver_.sequence());
        Refusal::write(reply_, values);
    }

    void send() {
        if (!reply_.end()) {
            // More actions than fit, or a trace wider than the policy's own widest_layer.
            put_refusal(ErrorCode::reply_too_long);
            static_cast<void>(reply_.end());
        }
        start(reply_.encoded(), reply_.encoded_size());
    }

    void start(const uint8_t* bytes, size_t size) {
        next_ = bytes;
        left_ = size;
        is_answer_ = bytes == reply_.encoded();
        progress_at_ = T_PORT::cycles();
    }

    FrameReceiver<BUFFER_SIZE> receiver_{};
    FrameSender<BUFFER_SIZE> reply_{};
    float observation_[observation_dim] = {};
    float output_[server_detail::larger(action_dim, static_cast<size_t>(POLICY::widest_layer))] = {};
    const uint8_t* next_ = nullptr;  // what the port has not taken yet
    size_t left_ = 0;
    uint32_t progress_at_ = 0;  // when it last took something, in cycles
    uint32_t dropped_ = 0;
    ControlStatisticsSource control_ = nullptr;
    bool is_answer_ = false;
    bool resets_ = false;  // once the answer has gone
};

}  // namespace rl_tools::embed
