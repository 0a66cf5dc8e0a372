// The same network through RLtools' own headers, with its fastest kernel for ARM.
#include "driver.h"

#define RL_TOOLS_DEVICES_DISABLE_REDEFINITION_DETECTION
#include <rl_tools/operations/arm.h>

#include <rl_tools/nn/layers/dense/operations_arm/opt.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/numeric_types/policy.h>

#include "observation.h"
#include "peer_weights.h"

namespace rlt = rl_tools;
using Device = rlt::devices::DefaultARM;
using Index = Device::index_t;
using Types = rlt::numeric_types::Policy<float>;
using Configuration =
    rlt::nn_models::mlp::Configuration<Types, Index, peer::OUTPUTS, 3, peer::HIDDEN,
                                       rlt::nn::activation_functions::ActivationFunction::HIDDEN_FUNCTION,
                                       rlt::nn::activation_functions::ActivationFunction::OUTPUT_FUNCTION>;
using Network = rlt::nn_models::mlp::NeuralNetwork<Configuration, rlt::nn::capability::Forward<true, true>,
                                                   rlt::tensor::Shape<Index, 1, 1, peer::INPUTS>>;

constexpr Network network = {{{const_cast<float*>(peer::weights_0)}, {const_cast<float*>(peer::biases_0)}},
                             {{{{const_cast<float*>(peer::weights_1)}}, {{const_cast<float*>(peer::biases_1)}}}},
                             {{const_cast<float*>(peer::weights_2)}, {const_cast<float*>(peer::biases_2)}}};

static Network::Buffer<false> buffer;

[[gnu::noinline]] void infer(const float* input, float* output) {
    Device device;
    Device::SPEC::RANDOM::ENGINE<> rng{};
    rlt::Matrix<rlt::matrix::Specification<float, Index, 1, peer::INPUTS, true>> in{const_cast<float*>(input)};
    rlt::Matrix<rlt::matrix::Specification<float, Index, 1, peer::OUTPUTS, true>> out{output};
    rlt::evaluate(device, network, in, out, buffer, rng);
}

int main() { return driver::measure<peer::OUTPUTS>(infer, observation); }
