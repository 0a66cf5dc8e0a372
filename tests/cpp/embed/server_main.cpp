// The real server around a policy of one line, for the tests of the Python client.
//
//     server_main           requests on stdin, answers on stdout, as a serial port would carry them
//     server_main lockstep  stdin: u16 n, n bytes; stdout: u16 m, all m bytes the server says to them. Silence is then
//                           known and not waited for. n = 0xFFFF resets the board.
//
// y[i] = 2 x[i mod 3] + i in float32. Trace: layer 0 is 2 x, layer 1 is y, layer 2 is five zeros.
#include <rl_tools/embed/server.h>
#include <rl_tools/embed/sha256.h>

#include <unistd.h>

#include <new>
#include <vector>

namespace {

struct DoublingPolicy {
    static constexpr uint32_t observation_dim = 3;
    static constexpr uint32_t action_dim = 4;  // more than observations, so that a reply can be too long
    static constexpr uint32_t layer_count = 3;
    static constexpr uint32_t widest_layer = 5;

    static void evaluate(const float* observation, float* action) {
        for (uint32_t i = 0; i < action_dim; ++i) {
            action[i] = 2.0F * observation[i % observation_dim] + static_cast<float>(i);
        }
    }
    static uint32_t trace(uint32_t layer, const float* observation, float* output) {
        if (layer == 0) {
            for (uint32_t i = 0; i < 3; ++i) {
                output[i] = 2.0F * observation[i];
            }
            return 3;
        }
        if (layer == 1) {
            evaluate(observation, output);
            return action_dim;
        }
        for (uint32_t i = 0; i < widest_layer; ++i) {
            output[i] = 0.0F;
        }
        return widest_layer;
    }
    static void digest(uint8_t* out) {
        rl_tools::embed::Sha256 sha;
        sha.update("doubling", 8);
        sha.finish(out);
    }
    static uint32_t arithmetic_faults() { return 0; }
    static uint8_t float_mode() { return 0; }
    static uint32_t self_test(uint32_t& examples) {
        examples = 7;
        return 1;
    }
};

uint32_t stack[64];
size_t resets = 0;

struct PipePort {
    static inline std::vector<uint8_t> arrived;
    static inline size_t taken = 0;
    static inline std::vector<uint8_t> written;
    // Close to its end, so that a benchmark meets the wrap of the 32-bit counter.
    static inline uint32_t clock = 0xFFFFFFF0U;

    static int read() { return taken < arrived.size() ? arrived[taken++] : -1; }
    static size_t write_some(const uint8_t* bytes, size_t size) {
        written.insert(written.end(), bytes, bytes + size);
        return size;
    }
    static uint32_t cycles() { return clock += 10; }
    static uint32_t cycles_hz() { return 1000000; }
    static void feed_watchdog() {}
    static void reset() { ++resets; }
    static const uint32_t* stack_begin() { return stack; }
    static const uint32_t* stack_end() { return stack + 64; }
};

inline constexpr rl_tools::embed::Identity identity{"host_pipe", rl_tools::embed::Arithmetic::separate, 0};
using Server = rl_tools::embed::Server<DoublingPolicy, PipePort, identity>;
Server server;

constexpr rl_tools::embed::ControlStatistics made_up_control() {
    rl_tools::embed::ControlStatistics made_up{};
    made_up.period_us = 10000;
    made_up.steps = 5000;
    made_up.fallbacks = 6;
    made_up.overruns = 7;
    made_up.late_steps = 3;
    made_up.worst_lateness_us = 120;
    made_up.total_lateness_us = (uint64_t{1} << 32U) + 1;
    made_up.worst_execution_us = 400;
    return made_up;
}

constexpr rl_tools::embed::ControlStatistics control = made_up_control();

void boot() {
    static constexpr char banner[] = "boot: rom v1.0\r\nresetting ...\r\n";
    server = Server{};
    server.watch([] { return &control; });
    PipePort::write_some(reinterpret_cast<const uint8_t*>(banner), sizeof banner - 1);
}

void serve() {
    const size_t before = resets;
    while (server.step()) {
    }
    PipePort::arrived.clear();
    PipePort::taken = 0;
    if (resets != before) {
        boot();
    }
}

bool read_exactly(uint8_t* bytes, size_t size) {
    while (size != 0) {
        const ssize_t got = ::read(STDIN_FILENO, bytes, size);
        if (got <= 0) {
            return false;
        }
        bytes += got;
        size -= static_cast<size_t>(got);
    }
    return true;
}

bool write_all(const uint8_t* bytes, size_t size) {
    while (size != 0) {
        const ssize_t put = ::write(STDOUT_FILENO, bytes, size);
        if (put <= 0) {
            return false;
        }
        bytes += put;
        size -= static_cast<size_t>(put);
    }
    return true;
}

bool flush(bool counted) {
    uint8_t size[2];
    rl_tools::embed::store_little_endian(static_cast<uint16_t>(PipePort::written.size()), size);
    const bool done = (!counted || write_all(size, 2)) && write_all(PipePort::written.data(), PipePort::written.size());
    PipePort::written.clear();
    return done;
}

int run_lockstep() {
    uint8_t head[2];
    while (read_exactly(head, 2)) {
        const uint16_t size = rl_tools::embed::load_little_endian<uint16_t>(head);
        if (size == 0xFFFF) {
            boot();
        } else {
            PipePort::arrived.resize(size);
            if (!read_exactly(PipePort::arrived.data(), size)) {
                return 1;
            }
            serve();
        }
        if (!flush(true)) {
            return 1;
        }
    }
    return 0;
}

int run_stream() {
    boot();
    uint8_t bytes[64];
    while (flush(false)) {
        const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
        if (got <= 0) {
            return 0;
        }
        PipePort::arrived.assign(bytes, bytes + got);
        serve();
    }
    return 1;
}

}  // namespace

int main(int argument_count, char**) {
    rl_tools::embed::paint_stack(stack, stack + 64);
    stack[60] = 0;
    return argument_count > 1 ? run_lockstep() : run_stream();
}
