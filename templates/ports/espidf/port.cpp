// ESP-IDF. The task watchdog stays on: it is fed by letting the idle task run, which takes a wait of one tick.
#include "../../port.h"

#include <esp_cpu.h>
#include <esp_system.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include "rlt_embed/board.h"

#include BOARD_SERIAL_HEADER

namespace port {

using Serial = BOARD_SERIAL;

void init() { Serial::init(board::baud); }

int read() { return Serial::read(); }

std::size_t write_some(const std::uint8_t* data, std::size_t size) {
    const int taken = Serial::write_some(data, size);
    return taken > 0 ? static_cast<std::size_t>(taken) : 0;  // -1 is an error
}

std::uint32_t cycles() { return static_cast<std::uint32_t>(esp_cpu_get_cycle_count()); }
std::uint32_t cycles_hz() { return static_cast<std::uint32_t>(CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ) * 1000000U; }
std::uint32_t micros() { return static_cast<std::uint32_t>(esp_timer_get_time()); }
void idle() { vTaskDelay(1); }

void feed_watchdog() {
    static std::uint32_t fed_us = 0;
    if (micros() - fed_us >= 1000000U) {  // its limit is 5 s
        vTaskDelay(1);
        fed_us = micros();
    }
}

void reset() {
    Serial::drain();
    esp_restart();
}

// The stack is a task's, and grows in memory that the operating system hands out.
const std::uint32_t* stack_begin() { return nullptr; }
const std::uint32_t* stack_end() { return nullptr; }

}  // namespace port

extern "C" void app_main() {
    port::init();
    firmware_setup();
    for (;;) {
        firmware_loop();
    }
}
