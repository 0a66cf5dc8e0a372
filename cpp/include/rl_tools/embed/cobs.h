// Consistent overhead byte stuffing (Cheshire and Baker, IEEE/ACM Trans. Networking 7(2), 1999): bytes without a zero,
// so that a zero can mark the ends of a frame. One byte more per 254. The encoder writes from the caller's buffer
// straight to a sink; the decoder takes one byte at a time and gives at most one back.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

// A block is a code byte and code - 1 literal bytes; it stands for those bytes and a zero, except that code 255 and the
// last block stand for no zero.
inline constexpr size_t longest_cobs_run = 254;

// The number of bytes that `size` bytes need at most.
[[nodiscard]] constexpr size_t cobs_bound(size_t size) { return size + size / longest_cobs_run + 1; }

// Calls `write(const uint8_t* bytes, size_t size)` for every piece of the encoding; no piece is empty.
template <typename WRITE>
void cobs_encode(const uint8_t* data, size_t size, WRITE&& write) {
    size_t begin = 0;
    while (true) {
        size_t end = begin;
        while (end < size && data[end] != 0 && end - begin < longest_cobs_run) {
            ++end;
        }
        const size_t run = end - begin;
        const uint8_t code = static_cast<uint8_t>(run + 1);
        write(&code, size_t{1});
        if (run != 0) {
            write(data + begin, run);
        }
        if (end == size) {
            return;
        }
        begin = run == longest_cobs_run ? end : end + 1;  // a zero at the very end still needs its empty last block
    }
}

class CobsDecoder {
public:
    // Takes one byte that is not a delimiter. True: `decoded` holds the next byte of the data.
    [[nodiscard]] constexpr bool push(uint8_t encoded, uint8_t& decoded) {
        if (literals_left_ != 0) {
            --literals_left_;
            decoded = encoded;
            return true;
        }
        const bool separated = zero_due_;
        literals_left_ = static_cast<uint8_t>(encoded - 1U);
        zero_due_ = encoded != 255U;
        started_ = true;
        decoded = 0;
        return separated;
    }

    // Since the last reset a byte came.
    [[nodiscard]] constexpr bool started() const { return started_; }

    // No literal byte is missing: the data may end here.
    [[nodiscard]] constexpr bool complete() const { return started_ && literals_left_ == 0; }

    constexpr void reset() { *this = CobsDecoder{}; }

private:
    uint8_t literals_left_ = 0;
    bool zero_due_ = false;
    bool started_ = false;
};

}  // namespace rl_tools::embed
