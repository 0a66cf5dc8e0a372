// The training host's evaluation against the generic kernels, bit for bit, over sizes around those of the vectors, and
// between changes of the weights. Prints how many outputs were compared. With -DSEEDED_FAULT a weight changes behind
// the policy's back, and this must notice.
#include <rl_tools/rl/inference.h>
#include <rl_tools/rl/nn/mlp.h>
#include <rl_tools/rl/nn/parameters.h>

#include <cstdio>
#include <memory>
#include <utility>

namespace {

using rl_tools::nn::ActivationFunction;
constexpr size_t INPUTS_PER_MODEL = 50;

rl_tools::random::Engine engine = rl_tools::random::default_engine(rl_tools::devices::random::Generic{}, 1);
size_t compared = 0;
size_t different = 0;

// Of any size: from numbers that are lost in a sum to those that it overflows with.
float wide_number() {
    const float exponent = 120.0F * rl_tools::random::uniform(engine) - 60.0F;
    return (2.0F * rl_tools::random::uniform(engine) - 1.0F) * std::exp2(exponent);
}

void compare(const float* expected, const float* found, size_t size) {
    for (size_t i = 0; i < size; i++) {
        compared++;
        const uint32_t bits = rl_tools::math::bits_of(expected[i]);
        const bool are_nan = expected[i] != expected[i] && found[i] != found[i];
        different += bits == rl_tools::math::bits_of(found[i]) || are_nan ? 0 : 1;
    }
}

template <size_t INPUTS, size_t OUTPUTS, size_t HIDDEN, ActivationFunction FUNCTION, ActivationFunction LAST>
void check() {
    using Mlp = rl_tools::nn::training::Mlp<float, INPUTS, OUTPUTS, HIDDEN, 3, FUNCTION, LAST>;
    using Policy = rl_tools::nn_models::sequential::Model<Mlp>;
    const auto policy = std::make_unique<rl_tools::rl::HostPolicy<Policy>>();
    Mlp& mlp = policy->changing_model().modules.head;
    typename Policy::template Buffer<1> buffer;
    for (size_t i = 0; i < INPUTS_PER_MODEL; i++) {
#if defined(SEEDED_FAULT)
        const bool is_told = i == 0;
#else
        const bool is_told = i % 5 == 0;
#endif
        if (is_told) {
            static_cast<void>(policy->changing_model());
        }
        if (i % 5 == 0) {
            rl_tools::nn::training::initialize(mlp, engine);
        }
        float input[INPUTS];
        for (float& number : input) {
            number = i % 2 == 0 ? wide_number() : 2.0F * rl_tools::random::uniform(engine) - 1.0F;
        }
        float expected[OUTPUTS];
        float found[OUTPUTS + 1];
        found[OUTPUTS] = 7.0F;
        rl_tools::evaluate(rl_tools::devices::DefaultCPU{}, policy->model(), input, expected, buffer);
        policy->evaluate(input, found);
        compare(expected, found, OUTPUTS);
        // What lies behind the outputs is not the policy's.
        different += found[OUTPUTS] == 7.0F ? 0 : 1;
        float hidden[HIDDEN];
        float hidden_found[HIDDEN];
        rl_tools::nn_models::sequential::evaluate_prefix(rl_tools::devices::DefaultCPU{}, policy->model(), input,
                                                         hidden, buffer, 2);
        policy->evaluate(input, hidden_found, 2);
        compare(hidden, hidden_found, HIDDEN);
    }
}

template <size_t... SIZES>
void check_sizes(std::index_sequence<SIZES...>) {
    constexpr auto RELU = ActivationFunction::RELU;
    constexpr auto IDENTITY = ActivationFunction::IDENTITY;
    (check<SIZES, SIZES * 7 % 20 + 1, SIZES, RELU, IDENTITY>(), ...);
}

}  // namespace

int main() {
    check_sizes(std::index_sequence<1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33>{});
    check<3, 2, 64, ActivationFunction::FAST_TANH, ActivationFunction::TANH>();
    check<100, 40, 150, ActivationFunction::TANH, ActivationFunction::IDENTITY>();
    check<11, 3, 256, ActivationFunction::GELU, ActivationFunction::SIGMOID>();
    check<16, 16, 131, ActivationFunction::SIGMOID, ActivationFunction::RELU>();
    std::printf("%zu outputs compared, %zu different\n", compared, different);
    return different == 0 ? 0 : 1;
}
