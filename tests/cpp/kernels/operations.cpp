// One layer, TESTED_LAYER, evaluated for a core without a floating-point unit: the compiler's float library shows which
// operations it uses. What the layer's list says stands in `listed`.
#include <rl_tools/devices/arm.h>
#include <rl_tools/embed/policy.h>

namespace {

using namespace rl_tools;
using Device = devices::CortexM0Plus<>;
using nn::ActivationFunction;
constexpr size_t DIM = 4;

template <ActivationFunction FUNCTION>
using Dense =
    nn::layers::dense::Layer<nn::layers::dense::Specification<float, size_t, DIM, DIM, FUNCTION, parameters::Owned>>;
using Gru = nn::layers::gru::Layer<nn::layers::gru::Specification<float, size_t, DIM, DIM>>;
using Elementwise = nn::layers::elementwise::Specification<float, size_t, DIM>;
using Rescale = nn::layers::rescale::Layer<Elementwise>;
using Standardize = nn::layers::standardize::Layer<Elementwise>;
using SampleAndSquash = nn::layers::sample_and_squash::Layer<Elementwise>;
using Td3Sampling = nn::layers::td3_sampling::Layer<Elementwise>;

using Layer = TESTED_LAYER;

}  // namespace

extern "C" {
extern const uint32_t listed;
const uint32_t listed = nn::operations<Layer>;
}

template <typename T>
void run(const T& layer, const float* input, float* state, float* scratch, float* output) {
    if constexpr (nn::state_dim<T> > 0) {
        evaluate_step(Device{}, layer, input, state, scratch, output);
    } else {
        evaluate(Device{}, layer, input, output);
    }
}

extern "C" void evaluate_layer(const Layer& layer, const float* input, float* state, float* scratch, float* output) {
    run(layer, input, state, scratch, output);
}
