// A trainer for a while on an environment of its own, saved and restored on the way: for the sanitizers.
// TRAINER names the translation unit that defines make_trainer; stdin has "NAME value" for each number of its settings.
#include TRAINER

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace {

using rl_tools::rl::StateVisitor;
using Arrays = std::map<std::string, std::vector<char>>;

class Writer final : public StateVisitor {
public:
    explicit Writer(Arrays& arrays) : arrays_(arrays) {}
    void array(const std::string& name, char format, void* items, size_t count) override {
        const char* const begin = static_cast<const char*>(items);
        arrays_[name].assign(begin, begin + count * rl_tools::rl::item_size(format));
    }
    [[nodiscard]] size_t count(const std::string&, char, size_t count) override { return count; }

private:
    Arrays& arrays_;
};

class Reader final : public StateVisitor {
public:
    explicit Reader(const Arrays& arrays) : arrays_(arrays) {}
    void array(const std::string& name, char format, void* items, size_t count) override {
        const std::vector<char>& found = arrays_.at(name);
        if (found.size() != count * rl_tools::rl::item_size(format)) {
            throw std::invalid_argument(name);
        }
        memcpy(items, found.data(), found.size());
    }
    [[nodiscard]] size_t count(const std::string& name, char format, size_t) override {
        return arrays_.at(name).size() / rl_tools::rl::item_size(format);
    }

private:
    const Arrays& arrays_;
};

// Heap buffers of exactly the needed sizes: a read or write beyond one is found.
struct Run {
    rl_tools::rl::Trainer& trainer;
    std::vector<float> observations = std::vector<float>(trainer.environments() * trainer.observation_dim(), 0.5F);
    std::vector<float> actions = std::vector<float>(trainer.environments() * trainer.action_dim());
    std::vector<float> rewards = std::vector<float>(trainer.environments());

    bool steps(size_t count) {
        const size_t environments = trainer.environments();
        const std::unique_ptr<bool[]> terminated(new bool[environments]);
        const std::unique_ptr<bool[]> truncated(new bool[environments]);
        for (size_t step = 0; step < count; step++) {
            trainer.explore(observations.data(), actions.data());
            for (size_t i = 0; i < observations.size(); i++) {
                observations[i] = std::sin(observations[i] + actions[i % actions.size()]);
            }
            for (size_t i = 0; i < environments; i++) {
                rewards[i] = -observations[i] * observations[i];
                terminated[i] = step % 11 == 10;
                truncated[i] = step % 7 == 6;
            }
            if (!trainer.observe(rewards.data(), observations.data(), terminated.get(), truncated.get())) {
                return false;
            }
        }
        return true;
    }
};

}  // namespace

int main() {
    rl_tools::rl::Settings settings;
    settings.seed = 3;
    std::string name;
    double value = 0;
    while (std::cin >> name >> value) {
        settings.numbers[name] = value;
    }
    settings.action_low.assign(8, -2.0F);
    settings.action_high.assign(8, 3.0F);
    constexpr size_t STEPS = 48;  // a multiple of PPO's steps between two trainings

    const auto first = rl_tools::rl::make_trainer(settings);
    Run run{*first};
    if (!run.steps(STEPS)) {
        return EXIT_FAILURE;
    }
    Arrays saved;
    Writer writer(saved);
    first->visit_state(writer);
    const auto second = rl_tools::rl::make_trainer(settings);
    Reader reader(saved);
    second->visit_state(reader);
    Run resumed{*second};
    resumed.observations = run.observations;
    if (!run.steps(STEPS) || !resumed.steps(STEPS)) {
        return EXIT_FAILURE;
    }
    std::vector<float> action(first->action_dim());
    std::vector<float> again(action.size());
    first->act(run.observations.data(), action.data());
    second->act(resumed.observations.data(), again.data());
    std::printf("%s %zu\n", action == again ? "same" : "different", first->numbers("actor").size());
    return action == again ? EXIT_SUCCESS : EXIT_FAILURE;
}
