/* Unix sockets, TCP and UDP over loopback. */
#include "conformance.h"
#include <sys/resource.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, path);
    return address;
}

#define ADDRESS(a) (struct sockaddr *)&(a), sizeof(a)

/* A listening TCP socket; its port. */
static int listen_tcp(uint16_t *port)
{
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    OK(bind(fd, ADDRESS(address)));
    OK(listen(fd, 5));
    OK(getsockname(fd, (struct sockaddr *)&address, &length));
    *port = ntohs(address.sin_port);
    CHECK(*port != 0);
    return fd;
}

static void tcp_pair(int fds[2])
{
    uint16_t port;
    int listener = listen_tcp(&port);
    struct sockaddr_in address = loopback(port);
    fds[0] = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect(fds[0], ADDRESS(address)));
    fds[1] = OK(accept(listener, NULL, NULL));
    close(listener);
}

static short poll_one(int fd, short events, int timeout)
{
    struct pollfd poller = { .fd = fd, .events = events };
    OK(poll(&poller, 1, timeout));
    return poller.revents;
}

CASE(a_stream_pair_carries_bytes_both_ways)
{
    int fds[2];
    char text[16] = "";
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_EQ(write(fds[0], "ping", 4), 4);
    CHECK_EQ(read(fds[1], text, 16), 4);
    CHECK_STR(text, "ping");
    CHECK_EQ(send(fds[1], "pong!", 5, 0), 5);
    CHECK_EQ(recv(fds[0], text, 2, 0), 2);
    CHECK_EQ(recv(fds[0], text + 2, 14, 0), 3);
    CHECK_STR(text, "pong!");
    close(fds[0]);
    CHECK_EQ(read(fds[1], text, 16), 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
}

CASE(datagram_and_seqpacket_pairs_keep_boundaries)
{
    static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
    for (size_t i = 0; i < 2; i++) {
        int fds[2];
        char text[16];
        OK(socketpair(AF_UNIX, types[i], 0, fds));
        CHECK_EQ(write(fds[0], "first", 5), 5);
        CHECK_EQ(write(fds[0], "second", 6), 6);
        CHECK_EQ(read(fds[1], text, 3), 3);
        CHECK_EQ(read(fds[1], text, 16), 6);
        CHECK(memcmp(text, "second", 6) == 0);
    }
}

CASE(socket_errors)
{
    int fds[2];
    CHECK_ERRNO(socket(250, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(AF_UNIX, 77, 0), EINVAL);
    CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, fds), EOPNOTSUPP);
    write_file("f", "");
    int file = OK(open("f", O_RDWR));
    CHECK_ERRNO(send(file, "x", 1, 0), ENOTSOCK);
    CHECK_ERRNO(listen(file, 1), ENOTSOCK);
    CHECK_ERRNO(listen(499, 1), EBADF);
    int udp = OK(socket(AF_INET, SOCK_DGRAM, 0));
    CHECK_ERRNO(listen(udp, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(udp, NULL, NULL), EOPNOTSUPP);
}

CASE(socket_flags)
{
    int fd = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    struct stat status;
    OK(fstat(fd, &status));
    CHECK(S_ISSOCK(status.st_mode));
}

CASE(unix_stream_server)
{
    struct sockaddr_un address = unix_address("sock"), peer;
    int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(listener, ADDRESS(address)));
    struct stat status;
    OK(stat("sock", &status));
    CHECK(S_ISSOCK(status.st_mode));
    OK(listen(listener, 3));
    pid_t pid;
    CHILD(pid) {
        int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
        OK(connect(fd, ADDRESS(address)));
        CHECK_EQ(write(fd, "hello", 5), 5);
        char text[8] = "";
        CHECK_EQ(read(fd, text, 8), 2);
        CHECK_STR(text, "ok");
    }
    socklen_t length = sizeof peer;
    int fd = OK(accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC));
    CHECK_EQ(length, sizeof(sa_family_t));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    char text[8] = "";
    CHECK_EQ(read(fd, text, 8), 5);
    CHECK_EQ(write(fd, "ok", 2), 2);
    CHECK_EQ(wait_for(pid), 0);
    length = sizeof peer;
    OK(getsockname(listener, (struct sockaddr *)&peer, &length));
    CHECK_STR(peer.sun_path, "sock");
}

