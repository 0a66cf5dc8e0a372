// All trainers and an environment at the largest sizes that the options allow. It is compiled and never run: the
// compiler warns of a function whose variables need much of the stack, which has 8 MB at most and 512 kB in a thread of
// macOS. What depends on a size belongs to an object on the heap.
#include <rl_tools/rl/algorithms/ppo/trainer.h>
#include <rl_tools/rl/algorithms/sac/trainer.h>
#include <rl_tools/rl/algorithms/td3/trainer.h>
#include <rl_tools/rl/environment.h>

// Python's side, whose functions are not templates: they are there where something refers to them.
#include <rl_tools/bindings/python.h>

namespace {

struct Config {
    static constexpr size_t OBSERVATION_DIM = LARGEST_DIM;
    static constexpr size_t ACTION_DIM = LARGEST_DIM;
    static constexpr size_t BATCH_SIZE = LARGEST_BATCH;
    static constexpr size_t N_ENVIRONMENTS = MOST_ENVIRONMENTS;
    static constexpr size_t ACTOR_HIDDEN_DIM = LARGEST_DIM;
    static constexpr size_t ACTOR_NUM_LAYERS = 3;
    static constexpr size_t CRITIC_HIDDEN_DIM = LARGEST_DIM;
    static constexpr size_t CRITIC_NUM_LAYERS = 3;
    static constexpr auto ACTOR_ACTIVATION_FUNCTION = rl_tools::nn::ActivationFunction::RELU;
    static constexpr auto CRITIC_ACTIVATION_FUNCTION = rl_tools::nn::ActivationFunction::GELU;
    static constexpr bool NORMALIZE_OBSERVATIONS = true;
    static constexpr bool RESCALE = true;
};

struct Environment {
    static constexpr size_t OBSERVATION_DIM = Config::OBSERVATION_DIM;
    static constexpr size_t ACTION_DIM = Config::ACTION_DIM;
    float position;
    void reset(rl_tools::random::Engine&) { position = 0; }
    void observe(float (&observation)[OBSERVATION_DIM]) const { observation[0] = position; }
    rl_tools::rl::StepResult step(const float (&action)[ACTION_DIM], rl_tools::random::Engine&) {
        position += action[0];
        return {position, false, false};
    }
};

}  // namespace

// Every member function of each.
template class rl_tools::rl::sac::Trainer<Config>;
template class rl_tools::rl::td3::Trainer<Config>;
template class rl_tools::rl::ppo::Trainer<Config>;
template class rl_tools::rl::EnvironmentsOf<Environment>;

std::unique_ptr<rl_tools::rl::Trainer> make_each(const rl_tools::rl::Settings& settings, int which) {
    if (which == 0) {
        return std::make_unique<rl_tools::rl::sac::Trainer<Config>>(settings);
    }
    if (which == 1) {
        return std::make_unique<rl_tools::rl::td3::Trainer<Config>>(settings);
    }
    return std::make_unique<rl_tools::rl::ppo::Trainer<Config>>(settings);
}

void use_bindings(PyObject* module) { rl_tools::bindings::define(module); }

// A fault that the test wants to see.
#if defined(SEEDED_FAULT)
void fill(float* numbers);

float sum_of_a_row() {
    float numbers[LARGEST_DIM];
    fill(numbers);
    return numbers[0];
}
#endif
