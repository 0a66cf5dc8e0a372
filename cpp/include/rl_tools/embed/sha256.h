// SHA-256 (FIPS 180-4), fed in pieces of any size; the message schedule is a ring of 16 words instead of 64.
//
//     Sha256 sha;  sha.update(bytes, size);  uint8_t digest[32];  sha.finish(digest);
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

class Sha256 {
public:
    static constexpr size_t digest_size = 32;

    void update(const void* data, size_t size) {
        const uint8_t* const bytes = static_cast<const uint8_t*>(data);
        for (size_t i = 0; i < size; ++i) {
            push(bytes[i]);
        }
        message_bytes_ += size;
    }

    // Writes 32 bytes. Afterwards the object is spent: start anew with `sha = Sha256{}`.
    void finish(uint8_t* digest) {
        const uint64_t message_bits = message_bytes_ * 8U;
        push(0x80U);
        while (filled_ != block_size - 8) {
            push(0);
        }
        for (int shift = 56; shift >= 0; shift -= 8) {
            push(static_cast<uint8_t>(message_bits >> shift));
        }
        for (size_t i = 0; i < digest_size; ++i) {
            digest[i] = static_cast<uint8_t>(state_[i / 4] >> (24U - 8U * (i % 4)));
        }
    }

private:
    static constexpr size_t block_size = 64;

    // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
    static constexpr uint32_t round_constants[64] = {
        0x428A2F98U, 0x71374491U, 0xB5C0FBCFU, 0xE9B5DBA5U, 0x3956C25BU, 0x59F111F1U, 0x923F82A4U, 0xAB1C5ED5U,
        0xD807AA98U, 0x12835B01U, 0x243185BEU, 0x550C7DC3U, 0x72BE5D74U, 0x80DEB1FEU, 0x9BDC06A7U, 0xC19BF174U,
        0xE49B69C1U, 0xEFBE4786U, 0x0FC19DC6U, 0x240CA1CCU, 0x2DE92C6FU, 0x4A7484AAU, 0x5CB0A9DCU, 0x76F988DAU,
        0x983E5152U, 0xA831C66DU, 0xB00327C8U, 0xBF597FC7U, 0xC6E00BF3U, 0xD5A79147U, 0x06CA6351U, 0x14292967U,
        0x27B70A85U, 0x2E1B2138U, 0x4D2C6DFCU, 0x53380D13U, 0x650A7354U, 0x766A0ABBU, 0x81C2C92EU, 0x92722C85U,
        0xA2BFE8A1U, 0xA81A664BU, 0xC24B8B70U, 0xC76C51A3U, 0xD192E819U, 0xD6990624U, 0xF40E3585U, 0x106AA070U,
        0x19A4C116U, 0x1E376C08U, 0x2748774CU, 0x34B0BCB5U, 0x391C0CB3U, 0x4ED8AA4AU, 0x5B9CCA4FU, 0x682E6FF3U,
        0x748F82EEU, 0x78A5636FU, 0x84C87814U, 0x8CC70208U, 0x90BEFFFAU, 0xA4506CEBU, 0xBEF9A3F7U, 0xC67178F2U,
    };

    [[nodiscard]] static constexpr uint32_t rotate(uint32_t value, unsigned bits) {
        return (value >> bits) | (value << (32U - bits));
    }

    void push(uint8_t byte) {
        uint32_t& word = schedule_[filled_ / 4];
        word = (word << 8U) | byte;
        ++filled_;
        if (filled_ == block_size) {
            compress();
            filled_ = 0;
        }
    }

    [[nodiscard]] uint32_t extend_schedule(size_t round) {
        const uint32_t two_ago = schedule_[(round + 14) % 16];
        const uint32_t fifteen_ago = schedule_[(round + 1) % 16];
        const uint32_t late = rotate(two_ago, 17) ^ rotate(two_ago, 19) ^ (two_ago >> 10U);
        const uint32_t early = rotate(fifteen_ago, 7) ^ rotate(fifteen_ago, 18) ^ (fifteen_ago >> 3U);
        schedule_[round % 16] += early + schedule_[(round + 9) % 16] + late;
        return schedule_[round % 16];
    }

    // The letters are those of FIPS 180-4, section 6.2.2.
    void compress() {
        uint32_t a = state_[0], b = state_[1], c = state_[2], d = state_[3];
        uint32_t e = state_[4], f = state_[5], g = state_[6], h = state_[7];
        for (size_t round = 0; round < 64; ++round) {
            const uint32_t word = round < 16 ? schedule_[round] : extend_schedule(round);
            const uint32_t choice = (e & f) ^ (~e & g);
            const uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
            const uint32_t t1 =
                h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + round_constants[round] + word;
            const uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + t2;
        }
        state_[0] += a;
        state_[1] += b;
        state_[2] += c;
        state_[3] += d;
        state_[4] += e;
        state_[5] += f;
        state_[6] += g;
        state_[7] += h;
    }

    uint32_t state_[8] = {0x6A09E667U, 0xBB67AE85U, 0x3C6EF372U, 0xA54FF53AU,
                          0x510E527FU, 0x9B05688CU, 0x1F83D9ABU, 0x5BE0CD19U};
    uint32_t schedule_[16] = {};
    size_t filled_ = 0;
    uint64_t message_bytes_ = 0;
};

}  // namespace rl_tools::embed
