// Without an argument: every case of arithmetic_check.h, to be computed anew. With one, a mode of MXCSR: what the check
// finds in that mode, without and with StandardFloatMode, what mode it reads, and whether the mode is there afterwards.
#include <rl_tools/devices/cpu.h>
#include <rl_tools/embed/arithmetic_check.h>

#include <cstdio>
#include <cstdlib>

namespace {

using namespace rl_tools;

template <size_t COUNT>
void print(const embed::arithmetic_check::Case (&cases)[COUNT]) {
    for (const auto& each : cases) {
        std::printf("single %u %u %u %u 0 %u\n", static_cast<unsigned>(each.fault),
                    static_cast<unsigned>(each.operation), each.a, each.b, each.expected);
    }
}

template <size_t COUNT>
void print(const char* arithmetic, const embed::arithmetic_check::MultiplyAdd (&cases)[COUNT]) {
    for (const auto& each : cases) {
        std::printf("%s %u 0 %u %u %u %u\n", arithmetic, static_cast<unsigned>(each.fault), each.a, each.b, each.c,
                    each.expected);
    }
}

template <typename ARITHMETIC>
void try_in(math::float_mode::Register mode) {
    using Device = devices::ARM<ARITHMETIC>;  // in panels, as on boards
    const auto before = math::float_mode::read();
    math::float_mode::write(before | mode);
    const uint32_t alone = embed::arithmetic_faults<Device, math::ALL_OPERATIONS>();
    const unsigned read = math::current_float_mode();
    uint32_t guarded = 0;
    {
        const math::StandardFloatMode standard;
        guarded = embed::arithmetic_faults<Device, math::ALL_OPERATIONS>();
    }
    const auto deviations = math::float_mode::DEVIATIONS;
    const bool is_kept = (math::float_mode::read() & deviations) == ((before | mode) & deviations);
    math::float_mode::write(before);
    std::printf("%u %u %u %d\n", alone, guarded, read, is_kept ? 1 : 0);
}

}  // namespace

int main(int count, char** arguments) {
    if (count > 1) {
        const auto mode = static_cast<math::float_mode::Register>(std::strtoul(arguments[1], nullptr, 0));
        try_in<arithmetic::Separate>(mode);
        try_in<arithmetic::Fused>(mode);
        return 0;
    }
    namespace check = embed::arithmetic_check;
    print(check::basic_cases);
    print("separate", check::separate_cases);
    print("fused", check::fused_cases);
    print(check::comparisons);
    print(check::quotients);
    print(check::conversions);
    return 0;
}
