// One inference of the policy in checkpoint.h, compiled with -finstrument-functions: writes the address of every
// function that was entered, and how often, whether it was inlined or not.
#include "checkpoint.h"
#include "semihosting.h"

#include <rl_tools/devices/esp32.h>
#include <rl_tools/devices/riscv.h>
#include <rl_tools/embed/policy.h>

namespace {

using Policy = rl_tools::embed::Policy<rl_tools::devices::TAG<>, policy::Checkpoint>;

struct Entry {
    const void* function;
    uint32_t calls;
};

constexpr size_t MOST = 256;
Entry entries[MOST];
volatile bool counting = false;

}  // namespace

extern "C" {

__attribute__((no_instrument_function)) void __cyg_profile_func_enter(void* function, void*) {
    for (size_t i = 0; counting && i < MOST; i++) {
        if (entries[i].function == function || entries[i].function == nullptr) {
            entries[i].function = function;
            entries[i].calls++;
            return;
        }
    }
}

__attribute__((no_instrument_function)) void __cyg_profile_func_exit(void*, void*) {}
}

int main() {
    float observation[Policy::observation_dim] = {};
    float action[Policy::action_dim];
    counting = true;
    Policy::evaluate(observation, action);
    counting = false;
    for (size_t i = 0; i < MOST && entries[i].function != nullptr; i++) {
        semihosting::write_hex(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(entries[i].function)));
        semihosting::write_hex(entries[i].calls);
    }
    return 0;
}
