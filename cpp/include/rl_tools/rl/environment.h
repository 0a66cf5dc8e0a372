// An environment written in C++, for training: a plain struct called Environment, in a header of its own.
//
//     struct Environment {
//         static constexpr size_t OBSERVATION_DIM = 3;
//         static constexpr size_t ACTION_DIM = 1;
//         void reset(rl_tools::random::Engine& random);
//         void observe(float (&observation)[OBSERVATION_DIM]) const;
//         rl_tools::rl::StepResult step(const float (&action)[ACTION_DIM], rl_tools::random::Engine& random);
//     };
//
// Its members are its whole state, as plain data: a saved run keeps their bytes.
#pragma once

#include <rl_tools/random/random.h>

#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

namespace rl_tools::rl {

// `terminated`: the task ended, nothing follows. `truncated`: only the clock ended.
struct StepResult {
    float reward;
    bool terminated;
    bool truncated;
};

// Several environments of one kind, each with a random engine of its own. The bindings know this page and no sizes.
class Environments {
public:
    Environments() = default;
    Environments(const Environments&) = delete;
    Environments& operator=(const Environments&) = delete;
    virtual ~Environments() = default;

    [[nodiscard]] virtual size_t count() const = 0;
    [[nodiscard]] virtual size_t observation_dim() const = 0;
    [[nodiscard]] virtual size_t action_dim() const = 0;

    virtual void seed(size_t index, uint64_t seed) = 0;
    virtual void reset(size_t index, float* observation) = 0;

    // One action in each; `observations` are where they led, before any reset.
    virtual void step(const float* actions, float* observations, float* rewards, bool* terminated, bool* truncated) = 0;

    // The state of one as bytes, its random engine among them.
    [[nodiscard]] virtual std::vector<char> save(size_t index) const = 0;
    // False: it has another size.
    [[nodiscard]] virtual bool load(size_t index, const char* state, size_t size) = 0;
};

namespace environment {

// Of a type that depends on ENVIRONMENT, so that a missing member is found out and not an error.
template <typename ENVIRONMENT, size_t DIM>
using Observe = decltype(std::declval<const ENVIRONMENT&>().observe(std::declval<float (&)[DIM]>()));
template <typename ENVIRONMENT>
using Reset = decltype(std::declval<ENVIRONMENT&>().reset(std::declval<random::Engine&>()));
template <typename ENVIRONMENT, size_t DIM>
using Step =
    decltype(std::declval<ENVIRONMENT&>().step(std::declval<const float (&)[DIM]>(), std::declval<random::Engine&>()));

template <typename ENVIRONMENT, size_t OBSERVATION_DIM, typename = void>
struct CanObserve : std::false_type {};
template <typename ENVIRONMENT, size_t OBSERVATION_DIM>
struct CanObserve<ENVIRONMENT, OBSERVATION_DIM, std::void_t<Observe<ENVIRONMENT, OBSERVATION_DIM>>> : std::true_type {};
template <typename ENVIRONMENT, typename = void>
struct CanReset : std::false_type {};
template <typename ENVIRONMENT>
struct CanReset<ENVIRONMENT, std::void_t<Reset<ENVIRONMENT>>> : std::true_type {};
template <typename ENVIRONMENT, size_t ACTION_DIM, typename = void>
struct CanStep : std::false_type {};
template <typename ENVIRONMENT, size_t ACTION_DIM>
struct CanStep<ENVIRONMENT, ACTION_DIM, std::void_t<Step<ENVIRONMENT, ACTION_DIM>>>
    : std::is_same<Step<ENVIRONMENT, ACTION_DIM>, StepResult> {};

// What is wrong with an environment, one sentence at a time.
template <typename ENVIRONMENT, size_t OBSERVATION_DIM, size_t ACTION_DIM>
constexpr bool is_checked() {
    static_assert(ENVIRONMENT::OBSERVATION_DIM == OBSERVATION_DIM,
                  "rl_tools: observation_dim is not Environment::OBSERVATION_DIM");
    static_assert(ENVIRONMENT::ACTION_DIM == ACTION_DIM, "rl_tools: action_dim is not Environment::ACTION_DIM");
    static_assert(std::is_trivially_copyable_v<ENVIRONMENT>,
                  "rl_tools: Environment must be plain data (trivially copyable): a saved run keeps its bytes");
    static_assert(CanReset<ENVIRONMENT>::value, "rl_tools: Environment needs void reset(rl_tools::random::Engine&)");
    static_assert(CanObserve<ENVIRONMENT, ENVIRONMENT::OBSERVATION_DIM>::value,
                  "rl_tools: Environment needs void observe(float (&observation)[OBSERVATION_DIM]) const");
    static_assert(CanStep<ENVIRONMENT, ENVIRONMENT::ACTION_DIM>::value,
                  "rl_tools: Environment needs rl_tools::rl::StepResult step(const float (&action)[ACTION_DIM], "
                  "rl_tools::random::Engine&)");
    // False only beside a sentence from above: what cannot work is not compiled, so the sentence stays alone.
    return CanReset<ENVIRONMENT>::value && CanObserve<ENVIRONMENT, ENVIRONMENT::OBSERVATION_DIM>::value &&
           CanStep<ENVIRONMENT, ENVIRONMENT::ACTION_DIM>::value && ENVIRONMENT::OBSERVATION_DIM == OBSERVATION_DIM &&
           ENVIRONMENT::ACTION_DIM == ACTION_DIM && std::is_trivially_copyable_v<ENVIRONMENT>;
}

}  // namespace environment

template <typename ENVIRONMENT>
class EnvironmentsOf final : public Environments {
public:
    static constexpr size_t OBSERVATION_DIM = ENVIRONMENT::OBSERVATION_DIM;
    static constexpr size_t ACTION_DIM = ENVIRONMENT::ACTION_DIM;

