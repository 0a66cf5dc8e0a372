// A firmware's whole loop on this computer, in simulated time: the project's firmware.cpp and the port of an Arduino
// core or of ESP-IDF, over a core that behaves as its source says (serial_cores/<core>.h), and a host that reads as its
// script says. The answers go out, the control loop keeps its period, and nobody waits.
//
//     program SCRIPT WORDS REQUEST …
//         SCRIPT    MS:BYTES_PER_SECOND,…: from when on the host reads how fast; 0: not at all, -1: it has closed the
//         port WORDS     odd: available() and read() say odd numbers now and then; prints: the user's program prints
//         REQUEST   a frame in hexadecimal, the first with sequence 1 and so on; the next goes when this one is
//         answered,
//                   the same again after 600 ms without
//     stdout: NAME VALUE lines
#pragma once

#include <rl_tools/embed/frame.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

namespace bench {

using Bytes = std::vector<std::uint8_t>;

// Both clocks wrap during a run: micros() and, on the cores that have it in 32 bits, millis().
constexpr std::uint64_t start_us = (std::uint64_t{1} << 32) * 1000 - 1'500'000;
constexpr std::uint64_t call_us = 4;  // what each call of the core costs
inline std::uint64_t now_us = start_us;
inline std::uint64_t elapsed_us() { return now_us - start_us; }

struct Segment {
    std::uint64_t from_us;
    long bytes_per_second;
};
inline std::vector<Segment> script;
inline std::size_t segment = 0;
inline std::uint64_t end_us = 0;
inline std::vector<Bytes> requests;
inline bool is_odd = false;
inline bool prints = false;

inline long rate() { return script[segment].bytes_per_second; }
inline bool is_open() { return rate() >= 0; }

// The core's side of the wire: hands over at most so many bytes. And how long the wire takes for one, for a UART, whose
// bytes go whether somebody reads or not.
std::size_t pull(std::uint8_t* out, std::size_t most);
extern const std::uint64_t uart_ns_per_byte;  // 0: the host fetches

// ------------------------------------------------------------------------------------------------------- the host

inline std::deque<std::uint8_t> to_board;
inline Bytes received;
inline std::size_t next_request = 0;
inline std::uint64_t asked_us = 0;
inline bool is_waiting = false;
inline rl_tools::embed::FrameReceiver<1024> receiver{};
inline unsigned repeats = 0;
inline std::uint64_t done_us = 0;

inline void ask() {
    to_board.insert(to_board.end(), requests[next_request].begin(), requests[next_request].end());
    asked_us = now_us;
    is_waiting = true;
}

inline void take(std::uint8_t byte) {
    received.push_back(byte);
    const bool is_frame = receiver.push(byte) == rl_tools::embed::Reception::frame;
    if (is_frame && is_waiting && receiver.sequence() == next_request + 1) {
        is_waiting = false;
        done_us = elapsed_us();
        next_request++;
    }
}

inline void host() {
    if (elapsed_us() < 5000 || !is_open() || next_request >= requests.size()) {
        return;
    }
    if (!is_waiting) {
        ask();
    } else if (now_us - asked_us > 600'000) {
        repeats++;
        ask();
    }
}

// ----------------------------------------------------------------------------------------------------------- time

inline std::uint64_t longest_us = 0;
inline std::uint64_t looped_us = start_us;
inline std::uint64_t loops = 0;
void finish();

inline void drain(std::uint64_t us) {
    static std::uint64_t credit_ns = 0;
    const std::uint64_t cost_ns = uart_ns_per_byte != 0 ? uart_ns_per_byte
                                  : rate() > 0          ? 1'000'000'000U / static_cast<std::uint64_t>(rate())
                                                        : 0;
    if (cost_ns == 0) {
        credit_ns = 0;
        return;
    }
    credit_ns += us * 1000;
    while (credit_ns >= cost_ns) {
        std::uint8_t byte = 0;
        if (pull(&byte, 1) == 0) {
            credit_ns = 0;
            return;
        }
        credit_ns -= cost_ns;
        if (rate() > 0) {
            take(byte);
        }
    }
}

inline void (*on_time)() = nullptr;  // the core's registers that show the time

inline void advance(std::uint64_t us) {
    now_us += us;
    if (on_time != nullptr) {
        on_time();
    }
    while (segment + 1 < script.size() && script[segment + 1].from_us <= elapsed_us()) {
        segment++;
    }
    drain(us);
    host();
    if (elapsed_us() >= end_us) {
        finish();
    }
}

// A core's own wait. True: what it waits for has come.
template <typename CONDITION>
bool wait(CONDITION&& condition, std::uint64_t limit_us) {
    for (std::uint64_t waited_us = 0; !condition(); waited_us += 20) {
        if (waited_us >= limit_us) {
            return false;
        }
        advance(20);
    }
    return true;
}
constexpr std::uint64_t for_ever = std::uint64_t{1} << 60;

// Once in each round of the firmware's loop.
inline void round() {
    longest_us = now_us - looped_us > longest_us ? now_us - looped_us : longest_us;
    looped_us = now_us;
    loops++;
}

// ------------------------------------------------------------------------------------------------ what cores share

struct Ring {
    std::size_t capacity;
    std::deque<std::uint8_t> bytes{};

    std::size_t room() const { return capacity - bytes.size(); }
    std::size_t put(const std::uint8_t* data, std::size_t size) {
        const std::size_t part = size < room() ? size : room();
        bytes.insert(bytes.end(), data, data + part);
        return part;
    }
    std::size_t pull(std::uint8_t* out, std::size_t most) {
        std::size_t taken = 0;
        for (; taken < most && !bytes.empty(); taken++) {
            out[taken] = bytes.front();
            bytes.pop_front();
        }
        return taken;
    }
};

inline bool is_odd_now() {
    static std::uint32_t state = 1;
    state = state * 1664525U + 1013904223U;
    return is_odd && (state >> 24) < 64;
}
inline int available() {
    advance(call_us);
    return is_odd_now() ? -1 : static_cast<int>(to_board.size()) + (is_odd_now() ? 1 : 0);
}
inline int read() {
    advance(call_us);
    if (to_board.empty() || is_odd_now()) {
        return -1;
    }
    const std::uint8_t byte = to_board.front();
    to_board.pop_front();
    return byte;
}

inline void read_arguments(int count, char** arguments) {
    for (const char* place = arguments[1]; *place != '\0';) {
        char* end = nullptr;
        const unsigned long from_ms = std::strtoul(place, &end, 10);
        const long bytes_per_second = std::strtol(end + 1, &end, 10);
        script.push_back({from_ms * 1000, bytes_per_second});
        place = *end == ',' ? end + 1 : end;
    }
    end_us = script.back().from_us;  // the last one is the end
    script.pop_back();
    is_odd = std::string(arguments[2]).find("odd") != std::string::npos;
    prints = std::string(arguments[2]).find("prints") != std::string::npos;
    for (int i = 3; i < count; i++) {
        Bytes frame;
        for (const std::string text = arguments[i]; frame.size() * 2 < text.size();) {
            frame.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(frame.size() * 2, 2), nullptr, 16)));
        }
        requests.push_back(frame);
    }
}

}  // namespace bench
