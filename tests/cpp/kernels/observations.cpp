// 10,000 observations through the three policies of relu.h, tanh.h and gru.h, in both arithmetic modes, on the device
// tag TAG. Writes a line for each policy and mode: the SHA-256 of the actions of every 1,000 observations.
// tests/kernels/observations.py makes the same observations.
#include "semihosting.h"

#include <rl_tools/devices/arm.h>
#include <rl_tools/devices/cpu.h>
#include <rl_tools/devices/esp32.h>
#include <rl_tools/devices/riscv.h>
#include <rl_tools/embed/policy.h>
#include <rl_tools/embed/sha256.h>
#include <rl_tools/math/bits.h>
#include <rl_tools/nn/layers/gru/operations_generic.h>
#include <rl_tools/nn/layers/standardize/operations_generic.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>

// Each checkpoint is `namespace policy`; everything it includes has been included above.
#define policy relu_policy
#include "relu.h"
#undef policy
#define policy tanh_policy
#include "tanh.h"
#undef policy
#define policy gru_policy
#include "gru.h"
#undef policy

namespace {

constexpr uint32_t OBSERVATIONS = 10000;
constexpr uint32_t BLOCK = 1000;

struct Generator {
    uint32_t state = 0x12345678;

    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }

    // A multiple of 2^-21 in [-4, 4).
    float typical() { return static_cast<float>(static_cast<int32_t>(next()) >> 8) * 0x1p-21F; }

    // In half of the cases a typical number, else by one in eight: a zero, subnormal, from 2^-120 up to 2^-24, or from
    // 2^4 up to 2^100; all with either sign.
    float special() {
        const uint32_t kind = next() % 8;
        if (kind >= 4) {
            return typical();
        }
        const uint32_t bits = next();
        const uint32_t sign_and_mantissa = bits & 0x807FFFFFU;
        const uint32_t exponents[] = {0, 0, 7 + (bits >> 23) % 96, 131 + (bits >> 23) % 96};
        const uint32_t mantissa_mask = kind == 0 ? rl_tools::math::SIGN_BIT : 0xFFFFFFFFU;
        return rl_tools::math::float_of((sign_and_mantissa & mantissa_mask) | (exponents[kind] << 23));
    }
};

void write_digest(rl_tools::embed::Sha256& sha) {
    uint8_t digest[rl_tools::embed::Sha256::digest_size];
    sha.finish(digest);
    for (const uint8_t byte : digest) {
        const char text[] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 0xF], '\0'};
        semihosting::write(text);
    }
    sha = rl_tools::embed::Sha256{};
}

// Every fourth observation is of special numbers. A recurrent policy takes them as one episode.
template <typename DEVICE, typename CHECKPOINT>
void write_digests() {
    using Policy = rl_tools::embed::Policy<DEVICE, CHECKPOINT>;
    Generator generator;
    rl_tools::embed::Sha256 sha;
    Policy::reset();
    for (uint32_t i = 0; i < OBSERVATIONS; i++) {
        float observation[Policy::observation_dim];
        float action[Policy::action_dim];
        for (float& number : observation) {
            number = i % 4 == 3 ? generator.special() : generator.typical();
        }
        Policy::step(observation, action);
        sha.update(action, sizeof action);
        if ((i + 1) % BLOCK == 0) {
            write_digest(sha);
            semihosting::write(i + 1 == OBSERVATIONS ? "\n" : " ");
        }
    }
}

template <typename DEVICE>
void write_policies() {
    write_digests<DEVICE, relu_policy::Checkpoint>();
    write_digests<DEVICE, tanh_policy::Checkpoint>();
    write_digests<DEVICE, gru_policy::Checkpoint>();
}

}  // namespace

int main() {
    write_policies<rl_tools::devices::TAG<rl_tools::arithmetic::Separate>>();
    write_policies<rl_tools::devices::TAG<rl_tools::arithmetic::Fused>>();
    return 0;
}
