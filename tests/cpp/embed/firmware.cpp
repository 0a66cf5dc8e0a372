// The server as a firmware holds it. Compiled for the target only: the test looks at warnings, sections and symbols.
#include <rl_tools/embed/server.h>
#include <rl_tools/embed/sha256.h>

namespace port {
int read();
size_t write_some(const uint8_t* bytes, size_t size);
uint32_t cycles();
uint32_t cycles_hz();
void reset();
const uint32_t* stack_begin();
const uint32_t* stack_end();
}  // namespace port

struct Port {
    static int read() { return port::read(); }
    static size_t write_some(const uint8_t* bytes, size_t size) { return port::write_some(bytes, size); }
    static uint32_t cycles() { return port::cycles(); }
    static uint32_t cycles_hz() { return port::cycles_hz(); }
    static void feed_watchdog() {}
    static void reset() { port::reset(); }
    static const uint32_t* stack_begin() { return port::stack_begin(); }
    static const uint32_t* stack_end() { return port::stack_end(); }
};

struct Policy {
    static constexpr size_t observation_dim = 3;
    static constexpr size_t action_dim = 1;
    static constexpr size_t layer_count = 3;
    static constexpr size_t widest_layer = 64;

    static void evaluate(const float* observation, float* action) {
        action[0] = observation[0] + observation[1] * observation[2];
    }
    static uint32_t trace(uint32_t, const float* observation, float* output) {
        output[0] = observation[0];
        return 1;
    }
    static void digest(uint8_t* out) {
        rl_tools::embed::Sha256 sha;
        sha.update("policy", 6);
        sha.finish(out);
    }
    static uint32_t arithmetic_faults() { return 0; }
    static uint8_t float_mode() { return 0; }
    static uint32_t self_test(uint32_t& examples) {
        examples = 0;
        return 0;
    }
};

inline constexpr rl_tools::embed::Identity identity{"nucleo_f446re", rl_tools::embed::Arithmetic::separate, 0};
rl_tools::embed::Server<Policy, Port, identity> server;

extern "C" bool firmware_step();
extern "C" bool firmware_step() { return server.step(); }
