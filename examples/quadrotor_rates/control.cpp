// A quadrotor whose body rates a policy controls, on ESP-IDF: MPU-6050, four ESCs, an iBUS receiver. See README.md.
// Observation, as environment.py has it: rates (3, rad/s), set points less rates (3), the last action (4).
// Action: four numbers from -1 to 1, what each motor gets more than the throttle.
// The loop is a FreeRTOS task of its own: a request of the link does not delay it.
#include "rlt_embed/control.h"

#include <rl_tools/embed/control_loop.h>

#include <cmath>
#include <cstdint>

#include "ibus.h"
#include "mpu6050.h"
#include "rlt_embed/policy.h"
#include "rlt_embed/port.h"

#include <driver/i2c_master.h>
#include <driver/ledc.h>
#include <driver/uart.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

namespace {

// ------------------------------------------------------------------------------------------------ what you may change

struct Pins {
    gpio_num_t sda, scl;
    int motors[4];  // front right, rear right, rear left, front left
    int receiver;
};
#if CONFIG_IDF_TARGET_ESP32
constexpr Pins pins{GPIO_NUM_21, GPIO_NUM_22, {25, 26, 27, 33}, 16};
#elif CONFIG_IDF_TARGET_ESP32S3
constexpr Pins pins{GPIO_NUM_8, GPIO_NUM_9, {4, 5, 6, 7}, 18};
#elif CONFIG_IDF_TARGET_ESP32C3  // without those of the flash, the boot mode, USB and the link
constexpr Pins pins{GPIO_NUM_6, GPIO_NUM_7, {0, 1, 3, 10}, 5};
#else
#error "this chip has no row in the table of pins: add one"
#endif

constexpr std::uint32_t period_us = 2'000;          // environment.py: QuadrotorRates.dt
constexpr float authority = 0.25F;                  // of a motor's range, and environment.py: AUTHORITY
constexpr float idle = 0.06F;                       // armed, the motors turn at least so fast
constexpr float most_rate[3] = {6.0F, 6.0F, 3.0F};  // rad/s at the stick's end: roll, pitch, yaw

// Above the link, which is in the main task (1), and below the system's timers (22) and Wi-Fi (23).
constexpr UBaseType_t task_priority = 20;
// The main task, and with it the link, is on core 0. A chip of one core preempts it.
constexpr BaseType_t task_core = portNUM_PROCESSORS > 1 ? 1 : 0;
constexpr std::uint32_t task_stack_bytes = 4096;

// --------------------------------------------------------------------------------------------------------- the sensor

i2c_master_dev_handle_t imu_device = nullptr;

struct Bus {
    static constexpr int limit_ms = 1;  // a burst takes 0.4 ms

    static bool write(std::uint8_t number, std::uint8_t value) {
        const std::uint8_t bytes[] = {number, value};
        return i2c_master_transmit(imu_device, bytes, sizeof bytes, limit_ms) == ESP_OK;
    }

    static bool read(std::uint8_t number, std::uint8_t* bytes, std::size_t size) {
        return i2c_master_transmit_receive(imu_device, &number, 1, bytes, size, limit_ms) == ESP_OK;
    }
};

mpu6050::Sensor<Bus, 3, 2, 1> imu;  // ±2000 °/s, ±8 g, 188 Hz

// What the gyroscope gives at rest, as the mean of a second in which it hardly moved.
class Bias {
public:
    bool is_known() const { return count_ == wanted; }

    void add(const float* rate) {
        for (int axis = 0; axis < 3; axis++) {
            if (std::fabs(rate[axis]) > most_at_rest || (count_ != 0 && std::fabs(rate[axis] - first_[axis]) > noise)) {
                count_ = 0;
                return;
            }
        }
        for (int axis = 0; axis < 3; axis++) {
            first_[axis] = count_ == 0 ? rate[axis] : first_[axis];
            sum_[axis] = (count_ == 0 ? 0.0F : sum_[axis]) + rate[axis];
        }
        count_++;
    }

    float operator[](int axis) const { return sum_[axis] / static_cast<float>(wanted); }

private:
    static constexpr int wanted = 500;
    static constexpr float most_at_rest = 0.35F;  // rad/s: the data sheet's 20 °/s
    static constexpr float noise = 0.05F;
    float first_[3] = {};
    float sum_[3] = {};
    int count_ = 0;
};

// ---------------------------------------------------------------------------------------------------------- the pilot

struct Pilot {
    float rate[3] = {};     // rad/s
    float throttle = 0.0F;  // from 0 to 1
    bool arms = false;
};

class Receiver {
public:
    void update(std::uint32_t now_us) {
        std::uint8_t bytes[64];
        const int count = uart_read_bytes(UART_NUM_1, bytes, sizeof bytes, 0);
        for (int i = 0; i < count; i++) {
            if (ibus_.push(bytes[i])) {
                take();
                heard_at_us_ = now_us;
                is_heard_ = true;
            }
        }
        is_heard_ = is_heard_ && now_us - heard_at_us_ < limit_us;
    }
    bool is_heard() const { return is_heard_; }
    const Pilot& pilot() const { return pilot_; }

private:
    static constexpr std::uint32_t limit_us = 100'000;

