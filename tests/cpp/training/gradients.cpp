// Every derivative of training against central differences in float64. Prints the worst error of each; exits 1 above
// the tolerance.
//     gradients            every derivative
//     gradients 101        of each array every 101st: the same code runs, which is what sanitizers watch
//     gradients 101 fault  one derivative is wrong by a tenth of a percent, and this must notice
#include <rl_tools/rl/algorithms/ppo/losses.h>
#include <rl_tools/rl/algorithms/sac/losses.h>
#include <rl_tools/rl/algorithms/td3/losses.h>
#include <rl_tools/rl/components/squared_error.h>
#include <rl_tools/rl/nn/parameters.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace {

namespace training = rl_tools::nn::training;
namespace ppo = rl_tools::rl::ppo;
namespace sac = rl_tools::rl::sac;
namespace td3 = rl_tools::rl::td3;
using rl_tools::nn::ActivationFunction;
using T = double;

// Central differences at 1e-6 in float64 are good to about 1e-9 of the loss; the losses here are of the order of one.
constexpr T STEP = 1e-6;
constexpr T TOLERANCE = 1e-7;

size_t every = 1;
bool has_fault = false;
bool failed = false;

void report(const char* name, T error) {
    std::printf("%-40s %.2e\n", name, error);
    failed = failed || !(error <= TOLERANCE);
}

T signed_uniform(rl_tools::random::Engine& engine) { return 2 * static_cast<T>(rl_tools::random::uniform(engine)) - 1; }

template <typename BATCH>
void randomize(BATCH& batch, rl_tools::random::Engine& engine) {
    for (size_t row = 0; row < BATCH::FEATURES; row++) {
        for (size_t sample = 0; sample < BATCH::SAMPLES; sample++) {
            batch.row(row)[sample] = signed_uniform(engine);
        }
    }
}

template <typename LOSS>
T numeric(T& number, const LOSS& loss) {
    const T value = number;
    number = value + STEP;
    const T above = loss();
    number = value - STEP;
    const T below = loss();
    number = value;
    return (above - below) / (2 * STEP);
}

template <typename MODEL, typename LOSS>
T worst_parameter(MODEL& model, MODEL& gradient, const LOSS& loss) {
    T worst = 0;
    training::for_each_array(
        [&](size_t size, T* numbers, const T* derivatives) {
            for (size_t i = 0; i < size; i += every) {
                worst = std::fmax(worst, std::fabs(derivatives[i] - numeric(numbers[i], loss)));
            }
        },
        model, gradient);
    return worst;
}

// Derivatives beyond the last sample: sums over whole vectors of samples take them for zero.
template <typename BATCH>
T worst_padding(const BATCH& by_input) {
    T worst = 0;
    for (size_t row = 0; row < BATCH::FEATURES; row++) {
        for (size_t sample = BATCH::SAMPLES; sample < BATCH::STRIDE; sample++) {
            worst = std::fmax(worst, std::fabs(by_input.row(row)[sample]));
        }
    }
    return worst;
}

// loss = sum of coefficient * output.
template <ActivationFunction FUNCTION, size_t INPUTS, size_t HIDDEN, size_t OUTPUTS, size_t LAYERS, size_t SAMPLES,
          ActivationFunction LAST = ActivationFunction::IDENTITY>
void check_mlp(const char* name) {
    using Network = training::Mlp<T, INPUTS, OUTPUTS, HIDDEN, LAYERS, FUNCTION, LAST>;
    struct Work {
        Network network{};
        Network gradient{};
        training::Batch<T, INPUTS, SAMPLES> input{};
        training::Batch<T, INPUTS, SAMPLES> by_input{};
        training::Batch<T, OUTPUTS, SAMPLES> coefficients{};
        training::Tape<Network, SAMPLES> tape{};
    };
    const auto work = std::make_unique<Work>();
    auto engine = rl_tools::random::default_engine({}, 7);
    training::initialize(work->network, engine);
    randomize(work->input, engine);
    randomize(work->coefficients, engine);
    const auto loss = [&work] {
        training::forward(work->network, work->input, work->tape);
        T sum = 0;
        for (size_t i = 0; i < OUTPUTS * work->coefficients.STRIDE; i++) {
            sum += work->coefficients.numbers[i] * work->tape.last().output.numbers[i];
        }
        return sum;
    };
    loss();
    work->tape.last().delta = work->coefficients;
    training::backward(work->network, work->input, work->tape, work->gradient);
    if (has_fault) {
        work->gradient.layers.head.weights.values[0] *= 1.001;
    }
    work->tape.last().delta = work->coefficients;
    training::backward_to_input<0>(work->network, work->tape, work->by_input);
    T worst = std::fmax(worst_parameter(work->network, work->gradient, loss), worst_padding(work->by_input));
    for (size_t row = 0; row < INPUTS; row++) {
        for (size_t sample = 0; sample < SAMPLES; sample += every) {
            worst = std::fmax(worst,
                              std::fabs(work->by_input.row(row)[sample] - numeric(work->input.row(row)[sample], loss)));
        }
    }
    report(name, worst);
}

