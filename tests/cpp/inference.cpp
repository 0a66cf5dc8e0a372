// The least that a target needs for inference, linked without any library but the compiler's own arithmetic: so
// whatever would need an allocator, an exception or the C library does not link.
#include <rl_tools/devices/arm.h>
#include <rl_tools/embed/policy.h>
#include <rl_tools/nn/layers/dense/operations_arm/opt.h>

#include "checkpoint.h"

using Policy = rl_tools::embed::Policy<rl_tools::devices::ARM<rl_tools::arithmetic::ROUNDING>, policy::Checkpoint>;

// Compilers may call these for any loop or assignment; a freestanding program brings them.
extern "C" void* memcpy(void* to, const void* from, size_t size) {
    for (size_t i = 0; i < size; i++) {
        static_cast<volatile unsigned char*>(to)[i] = static_cast<const unsigned char*>(from)[i];
    }
    return to;
}

extern "C" void* memset(void* to, int value, size_t size) {
    for (size_t i = 0; i < size; i++) {
        static_cast<volatile unsigned char*>(to)[i] = static_cast<unsigned char>(value);
    }
    return to;
}

volatile float sensors[Policy::observation_dim];
volatile float actuators[Policy::action_dim];

extern "C" void _start() {
    float observation[Policy::observation_dim];
    float action[Policy::action_dim];
    for (size_t i = 0; i < Policy::observation_dim; i++) {
        observation[i] = sensors[i];
    }
    Policy::evaluate(observation, action);
    for (size_t i = 0; i < Policy::action_dim; i++) {
        actuators[i] = action[i];
    }
}
