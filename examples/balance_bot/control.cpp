// A robot on two wheels that a policy balances: MPU-6050 over Wire, two PWM motors, one wheel encoder. See README.md.
// The observation is that of environment.py: pitch (rad), its rate (rad/s), wheel position (m) and velocity (m/s).
// The action is one number, the duty of both motors, from -1 to 1; positive drives forward.
#include "rlt_embed/control.h"

#include <rl_tools/embed/control_loop.h>

#include <atomic>
#include <cmath>
#include <cstdint>

#include "mpu6050.h"
#include "rlt_embed/policy.h"
#include "rlt_embed/port.h"

// Last: Arduino.h defines macros that must not meet other headers.
#include <Arduino.h>
#include <Wire.h>

namespace {

// ------------------------------------------------------------------------------------------------ what you may change

// Channel A of the encoder interrupts at each edge. The motor driver is a TB6612FNG or one that is driven like it.
struct Pins {
    std::uint8_t pwm_left, forward_left, backward_left;
    std::uint8_t pwm_right, forward_right, backward_right;
    std::uint8_t standby;
    std::uint8_t encoder_a, encoder_b;
};
#if defined(ARDUINO_ARCH_STM32)  // a Nucleo-64's Arduino headers; I2C is D14, D15
constexpr Pins pins{9, 4, 7, 10, 8, 12, 11, 2, 3};
#elif defined(ARDUINO_ARCH_RP2040)    // GP numbers; I2C is GP4, GP5
constexpr Pins pins{10, 12, 13, 11, 14, 15, 16, 17, 18};
#elif defined(TEENSYDUINO)            // I2C is 18, 19
constexpr Pins pins{2, 4, 5, 3, 6, 7, 8, 9, 10};
#elif defined(ARDUINO_ARCH_SAMD)      // I2C is SDA, SCL; pin 4 cannot interrupt
constexpr Pins pins{8, 5, 6, 9, 7, 12, 11, 2, 3};
#elif defined(ARDUINO_ARCH_ESP32)     // GPIO numbers; I2C is 21, 22
constexpr Pins pins{25, 27, 13, 26, 32, 33, 23, 18, 19};
#elif defined(ARDUINO_ARCH_NRF52840)  // Nano 33 BLE; I2C is A4, A5
constexpr Pins pins{9, 4, 7, 10, 8, 12, 11, 2, 3};
#else
#error "this board has no row in the table of pins: add one"
#endif

constexpr std::uint32_t period_us = 10'000;          // environment.py: BalanceBot.dt
constexpr float metres_per_edge = 0.204F / 1320.0F;  // the wheel's circumference, over the edges of A in a turn of it
constexpr float wheel_radius_m = 0.0325F;
constexpr float least_duty = 0.06F;       // below it the motors do not turn
constexpr float most_duty = 0.9F;         // what the battery and the gears may get
constexpr float upright_rad = 0.1F;       // so near to upright the robot starts …
constexpr int upright_samples = 50;       // … when it was held there for half a second
constexpr float gyroscope_share = 0.98F;  // of the complementary filter: a time constant of half a second

// --------------------------------------------------------------------------------------------------------- the sensor

struct Bus {
    static bool write(std::uint8_t number, std::uint8_t value) {
        Wire.beginTransmission(mpu6050::address);
        return Wire.write(number) == 1 && Wire.write(value) == 1 && Wire.endTransmission() == 0;
    }

    static bool read(std::uint8_t number, std::uint8_t* bytes, std::size_t size) {
        Wire.beginTransmission(mpu6050::address);
        if (Wire.write(number) != 1 || Wire.endTransmission(false) != 0) {
            return false;
        }
        if (Wire.requestFrom(mpu6050::address, static_cast<std::uint8_t>(size)) != size) {
            return false;
        }
        for (std::size_t i = 0; i < size; i++) {
            const int byte = Wire.read();
            if (byte < 0) {
                return false;
            }
            bytes[i] = static_cast<std::uint8_t>(byte);
        }
        return true;
    }
};

mpu6050::Sensor<Bus, 1, 1, 3> imu;

// Gyroscope and accelerometer as one angle: the first is right at once, the second in the mean.
// The sensor's x axis points forward, its z axis up; a pitch to the front is positive.
class Pitch {
public:
    void update(const mpu6050::Sample& sample, float seconds) {
        const float by_gravity = std::atan2(-sample.acceleration[0], sample.acceleration[2]);
        rate_ = sample.rate[1];
        angle_ = is_started_ ? gyroscope_share * (angle_ + rate_ * seconds) + (1.0F - gyroscope_share) * by_gravity
                             : by_gravity;
        is_started_ = true;
    }
    void forget() { is_started_ = false; }
    float angle() const { return angle_; }
    float rate() const { return rate_; }

private:
    float angle_ = 0.0F;
    float rate_ = 0.0F;
    bool is_started_ = false;
};

// -------------------------------------------------------------------------------------------------------- the encoder

// Only the interrupt writes it, so a load and a store are enough: a Cortex-M0 has no atomic addition. A core reads 32
// bits at once.
std::atomic<std::int32_t> edges{0};

#if !defined(IRAM_ATTR)
#define IRAM_ATTR
#endif

void IRAM_ATTR count_edge() {
    const bool is_forward = digitalRead(pins.encoder_a) != digitalRead(pins.encoder_b);
    edges.store(edges.load(std::memory_order_relaxed) + (is_forward ? 1 : -1), std::memory_order_relaxed);
}

class Wheel {
public:
    void start() {
        last_edges_ = edges.load(std::memory_order_relaxed);
        position_ = velocity_ = 0.0F;
    }