template <size_t SAMPLES>
void check_squared_error() {
    training::Batch<T, 1, SAMPLES> value{};
    training::Batch<T, 1, SAMPLES> by_value{};
    T target[SAMPLES];
    auto engine = rl_tools::random::default_engine({}, 3);
    randomize(value, engine);
    for (T& number : target) {
        number = signed_uniform(engine);
    }
    rl_tools::rl::squared_error(value, target, by_value);
    const auto derivatives = by_value;
    T worst = 0;
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        worst = std::fmax(worst, std::fabs(derivatives.row(0)[sample] - numeric(value.row(0)[sample], [&] {
                                               return rl_tools::rl::squared_error(value, target, by_value);
                                           })));
    }
    report("squared error by value", worst);
}

// `bound`: the log-std bounds, so narrow that some log-stds are clamped.
template <size_t ACTIONS, size_t SAMPLES>
void check_actor_loss(const char* name, T bound) {
    constexpr size_t OBSERVATIONS = 3;
    using Actor = training::Mlp<T, OBSERVATIONS, 2 * ACTIONS, 9, 3, ActivationFunction::TANH>;
    using Critic = training::Mlp<T, OBSERVATIONS + ACTIONS, 1, 10, 3, ActivationFunction::TANH>;
    struct Work {
        Actor actor{};
        Actor gradient{};
        Critic critics[2]{};
        training::Tape<Critic, SAMPLES> tapes[2]{};
        training::Batch<T, OBSERVATIONS, SAMPLES> observation{};
        sac::ActorPass<T, Actor, Critic, OBSERVATIONS, ACTIONS, SAMPLES> pass{};
    };
    const auto work = std::make_unique<Work>();
    auto engine = rl_tools::random::default_engine({}, 11);
    training::initialize(work->actor, engine);
    training::initialize(work->critics[0], engine);
    training::initialize(work->critics[1], engine);
    randomize(work->observation, engine);
    randomize(work->pass.sampled.noise, engine);
    const sac::HeadSettings<T> head{-bound, bound, 1e-6};
    const T alpha = 0.3;
    work->pass.loss_and_gradient(head, alpha, work->actor, work->critics, work->tapes, work->observation,
                                 work->gradient);
    Actor gradient = work->gradient;
    report(name, worst_parameter(work->actor, gradient, [&] {
               return work->pass.loss_and_gradient(head, alpha, work->actor, work->critics, work->tapes,
                                                   work->observation, work->gradient);
           }));
}

void check_td3_actor_loss() {
    constexpr size_t OBSERVATIONS = 3;
    constexpr size_t ACTIONS = 2;
    constexpr size_t SAMPLES = 9;
    using Actor = training::Mlp<T, OBSERVATIONS, ACTIONS, 9, 3, ActivationFunction::TANH, ActivationFunction::TANH>;
    using Critic = training::Mlp<T, OBSERVATIONS + ACTIONS, 1, 10, 3, ActivationFunction::TANH>;
    struct Work {
        Actor actor{};
        Actor gradient{};
        Critic critic{};
        training::Tape<Critic, SAMPLES> tape{};
        training::Batch<T, OBSERVATIONS, SAMPLES> observation{};
        td3::ActorPass<T, Actor, Critic, OBSERVATIONS, ACTIONS, SAMPLES> pass{};
    };
    const auto work = std::make_unique<Work>();
    auto engine = rl_tools::random::default_engine({}, 13);
    training::initialize(work->actor, engine);
    training::initialize(work->critic, engine);
    randomize(work->observation, engine);
    work->pass.loss_and_gradient(work->actor, work->critic, work->tape, work->observation, work->gradient);
    Actor gradient = work->gradient;
    report("td3 actor loss", worst_parameter(work->actor, gradient, [&] {
               return work->pass.loss_and_gradient(work->actor, work->critic, work->tape, work->observation,
                                                   work->gradient);
           }));
}

