// Corrupts a million frames and gives them to the receiver, with the sanitizers watching. What comes out must be one of
// the two frames that went in, byte for byte, or nothing. After each corrupted stretch one intact frame must get
// through.
//
//     fuzz_receiver COUNT SEED    exit code 0: held; 1: a wrong frame was accepted; 2: an intact frame was lost
//
// Compiled with FUZZ_BELIEVES_EVERYTHING the receiver checks no CRC: that program must exit with 1.
#include <rl_tools/embed/frame.h>

#include <stdio.h>
#include <stdlib.h>

#include <random>
#include <vector>

namespace {

using namespace rl_tools::embed;
using Bytes = std::vector<uint8_t>;

constexpr size_t capacity = 320;

struct BelievesEverything {
    static bool holds(const uint8_t*, size_t, uint32_t) { return true; }
};

#ifdef FUZZ_BELIEVES_EVERYTHING
using Receiver = FrameReceiver<capacity, BelievesEverything>;
#else
using Receiver = FrameReceiver<capacity>;
#endif

struct Frame {
    uint8_t type = 0;
    uint16_t sequence = 0;
    Bytes payload;

    bool operator==(const Frame& other) const {
        return type == other.type && sequence == other.sequence && payload == other.payload;
    }
};

class Random {
public:
    explicit Random(uint64_t seed) : engine_(seed) {}
    size_t below(size_t bound) { return static_cast<size_t>(engine_() % bound); }
    uint8_t byte() { return static_cast<uint8_t>(engine_()); }

private:
    std::mt19937_64 engine_;
};

// Half of the payloads are mostly zeros: those have the most COBS blocks. One in eight has runs of more than 254 bytes.
Frame random_frame(Random& random) {
    Frame frame;
    frame.type = random.byte();
    frame.sequence = static_cast<uint16_t>(random.below(65536));
    const size_t longest = random.below(8) == 0 ? capacity - frame_overhead : 40;
    frame.payload.resize(random.below(longest + 1));
    const bool sparse = random.below(2) == 0;
    for (uint8_t& byte : frame.payload) {
        byte = sparse && random.below(4) != 0 ? uint8_t{0} : random.byte();
    }
    return frame;
}

Bytes encode(const Frame& frame) {
    static FrameSender<capacity> sender;
    sender.begin(frame.type, frame.sequence);
    sender.put_bytes(frame.payload.data(), frame.payload.size());
    if (!sender.end()) {
        abort();
    }
    return Bytes(sender.encoded(), sender.encoded() + sender.encoded_size());
}

ptrdiff_t at(size_t index) { return static_cast<ptrdiff_t>(index); }

void mutate(Bytes& stream, const Bytes& other, Random& random) {
    if (stream.empty()) {
        stream.push_back(random.byte());
        return;
    }
    const size_t place = random.below(stream.size());
    switch (random.below(8)) {
        case 0:
            stream[place] = static_cast<uint8_t>(stream[place] ^ (1U << random.below(8)));
            break;
        case 1:
            stream[place] = random.byte();
            break;
        case 2:
            stream.erase(stream.begin() + at(place));
            break;
        case 3:
            stream.insert(stream.begin() + at(place), random.below(3) == 0 ? uint8_t{0} : random.byte());
            break;
        case 4:
            stream.resize(place);
            break;
        case 5: {  // a stretch arrives twice
            const Bytes copy(stream.begin() + at(place),
                             stream.begin() + at(place + random.below(stream.size() - place) + 1));
            stream.insert(stream.begin() + at(place), copy.begin(), copy.end());
            break;
        }
        case 6:
            std::swap(stream[place], stream[random.below(stream.size())]);
            break;
        case 7: {  // the begin of one frame, the end of another
            const size_t cut = random.below(other.size());
            stream.resize(place);
            stream.insert(stream.end(), other.begin() + at(cut), other.end());
            break;
        }
    }
}

Frame received(const Receiver& receiver) {
    return {receiver.type(), receiver.sequence(),
            Bytes(receiver.payload(), receiver.payload() + receiver.payload_size())};
}

}  // namespace

int main(int argument_count, char** arguments) {
    const unsigned long count = argument_count > 1 ? strtoul(arguments[1], nullptr, 10) : 1000000;
    Random random(argument_count > 2 ? strtoull(arguments[2], nullptr, 10) : 1);
    static Receiver receiver;
    unsigned long corrupted = 0, survived = 0;
    while (corrupted < count) {
        const Frame one = random_frame(random), two = random_frame(random);
        const Bytes intact = encode(one), other = encode(two);
        Bytes stream = intact;
        for (size_t i = random.below(3) + 1; i != 0; --i) {
            mutate(stream, other, random);
        }
        if (stream == intact) {
            continue;
        }
        ++corrupted;
        for (const uint8_t byte : stream) {
            if (receiver.push(byte) != Reception::frame) {
                continue;
            }
            const Frame frame = received(receiver);
            if (!(frame == one) && !(frame == two)) {
                printf("accepted a wrong frame after %lu corrupted ones\n", corrupted);
                return 1;
            }
            ++survived;
        }
        bool through = false;
        for (const uint8_t byte : other) {
            through = receiver.push(byte) == Reception::frame ? received(receiver) == two : through;
        }
        if (!through) {
            printf("lost an intact frame after %lu corrupted ones\n", corrupted);
            return 2;
        }
    }
    printf("corrupted=%lu survived=%lu rejected=%lu overlong=%lu\n", corrupted, survived,
           static_cast<unsigned long>(receiver.rejected()), static_cast<unsigned long>(receiver.overlong()));
    return 0;
}
