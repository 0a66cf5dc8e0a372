// Applies a function to every float32 of stdin: its name is the argument, the results go to stdout.
#include <rl_tools/math/functions.h>

#include <cstdio>
#include <cstring>

namespace {

struct Named {
    const char* name;
    float (*function)(float);
};

constexpr Named functions[] = {
    {"tanh", rl_tools::math::tanh},
    {"exp", rl_tools::math::exp},
    {"log", rl_tools::math::log},
    {"sigmoid", rl_tools::math::sigmoid},
    {"fast_tanh", rl_tools::math::fast_tanh},
    {"gelu", rl_tools::math::gelu},
};

}  // namespace

int main(int argc, char** argv) {
    for (const Named& named : functions) {
        if (argc == 2 && strcmp(argv[1], named.name) == 0) {
            float x;
            while (fread(&x, sizeof x, 1, stdin) == 1) {
                const float y = named.function(x);
                fwrite(&y, sizeof y, 1, stdout);
            }
            return 0;
        }
    }
    return 2;
}
