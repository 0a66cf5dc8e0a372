// The steps of a batch of episodes, and actions drawn from the policy, for comparison with the host reference.
// First number of the arguments: what to do ("episode" or "sample"), then the steps. Reads observations from stdin as
// raw float32, one row per episode and step, and writes the actions in the same order; "sample" begins with seed 7.
#include <rl_tools/operations/arm.h>
#include <rl_tools/operations/cpu.h>

#include <rl_tools/nn/layers/dense/operations_arm/opt.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>

#include <cstdio>
#include <cstring>

#include "checkpoint.h"

namespace rlt = rl_tools;

using Device = rlt::devices::ARM<rlt::arithmetic::ROUNDING>;
using TI = Device::index_t;
constexpr TI EPISODES = 3;

using Model = policy::MODEL;
using Input = rlt::MatrixStatic<rlt::matrix::Specification<float, TI, EPISODES, Model::INPUT_DIM>>;
using Output = rlt::MatrixStatic<rlt::matrix::Specification<float, TI, EPISODES, Model::OUTPUT_DIM>>;

int main(int argc, char** argv) {
    const bool is_sampling = argc == 2 && strcmp(argv[1], "sample") == 0;
    const Device device{};
    auto engine = rlt::random::default_engine(device.random, 7);
    Model::Buffer<EPISODES> buffer;
    Model::State<EPISODES> state;
    Input input;
    Output output;
    rlt::reset(device, policy::module, state);
    while (fread(input._data, sizeof input._data, 1, stdin) == 1) {
        if (is_sampling) {
            rlt::evaluate_step(device, policy::module, input, state, output, buffer, engine, rlt::mode::Sample{});
        } else {
            rlt::evaluate_step(device, policy::module, input, state, output, buffer, engine);
        }
        fwrite(output._data, sizeof output._data, 1, stdout);
    }
    return 0;
}