CASE(unix_bind_and_connect_errors)
{
    struct sockaddr_un address = unix_address("sock"), missing = unix_address("missing");
    int one = OK(socket(AF_UNIX, SOCK_STREAM, 0)), two = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(one, ADDRESS(address)));
    CHECK_ERRNO(bind(two, ADDRESS(address)), EADDRINUSE);
    CHECK_ERRNO(bind(one, ADDRESS(missing)), EINVAL);
    CHECK_ERRNO(connect(two, ADDRESS(missing)), ENOENT);
    CHECK_ERRNO(connect(two, ADDRESS(address)), ECONNREFUSED);
    write_file("plain", "");
    struct sockaddr_un plain = unix_address("plain");
    CHECK_ERRNO(connect(two, ADDRESS(plain)), ECONNREFUSED);
    int datagram = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    CHECK_ERRNO(connect(datagram, ADDRESS(address)), EPROTOTYPE);
    CHECK_ERRNO(write(two, "x", 1), ENOTCONN);
    CHECK_ERRNO(getpeername(two, (struct sockaddr *)&address, &(socklen_t) { sizeof address }), ENOTCONN);
}

CASE(unix_abstract_names)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int length = snprintf(address.sun_path + 1, 60, "conformance-%d", getpid());
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0)), client = OK(socket(AF_UNIX, SOCK_STREAM, 0)), second = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(listener, (struct sockaddr *)&address, size));
    CHECK_ERRNO(bind(second, (struct sockaddr *)&address, size), EADDRINUSE);
    OK(listen(listener, 1));
    OK(connect(client, (struct sockaddr *)&address, size));
    close(OK(accept(listener, NULL, NULL)));
    close(listener);
    OK(bind(second, (struct sockaddr *)&address, size));
}

CASE(unix_datagrams_with_addresses)
{
    struct sockaddr_un a = unix_address("a"), b = unix_address("b"), from;
    int one = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), two = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    OK(bind(one, ADDRESS(a)));
    OK(bind(two, ADDRESS(b)));
    CHECK_EQ(sendto(one, "to b", 4, 0, ADDRESS(b)), 4);
    char text[16] = "";
    socklen_t length = sizeof from;
    CHECK_EQ(recvfrom(two, text, 16, 0, (struct sockaddr *)&from, &length), 4);
    CHECK_STR(from.sun_path, "a");
    CHECK_STR(text, "to b");
    OK(connect(two, ADDRESS(a)));
    CHECK_EQ(send(two, "back", 4, 0), 4);
    CHECK_EQ(recv(one, text, 16, 0), 4);
    OK(unlink("a"));
    close(one);
    CHECK_ERRNO(send(two, "x", 1, 0), ECONNREFUSED);
}

CASE(descriptors_travel_over_unix_sockets)
{
    int fds[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    write_file("f", "passed on");
    pid_t pid;
    CHILD(pid) {
        int file = OK(open("f", O_RDONLY));
        char byte = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec part = { &byte, 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &file, sizeof file);
        CHECK_EQ(sendmsg(fds[0], &message, 0), 1);
    }
    CHECK_EQ(wait_for(pid), 0);
    char byte, control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    CHECK_EQ(recvmsg(fds[1], &message, MSG_CMSG_CLOEXEC), 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header != NULL && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)));
    int file;
    memcpy(&file, CMSG_DATA(header), sizeof file);
    CHECK_EQ(fcntl(file, F_GETFD), FD_CLOEXEC);
    char text[16] = "";
    CHECK_EQ(read(file, text, 15), 9);
    CHECK_STR(text, "passed on");
}

