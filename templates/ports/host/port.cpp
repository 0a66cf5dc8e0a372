// The firmware as a process of this computer: a TCP port of 127.0.0.1 in place of the serial port, one client at a
// time.
//
//     firmware.elf 5557      waits for its first client before it starts, as QEMU does with wait=on
#include "../../port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int none = -1;
// A reset keeps the line open, as on a board: the process that takes over finds both sockets in these variables.
constexpr char listener_variable[] = "RLT_HOST_LISTENER";
constexpr char client_variable[] = "RLT_HOST_CLIENT";

char** arguments;
int listener = none;
int client = none;
std::uint8_t received[4096];
std::size_t received_begin = 0;
std::size_t received_end = 0;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

int listen_on(std::uint16_t tcp_port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(tcp_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd, 1) != 0) {
        fail("cannot listen on the TCP port");
    }
    return fd;
}

void wait_for(int fd, short events) {
    pollfd waiting{fd, events, 0};
    while (poll(&waiting, 1, -1) < 0 && errno == EINTR) {
    }
}

void accept_client() {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) {
        return;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    client = fd;
}

void drop_client() {
    close(client);
    client = none;
    received_begin = received_end = 0;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// Takes what has arrived, without waiting.
void receive() {
    const ssize_t size = recv(client, received, sizeof received, 0);
    if (size > 0) {
        received_begin = 0;
        received_end = static_cast<std::size_t>(size);
    } else if (size == 0 || !would_block()) {
        drop_client();
    }
}

// A socket that the process before the reset left open.
int inherited(const char* variable) {
    const char* value = std::getenv(variable);
    if (value == nullptr) {
        return none;
    }
    const int fd = std::atoi(value);
    unsetenv(variable);
    return fcntl(fd, F_GETFD) < 0 ? none : fd;
}

void hand_over(const char* variable, int fd) {
    char text[16];
    std::snprintf(text, sizeof text, "%d", fd);
    if (fd != none) {
        setenv(variable, text, 1);
    }
}

std::uint64_t nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000000000U + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

namespace port {

void init() {
    // A client that leaves while we write is noticed by the write.
    std::signal(SIGPIPE, SIG_IGN);
    listener = inherited(listener_variable);
    client = inherited(client_variable);
    if (listener == none) {
        const long tcp_port = arguments[1] == nullptr ? 0 : std::strtol(arguments[1], nullptr, 10);
        if (tcp_port < 1 || tcp_port > 65535) {
            std::fprintf(stderr, "usage: %s <TCP port of 127.0.0.1>\n", arguments[0]);
            std::exit(2);
        }
        listener = listen_on(static_cast<std::uint16_t>(tcp_port));
    }
    while (client == none) {
        accept_client();
    }
}

int read() {
    if (received_begin == received_end && client != none) {
        receive();
    }
    return received_begin == received_end ? -1 : received[received_begin++];
}

// Without a client there is nobody to wait for: the bytes are gone.
std::size_t write_some(const std::uint8_t* data, std::size_t size) {
    if (client == none) {
        return size;
    }
    const ssize_t sent = send(client, data, size, 0);
    if (sent < 0 && !would_block()) {
        drop_client();
    }
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

std::uint32_t cycles() { return static_cast<std::uint32_t>(nanoseconds()); }

std::uint32_t cycles_hz() { return 1000000000U; }

std::uint32_t micros() { return static_cast<std::uint32_t>(nanoseconds() / 1000U); }

void idle() {
    if (received_begin != received_end) {
        return;
    }
    if (client == none) {
        wait_for(listener, POLLIN);
        accept_client();
    } else {
        wait_for(client, POLLIN);
    }
}

void feed_watchdog() {}

void reset() {
    hand_over(listener_variable, listener);
    hand_over(client_variable, client);
    // The very program that runs, even when a build has put another one in its place meanwhile.
    execv("/proc/self/exe", arguments);
    execv(arguments[0], arguments);
    fail("cannot start again");
}

const std::uint32_t* stack_begin() { return nullptr; }
const std::uint32_t* stack_end() { return nullptr; }

}  // namespace port

int main(int, char** argv) {
    arguments = argv;
    port::init();
    firmware_setup();
    for (;;) {
        firmware_loop();
    }
}
