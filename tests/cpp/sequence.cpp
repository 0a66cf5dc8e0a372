// Sequences of a batch as one tensor each: reads STEPS * EPISODES observations from stdin as raw float32, as often as
// there are, and writes the actions. With the argument "sample" they are drawn, from a generator with seed 7.
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
constexpr TI STEPS = 50;
constexpr TI EPISODES = 3;
using Model = policy::MODEL;
template <TI DIMENSION>
using Sequence = rlt::Tensor<rlt::tensor::Specification<float, TI, rlt::tensor::Shape<TI, STEPS, EPISODES, DIMENSION>>>;

int main(int argc, char** argv) {
    const bool is_sampling = argc == 2 && strcmp(argv[1], "sample") == 0;
    const Device device{};
    auto engine = rlt::random::default_engine(device.random, 7);
    Model::Buffer<EPISODES> buffer;
    Sequence<Model::INPUT_DIM> input;
    Sequence<Model::OUTPUT_DIM> output;
    while (fread(input._data, sizeof input._data, 1, stdin) == 1) {
        if (is_sampling) {
            rlt::evaluate(device, policy::module, input, output, buffer, engine, rlt::mode::Sample{});
        } else {
            rlt::evaluate(device, policy::module, input, output, buffer, engine);
        }
        fwrite(output._data, sizeof output._data, 1, stdout);
    }
    return 0;
}
