// What the programs of examples/ run on here: a clock, a script of what happens, and an MPU-6050 behind its registers.
// The script is one argument, "<ms>:<word>[=<number>],…": at that time something changes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace simulation {

// Soon after the start micros() wraps.
constexpr std::uint64_t start_us = (std::uint64_t{1} << 32U) - 100'000;
inline std::atomic<std::uint64_t> now_us{start_us};

inline double elapsed_ms() { return 1e-3 * static_cast<double>(now_us.load() - start_us); }

struct Event {
    double ms;
    std::string word;
    double number;
};
inline std::vector<Event> script;
inline std::size_t done = 0;

inline void read_script(const char* text) {
    std::string rest = text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(','), rest.size());
        const std::string item = rest.substr(0, end);
        rest = end < rest.size() ? rest.substr(end + 1) : "";
        const std::size_t colon = item.find(':'), equals = item.find('=');
        const std::string word = item.substr(colon + 1, equals == std::string::npos ? equals : equals - colon - 1);
        const double number = equals == std::string::npos ? 0.0 : std::atof(item.c_str() + equals + 1);
        script.push_back({std::atof(item.c_str()), word, number});
    }
    std::stable_sort(script.begin(), script.end(), [](const Event& a, const Event& b) { return a.ms < b.ms; });
}

// As its register map says: asleep until it is woken, scaled by the ranges that were written, a little noise.
class Mpu6050 {
public:
    Mpu6050() { power_up(); }

    // True: the word was for the sensor.
    bool apply(const Event& event) {
        if (event.word == "pitch") {
            pitch_ = event.number;
        } else if (event.word == "rate_x" || event.word == "rate_y" || event.word == "rate_z") {
            rates_[event.word.back() - 'x'] = event.number;
        } else if (event.word == "unplug") {
            is_there_ = false;
        } else if (event.word == "plug") {
            is_there_ = true;
            power_up();
        } else if (event.word == "nack") {
            is_there_ = event.number == 0.0;
        } else if (event.word == "hang") {
            hangs_ = true;
        } else if (event.word == "short") {
            cut_ = static_cast<std::size_t>(event.number);
        } else if (event.word == "identity") {
            registers_[0x75] = static_cast<std::uint8_t>(event.number);
        } else {
            return false;
        }
        return true;
    }

    bool acknowledges() const { return is_there_; }

    void write(std::uint8_t number, std::uint8_t value) { registers_[number & 0x7FU] = value; }

    // How many bytes came.
    std::size_t read(std::uint8_t number, std::uint8_t* bytes, std::size_t size) {
        if (!is_there_) {
            return 0;
        }
        if (number == 0x3B) {
            measure();
        }
        size = std::min(size, cut_);
        for (std::size_t i = 0; i < size; i++) {
            bytes[i] = registers_[(number + i) & 0x7FU];
        }
        return size;
    }

private:
    void power_up() {
        std::memset(registers_, 0, sizeof registers_);
        registers_[0x6B] = 0x40;
        registers_[0x75] = 0x68;
        hangs_ = false;
    }

    void measure() {
        if ((registers_[0x6B] & 0x40U) != 0 || hangs_) {
            return;
        }
        const double g = 32768.0 / (2 << ((registers_[0x1C] >> 3U) & 3U));
        const double degree = 32768.0 / (250 << ((registers_[0x1B] >> 3U) & 3U));
        put(0x3B, -g * std::sin(pitch_));
        put(0x3D, 0.0);
        put(0x3F, g * std::cos(pitch_));
        put(0x41, 0.0);
        for (std::uint8_t axis = 0; axis < 3; axis++) {
            put(static_cast<std::uint8_t>(0x43 + 2 * axis), degree * rates_[axis] * 57.29577951);
        }
    }

    void put(std::uint8_t number, double value) {
        noise_ = noise_ * 1664525U + 1013904223U;
        const double noisy = value + static_cast<double>(noise_ >> 30U) - 1.5;
        const auto digits = static_cast<std::uint16_t>(
            static_cast<std::int16_t>(std::lround(std::fmax(-32768.0, std::fmin(32767.0, noisy)))));
        registers_[number] = static_cast<std::uint8_t>(digits >> 8U);
        registers_[number + 1] = static_cast<std::uint8_t>(digits);
    }

    std::uint8_t registers_[128];
    double pitch_ = 0.0;
    double rates_[3] = {};
    std::size_t cut_ = 64;
    std::uint32_t noise_ = 1;
    bool is_there_ = true;
    bool hangs_ = false;
};

inline Mpu6050 imu;

// A word that the sensor does not know goes to the program.
template <typename APPLY>
void advance(std::uint64_t by_us, APPLY apply) {
    now_us += by_us;
    while (done < script.size() && script[done].ms <= elapsed_ms()) {
        const Event& event = script[done++];
        if (!imu.apply(event) && !apply(event)) {
            std::fprintf(stderr, "no such word: %s\n", event.word.c_str());
            std::_Exit(2);
        }
    }
}

}  // namespace simulation