CASE(credentials_travel_over_unix_sockets)
{
    int fds[2], on = 1;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    struct ucred peer;
    socklen_t length = sizeof peer;
    OK(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    CHECK_EQ(peer.pid, getpid());
    CHECK_EQ(peer.uid, geteuid());
    OK(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    CHECK_EQ(write(fds[0], "x", 1), 1);
    char byte, control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    CHECK_EQ(recvmsg(fds[1], &message, 0), 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header != NULL && header->cmsg_type == SCM_CREDENTIALS);
    memcpy(&peer, CMSG_DATA(header), sizeof peer);
    CHECK_EQ(peer.pid, getpid());
}

CASE(msg_peek_dontwait_waitall_trunc)
{
    int fds[2];
    char text[16] = "";
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_ERRNO(recv(fds[0], text, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(write(fds[1], "abc", 3), 3);
    CHECK_EQ(recv(fds[0], text, 16, MSG_PEEK), 3);
    CHECK_EQ(recv(fds[0], text, 16, 0), 3);
    pid_t pid;
    CHILD(pid) { CHECK_EQ(write(fds[1], "12", 2), 2); sleep_ms(20); CHECK_EQ(write(fds[1], "345", 3), 3); }
    CHECK_EQ(recv(fds[0], text, 5, MSG_WAITALL), 5);
    CHECK(memcmp(text, "12345", 5) == 0);
    CHECK_EQ(wait_for(pid), 0);
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    CHECK_EQ(send(fds[0], "0123456789", 10, 0), 10);
    struct iovec part = { text, 4 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    CHECK_EQ(recvmsg(fds[1], &message, MSG_TRUNC), 10);
    CHECK_EQ(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
}

CASE(shutdown_of_one_direction)
{
    int fds[2];
    char byte;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    OK(shutdown(fds[0], SHUT_WR));
    CHECK_EQ(read(fds[1], &byte, 1), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERRNO(shutdown(fds[0], 9), EINVAL);
    CHECK_EQ(poll_one(fds[1], POLLIN | POLLRDHUP, 0), POLLIN | POLLRDHUP);
}

CASE(unix_readiness)
{
    int fds[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
    CHECK_EQ(poll_one(fds[0], POLLIN | POLLOUT, 0), POLLOUT);
    static char block[65536];
    while (write(fds[0], block, sizeof block) > 0) { }
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(poll_one(fds[0], POLLOUT, 0), 0);
    CHECK_EQ(poll_one(fds[1], POLLIN, 0), POLLIN);
    close(fds[1]);
    CHECK_EQ(poll_one(fds[0], POLLIN, 0) & POLLHUP, POLLHUP);
}

CASE(tcp_echo)
{
    uint16_t port;
    int listener = listen_tcp(&port);
    pid_t pid;
    CHILD(pid) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        int fd = OK(accept(listener, (struct sockaddr *)&peer, &length));
        CHECK_EQ(peer.sin_family, AF_INET);
        CHECK_EQ(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
        char text[100];
        ssize_t got;
        while ((got = OK(read(fd, text, sizeof text))) > 0) CHECK_EQ(write(fd, text, (size_t)got), got);
    }
    struct sockaddr_in address = loopback(port), name;
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect(fd, ADDRESS(address)));
    socklen_t length = sizeof name;
    OK(getpeername(fd, (struct sockaddr *)&name, &length));
    CHECK_EQ(ntohs(name.sin_port), port);
    CHECK_EQ(write(fd, "over tcp", 8), 8);
    char text[16] = "";
    CHECK_EQ(recv(fd, text, 8, MSG_WAITALL), 8);
    CHECK_STR(text, "over tcp");
    OK(shutdown(fd, SHUT_WR));
    CHECK_EQ(read(fd, text, 16), 0);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(tcp_carries_megabytes)
{
    int fds[2];
    enum { total = 4 << 20 };
    tcp_pair(fds);
    pid_t pid;
    CHILD(pid) {
        close(fds[1]);
        static unsigned char block[50000];
        for (int at = 0; at < total;) {
            int part = total - at < (int)sizeof block ? total - at : (int)sizeof block;
            for (int i = 0; i < part; i++) block[i] = (unsigned char)((at + i) * 13 >> 2);
            for (int sent = 0; sent < part;) sent += (int)OK(write(fds[0], block + sent, (size_t)(part - sent)));
            at += part;
        }
    }
    close(fds[0]);
    static unsigned char block[70000];
    int at = 0;
    ssize_t got;
    while ((got = OK(read(fds[1], block, sizeof block))) > 0)
        for (ssize_t i = 0; i < got; i++, at++) if (block[i] != (unsigned char)(at * 13 >> 2)) FAIL("byte %d is wrong", at);
    CHECK_EQ(at, total);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(tcp_connect_to_a_closed_port_is_refused)
{
    uint16_t port;
    close(listen_tcp(&port));
    struct sockaddr_in address = loopback(port);
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    CHECK_ERRNO(connect(fd, ADDRESS(address)), ECONNREFUSED);
}

CASE(tcp_nonblocking_connect)
{
    uint16_t port;
    int listener = listen_tcp(&port), error = -1;
    struct sockaddr_in address = loopback(port);
    int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    int code = connect(fd, ADDRESS(address));
    CHECK(code == 0 || errno == EINPROGRESS);
    CHECK_EQ(poll_one(fd, POLLOUT, 5000), POLLOUT);
    socklen_t length = sizeof error;
    OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
    CHECK_EQ(error, 0);
    /* The first call after EINPROGRESS tells of the success; the next that it was told. */
    connect(fd, ADDRESS(address));
    CHECK_ERRNO(connect(fd, ADDRESS(address)), EISCONN);
    close(OK(accept(listener, NULL, NULL)));
    fcntl(listener, F_SETFL, O_NONBLOCK);
    CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
}

CASE(tcp_listener_is_readable_when_somebody_waits)
{
    uint16_t port;
    int listener = listen_tcp(&port);
    CHECK_EQ(poll_one(listener, POLLIN, 0), 0);
    struct sockaddr_in address = loopback(port);
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect(fd, ADDRESS(address)));
    CHECK_EQ(poll_one(listener, POLLIN, 5000), POLLIN);
    close(OK(accept(listener, NULL, NULL)));
    CHECK_EQ(poll_one(listener, POLLIN, 0), 0);
}

CASE(tcp_address_in_use)
{
    uint16_t port;
    int listener = listen_tcp(&port), other = OK(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in address = loopback(port);
    CHECK_ERRNO(bind(other, ADDRESS(address)), EADDRINUSE);
    CHECK_ERRNO(bind(listener, ADDRESS(address)), EINVAL);
    struct sockaddr_in strange = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01020304) };
    CHECK_ERRNO(bind(other, ADDRESS(strange)), EADDRNOTAVAIL);
    CHECK_ERRNO(bind(other, (struct sockaddr *)&address, 3), EINVAL);
}

CASE(tcp_write_after_the_peer_has_gone)
{
    int fds[2];
    signal(SIGPIPE, SIG_IGN);
    tcp_pair(fds);
    close(fds[1]);
    sleep_ms(10);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    ssize_t code = 0;
    for (int i = 0; i < 100 && code >= 0; i++) { code = write(fds[0], "x", 1); sleep_ms(1); }
    CHECK(code < 0 && (errno == EPIPE || errno == ECONNRESET));
}

CASE(tcp_options)
{
    int fds[2], value = 1;
    socklen_t length = sizeof value;
    tcp_pair(fds);
    OK(setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &value, sizeof value));
    value = 0;
    OK(getsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &value, &length));
    CHECK(value != 0);
    OK(setsockopt(fds[0], SOL_SOCKET, SO_KEEPALIVE, &(int) { 1 }, sizeof(int)));
    OK(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &value, &length));
    CHECK_EQ(value, SOCK_STREAM);
    OK(getsockopt(fds[0], SOL_SOCKET, SO_DOMAIN, &value, &length));
    CHECK_EQ(value, AF_INET);
    CHECK_ERRNO(getsockopt(fds[0], SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(fds[0], SOL_SOCKET, SO_KEEPALIVE, &value, 1), EINVAL);
    OK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int) { 100000 }, sizeof(int)));
    OK(getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &value, &length));
    CHECK(value >= 100000);
}

CASE(receive_timeout)
{
    int fds[2];
    char byte;
    struct timeval time = { 0, 30000 };
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    int64_t before = now_ms();
    CHECK_ERRNO(recv(fds[0], &byte, 1, 0), EAGAIN);
    CHECK(now_ms() - before >= 28);
}

CASE(udp_datagrams)
{
    struct sockaddr_in a = loopback(0), b = loopback(0), from;
    socklen_t length = sizeof a;
    int one = OK(socket(AF_INET, SOCK_DGRAM, 0)), two = OK(socket(AF_INET, SOCK_DGRAM, 0));
    OK(bind(one, ADDRESS(a)));
    OK(bind(two, ADDRESS(b)));
    OK(getsockname(one, (struct sockaddr *)&a, &length));
    OK(getsockname(two, (struct sockaddr *)&b, &length));
    CHECK_EQ(sendto(one, "first", 5, 0, ADDRESS(b)), 5);
    CHECK_EQ(sendto(one, "", 0, 0, ADDRESS(b)), 0);
    CHECK_EQ(sendto(one, "third", 5, 0, ADDRESS(b)), 5);
    char text[16] = "";
    length = sizeof from;
    CHECK_EQ(recvfrom(two, text, 16, 0, (struct sockaddr *)&from, &length), 5);
    CHECK_EQ(from.sin_port, a.sin_port);
    CHECK_EQ(recv(two, text, 16, 0), 0);
    CHECK_EQ(recv(two, text, 2, MSG_TRUNC), 5);
    CHECK_ERRNO(recv(two, text, 16, MSG_DONTWAIT), EAGAIN);
    OK(connect(two, ADDRESS(a)));
    CHECK_EQ(send(two, "x", 1, 0), 1);
    CHECK_EQ(recv(one, text, 16, 0), 1);
    CHECK_ERRNO(send(one, "x", 1, 0), EDESTADDRREQ);
}

CASE(sendmmsg_and_recvmmsg)
{
    int fds[2];
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    struct iovec parts[3] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } };
    struct mmsghdr messages[3] = { 0 };
    for (int i = 0; i < 3; i++) messages[i].msg_hdr = (struct msghdr) { .msg_iov = &parts[i], .msg_iovlen = 1 };
    CHECK_EQ(sendmmsg(fds[0], messages, 3, 0), 3);
    char text[3][8] = { "" };
    for (int i = 0; i < 3; i++) parts[i] = (struct iovec) { text[i], 8 };
    CHECK_EQ(recvmmsg(fds[1], messages, 3, MSG_DONTWAIT, NULL), 3);
    for (int i = 0; i < 3; i++) CHECK_EQ(messages[i].msg_len, i + 1);
    CHECK_STR(text[2], "ccc");
}