    explicit EnvironmentsOf(size_t count) : instances_(count) {}

    [[nodiscard]] size_t count() const override { return instances_.size(); }
    [[nodiscard]] size_t observation_dim() const override { return OBSERVATION_DIM; }
    [[nodiscard]] size_t action_dim() const override { return ACTION_DIM; }

    void seed(size_t index, uint64_t seed) override {
        instances_[index].random = random::default_engine(devices::random::Generic{}, seed);
    }

    void reset(size_t index, float* observation) override {
        Instance& instance = instances_[index];
        instance.environment.reset(instance.random);
        observe(instance, observation);
    }

    void step(const float* actions, float* observations, float* rewards, bool* terminated, bool* truncated) override {
        for (size_t i = 0; i < instances_.size(); i++) {
            memcpy(action_, actions + i * ACTION_DIM, sizeof action_);
            const StepResult result = instances_[i].environment.step(action_, instances_[i].random);
            observe(instances_[i], observations + i * OBSERVATION_DIM);
            rewards[i] = result.reward;
            terminated[i] = result.terminated;
            truncated[i] = result.truncated;
        }
    }

    [[nodiscard]] std::vector<char> save(size_t index) const override {
        std::vector<char> state(sizeof(Instance));
        memcpy(state.data(), &instances_[index], sizeof(Instance));
        return state;
    }

    [[nodiscard]] bool load(size_t index, const char* state, size_t size) override {
        if (size != sizeof(Instance)) {
            return false;
        }
        memcpy(&instances_[index], state, size);
        return true;
    }

private:
    struct Instance {
        ENVIRONMENT environment{};
        random::Engine random{};
    };

    void observe(const Instance& instance, float* observation) {
        instance.environment.observe(observation_);
        memcpy(observation, observation_, sizeof observation_);
    }

    std::vector<Instance> instances_;
    // What an environment reads and writes: arrays by their type, not on the stack, which is too small for wide ones.
    float action_[ACTION_DIM]{};
    float observation_[OBSERVATION_DIM]{};
};

// With the sizes that the mapping in Python names.
template <typename ENVIRONMENT, size_t OBSERVATION_DIM, size_t ACTION_DIM>
std::unique_ptr<Environments> environments_of(size_t count) {
    if constexpr (environment::is_checked<ENVIRONMENT, OBSERVATION_DIM, ACTION_DIM>()) {
        return std::make_unique<EnvironmentsOf<ENVIRONMENT>>(count);
    } else {
        return nullptr;
    }
}

// Null where the environments are Python's.
std::unique_ptr<Environments> make_environments(size_t count);

}  // namespace rl_tools::rl
