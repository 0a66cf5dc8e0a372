// What the other programs consist of besides their infer().
#include "driver.h"

[[gnu::noinline]] void infer(const float*, float* output) { asm volatile("" : : "r"(output) : "memory"); }

int main() { return driver::measure<1>(infer, nullptr); }