CASE(ipv6_loopback)
{
    int listener = socket(AF_INET6, SOCK_STREAM, 0);
    if (listener < 0 && errno == EAFNOSUPPORT) SKIP("no IPv6");
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t length = sizeof address;
    if (bind(listener, ADDRESS(address)) != 0 && errno == EADDRNOTAVAIL) SKIP("no IPv6 loopback");
    OK(listen(listener, 1));
    OK(getsockname(listener, (struct sockaddr *)&address, &length));
    int fd = OK(socket(AF_INET6, SOCK_STREAM, 0));
    OK(connect(fd, ADDRESS(address)));
    int peer = OK(accept(listener, NULL, NULL));
    CHECK_EQ(write(fd, "six", 3), 3);
    char text[8] = "";
    CHECK_EQ(read(peer, text, 8), 3);
    CHECK_STR(text, "six");
}

static void *accept_and_close(void *argument)
{
    for (int i = 0; i < 30; i++) {
        int fd = accept(*(int *)argument, NULL, NULL);
        if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0) return (void *)1;
    }
    return NULL;
}

CASE(many_connections)
{
    uint16_t port;
    int listener = listen_tcp(&port);
    struct sockaddr_in address = loopback(port);
    pthread_t thread;
    CHECK_CODE(pthread_create(&thread, NULL, accept_and_close, &listener), 0);
    for (int i = 0; i < 30; i++) {
        int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
        char text[2];
        OK(connect(fd, ADDRESS(address)));
        CHECK_EQ(read(fd, text, 2), 1);
        CHECK_EQ(read(fd, text, 2), 0);
        close(fd);
    }
    void *result;
    CHECK_CODE(pthread_join(thread, &result), 0);
    CHECK(result == NULL);
}

