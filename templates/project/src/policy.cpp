// The policy's code and numbers, where the board's file wants them: in flash, or in faster memory (placement.h).
#include "rlt_embed/policy.h"

#include <cstring>

#include "rlt_embed/placement.h"

#if defined(RLT_WRAPPED_FLOATS)
#include "rlt_embed/wrapped_floats.h"
#endif

namespace {

using InFlash = rl_tools::embed::InFlash<Policy::Device, Policy::Checkpoint>;

// Not const: initialised data, which start-up code copies from flash. Nothing of it is left if it is not used.
[[maybe_unused]] PLACE_WEIGHTS InFlash::MODEL placed_numbers = InFlash::module();

struct InSection {
    using MODEL = InFlash::MODEL;
    static const MODEL& module() { return placed_numbers; }
};

// A memory that the linker script does not know.
struct AtAddress {
    using MODEL = InFlash::MODEL;
    static void* address() { return reinterpret_cast<void*>(place::weights_origin); }
    static const MODEL& module() { return *static_cast<const MODEL*>(address()); }
};

static_assert(place::weights != place::Weights::at_address || sizeof(InFlash::MODEL) <= place::weights_bytes,
              "the policy's numbers do not fit the memory of placement.weights_origin in the board's file");
static_assert(std::is_trivially_copyable_v<InFlash::MODEL>, "the numbers are copied byte by byte");

using Numbers =
    std::conditional_t<place::weights == place::Weights::in_flash, InFlash,
                       std::conditional_t<place::weights == place::Weights::in_section, InSection, AtAddress>>;
using Placed = rl_tools::embed::Policy<Policy::Device, Policy::Checkpoint, Numbers>;

// A template, so that nothing is copied to address 0 even in the compiler's eyes where there is no such memory.
template <typename NUMBERS>
void load_numbers() {
    if constexpr (std::is_same_v<NUMBERS, AtAddress>) {
        std::memcpy(NUMBERS::address(), &InFlash::module(), sizeof(typename NUMBERS::MODEL));
    }
}

}  // namespace

void Policy::load() { load_numbers<Numbers>(); }

PLACE_CODE void Policy::evaluate(const float* observation, float* action) { Placed::evaluate(observation, action); }

void Policy::reset() { Placed::reset(); }

PLACE_CODE void Policy::step(const float* observation, float* action) { Placed::step(observation, action); }

void Policy::to_actuators(const float* action, float* actuators) { Placed::to_actuators(action, actuators); }

std::uint32_t Policy::trace(std::uint32_t layer, const float* observation, float* output) {
    return Placed::trace(layer, observation, output);
}

void Policy::digest(std::uint8_t out[32], void (*pause)()) { Placed::digest(out, pause); }

std::uint32_t Policy::self_test(std::uint32_t& examples) { return Placed::self_test(examples); }

std::uint32_t Policy::arithmetic_faults() { return Placed::arithmetic_faults(); }

std::uint8_t Policy::float_mode() { return Placed::float_mode(); }