    void take() {
        const float sticks[3] = {ibus_.channel(0), ibus_.channel(1), -ibus_.channel(3)};  // right, nose down, left
        for (int axis = 0; axis < 3; axis++) {
            pilot_.rate[axis] = most_rate[axis] * sticks[axis];
        }
        pilot_.throttle = 0.5F * (ibus_.channel(2) + 1.0F);
        pilot_.arms = ibus_.channel(4) > 0.5F;
    }

    Ibus ibus_;
    Pilot pilot_;
    std::uint32_t heard_at_us_ = 0;
    bool is_heard_ = false;
};

// Armed by the switch alone, with the throttle at zero and the sensor ready. What disarms, but for the switch, keeps
// the motors off until the switch was seen off.
class Arming {
public:
    void update(const Receiver& receiver, bool is_ready) {
        if (!receiver.is_heard()) {
            fail();
        } else if (!receiver.pilot().arms) {
            is_armed_ = false;
            was_off_ = true;
        } else if (!is_armed_ && was_off_) {
            is_armed_ = is_ready && receiver.pilot().throttle < 0.02F;
            was_off_ = is_armed_;  // an attempt with throttle, or too early, needs the switch again
        }
    }
    void fail() { is_armed_ = was_off_ = false; }
    bool is_armed() const { return is_armed_; }

private:
    bool is_armed_ = false;
    bool was_off_ = false;
};

// --------------------------------------------------------------------------------------------------------- the motors

constexpr std::uint32_t motor_hz = 400;
constexpr unsigned duty_bits = 14;

void write_motor(int motor, float share) {
    const float pulse_us = 1000.0F + 1000.0F * (share < 0.0F ? 0.0F : (share > 1.0F ? 1.0F : share));
    const float duty = pulse_us * 1e-6F * static_cast<float>(motor_hz) * static_cast<float>(1U << duty_bits);
    const auto channel = static_cast<ledc_channel_t>(motor);
    ledc_set_duty(LEDC_LOW_SPEED_MODE, channel, static_cast<std::uint32_t>(duty));
    ledc_update_duty(LEDC_LOW_SPEED_MODE, channel);
}

void stop_motors() {
    for (int motor = 0; motor < 4; motor++) {
        write_motor(motor, 0.0F);  // 1000 µs, at which an ESC stops
    }
}

bool set_up_motors() {
    ledc_timer_config_t timer = {};
    timer.speed_mode = LEDC_LOW_SPEED_MODE;
    timer.duty_resolution = static_cast<ledc_timer_bit_t>(duty_bits);
    timer.timer_num = LEDC_TIMER_0;
    timer.freq_hz = motor_hz;
    timer.clk_cfg = LEDC_AUTO_CLK;
    bool is_done = ledc_timer_config(&timer) == ESP_OK;
    for (int motor = 0; motor < 4; motor++) {
        ledc_channel_config_t channel = {};
        channel.gpio_num = pins.motors[motor];
        channel.speed_mode = LEDC_LOW_SPEED_MODE;
        channel.channel = static_cast<ledc_channel_t>(motor);
        channel.timer_sel = LEDC_TIMER_0;
        is_done = ledc_channel_config(&channel) == ESP_OK && is_done;
    }
    stop_motors();
    return is_done;
}

// ----------------------------------------------------------------------------------------------------------- the loop

static_assert(Policy::observation_dim == 10 && Policy::action_dim == 4,
              "this program is for a policy of examples/quadrotor_rates/environment.py: 10 observations, 4 actions");

struct Options {
    static constexpr std::uint32_t period_us = ::period_us;
    static constexpr std::uint32_t timeout_us = 3 * period_us;  // without a sample for so long the motors stop
    static constexpr float margin = 0.0F;                       // so that a gyroscope at its end is refused
    static constexpr float fallback_action[] = {0.0F, 0.0F, 0.0F, 0.0F};  // not applied: the motors are stopped
};

struct Board {
    static std::uint32_t micros() { return port::micros(); }
    // The port's sleeps a tick for the idle task. This task sleeps in each period.
    static void feed_watchdog() {}
};

rl_tools::embed::ControlLoop<Policy, Board, Options> control;

Receiver receiver;
Arming arming;
Bias bias;
float last_action[4] = {};

// Only while armed: what has no observation has its motors off.
bool read_sensors(float* observation) {
    mpu6050::Sample sample;
    const bool is_new = imu.read(sample);
    if (is_new && !bias.is_known()) {
        bias.add(sample.rate);
    }
    arming.update(receiver, is_new && bias.is_known());
    if (!is_new || !arming.is_armed()) {
        return false;
    }
    for (int axis = 0; axis < 3; axis++) {
        const float rate = sample.rate[axis] - bias[axis];
        observation[axis] = rate;
        observation[3 + axis] = receiver.pilot().rate[axis] - rate;
    }
    for (int motor = 0; motor < 4; motor++) {
        observation[6 + motor] = last_action[motor];
    }
    return true;
}

void write_actuators(const float* action) {
    for (int motor = 0; motor < 4; motor++) {
        const float share = receiver.pilot().throttle + authority * action[motor];
        write_motor(motor, share < idle ? idle : share);
        last_action[motor] = action[motor];
    }
}

void stop() {
    stop_motors();
    if (arming.is_armed()) {
        arming.fail();
    }
    for (float& action : last_action) {
        action = 0.0F;
    }
}

void step() {
    receiver.update(port::micros());
    float observation[Policy::observation_dim];
    if (read_sensors(observation)) {
        control.observe(observation);
    }
    const rl_tools::embed::Step taken = control.step();
    if (taken == rl_tools::embed::Step::policy && arming.is_armed()) {
        float action[Policy::action_dim];
        Policy::to_actuators(control.action(), action);
        write_actuators(action);
    } else {
        stop();
    }
}

// ----------------------------------------------------------------------------------------------------------- the task

// What the link reports is a copy: it is the other task's, and perhaps the other core's.
portMUX_TYPE published_lock = portMUX_INITIALIZER_UNLOCKED;
rl_tools::embed::ControlStatistics published;

void publish() {
    taskENTER_CRITICAL(&published_lock);
    published = control.statistics();
    taskEXIT_CRITICAL(&published_lock);
}

const rl_tools::embed::ControlStatistics* statistics() {
    static rl_tools::embed::ControlStatistics copy;  // the link's task alone comes here
    taskENTER_CRITICAL(&published_lock);
    copy = published;
    taskEXIT_CRITICAL(&published_lock);
    return &copy;
}

void run(void*) {
    TickType_t woken = xTaskGetTickCount();
    for (;;) {
        // Ticks and port::micros() count the same crystal, so this waits for a few microseconds at most.
        while (!control.is_due()) {
        }
        step();
        publish();
        xTaskDelayUntil(&woken, pdMS_TO_TICKS(period_us / 1000));
    }
}

static_assert(period_us % (1'000'000 / configTICK_RATE_HZ) == 0, "a period is whole ticks");

bool set_up_sensor() {
    i2c_master_bus_config_t bus = {};
    bus.i2c_port = -1;  // any
    bus.sda_io_num = pins.sda;
    bus.scl_io_num = pins.scl;
    bus.clk_source = I2C_CLK_SRC_DEFAULT;
    bus.glitch_ignore_cnt = 7;
    bus.flags.enable_internal_pullup = true;
    i2c_master_bus_handle_t handle = nullptr;
    if (i2c_new_master_bus(&bus, &handle) != ESP_OK) {
        return false;
    }
    i2c_device_config_t device = {};
    device.dev_addr_length = I2C_ADDR_BIT_LEN_7;
    device.device_address = mpu6050::address;
    device.scl_speed_hz = 400'000;
    return i2c_master_bus_add_device(handle, &device, &imu_device) == ESP_OK;
}

bool set_up_receiver() {
    uart_config_t config = {};
    config.baud_rate = 115'200;
    config.data_bits = UART_DATA_8_BITS;
    config.parity = UART_PARITY_DISABLE;
    config.stop_bits = UART_STOP_BITS_1;
    config.flow_ctrl = UART_HW_FLOWCTRL_DISABLE;
    config.source_clk = UART_SCLK_DEFAULT;
    return uart_driver_install(UART_NUM_1, 256, 0, 0, nullptr, 0) == ESP_OK &&
           uart_param_config(UART_NUM_1, &config) == ESP_OK &&
           uart_set_pin(UART_NUM_1, UART_PIN_NO_CHANGE, pins.receiver, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE) ==
               ESP_OK;
}

}  // namespace

// Without a driver there is no task, and so no pulse but that which stops the motors; the link goes on.
void control_setup() {
    const bool has_motors = set_up_motors();
    const bool has_receiver = set_up_receiver();
    if (!has_motors || !has_receiver || !set_up_sensor()) {
        return;
    }
    if (xTaskCreatePinnedToCore(run, "control", task_stack_bytes, nullptr, task_priority, nullptr, task_core) ==
        pdPASS) {
        control_statistics = statistics;
    }
}

bool control_loop() { return false; }  // the task does it; the link may sleep
