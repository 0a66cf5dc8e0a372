// A policy in a program of your own: no matrices, no heap, no start-up code.
//
//     g++ -std=c++17 -O2 -I cpp/include -I <folder of checkpoint.h> examples/embed_checkpoint/main.cpp -o example
//
// On a microcontroller the same lines stand in the control loop; `rlt-embed export` generates the project around them.
#include <rl_tools/devices/arm.h>
#include <rl_tools/embed/policy.h>
#include <rl_tools/nn/layers/dense/operations_arm/opt.h>

#include <cstdio>

#include "checkpoint.h"

using Policy = rl_tools::embed::Policy<rl_tools::devices::DefaultARM, policy::Checkpoint>;

int main() {
    // The checkpoint brings examples with the bits that every target must give for them.
    std::uint32_t examples = 0;
    const std::uint32_t mismatches = Policy::self_test(examples);
    std::printf("%s: %u of %u examples have the expected bits\n", policy::meta::name,
                static_cast<unsigned>(examples - mismatches), static_cast<unsigned>(examples));

    float observation[Policy::observation_dim] = {};
    float action[Policy::action_dim];
    Policy::evaluate(observation, action);
    for (std::uint32_t i = 0; i < Policy::action_dim; i++) {
        std::printf("%s = %.9g, within [%g, %g]\n", policy::meta::action_names[i], static_cast<double>(action[i]),
                    static_cast<double>(policy::meta::action_low[i]),
                    static_cast<double>(policy::meta::action_high[i]));
    }
    return mismatches == 0 ? 0 : 1;
}