CASE(fionread_of_a_socket)
{
    int fds[2], available = -1;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_EQ(write(fds[0], "12345", 5), 5);
    OK(ioctl(fds[1], FIONREAD, &available));
    CHECK_EQ(available, 5);
    CHECK_ERRNO(lseek(fds[0], 0, SEEK_SET), ESPIPE);
}

CASE(getaddrinfo_of_numbers)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *result;
    CHECK_EQ(getaddrinfo("127.0.0.1", "80", &hints, &result), 0);
    CHECK_EQ(((struct sockaddr_in *)result->ai_addr)->sin_port, htons(80));
    freeaddrinfo(result);
}

CASE(localhost_is_known)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *result;
    CHECK_EQ(getaddrinfo("localhost", NULL, &hints, &result), 0);
    CHECK_EQ(ntohl(((struct sockaddr_in *)result->ai_addr)->sin_addr.s_addr), INADDR_LOOPBACK);
}

static int pass_fd(int through, int fd)
{
    char byte = 'x', control[CMSG_SPACE(sizeof(int))];
    memset(control, 0, sizeof control);
    struct iovec vector = { &byte, 1 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return (int)sendmsg(through, &message, 0);
}

static bool pipe_ends_within(int fd, int milliseconds)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    return poll(&poller, 1, milliseconds) == 1 && (poller.revents & POLLHUP) != 0;
}

