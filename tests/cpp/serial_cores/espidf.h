// ESP-IDF, components/esp_driver_uart/src/uart.c: uart_tx_chars() fills a FIFO of 128 bytes, uart_write_bytes() without
// a buffer waits until all is in it. components/esp_driver_usb_serial_jtag/src/usb_serial_jtag.c at 0087196f3c: a FIFO
// of 64 bytes, which takes nothing until it was fetched, and a buffer that takes the rest whole or not at all; then 0
// is said, also where the FIFO took a part.
#include <driver/uart.h>

static bench::Ring fifo{FIFO_BYTES};

#if defined(IS_USB)
const std::uint64_t bench::uart_ns_per_byte = 0;
static bench::Ring buffer{1024};
std::size_t bench::pull(std::uint8_t* out, std::size_t most) {
    const std::size_t taken = fifo.pull(out, most);
    std::uint8_t packet[64];
    if (fifo.bytes.empty()) {
        fifo.put(packet, buffer.pull(packet, sizeof packet));
    }
    return taken;
}
#else
const std::uint64_t bench::uart_ns_per_byte = 86'800;
std::size_t bench::pull(std::uint8_t* out, std::size_t most) { return fifo.pull(out, most); }
#endif

static int read_byte(void* out) {
    const int byte = bench::read();
    *static_cast<std::uint8_t*>(out) = static_cast<std::uint8_t>(byte);
    return byte < 0 ? 0 : 1;
}

extern "C" {
uint32_t simulated_cycles(void) { return static_cast<uint32_t>(bench::now_us * CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ); }
void vTaskDelay(const TickType_t ticks) { bench::advance(1000 * ticks); }
void esp_restart(void) { std::_Exit(6); }
int64_t esp_timer_get_time(void) {
    bench::advance(bench::call_us);
    return static_cast<int64_t>(bench::now_us);
}

esp_err_t uart_driver_install(uart_port_t, int, int, int, QueueHandle_t*, int) { return 0; }
esp_err_t uart_param_config(uart_port_t, const uart_config_t*) { return 0; }
esp_err_t uart_wait_tx_done(uart_port_t, TickType_t ticks) {
    return bench::wait([] { return fifo.bytes.empty(); }, 1000 * std::uint64_t{ticks}) ? 0 : 1;
}
int uart_read_bytes(uart_port_t, void* out, uint32_t, TickType_t) { return read_byte(out); }
int uart_tx_chars(uart_port_t, const char* data, uint32_t size) {
    bench::advance(bench::call_us);
    return static_cast<int>(fifo.put(reinterpret_cast<const std::uint8_t*>(data), size));
}
int uart_write_bytes(uart_port_t, const void* data, size_t size) {
    for (std::size_t done = 0; done < size;
         done += fifo.put(static_cast<const std::uint8_t*>(data) + done, size - done)) {
        bench::wait([] { return fifo.room() != 0; }, bench::for_ever);
    }
    return static_cast<int>(size);
}

#if defined(IS_USB)
esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t*) { return 0; }
int usb_serial_jtag_read_bytes(void* out, uint32_t, TickType_t) { return read_byte(out); }
int usb_serial_jtag_write_bytes(const void* from, size_t size, TickType_t ticks) {
    bench::advance(bench::call_us);
    const std::uint8_t* data = static_cast<const std::uint8_t*>(from);
    std::size_t done = 0;
    if (fifo.bytes.empty()) {
        done = fifo.put(data, size);
    }
    const std::size_t rest = size - done;
    if (!bench::wait([rest] { return buffer.room() >= rest; }, 1000 * std::uint64_t{ticks})) {
        return 0;
    }
    buffer.put(data + done, rest);
    return static_cast<int>(size);
}
#endif
}

[[noreturn]] inline void run() {
    app_main();
    std::abort();
}
