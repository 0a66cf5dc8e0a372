// The firmware as a process of this computer, with its client in a thread: a client that asks and does not read, until
// the socket is full, and then reads all. The firmware's loop goes round meanwhile. For -fsanitize=thread.
//
//     host_main TCP_PORT [race]    stdout: the rounds of the loop while nobody read, and the answers dropped
#include <sys/socket.h>

#include <atomic>

#include FIRMWARE

// The sockets that come of it hold little.
static int listen_with_small_buffers(int fd, int clients) {
    const int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    return listen(fd, clients);
}

#define main host_main
#define listen listen_with_small_buffers
#include PORT_FILE
#undef listen
#undef main

#include <thread>

namespace {

std::atomic<unsigned> rounds{0};
bool races = false;
unsigned raced = 0;  // a seeded fault: both threads write it

using Bytes = std::uint8_t[1024];

template <typename SENDER>
void end(SENDER& sender, Bytes& out, std::size_t& size) {
    if (!sender.end()) {
        std::abort();
    }
    size = sender.encoded_size();
    std::memcpy(out, sender.encoded(), size);
}

struct Client {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    rl_tools::embed::FrameReceiver<1024> receiver{};

    explicit Client(std::uint16_t tcp_port) {
        const int small = 4096;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(tcp_port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        while (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            std::this_thread::yield();
        }
    }

    // Whether all of it went without waiting.
    bool ask(std::uint8_t type, std::uint16_t sequence) {
        rl_tools::embed::FrameSender<64> sender;
        sender.begin(type, sequence);
        if (type == 2) {
            const float observation[2] = {1.0F, 0.5F};
            sender.put(std::uint16_t{1});
            sender.put_floats(observation, 2);
        }
        Bytes bytes;
        std::size_t size = 0;
        end(sender, bytes, size);
        return ::send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(size);
    }

    // Reads to the end of the next answer of this type and sequence.
    const std::uint8_t* answer(std::uint8_t type, std::uint16_t sequence) {
        for (;;) {
            std::uint8_t bytes[4096];
            const ssize_t size = recv(fd, bytes, sizeof bytes, 0);
            if (size <= 0) {
                std::abort();
            }
            for (ssize_t i = 0; i < size; i++) {
                if (receiver.push(bytes[i]) == rl_tools::embed::Reception::frame && receiver.type() == (type | 0x80) &&
                    receiver.sequence() == sequence) {
                    return receiver.payload();
                }
            }
        }
    }
};

// So many more rounds of the loop, or as many as there are in 5 s.
unsigned wait_for_rounds(unsigned more) {
    const unsigned begin = rounds;
    for (int i = 0; i < 5000 && rounds - begin < more; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        raced += races ? 1 : 0;  // again and again: the sockets order the first one, if this thread was slow
    }
    return rounds - begin;
}

void be_client(std::uint16_t tcp_port) {
    Client client(tcp_port);
    if (races) {
        raced++;
    }
    // Their answers are more than both sockets hold: 1.2 MB.
    for (int asked = 0; asked < 2000;) {
        asked += client.ask(2, 1) ? 1 : 0;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    std::printf("rounds %u\n", wait_for_rounds(10000));
    // The part of a request that went is ended by the next one's zero.
    std::thread reader([&client] {
        const std::uint8_t* statistics = client.answer(6, 2);
        std::printf("dropped %u\n", rl_tools::embed::load_little_endian<std::uint32_t>(statistics + 24));
    });
    while (!client.ask(6, 2)) {
        wait_for_rounds(1);
    }
    reader.join();
    std::fflush(stdout);
    std::exit(0);  // with ThreadSanitizer's word in it
}

}  // namespace

void control_setup() {}
bool control_loop() {
    rounds++;
    if (races) {
        raced++;
    }
    return true;
}

int main(int count, char** given) {
    races = count > 2;
    std::thread client(be_client, static_cast<std::uint16_t>(std::atoi(given[1])));
    host_main(2, given);
}