CASE(sockets_that_are_only_in_their_own_messages_are_collected)
{
    int pair[2], pipe_ends[2];
    OK(pipe(pipe_ends));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    /* Both ends wait in messages to each other, and with them the pipe. */
    CHECK_EQ(pass_fd(pair[0], pair[0]), 1);
    CHECK_EQ(pass_fd(pair[1], pair[1]), 1);
    CHECK_EQ(pass_fd(pair[0], pipe_ends[1]), 1);
    close(pipe_ends[1]);
    CHECK(!pipe_ends_within(pipe_ends[0], 0));
    close(pair[0]);
    close(pair[1]);
    /* Something else may have to be closed for it to be seen. */
    for (int i = 0; i < 50 && !pipe_ends_within(pipe_ends[0], 20); i++) {
        OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
        close(pair[0]);
        close(pair[1]);
    }
    CHECK(pipe_ends_within(pipe_ends[0], 100));
}

CASE(sockets_in_messages_that_can_be_received_stay)
{
    int outer[2], inner[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, outer));
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, inner));
    CHECK_EQ(pass_fd(inner[0], inner[0]), 1);
    CHECK_EQ(pass_fd(outer[0], inner[1]), 1);
    CHECK_EQ(pass_fd(outer[0], inner[0]), 1);
    close(inner[0]);
    close(inner[1]);
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = { &byte, 1 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    CHECK_EQ(recvmsg(outer[1], &message, 0), 1);
    int received;
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
    message.msg_controllen = sizeof control;
    CHECK_EQ(recvmsg(received, &message, 0), 1);
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
    CHECK_EQ(write(received, "y", 1), 1);
}

CASE(a_long_chain_of_sockets_in_messages_is_closed)
{
    int last = -1, pair[2];
    struct rlimit limit;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    for (int i = 0; i < 6000; i++) {
        OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
        if (last >= 0) {
            if (pass_fd(pair[1], last) != 1) {
                close(pair[0]);
                close(pair[1]);
                break;
            }
            close(last);
        }
        last = pair[0];
        close(pair[1]);
    }
    close(last);
}

static volatile int urgent_signals;
static void on_urgent(int number) { (void)number; urgent_signals++; }

static int at_mark(int fd)
{
    int value;
    OK(ioctl(fd, SIOCATMARK, &value));
    return value;
}

static short events_of(int fd, short wanted, int milliseconds)
{
    struct pollfd item = { .fd = fd, .events = wanted };
    /* A signal that the test is waiting for may come first. */
    while (poll(&item, 1, milliseconds) < 0) CHECK_EQ(errno, EINTR);
    return item.revents;
}

CASE(tcp_urgent_byte_is_received_out_of_band)
{
    int fds[2];
    char bytes[16];
    tcp_pair(fds);
    signal(SIGURG, on_urgent);
    OK(fcntl(fds[1], F_SETOWN, getpid()));
    CHECK_ERRNO(recv(fds[1], bytes, 1, MSG_OOB), EINVAL);
    CHECK_EQ(send(fds[0], "abc", 3, MSG_OOB), 3);
    CHECK_EQ(events_of(fds[1], POLLIN | POLLPRI, 5000) & POLLPRI, POLLPRI);
    CHECK_EQ(urgent_signals, 1);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, MSG_OOB | MSG_PEEK), 1);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, MSG_OOB), 1);
    CHECK_EQ(bytes[0], 'c');
    CHECK_ERRNO(recv(fds[1], bytes, 1, MSG_OOB), EINVAL);
    CHECK_EQ(events_of(fds[1], POLLPRI, 0), 0);
    CHECK_EQ(at_mark(fds[1]), 0);
    int waiting;
    OK(ioctl(fds[1], FIONREAD, &waiting));
    CHECK_EQ(waiting, 2);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, 0), 2);
    CHECK_EQ(memcmp(bytes, "ab", 2), 0);
    CHECK_EQ(at_mark(fds[1]), 1);
    /* The urgent byte alone is not readable. */
    CHECK_EQ(events_of(fds[1], POLLIN, 0), 0);
    CHECK_ERRNO(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), EAGAIN);
}

