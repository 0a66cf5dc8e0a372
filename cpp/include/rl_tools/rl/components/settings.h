// The options of a training as its trainer gets them.
#pragma once

#include <rl_tools/rl_tools.h>

#include <map>
#include <string>
#include <vector>

namespace rl_tools::rl {

// What may change without compiling: the numbers by their option's name, and the environment's action bounds.
struct Settings {
    uint64_t seed = 0;
    std::map<std::string, double> numbers;
    std::vector<float> action_low;
    std::vector<float> action_high;

    // Throw where no option has this name.
    [[nodiscard]] RL_TOOLS_COLD float number(const char* name) const { return static_cast<float>(numbers.at(name)); }
    [[nodiscard]] RL_TOOLS_COLD size_t count(const char* name) const { return static_cast<size_t>(numbers.at(name)); }
    [[nodiscard]] bool flag(const char* name) const { return count(name) != 0; }
};

}  // namespace rl_tools::rl
