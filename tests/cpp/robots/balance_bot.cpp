// examples/balance_bot/control.cpp (CONTROL) on a simulated board with stm32duino's functions. A line for each change
// of the motors: time in ms, whether the driver is awake, duty left and right (-255 to 255), pitch, wheel position.
#include CONTROL

#undef min
#undef max
#undef abs
#undef round

#include "simulation.h"

#include <algorithm>

namespace {

constexpr std::uint64_t byte_us = 23;  // nine bits at 400 kHz

int level[64];
int duty[64];
void (*interrupt)() = nullptr;

bool apply(const simulation::Event& event) {
    if (event.word == "end") {
        const auto& counted = statistics();
        std::printf("statistics %u %u %u\n", counted->steps, counted->fallbacks, counted->overruns);
        std::fflush(stdout);
        std::_Exit(0);
    }
    if (event.word == "edges") {  // forward where positive: A leads B
        for (int left = std::abs(static_cast<int>(event.number)); left > 0; left--) {
            level[pins.encoder_a] = 1 - level[pins.encoder_a];
            level[pins.encoder_b] = event.number > 0 ? 1 - level[pins.encoder_a] : level[pins.encoder_a];
            interrupt();
        }
        return true;
    }
    return false;
}

void advance(std::uint64_t by_us) { simulation::advance(by_us, apply); }

std::uint8_t sent[32];
std::size_t sent_bytes = 0;
std::uint8_t received[32];
std::size_t received_bytes = 0;
std::size_t taken_bytes = 0;
std::uint8_t pointed_at = 0;

void show() {
    const auto of = [](int pwm, int forward, int backward) {
        return level[forward] == level[backward] ? 0 : (level[forward] != 0 ? duty[pwm] : -duty[pwm]);
    };
    const int left = of(pins.pwm_left, pins.forward_left, pins.backward_left);
    const int right = of(pins.pwm_right, pins.forward_right, pins.backward_right);
    static int shown[3] = {-1, 0, 0};
    if (shown[0] != level[pins.standby] || shown[1] != left || shown[2] != right) {
        shown[0] = level[pins.standby], shown[1] = left, shown[2] = right;
        std::printf("%.1f %d %d %d %.4f %.4f\n", simulation::elapsed_ms(), shown[0], left, right,
                    static_cast<double>(pitch.angle()), static_cast<double>(wheel.position()));
    }
}

}  // namespace

TwoWire Wire;
size_t Print::write(const uint8_t*, size_t) { return 0; }
int Print::availableForWrite() { return 0; }
void Print::flush() {}
void TwoWire::begin() {}
void TwoWire::setClock(uint32_t) {}
void TwoWire::beginTransmission(uint8_t address) { sent_bytes = address == mpu6050::address ? 0 : sizeof sent; }
size_t TwoWire::write(uint8_t byte) {
    if (sent_bytes == sizeof sent) {
        return 0;
    }
    sent[sent_bytes++] = byte;
    return 1;
}
size_t TwoWire::write(const uint8_t*, size_t) { return 0; }
uint8_t TwoWire::endTransmission(uint8_t) {
    advance(byte_us * (1 + sent_bytes));
    if (!simulation::imu.acknowledges()) {
        return 2;
    }
    pointed_at = sent[0];
    if (sent_bytes == 2) {
        simulation::imu.write(sent[0], sent[1]);
    }
    return 0;
}
uint8_t TwoWire::endTransmission() { return endTransmission(1); }
uint8_t TwoWire::requestFrom(uint8_t, uint8_t size) {
    advance(byte_us * (1U + size));
    taken_bytes = 0;
    received_bytes = simulation::imu.read(pointed_at, received, size);
    return static_cast<uint8_t>(received_bytes);
}
int TwoWire::available() { return static_cast<int>(received_bytes - taken_bytes); }
int TwoWire::read() { return taken_bytes < received_bytes ? received[taken_bytes++] : -1; }
int TwoWire::peek() { return -1; }
void TwoWire::flush() {}

extern "C" {
void pinMode(uint32_t, uint32_t) {}
void digitalWrite(uint32_t pin, uint32_t value) { level[pin] = static_cast<int>(value); }
int digitalRead(uint32_t pin) { return level[pin]; }
void analogWrite(uint32_t pin, uint32_t value) { duty[pin] = static_cast<int>(value); }
}
void attachInterrupt(uint32_t, void (*callback)(), uint32_t) { interrupt = callback; }

namespace port {
std::uint32_t micros() { return static_cast<std::uint32_t>(simulation::now_us.load()); }
void feed_watchdog() {}
}  // namespace port

int main(int, char** arguments) {
    simulation::read_script(arguments[1]);
    control_setup();
    for (;;) {
        control_loop();
        show();
        advance(100);
    }
}