CASE(tcp_reads_stop_at_the_urgent_byte_and_pass_over_it)
{
    int fds[2];
    char bytes[16];
    tcp_pair(fds);
    CHECK_EQ(send(fds[0], "abX", 3, MSG_OOB), 3);
    CHECK_EQ(send(fds[0], "cd", 2, 0), 2);
    CHECK_EQ(events_of(fds[1], POLLIN, 5000), POLLIN);
    sleep_ms(20);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, MSG_PEEK), 2);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, 0), 2);
    CHECK_EQ(at_mark(fds[1]), 1);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, 0), 2);
    CHECK_EQ(memcmp(bytes, "cd", 2), 0);
    CHECK_EQ(at_mark(fds[1]), 0);
    CHECK_ERRNO(recv(fds[1], bytes, 1, MSG_OOB), EINVAL);
}

CASE(tcp_urgent_byte_inline)
{
    int fds[2], on = 1;
    char bytes[16];
    tcp_pair(fds);
    OK(setsockopt(fds[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
    CHECK_EQ(send(fds[0], "abX", 3, MSG_OOB), 3);
    CHECK_EQ(send(fds[0], "cd", 2, 0), 2);
    CHECK_EQ(events_of(fds[1], POLLPRI, 5000), POLLPRI);
    sleep_ms(20);
    CHECK_ERRNO(recv(fds[1], bytes, 1, MSG_OOB), EINVAL);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, 0), 2);
    CHECK_EQ(at_mark(fds[1]), 1);
    CHECK_EQ(recv(fds[1], bytes, sizeof bytes, 0), 3);
    CHECK_EQ(memcmp(bytes, "Xcd", 3), 0);
    CHECK_EQ(at_mark(fds[1]), 0);
    CHECK_EQ(events_of(fds[1], POLLPRI, 0), 0);
}

CASE(tcp_select_reports_urgent_data_as_an_exception)
{
    int fds[2];
    tcp_pair(fds);
    CHECK_EQ(send(fds[0], "x", 1, MSG_OOB), 1);
    fd_set exceptions;
    FD_ZERO(&exceptions);
    FD_SET(fds[1], &exceptions);
    struct timeval time = { 5, 0 };
    CHECK_EQ(select(fds[1] + 1, NULL, NULL, &exceptions, &time), 1);
    CHECK(FD_ISSET(fds[1], &exceptions));
}

/* Receives a datagram; the data of the ancillary message of this kind, or NULL. */
static void *receive_control(int fd, int level, int type)
{
    static char control[256];
    char bytes[64];
    struct iovec vector = { bytes, sizeof bytes };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    CHECK_EQ(recvmsg(fd, &message, 0), 1);
    CHECK_EQ(message.msg_flags, 0);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == level && header->cmsg_type == type) return CMSG_DATA(header);
    return NULL;
}

CASE(udp_tells_what_the_header_said)
{
    int receiver = OK(socket(AF_INET, SOCK_DGRAM, 0)), sender = OK(socket(AF_INET, SOCK_DGRAM, 0)), on = 1, hops = 33, kind = 0x10;
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    OK(bind(receiver, ADDRESS(address)));
    OK(getsockname(receiver, (struct sockaddr *)&address, &length));
    CHECK_EQ(sendto(sender, "x", 1, 0, ADDRESS(address)), 1);
    CHECK(receive_control(receiver, IPPROTO_IP, IP_PKTINFO) == NULL);
    OK(setsockopt(receiver, IPPROTO_IP, IP_PKTINFO, &on, sizeof on));
    OK(setsockopt(receiver, IPPROTO_IP, IP_RECVTTL, &on, sizeof on));
    OK(setsockopt(receiver, IPPROTO_IP, IP_RECVTOS, &on, sizeof on));
    CHECK_EQ(sendto(sender, "x", 1, 0, ADDRESS(address)), 1);
    struct in_pktinfo *info = receive_control(receiver, IPPROTO_IP, IP_PKTINFO);
    CHECK(info != NULL);
    CHECK_EQ(info->ipi_ifindex, 1);
    CHECK_EQ(ntohl(info->ipi_addr.s_addr), INADDR_LOOPBACK);
    OK(setsockopt(sender, IPPROTO_IP, IP_TTL, &hops, sizeof hops));
    CHECK_EQ(sendto(sender, "x", 1, 0, ADDRESS(address)), 1);
    CHECK_EQ(*(int *)receive_control(receiver, IPPROTO_IP, IP_TTL), 33);
    OK(setsockopt(sender, IPPROTO_IP, IP_TOS, &kind, sizeof kind));
    CHECK_EQ(sendto(sender, "x", 1, 0, ADDRESS(address)), 1);
    CHECK_EQ(*(unsigned char *)receive_control(receiver, IPPROTO_IP, IP_TOS), 0x10);
}

