// A policy in each of two translation units, its weights in rows and in panels.
// UNIT names this one's function; with MAIN it has the program, which calls both and compares what they give.
#include <rl_tools/devices/arm.h>
#include <rl_tools/embed/policy.h>

#include <cstdio>
#include <cstring>

#include "checkpoint.h"

namespace {

// Adds to `sum` what the policy gives, and counts examples whose bits differ.
template <typename DEVICE>
unsigned use(unsigned char* sum) {
    using Policy = rl_tools::embed::Policy<DEVICE, policy::Checkpoint>;
    float observation[Policy::observation_dim]{};
    float action[Policy::action_dim];
    unsigned char digest[32];
    uint32_t examples = 0;
    Policy::evaluate(observation, action);
    Policy::reset();
    Policy::step(observation, action);
    Policy::to_actuators(action, action);
    Policy::digest(digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        sum[i] ^= digest[i];
    }
    for (size_t i = 0; i < sizeof action; i++) {
        unsigned char byte;
        memcpy(&byte, reinterpret_cast<const unsigned char*>(action) + i, 1);
        sum[i % 32] = static_cast<unsigned char>(sum[i % 32] + byte);
    }
    return Policy::self_test(examples);
}

}  // namespace

unsigned UNIT(unsigned char* sum) {
    return use<rl_tools::devices::CortexM0Plus<>>(sum) + use<rl_tools::devices::DefaultARM>(sum);
}

#if defined(MAIN)
unsigned other(unsigned char* sum);

int main() {
    unsigned char first[32]{};
    unsigned char second[32]{};
    const unsigned mismatches = UNIT(first) + other(second);
    std::printf("%u %d\n", mismatches, memcmp(first, second, sizeof first));
    return 0;
}
#endif
