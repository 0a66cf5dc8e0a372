// A checkpoint as the server (rl_tools/embed/server.h) wants a policy: static functions, sizes as constants.
// CHECKPOINT is the `policy::Checkpoint` of a checkpoint.h; DEVICE chooses the kernels and the arithmetic mode.
// The compiler puts the weights into the layout of the device's kernels; they are in flash once, in that layout.
// Every kind of layer is included, so that a project's checkpoint.h can be replaced by another policy's.
#pragma once

#include <rl_tools/embed/actuators.h>
#include <rl_tools/embed/arithmetic_check.h>
#include <rl_tools/embed/digest.h>
#include <rl_tools/math/float_mode.h>
#include <rl_tools/nn/layers/dense/operations_arm/opt.h>
#include <rl_tools/nn/layers/gru/operations_generic.h>
#include <rl_tools/nn/layers/rescale/operations_generic.h>
#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn/layers/standardize/operations_generic.h>
#include <rl_tools/nn/layers/td3_sampling/operations_generic.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/mlp_unconditional_stddev/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>

#include <cstring>
#include <type_traits>

namespace rl_tools::embed {

// The checkpoint's numbers in the layout of the device's kernels. Not a reference to the checkpoint's module: a use of
// that at run time would keep its arrays in flash as well.
// Static, so each translation unit has its own, as of the checkpoint's arrays that it points to. Were it one for the
// whole program, GCC would throw away the arrays of all translation units but one, and they would not link.
template <typename DEVICE, typename CHECKPOINT>
static constexpr auto numbers_in_flash = in_layout(typename DEVICE::LAYOUT{}, CHECKPOINT::module());

template <typename DEVICE, typename CHECKPOINT>
struct InFlash {
    static_assert(devices::is_device<DEVICE>,
                  "rl_tools: the device is a tag of rl_tools::devices, such as devices::DefaultARM");
    using MODEL = std::remove_const_t<decltype(numbers_in_flash<DEVICE, CHECKPOINT>)>;
    static constexpr const MODEL& module() { return numbers_in_flash<DEVICE, CHECKPOINT>; }
};

// NUMBERS says where the numbers are: `MODEL` and a static `const MODEL& module()`. Faster memory than flash is one
// that holds a copy of `InFlash<DEVICE, CHECKPOINT>::module()`.
template <typename DEVICE, typename CHECKPOINT, typename NUMBERS = InFlash<DEVICE, CHECKPOINT>>
class Policy {
public:
    using MODEL = typename NUMBERS::MODEL;
    static constexpr uint32_t observation_dim = MODEL::INPUT_DIM;
    static constexpr uint32_t action_dim = MODEL::OUTPUT_DIM;
    static constexpr uint32_t layer_count = nn::Primitives<MODEL>::COUNT;
    static constexpr uint32_t widest_layer = nn::Primitives<MODEL>::WIDEST;
    static constexpr uint32_t state_dim = MODEL::STATE_DIM;  // 0: the policy remembers nothing

    // The bounds that the environment gave; the largest float where it gave none.
    static constexpr const float* observation_low() { return CHECKPOINT::observation_low(); }
    static constexpr const float* observation_high() { return CHECKPOINT::observation_high(); }
    static constexpr const float* action_low() { return CHECKPOINT::action_low(); }
    static constexpr const float* action_high() { return CHECKPOINT::action_high(); }
    static constexpr const float* actuator_low() { return ActuatorBounds<CHECKPOINT>::low(); }
    static constexpr const float* actuator_high() { return ActuatorBounds<CHECKPOINT>::high(); }

    // An action of this policy in the environment's own units; see rl_tools/embed/actuators.h.
    static void to_actuators(const float* action, float* actuators) {
        const math::StandardFloatMode mode;
        embed::to_actuators<CHECKPOINT, action_dim>(action, actuators);
    }

    // observation: observation_dim numbers; action: action_dim numbers, within action_low() and action_high().
    // A recurrent policy takes one step from its initial state: the same observation gives the same action. In a
    // control loop call reset() at the beginning of an episode and step() for every observation.
    static void evaluate(const float* observation, float* action) {
        const math::StandardFloatMode mode;
        rl_tools::evaluate(device_, NUMBERS::module(), observation, action, buffer_);
    }

    static void reset() { rl_tools::reset(device_, NUMBERS::module(), state_); }

    // As `evaluate`, with the state that the steps before left behind. Without a state it is `evaluate`.
    // reset() and step() share no variable with the other functions: a task of its own may call these two.
    static void step(const float* observation, float* action) {
        const math::StandardFloatMode mode;
        rl_tools::evaluate_step(device_, NUMBERS::module(), observation, state_, action, step_buffer_);
    }

    // The output of primitive layer `layer` (0 .. layer_count-1). Returns its width; `output` has room for
    // widest_layer.
    static uint32_t trace(uint32_t layer, const float* observation, float* output) {
        const math::StandardFloatMode mode;
        nn_models::sequential::evaluate_prefix(device_, NUMBERS::module(), observation, output, buffer_, layer + 1);
        WidthOf width{layer, 0};
        for_each_primitive(NUMBERS::module(), width);
        return width.result;
    }

    // pause: called now and then while it takes long.
    static void digest(uint8_t out[32], void (*pause)() = nullptr) {
        DigestVisitor visitor{pause};
        for_each_primitive(NUMBERS::module(), visitor);
        visitor.finish(out);
    }

    // Evaluates the checkpoint's own examples, as the steps of one episode, with a state of its own: a running control
    // loop keeps its own. Returns how many have an output bit that differs from the expected one.
    static uint32_t self_test(uint32_t& examples) {
        const math::StandardFloatMode mode;
        const float* observation = CHECKPOINT::example_observations();
        const float* expected = CHECKPOINT::example_actions(DEVICE::ARITHMETIC::CODE);
        examples = CHECKPOINT::EXAMPLE_COUNT;
        uint32_t mismatches = 0;
        typename MODEL::template State<1> state;
        rl_tools::reset(device_, NUMBERS::module(), state);
        for (uint32_t i = 0; i < examples; i++) {
            float action[action_dim];
            rl_tools::evaluate_step(device_, NUMBERS::module(), observation + i * observation_dim, state, action,
                                    buffer_);
            mismatches += memcmp(action, expected + i * action_dim, sizeof action) == 0 ? 0U : 1U;
        }
        return mismatches;
    }

    // Bits of ArithmeticFault: which of the operations that `evaluate` uses give other bits than IEEE 754 says.
    static uint32_t arithmetic_faults() {
        const math::StandardFloatMode mode;
        return embed::arithmetic_faults<DEVICE, nn::Primitives<MODEL>::OPERATIONS>();
    }

    // Bits of math::FloatMode: the mode of the core outside of this policy, which has put it aside while it computes.
    static uint8_t float_mode() { return math::current_float_mode(); }

private:
    struct WidthOf {
        uint32_t layer;
        uint32_t result;
        template <typename LAYER>
        void operator()(const LAYER&) {
            if (layer-- == 0) {
                result = LAYER::OUTPUT_DIM;
            }
        }
        template <typename COMPOSITE>
        void numbers_of(const COMPOSITE&) {}
    };

    static constexpr DEVICE device_{};
    static inline typename MODEL::template Buffer<1> buffer_{};
    static inline typename MODEL::template Buffer<1> step_buffer_{};
    static inline typename MODEL::template State<1> state_{};
};

}  // namespace rl_tools::embed
