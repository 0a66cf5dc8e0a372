// The policy's digest, computed from the numbers where they lie: SHA-256 over the structure and every number.
// The byte layout is part of the design (docs/architecture.md, "The digest").
// A kind of layer brings its part as `add_to_digest(layer, digest)` in its own namespace, which a call finds there.
// It calls `digest.tag`, `digest.size`, `digest.number` and `digest.array` in the order of the kind's Python class
// (rltools_embed/policy/layers/).
#pragma once

#include <rl_tools/compiler.h>
#include <rl_tools/embed/sha256.h>
#include <rl_tools/math/functions.h>

#include <type_traits>
#include <utility>

namespace rl_tools::embed {

// Whether `add_to_digest(layer, digest)` is there.
template <typename LAYER, typename DIGEST, typename = void>
inline constexpr bool has_digest = false;
template <typename LAYER, typename DIGEST>
inline constexpr bool has_digest<
    LAYER, DIGEST, std::void_t<decltype(add_to_digest(std::declval<const LAYER&>(), std::declval<DIGEST&>()))>> = true;

// A digest of many numbers takes long on a small core. `pause`, if given, is called after every 64 bytes or so.
class DigestVisitor {
public:
    using Pause = void (*)();

    explicit DigestVisitor(Pause pause = nullptr) : pause_(pause) {}

    template <typename LAYER>
    void operator()(const LAYER& layer) {
        constexpr bool HAS_DIGEST = has_digest<LAYER, DigestVisitor>;
        static_assert(HAS_DIGEST, "rl_tools: a layer brings add_to_digest(layer, digest) beside its type");
        if constexpr (HAS_DIGEST) {
            add_to_digest(layer, *this);
        }
    }

    // A composite's own numbers, after its layers.
    template <typename COMPOSITE>
    void numbers_of(const COMPOSITE& composite) {
        operator()(composite);
    }

    void finish(uint8_t out[32]) { hash_.finish(out); }

    // One byte: the kind's tag, or what else chooses its code.
    void tag(uint8_t value) { add(&value, 1); }

    void size(size_t value) {
        const uint8_t bytes[4] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                                  static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
        add(bytes, sizeof bytes);
    }

    void number(float value) { size(math::bits_of(value)); }

    // Targets are little-endian (rl_tools.h checks), so the numbers are hashed as they lie.
    template <typename ARRAY>
    void array(const ARRAY& numbers) {
        const uint8_t* bytes = reinterpret_cast<const uint8_t*>(numbers.data());
        for (size_t left = ARRAY::size * sizeof(*numbers.data()); left != 0;) {
            const size_t taken = left < pause_bytes ? left : pause_bytes;
            add(bytes, taken);
            bytes += taken;
            left -= taken;
        }
    }

private:
    static constexpr size_t pause_bytes = 64;

    // Not inlined: every kind of number comes by here.
    RL_TOOLS_NOINLINE void add(const uint8_t* bytes, size_t size) {
        hash_.update(bytes, size);
        since_pause_ += size;
        if (since_pause_ >= pause_bytes) {
            since_pause_ = 0;
            if (pause_ != nullptr) {
                pause_();
            }
        }
    }

    Sha256 hash_;
    Pause pause_;
    size_t since_pause_ = 0;
};

}  // namespace rl_tools::embed
