// examples/quadrotor_rates/control.cpp (CONTROL) on a simulated board with ESP-IDF's functions. A line for each change
// of the motors: time in ms, the four pulses in µs.
// With THREADS the task is a thread, and the link's work goes on in this one: for ThreadSanitizer.
#include CONTROL

#undef min
#undef max

#include "simulation.h"

#include <algorithm>
#include <mutex>
#include <thread>

namespace {

constexpr std::uint64_t byte_us = 23;  // nine bits at 400 kHz

std::uint32_t set_duty[4], duty[4];
double stick[14] = {0, 0, -1, 0, -1};  // throttle down, switch off
bool is_sending = true;
double garbled = 0;
std::atomic<bool> is_over{false};
TaskFunction_t task = nullptr;

void show() {
    static std::uint32_t shown[4] = {};
    if (!std::equal(duty, duty + 4, shown)) {
        std::copy(duty, duty + 4, shown);
        std::printf("%.1f", simulation::elapsed_ms());
        for (const std::uint32_t each : duty) {
            std::printf(" %.0f", static_cast<double>(each) * 2500.0 / 16384.0);
        }
        std::printf("\n");
    }
}

bool apply(const simulation::Event& event) {
    if (event.word == "end") {
        const rl_tools::embed::ControlStatistics& counted = published;
        std::printf("statistics %u %u %u %u %u\n", counted.steps, counted.fallbacks, counted.overruns,
                    counted.late_steps, counted.worst_lateness_us);
        std::fflush(stdout);
        is_over = true;
#if !defined(THREADS)
        std::_Exit(0);
#endif
        return true;
    }
    static const char* const sticks[] = {"roll", "nose", "throttle", "yaw", "arm"};
    for (int i = 0; i < 5; i++) {
        if (event.word == sticks[i]) {
            stick[i] = event.number;
            return true;
        }
    }
    if (event.word == "radio") {
        is_sending = event.number != 0;
    } else if (event.word == "garble") {
        garbled = event.number;
    } else {
        return false;
    }
    return true;
}

void advance(std::uint64_t by_us) { simulation::advance(by_us, apply); }

}  // namespace

extern "C" {
esp_err_t i2c_new_master_bus(const i2c_master_bus_config_t*, i2c_master_bus_handle_t*) { return ESP_OK; }
esp_err_t i2c_master_bus_add_device(i2c_master_bus_handle_t, const i2c_device_config_t* device,
                                    i2c_master_dev_handle_t*) {
    return device->device_address == mpu6050::address ? ESP_OK : 0x105;
}
esp_err_t i2c_master_transmit(i2c_master_dev_handle_t, const uint8_t* bytes, size_t size, int) {
    advance(byte_us * (1 + size));
    if (!simulation::imu.acknowledges()) {
        return 0x103;
    }
    simulation::imu.write(bytes[0], bytes[1]);
    return ESP_OK;
}
esp_err_t i2c_master_transmit_receive(i2c_master_dev_handle_t, const uint8_t* bytes, size_t, uint8_t* out, size_t size,
                                      int) {
    advance(byte_us * (3 + size));
    return simulation::imu.read(bytes[0], out, size) == size ? ESP_OK : 0x103;
}

esp_err_t ledc_timer_config(const ledc_timer_config_t* timer) {
    return timer->freq_hz == 400 && timer->duty_resolution == LEDC_TIMER_14_BIT ? ESP_OK : 0x102;
}
esp_err_t ledc_channel_config(const ledc_channel_config_t*) { return ESP_OK; }
esp_err_t ledc_set_duty(ledc_mode_t, ledc_channel_t channel, uint32_t value) {
    set_duty[channel] = value;
    return ESP_OK;
}
esp_err_t ledc_update_duty(ledc_mode_t, ledc_channel_t channel) {
    duty[channel] = set_duty[channel];
    return ESP_OK;
}

esp_err_t uart_driver_install(uart_port_t, int, int, int, QueueHandle_t*, int) { return ESP_OK; }
esp_err_t uart_param_config(uart_port_t, const uart_config_t*) { return ESP_OK; }
esp_err_t uart_set_pin(uart_port_t, int, int, int, int) { return ESP_OK; }

// A frame every 7 ms, half of it at a time.
int uart_read_bytes(uart_port_t, void* out, uint32_t, TickType_t) {
    static std::uint64_t next_us = simulation::start_us;
    static std::uint8_t frame[32];
    static bool is_half = false;
    if (is_half) {
        is_half = false;
        std::memcpy(out, frame + 16, 16);
        return 16;
    }
    if (!is_sending || simulation::now_us < next_us) {
        return 0;
    }
    next_us = simulation::now_us + 7000;
    frame[0] = 0x20, frame[1] = 0x40;
    std::uint16_t sum = 0xFFFF - 0x60;
    for (int i = 0; i < 28; i++) {
        const auto value = static_cast<std::uint16_t>(std::lround(1500.0 + 500.0 * stick[i / 2]));
        frame[2 + i] = static_cast<std::uint8_t>(i % 2 == 0 ? value : value >> 8U);
        sum = static_cast<std::uint16_t>(sum - frame[2 + i]);
    }
    frame[30] = static_cast<std::uint8_t>(sum);
    frame[31] = static_cast<std::uint8_t>(sum >> 8U);
    frame[6] = static_cast<std::uint8_t>(frame[6] + garbled);  // the throttle's, behind the sum's back
    is_half = true;
    std::memcpy(out, frame, 16);
    return 16;
}

TickType_t xTaskGetTickCount() { return static_cast<TickType_t>(simulation::now_us / 1000); }
BaseType_t xTaskDelayUntil(TickType_t* woken, const TickType_t ticks) {
    show();
    *woken += ticks;
    const std::int32_t left = static_cast<std::int32_t>(*woken - xTaskGetTickCount());
    if (left > 0) {
        const std::uint64_t next_us = (simulation::now_us / 1000 + static_cast<std::uint64_t>(left)) * 1000;
        advance(next_us - simulation::now_us);
    }
#if defined(THREADS)
    while (is_over) {
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
#endif
    return pdTRUE;
}
BaseType_t xTaskCreatePinnedToCore(TaskFunction_t code, const char* const name, const uint32_t stack, void* const,
                                   UBaseType_t priority, TaskHandle_t* const, const BaseType_t core) {
    std::printf("task %s %u %u %d\n", name, stack, priority, core);
    task = code;
    return pdPASS;
}

static std::mutex critical;
void vPortEnterCritical(portMUX_TYPE*) { critical.lock(); }
void vPortExitCritical(portMUX_TYPE*) { critical.unlock(); }
}

namespace port {
std::uint32_t micros() {
    simulation::now_us += 1;  // what the call takes
    return static_cast<std::uint32_t>(simulation::now_us.load());
}
}  // namespace port

int main(int, char** arguments) {
    simulation::read_script(arguments[1]);
    control_setup();
    show();
#if defined(THREADS)
    std::thread(task, nullptr).detach();
    std::uint32_t steps = 0, evaluations = 0;
    while (!is_over) {
        float observation[Policy::observation_dim] = {}, action[Policy::action_dim];
        std::uint8_t digest[32];
        std::uint32_t examples = 0;
        Policy::evaluate(observation, action);
        Policy::self_test(examples);
        Policy::digest(digest, nullptr);
        steps = control_statistics()->steps;
        evaluations++;
    }
    std::printf("beside %u steps %u evaluations\n", steps, evaluations);
    std::fflush(stdout);
    std::_Exit(0);
#else
    if (task == nullptr) {
        return 3;
    }
    task(nullptr);
#endif
}
