#define RL_TOOLS_DEVICES_DISABLE_REDEFINITION_DETECTION
#include <rl_tools/operations/arm.h>
#include <rl_tools/operations/cpu.h>
#include <rl_tools/nn/layers/dense/operations_arm/opt.h>
#include <rl_tools/nn/layers/standardize/operations_generic.h>
#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/mlp_unconditional_stddev/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>
#include "../../pendulum_ppo_checkpoint.h"
namespace rlt = rl_tools;
using DEVICE = rlt::devices::DefaultARM;
using DEVICE_PRINT = rlt::devices::DefaultCPU;
using TI = DEVICE::index_t;
using T = policy::MODEL::T;
constexpr TI INPUT_DIM = policy::MODEL::INPUT_DIM;
constexpr TI OUTPUT_DIM = policy::MODEL::OUTPUT_DIM;
constexpr TI BATCH_SIZE = 15;
constexpr TI SEED = 1337;
int main(){
    decltype(policy::module)::Buffer<BATCH_SIZE, rlt::MatrixStaticTag> buffer;
    rlt::MatrixStatic<rlt::matrix::Specification<T, TI, BATCH_SIZE, policy::MODEL::INPUT_DIM>> input;
    rlt::MatrixStatic<rlt::matrix::Specification<T, TI, BATCH_SIZE, policy::MODEL::OUTPUT_DIM>> output;
    DEVICE device; DEVICE_PRINT device_print;
    auto rng = rlt::random::default_engine(device.random, SEED);
    rlt::randn(device, input, rng);
    rlt::evaluate(device, policy::module, input, output, buffer, rng);
    rlt::log(device_print, device_print.logger, "Result: ");
    rlt::print(device_print, output);
    return 0;
}
