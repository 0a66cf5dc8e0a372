// What all bare boards have alike: the serial port's way out, the stack that the linker script lays out, and main().
#include "../../port.h"

#include "memory_layout.h"
#include "rlt_embed/board.h"

namespace port {

std::size_t write_some(const std::uint8_t* data, std::size_t size) {
    std::size_t taken = 0;
    while (taken < size && board::Uart::has_room()) {
        board::Uart::write(data[taken++]);
    }
    return taken;
}

std::uint32_t cycles_hz() { return board::clock_hz; }

void feed_watchdog() {}

const std::uint32_t* stack_begin() { return __stack_begin; }
const std::uint32_t* stack_end() { return __stack_end; }

}  // namespace port

// Not inline, also with -flto: start-up code paints the stack below itself before.
__attribute__((noinline)) int main() {
    port::init();
    firmware_setup();
    for (;;) {
        firmware_loop();
    }
}
