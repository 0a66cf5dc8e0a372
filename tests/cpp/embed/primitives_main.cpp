// Each line of stdin is a command and hexadecimal bytes ("-" for none); each line of stdout is the result in
// hexadecimal. For comparison with zlib, hashlib and the Python side of the protocol.
#include <rl_tools/embed/frame.h>
#include <rl_tools/embed/protocol.h>
#include <rl_tools/embed/sha256.h>
#include <rl_tools/embed/stack.h>

#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace rl_tools::embed;
using Bytes = std::vector<uint8_t>;

Bytes from_hex(const std::string& text) {
    Bytes bytes;
    for (size_t i = 0; text != "-" && i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

std::string to_hex(const Bytes& bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return bytes.empty() ? "-" : text;
}

Bytes big_endian(uint32_t value) {
    Bytes bytes(4);
    for (size_t i = 0; i < 4; ++i) {
        bytes[i] = static_cast<uint8_t>(value >> (24U - 8U * i));
    }
    return bytes;
}

Bytes encoded(const Bytes& data) {
    Bytes out;
    cobs_encode(data.data(), data.size(),
                [&out](const uint8_t* bytes, size_t size) { out.insert(out.end(), bytes, bytes + size); });
    return out.size() <= cobs_bound(data.size()) ? out : Bytes{};
}

Bytes decoded(const Bytes& data) {
    CobsDecoder decoder;
    Bytes out;
    for (const uint8_t byte : data) {
        uint8_t value = 0;
        if (decoder.push(byte, value)) {
            out.push_back(value);
        }
    }
    return decoder.complete() ? out : Bytes{0xDE, 0xAD};
}

// In pieces of 1, 2, 3, ... bytes: the borders must not matter.
Bytes sha256(const Bytes& data) {
    Sha256 sha;
    size_t done = 0;
    for (size_t piece = 1; done < data.size(); ++piece) {
        const size_t size = std::min(piece, data.size() - done);
        sha.update(data.data() + done, size);
        done += size;
    }
    Bytes digest(Sha256::digest_size);
    sha.finish(digest.data());
    return digest;
}

// Every frame that a receiver of 64 bytes finds in a stream, then its counters: type, sequence, size, payload; ...
Bytes received(const Bytes& stream) {
    FrameReceiver<64> receiver;
    Bytes out;
    for (const uint8_t byte : stream) {
        if (receiver.push(byte) == Reception::frame) {
            out.push_back(receiver.type());
            out.push_back(static_cast<uint8_t>(receiver.sequence()));
            out.push_back(static_cast<uint8_t>(receiver.sequence() >> 8U));
            out.push_back(static_cast<uint8_t>(receiver.payload_size()));
            out.insert(out.end(), receiver.payload(), receiver.payload() + receiver.payload_size());
        }
    }
    out.push_back(static_cast<uint8_t>(receiver.accepted()));
    out.push_back(static_cast<uint8_t>(receiver.rejected()));
    out.push_back(static_cast<uint8_t>(receiver.overlong()));
    return out;
}

// A stack of 64 words of which the word with the given number was written last and deepest.
Bytes high_water(const Bytes& deepest) {
    uint32_t stack[64];
    paint_stack(stack, stack + 64);
    if (!deepest.empty()) {
        stack[deepest[0]] = 1;
    }
    return big_endian(static_cast<uint32_t>(stack_high_water_bytes(stack, stack + 64)));
}

Bytes run(const std::string& command, const Bytes& data) {
    if (command == "crc32") {
        return big_endian(crc32(data.data(), data.size()));
    }
    if (command == "cobs_encode") {
        return encoded(data);
    }
    if (command == "cobs_decode") {
        return decoded(data);
    }
    if (command == "sha256") {
        return sha256(data);
    }
    if (command == "receive") {
        return received(data);
    }
    if (command == "high_water") {
        return high_water(data);
    }
    if (command == "layout") {
        return Bytes(layout, layout + sizeof layout - 1);
    }
    if (command == "layout_hash") {
        return big_endian(layout_hash);
    }
    if (command == "protocol_version") {
        return big_endian(protocol_version);
    }
    std::cerr << "no such command: " << command << '\n';
    exit(2);
}

}  // namespace

int main() {
    std::string command, data;
    while (std::cin >> command >> data) {
        std::cout << to_hex(run(command, from_hex(data))) << '\n';
    }
    return 0;
}
