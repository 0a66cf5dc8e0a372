// The firmware: answers the link's requests about the policy in include/checkpoint.h, and calls your control loop
// (control.cpp) in between.
#include <rl_tools/embed/server.h>

#include <cstddef>
#include <cstdint>

#include "rlt_embed/board.h"
#include "rlt_embed/control.h"
#include "rlt_embed/identity.h"
#include "rlt_embed/policy.h"
#include "rlt_embed/port.h"

// `pio test` brings a program of its own.
#if !defined(PIO_UNIT_TESTING)

namespace {

namespace rlt = rl_tools;

// Not from within itself: text of the user's is sent through the link, which comes back here while it waits.
bool step_control() {
    static bool is_running = false;
    if (is_running) {
        return true;
    }
    is_running = true;
    const bool is_controlling = control_loop();
    is_running = false;
    return is_controlling;
}

// The board's functions as the type that the server wants.
struct Port {
    static int read() { return port::read(); }
    static std::size_t write_some(const std::uint8_t* data, std::size_t size) { return port::write_some(data, size); }
    static std::uint32_t cycles() { return port::cycles(); }
    static std::uint32_t cycles_hz() { return port::cycles_hz(); }
    // Within a request that takes long: a batch or a benchmark delays the control loop by one evaluation at most.
    static void feed_watchdog() {
        port::feed_watchdog();
        static_cast<void>(step_control());
    }
    static void reset() { port::reset(); }
    static const std::uint32_t* stack_begin() { return port::stack_begin(); }
    static const std::uint32_t* stack_end() { return port::stack_end(); }
};

constexpr rlt::embed::Identity firmware_identity{
    board::name, board::fused ? rlt::embed::Arithmetic::fused : rlt::embed::Arithmetic::separate, 0};

rlt::embed::Server<Policy, Port, firmware_identity> server;

bool flush_link() { return server.flush(); }

// For people. The link skips it: frames begin and end with a zero byte.
template <std::size_t SIZE>
struct Line {
    char letters[SIZE] = {};
    std::size_t size = 0;

    constexpr void append(const char* text) {
        for (; *text != '\0'; text++) {
            letters[size++] = *text;
        }
    }
};

template <std::size_t... SIZES>
constexpr auto joined(const char (&... texts)[SIZES]) {
    Line<(SIZES + ...)> line;
    (line.append(texts), ...);
    return line;
}

constexpr auto hello = joined("rltools_embed: ", identity::project, " on ", board::name, "\r\n");

}  // namespace

void firmware_setup() {
    Policy::load();
    port::flush_link = flush_link;
    server.say(hello.letters, hello.size);
    control_setup();
    server.watch(control_statistics);
}

void firmware_loop() {
    const bool was_asked = server.step();
    const bool is_controlling = step_control();
    if (!was_asked && !is_controlling) {
        port::idle();
    }
}

#endif
