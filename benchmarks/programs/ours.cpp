// The policy of checkpoint.h on the device tag that the command line names.
#include "driver.h"

#include <rl_tools/devices/cpu.h>
#include <rl_tools/embed/policy.h>

#include "checkpoint.h"
#include "observation.h"

using Policy = rl_tools::embed::Policy<rl_tools::devices::TAG<rl_tools::arithmetic::ARITHMETIC>, policy::Checkpoint>;

[[gnu::noinline]] void infer(const float* input, float* output) { Policy::evaluate(input, output); }

int main() { return driver::measure<Policy::action_dim>(infer, observation); }
