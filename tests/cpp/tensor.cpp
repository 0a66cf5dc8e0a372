// Prints tensors: one numbered by its indices, a copy with one number changed, one of a single value, one drawn and the
// matrix that is drawn from the same seed, one of a single dimension.
#include <rl_tools/operations/cpu.h>

namespace rlt = rl_tools;

using DEVICE = rlt::devices::DefaultCPU;
using TI = DEVICE::index_t;
template <TI... DIMENSIONS>
using Tensor = rlt::Tensor<rlt::tensor::Specification<float, TI, rlt::tensor::Shape<TI, DIMENSIONS...>>>;
using Matrix = rlt::MatrixStatic<rlt::matrix::Specification<float, TI, 3, 4>>;

int main() {
    const DEVICE device;
    Tensor<2, 3, 4> tensor;
    for (TI i = 0; i < 2; i++) {
        for (TI j = 0; j < 3; j++) {
            for (TI k = 0; k < 4; k++) {
                rlt::set(device, tensor, static_cast<float>(100 * i + 10 * j + k), i, j, k);
            }
        }
    }
    rlt::print(device, tensor);
    Tensor<2, 3, 4> other;
    rlt::copy(device, tensor, other);
    rlt::set(device, other, rlt::get(device, tensor, 1, 2, 3) + 0.5F, 0, 1, 2);
    rlt::print(device, other);
    rlt::set_all(device, other, -1.0F);
    rlt::print(device, other);
    Tensor<3, 4> drawn;
    Matrix matrix;
    auto engine = rlt::random::default_engine(device.random, 5);
    rlt::randn(device, drawn, engine);
    engine = rlt::random::default_engine(device.random, 5);
    rlt::randn(device, matrix, engine);
    rlt::print(device, drawn);
    rlt::print(device, matrix);
    Tensor<3> vector;
    rlt::set_all(device, vector, 2.0F);
    rlt::print(device, vector);
    return 0;
}