// The means are far enough from those that collected that samples lie on all sides of both clips, and none on one.
void check_policy_loss() {
    constexpr size_t ACTIONS = 2;
    constexpr size_t SAMPLES = 21;
    ppo::Collected<T, ACTIONS, SAMPLES> collected{};
    training::Batch<T, ACTIONS, SAMPLES> mean{};
    training::Batch<T, ACTIONS, SAMPLES> by_mean{};
    T log_std[ACTIONS] = {-0.4, 0.3};
    T by_log_std[ACTIONS];
    ppo::LossScratch<T, SAMPLES> scratch{};
    const T collecting_log_std[ACTIONS] = {-0.5, 0.2};
    auto engine = rl_tools::random::default_engine({}, 17);
    randomize(collected.mean, engine);
    randomize(collected.action, engine);
    ppo::log_probabilities(collected.mean, collecting_log_std, collected.action, collected.log_probability);
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        collected.advantage[sample] = signed_uniform(engine);
        for (size_t row = 0; row < ACTIONS; row++) {
            mean.row(row)[sample] = collected.mean.row(row)[sample] + 0.4 * signed_uniform(engine);
        }
    }
    const auto loss = [&] {
        training::Batch<T, ACTIONS, SAMPLES> ignored{};
        T also_ignored[ACTIONS];
        return ppo::policy_loss(0.2, 0.05, collected, mean, log_std, ignored, also_ignored, scratch);
    };
    ppo::policy_loss(0.2, 0.05, collected, mean, log_std, by_mean, by_log_std, scratch);
    T worst = 0;
    size_t clipped = 0;
    for (size_t row = 0; row < ACTIONS; row++) {
        worst = std::fmax(worst, std::fabs(by_log_std[row] - numeric(log_std[row], loss)));
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            const T derivative = by_mean.row(row)[sample];
            clipped += derivative == 0 ? 1 : 0;
            worst = std::fmax(worst, std::fabs(derivative - numeric(mean.row(row)[sample], loss)));
        }
    }
    report("policy loss by mean and log-std", clipped > 0 && clipped < ACTIONS * SAMPLES ? worst : 1);
}

void check_alpha() {
    training::Batch<T, 1, 3> log_probability{};
    log_probability.row(0)[0] = -0.3;
    log_probability.row(0)[1] = 1.2;
    log_probability.row(0)[2] = 0.7;
    const T target_entropy = -2;
    T log_alpha = -0.6;
    const T derivative = sac::alpha_gradient(std::exp(log_alpha), target_entropy, log_probability);
    const T difference = numeric(log_alpha, [&] {
        T sum = 0;
        for (size_t sample = 0; sample < 3; sample++) {
            sum -= std::exp(log_alpha) * (log_probability.row(0)[sample] + target_entropy);
        }
        return sum / 3;
    });
    report("temperature loss by log alpha", std::fabs(derivative - difference));
}

}  // namespace

int main(int argument_count, char** arguments) {
    every = argument_count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 1;
    has_fault = argument_count > 2;
    check_mlp<ActivationFunction::IDENTITY, 3, 7, 2, 3, 5>("mlp, identity");
    check_mlp<ActivationFunction::RELU, 3, 7, 2, 3, 5>("mlp, relu");
    check_mlp<ActivationFunction::GELU, 3, 7, 2, 3, 5>("mlp, gelu");
    check_mlp<ActivationFunction::TANH, 3, 7, 2, 3, 5>("mlp, tanh");
    check_mlp<ActivationFunction::FAST_TANH, 3, 7, 2, 3, 5>("mlp, fast tanh");
    check_mlp<ActivationFunction::SIGMOID, 3, 7, 2, 3, 5>("mlp, sigmoid");
    // Tiles of every remainder: more rows and columns than a register tile, and no multiple of one.
    check_mlp<ActivationFunction::TANH, 19, 37, 21, 4, 41>("mlp, wide");
    check_mlp<ActivationFunction::TANH, 16, 32, 16, 3, 64>("mlp, whole tiles");
    check_mlp<ActivationFunction::TANH, 1, 1, 1, 2, 1>("mlp, one of each");
    check_mlp<ActivationFunction::TANH, 2, 3, 1, 4, 17>("mlp, narrow");
    check_mlp<ActivationFunction::RELU, 3, 7, 2, 3, 5, ActivationFunction::TANH>("mlp, tanh at the end");
    check_squared_error<13>();
    check_actor_loss<1, 6>("actor loss, one action", 20);
    check_actor_loss<3, 13>("actor loss, three actions", 20);
    check_actor_loss<2, 9>("actor loss, clamped log-std", 0.1);
    check_td3_actor_loss();
    check_policy_loss();
    check_alpha();
    return failed ? 1 : 0;
}
