// What the firmware's vectors.S calls on an emulated Xtensa.
#include "run_main.h"

extern "C" {
[[noreturn]] void begin() { run_main(); }
[[noreturn]] void report_fault() { fault(); }
}