    // The encoder sits between wheel and body, so the body's own turn is added.
    void update(float pitch_rate, float seconds) {
        const std::int32_t now = edges.load(std::memory_order_relaxed);
        // Unsigned: the difference is right across the counter's wrap.
        const std::uint32_t moved = static_cast<std::uint32_t>(now) - static_cast<std::uint32_t>(last_edges_);
        const float step = metres_per_edge * static_cast<float>(static_cast<std::int32_t>(moved));
        last_edges_ = now;
        position_ += step + wheel_radius_m * pitch_rate * seconds;
        velocity_ = step / seconds + wheel_radius_m * pitch_rate;
    }
    float position() const { return position_; }
    float velocity() const { return velocity_; }

private:
    std::int32_t last_edges_ = 0;
    float position_ = 0.0F;
    float velocity_ = 0.0F;
};

// --------------------------------------------------------------------------------------------------------- the motors

void turn(std::uint8_t pwm, std::uint8_t forward, std::uint8_t backward, float duty) {
    const float size = duty < 0.0F ? -duty : duty;
    const float driven = size < 0.01F ? 0.0F : least_duty + (most_duty - least_duty) * (size < 1.0F ? size : 1.0F);
    digitalWrite(forward, duty > 0.0F ? HIGH : LOW);
    digitalWrite(backward, duty < 0.0F ? HIGH : LOW);
    analogWrite(pwm, static_cast<int>(255.0F * driven + 0.5F));
}

void stop_motors() {
    digitalWrite(pins.standby, LOW);
    turn(pins.pwm_left, pins.forward_left, pins.backward_left, 0.0F);
    turn(pins.pwm_right, pins.forward_right, pins.backward_right, 0.0F);
}

void write_actuators(const float* duty) {
    turn(pins.pwm_left, pins.forward_left, pins.backward_left, duty[0]);
    turn(pins.pwm_right, pins.forward_right, pins.backward_right, duty[0]);
    digitalWrite(pins.standby, HIGH);
}

// ----------------------------------------------------------------------------------------------------------- the loop

static_assert(Policy::observation_dim == 4 && Policy::action_dim == 1,
              "this program is for a policy of examples/balance_bot/environment.py: 4 observations, 1 action");

struct Options {
    static constexpr std::uint32_t period_us = ::period_us;
    static constexpr std::uint32_t timeout_us = 3 * period_us;  // without a sample for so long the motors stop
    static constexpr float margin = 0.05F;
    static constexpr float fallback_action[] = {0.0F};  // not applied: the motors are switched off
};

struct Board {
    static std::uint32_t micros() { return port::micros(); }
    static void feed_watchdog() { port::feed_watchdog(); }
};

rl_tools::embed::ControlLoop<Policy, Board, Options> control;

const rl_tools::embed::ControlStatistics* statistics() { return &control.statistics(); }

Pitch pitch;
Wheel wheel;
std::uint32_t sampled_at_us = 0;
int upright = 0;  // samples in a row
bool is_running = false;

// A robot that lies, is being put up or has no sensor has no observation, and so its motors are off.
bool read_sensors(float* observation) {
    mpu6050::Sample sample;
    if (!imu.read(sample)) {
        upright = 0;
        return false;
    }
    const std::uint32_t now_us = port::micros();
    const float seconds = 1e-6F * static_cast<float>(now_us - sampled_at_us);
    sampled_at_us = now_us;
    pitch.update(sample, seconds);
    wheel.update(pitch.rate(), seconds);
    if (!is_running) {
        upright = std::fabs(pitch.angle()) < upright_rad ? upright + 1 : 0;
        if (upright < upright_samples) {
            return false;
        }
        is_running = true;
        wheel.start();
    }
    observation[0] = pitch.angle();
    observation[1] = pitch.rate();
    observation[2] = wheel.position();
    observation[3] = wheel.velocity();
    return true;
}

void stop() {
    stop_motors();
    if (is_running) {
        is_running = false;
        upright = 0;
        pitch.forget();
    }
}

}  // namespace

void control_setup() {
    for (const std::uint8_t pin : {pins.standby, pins.forward_left, pins.backward_left, pins.forward_right,
                                   pins.backward_right, pins.pwm_left, pins.pwm_right}) {
        pinMode(pin, OUTPUT);
    }
    stop_motors();
    pinMode(pins.encoder_a, INPUT_PULLUP);
    pinMode(pins.encoder_b, INPUT_PULLUP);
    attachInterrupt(digitalPinToInterrupt(pins.encoder_a), count_edge, CHANGE);
    Wire.begin();
    Wire.setClock(400'000);
    control_statistics = statistics;
}

bool control_loop() {
    // A burst takes half a millisecond of the bus, so it is read once in a period.
    if (!control.is_due()) {
        return true;
    }
    float observation[Policy::observation_dim];
    if (read_sensors(observation)) {
        control.observe(observation);
    }
    switch (control.step()) {
        case rl_tools::embed::Step::policy: {
            float duty[Policy::action_dim];
            Policy::to_actuators(control.action(), duty);
            write_actuators(duty);
            break;
        }
        case rl_tools::embed::Step::fallback:
            stop();
            break;
        case rl_tools::embed::Step::waiting:
            break;
    }
    return true;
}
