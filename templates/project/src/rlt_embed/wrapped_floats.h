// For a board whose link replaces the compiler's float library (-Wl,--wrap): pico-sdk takes that of the RP2040's boot
// ROM, which counts subnormal numbers as zeros. What is compiled below this line calls the compiler's own functions.
// The assembler changes the names, so nothing depends on who links, and in what order.
#pragma once

#define RLT_UNWRAPPED(NAME) asm(".set __aeabi_" #NAME ", __real___aeabi_" #NAME)
RLT_UNWRAPPED(fadd);
RLT_UNWRAPPED(fsub);
RLT_UNWRAPPED(frsub);
RLT_UNWRAPPED(fmul);
RLT_UNWRAPPED(fdiv);
RLT_UNWRAPPED(fcmpeq);
RLT_UNWRAPPED(fcmplt);
RLT_UNWRAPPED(fcmple);
RLT_UNWRAPPED(fcmpge);
RLT_UNWRAPPED(fcmpgt);
RLT_UNWRAPPED(fcmpun);
RLT_UNWRAPPED(i2f);
RLT_UNWRAPPED(ui2f);
RLT_UNWRAPPED(f2iz);
RLT_UNWRAPPED(f2uiz);
#undef RLT_UNWRAPPED
