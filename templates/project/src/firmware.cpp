// The firmware: answers the link's requests about the policy in include/checkpoint.h.
// Your own program calls `Policy::evaluate(observation, action)` in its control loop and needs nothing else of this
// file.
#include <rl_tools/embed/policy.h>
#include <rl_tools/embed/server.h>

#include <cstring>
#include <type_traits>

#include "board.h"
#include "checkpoint.h"
#include "identity.h"
#include "port.h"

namespace {

namespace rlt = rl_tools;

using Rounding = std::conditional_t<board::fused, rlt::arithmetic::Fused, rlt::arithmetic::Separate>;
using Device = board::Device<Rounding>;
using Policy = rlt::embed::Policy<Device, policy::Checkpoint>;

// The board's functions as the type that the server wants.
struct Port {
    static int read() { return port::read(); }
    static void write(const std::uint8_t* data, std::size_t size) { port::write(data, size); }
    static std::uint32_t cycles() { return port::cycles(); }
    static std::uint32_t cycles_hz() { return port::cycles_hz(); }
    static void reset() { port::reset(); }
    static const std::uint32_t* stack_begin() { return port::stack_begin(); }
    static const std::uint32_t* stack_end() { return port::stack_end(); }
};

constexpr rlt::embed::Identity firmware_identity{
    board::name, board::fused ? rlt::embed::Arithmetic::fused : rlt::embed::Arithmetic::separate, 0};

rlt::embed::Server<Policy, Port, firmware_identity> server;

void say(const char* text) { port::write(reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)); }

}  // namespace

// One line for people. The link skips it: frames begin and end with a zero byte.
void firmware_setup() {
    say("rltools_embed: ");
    say(identity::project);
    say(" on ");
    say(board::name);
    say("\r\n");
}

void firmware_loop() {
    if (!server.step()) {
        port::idle();
    }
}