CASE(udp6_hop_limit_and_traffic_class_of_one_datagram)
{
    int receiver = OK(socket(AF_INET6, SOCK_DGRAM, 0)), sender = OK(socket(AF_INET6, SOCK_DGRAM, 0)), on = 1;
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    socklen_t length = sizeof address;
    OK(bind(receiver, ADDRESS(address)));
    OK(getsockname(receiver, (struct sockaddr *)&address, &length));
    OK(setsockopt(receiver, IPPROTO_IPV6, 51 /* IPV6_RECVHOPLIMIT */, &on, sizeof on));
    OK(setsockopt(receiver, IPPROTO_IPV6, 66 /* IPV6_RECVTCLASS */, &on, sizeof on));
    OK(setsockopt(receiver, IPPROTO_IPV6, 49 /* IPV6_RECVPKTINFO */, &on, sizeof on));
    CHECK_EQ(sendto(sender, "x", 1, 0, ADDRESS(address)), 1);
    CHECK_EQ(*(int *)receive_control(receiver, IPPROTO_IPV6, 52), 64);
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    char byte = 'x';
    struct iovec vector = { &byte, 1 };
    struct msghdr message = { .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr) { .cmsg_level = IPPROTO_IPV6, .cmsg_type = 52, .cmsg_len = CMSG_LEN(sizeof(int)) };
    *(int *)CMSG_DATA(header) = 9;
    CHECK_EQ(sendmsg(sender, &message, 0), 1);
    CHECK_EQ(*(int *)receive_control(receiver, IPPROTO_IPV6, 52), 9);
    header->cmsg_type = 67;
    *(int *)CMSG_DATA(header) = 0x20;
    CHECK_EQ(sendmsg(sender, &message, 0), 1);
    CHECK_EQ(*(int *)receive_control(receiver, IPPROTO_IPV6, 67), 0x20);
    *(int *)CMSG_DATA(header) = 256;
    CHECK_ERRNO(sendmsg(sender, &message, 0), EINVAL);
    *(int *)CMSG_DATA(header) = 0;
    CHECK_EQ(sendmsg(sender, &message, 0), 1);
    unsigned char *info = receive_control(receiver, IPPROTO_IPV6, 50);
    CHECK(info != NULL);
    CHECK_EQ(info[15], 1);
    CHECK_EQ(*(int *)(info + 16), 1);
}

CASE(udplite_has_ports_of_its_own)
{
    int receiver = socket(AF_INET, SOCK_DGRAM, 136), coverage = 20;
    if (receiver < 0 && errno == EPROTONOSUPPORT) SKIP("no UDP-Lite in this kernel");
    int sender = OK(socket(AF_INET, SOCK_DGRAM, 136)), udp = OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    OK(bind(receiver, ADDRESS(address)));
    OK(getsockname(receiver, (struct sockaddr *)&address, &length));
    OK(bind(udp, ADDRESS(address)));
    OK(setsockopt(sender, 136, 10, &coverage, sizeof coverage));
    length = sizeof coverage;
    coverage = 0;
    OK(getsockopt(sender, 136, 10, &coverage, &length));
    CHECK_EQ(coverage, 20);
    CHECK_EQ(sendto(sender, "x", 1, 0, ADDRESS(address)), 1);
    char byte;
    CHECK_EQ(recv(receiver, &byte, 1, 0), 1);
    CHECK_ERRNO(recv(udp, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

CASE(the_length_of_the_interface_list_needs_no_length)
{
    int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct ifconf list = { .ifc_len = -5, .ifc_buf = NULL };
    OK(ioctl(fd, SIOCGIFCONF, &list));
    CHECK(list.ifc_len > 0);
    CHECK_EQ(list.ifc_len % (int)sizeof(struct ifreq), 0);
    struct ifreq one[64];
    list = (struct ifconf){ .ifc_len = 3, .ifc_req = one };
    OK(ioctl(fd, SIOCGIFCONF, &list));
    CHECK_EQ(list.ifc_len, 0);
    list = (struct ifconf){ .ifc_len = sizeof one, .ifc_req = one };
    OK(ioctl(fd, SIOCGIFCONF, &list));
    bool found = false;
    for (size_t i = 0; i < (size_t)list.ifc_len / sizeof *one; i++) found |= strcmp(one[i].ifr_name, "lo") == 0;
    CHECK(found);
}
