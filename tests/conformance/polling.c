/* poll, select, epoll, eventfd, timerfd. */
#include "conformance.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void make_pipe(int fds[2]) { OK(pipe(fds)); }

static short poll_one(int fd, short events, int timeout)
{
    struct pollfd poller = { .fd = fd, .events = events };
    OK(poll(&poller, 1, timeout));
    return poller.revents;
}

CASE(poll_of_a_pipe)
{
    int fds[2];
    make_pipe(fds);
    CHECK_EQ(poll_one(fds[0], POLLIN, 0), 0);
    CHECK_EQ(poll_one(fds[1], POLLOUT, 0), POLLOUT);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(poll_one(fds[0], POLLIN | POLLOUT, 0), POLLIN);
    close(fds[1]);
    CHECK_EQ(poll_one(fds[0], POLLIN, 0), POLLIN | POLLHUP);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(poll_one(fds[0], POLLIN, 0), POLLHUP);
    CHECK_EQ(poll_one(fds[0], 0, 0), POLLHUP);
}

CASE(poll_of_a_pipe_without_reader_is_pollerr)
{
    int fds[2];
    make_pipe(fds);
    close(fds[0]);
    CHECK_EQ(poll_one(fds[1], POLLOUT, 0), POLLOUT | POLLERR);
}

CASE(poll_of_a_full_pipe_is_not_writable)
{
    int fds[2];
    static char block[65536];
    make_pipe(fds);
    CHECK_EQ(write(fds[1], block, sizeof block), 65536);
    CHECK_EQ(poll_one(fds[1], POLLOUT, 0), 0);
    CHECK_EQ(read(fds[0], block, 4096), 4096);
    CHECK_EQ(poll_one(fds[1], POLLOUT, 0), POLLOUT);
}

CASE(poll_of_a_closed_descriptor_is_pollnval)
{
    CHECK_EQ(poll_one(499, POLLIN, 0), POLLNVAL);
    struct pollfd ignored = { .fd = -1, .events = POLLIN, .revents = 7 };
    CHECK_EQ(poll(&ignored, 1, 0), 0);
    CHECK_EQ(ignored.revents, 0);
}

CASE(poll_of_a_regular_file_is_always_ready)
{
    write_file("f", "");
    int fd = OK(open("f", O_RDWR));
    CHECK_EQ(poll_one(fd, POLLIN | POLLOUT, -1), POLLIN | POLLOUT);
}

CASE(poll_waits_and_times_out)
{
    int fds[2];
    make_pipe(fds);
    int64_t before = now_ms();
    CHECK_EQ(poll_one(fds[0], POLLIN, 30), 0);
    CHECK(now_ms() - before >= 29);
    pid_t pid;
    CHILD(pid) { sleep_ms(20); CHECK_EQ(write(fds[1], "x", 1), 1); }
    CHECK_EQ(poll_one(fds[0], POLLIN, 5000), POLLIN);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(poll_of_many)
{
    enum { count = 50 };
    int fds[count][2];
    struct pollfd pollers[count];
    for (int i = 0; i < count; i++) {
        make_pipe(fds[i]);
        pollers[i] = (struct pollfd) { .fd = fds[i][0], .events = POLLIN };
    }
    for (int i = 0; i < count; i += 7) CHECK_EQ(write(fds[i][1], "x", 1), 1);
    CHECK_EQ(poll(pollers, count, 0), 8);
    for (int i = 0; i < count; i++) CHECK_EQ(pollers[i].revents, i % 7 == 0 ? POLLIN : 0);
    CHECK_ERRNO(poll((struct pollfd *)8, 1, 0), EFAULT);
}

static void on_signal(int signal) { (void)signal; }

CASE(ppoll_swaps_the_mask)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t none, blocked;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
    raise(SIGUSR1);
    struct timespec time = { 5, 0 };
    CHECK_ERRNO(ppoll(NULL, 0, &time, &none), EINTR);
    time = (struct timespec) { 0, 1000 };
    CHECK_EQ(ppoll(NULL, 0, &time, NULL), 0);
    time.tv_nsec = -1;
    CHECK_ERRNO(ppoll(NULL, 0, &time, NULL), EINVAL);
}

CASE(select_of_pipes)
{
    int fds[2];
    make_pipe(fds);
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fds[0], &in);
    FD_SET(fds[1], &out);
    struct timeval none = { 0, 0 };
    CHECK_EQ(select(fds[1] + 1, &in, &out, NULL, &none), 1);
    CHECK(!FD_ISSET(fds[0], &in) && FD_ISSET(fds[1], &out));
    CHECK_EQ(write(fds[1], "x", 1), 1);
    FD_SET(fds[0], &in);
    CHECK_EQ(select(fds[1] + 1, &in, &out, NULL, NULL), 2);
}

CASE(select_times_out_and_tells_what_is_left)
{
    int fds[2];
    make_pipe(fds);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(fds[0], &in);
    struct timeval time = { 0, 20000 };
    CHECK_EQ(select(fds[0] + 1, &in, NULL, NULL, &time), 0);
    CHECK(time.tv_sec == 0 && time.tv_usec == 0);
    CHECK(!FD_ISSET(fds[0], &in));
    CHECK_EQ(write(fds[1], "x", 1), 1);
    FD_SET(fds[0], &in);
    time.tv_sec = 10;
    CHECK_EQ(select(fds[0] + 1, &in, NULL, NULL, &time), 1);
    CHECK(time.tv_sec >= 8);
}

CASE(select_errors)
{
    fd_set in;
    FD_ZERO(&in);
    FD_SET(499, &in);
    struct timeval time = { 0, 0 };
    CHECK_ERRNO(select(500, &in, NULL, NULL, &time), EBADF);
    CHECK_ERRNO(select(-1, NULL, NULL, NULL, &time), EINVAL);
    time.tv_sec = -1;
    CHECK_ERRNO(select(0, NULL, NULL, NULL, &time), EINVAL);
}

CASE(pselect_times_out)
{
    struct timespec time = { 0, 20000000 };
    int64_t before = now_ms();
    CHECK_EQ(pselect(0, NULL, NULL, NULL, &time, NULL), 0);
    CHECK(now_ms() - before >= 19);
}

static int add(int epoll, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

CASE(epoll_level_triggered)
{
    int fds[2], epoll = OK(epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event events[4];
    make_pipe(fds);
    OK(add(epoll, fds[0], EPOLLIN, 0x1122334455667788));
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
    CHECK_EQ(write(fds[1], "xy", 2), 2);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
        CHECK_EQ(events[0].events, EPOLLIN);
        CHECK_EQ(events[0].data.u64, 0x1122334455667788);
    }
    char text[2];
    CHECK_EQ(read(fds[0], text, 2), 2);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
    close(fds[1]);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
    CHECK_EQ(events[0].events, EPOLLHUP);
}

CASE(epoll_edge_triggered)
{
    int fds[2], epoll = OK(epoll_create1(0));
    struct epoll_event events[4];
    make_pipe(fds);
    OK(add(epoll, fds[0], EPOLLIN | EPOLLET, 1));
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
    CHECK_EQ(write(fds[1], "y", 1), 1);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
}

CASE(epoll_oneshot)
{
    int fds[2], epoll = OK(epoll_create1(0));
    struct epoll_event events[4], event = { .events = EPOLLIN | EPOLLONESHOT };
    make_pipe(fds);
    OK(add(epoll, fds[0], EPOLLIN | EPOLLONESHOT, 1));
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
    OK(epoll_ctl(epoll, EPOLL_CTL_MOD, fds[0], &event));
    CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
}

CASE(epoll_ctl_errors)
{
    int fds[2], epoll = OK(epoll_create1(0));
    struct epoll_event event = { .events = EPOLLIN };
    make_pipe(fds);
    write_file("f", "");
    int file = OK(open("f", O_RDONLY));
    OK(add(epoll, fds[0], EPOLLIN, 1));
    CHECK_ERRNO(add(epoll, fds[0], EPOLLIN, 1), EEXIST);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_MOD, fds[1], &event), ENOENT);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[1], NULL), ENOENT);
    CHECK_ERRNO(epoll_ctl(epoll, 77, fds[0], &event), EINVAL);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &event), EINVAL);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event), EPERM);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, 499, &event), EBADF);
    CHECK_ERRNO(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], &event), EINVAL);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[1], NULL), EFAULT);
    struct epoll_event events[1];
    CHECK_ERRNO(epoll_wait(epoll, events, 0, 0), EINVAL);
    CHECK_ERRNO(epoll_wait(fds[0], events, 1, 0), EINVAL);
    CHECK_ERRNO(epoll_create(0), EINVAL);
    CHECK_ERRNO(epoll_create1(5), EINVAL);
}

CASE(epoll_forgets_a_closed_file)
{
    int fds[2], epoll = OK(epoll_create1(0));
    struct epoll_event events[1];
    make_pipe(fds);
    OK(add(epoll, fds[0], EPOLLIN, 1));
    CHECK_EQ(write(fds[1], "x", 1), 1);
    int copy = OK(dup(fds[0]));
    close(fds[0]);
    /* The description is still open. */
    CHECK_EQ(epoll_wait(epoll, events, 1, 0), 1);
    close(copy);
    CHECK_EQ(epoll_wait(epoll, events, 1, 0), 0);
}

CASE(epoll_wakes_a_sleeper)
{
    int fds[2], epoll = OK(epoll_create1(0));
    struct epoll_event events[1];
    make_pipe(fds);
    OK(add(epoll, fds[0], EPOLLIN, 1));
    pid_t pid;
    CHILD(pid) { sleep_ms(20); CHECK_EQ(write(fds[1], "x", 1), 1); }
    CHECK_EQ(epoll_wait(epoll, events, 1, 5000), 1);
    CHECK_EQ(wait_for(pid), 0);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    int64_t before = now_ms();
    CHECK_EQ(epoll_wait(epoll, events, 1, 20), 0);
    CHECK(now_ms() - before >= 19);
}

CASE(epoll_inside_epoll)
{
    int fds[2], inner = OK(epoll_create1(0)), outer = OK(epoll_create1(0));
    struct epoll_event events[1];
    make_pipe(fds);
    OK(add(inner, fds[0], EPOLLIN, 1));
    OK(add(outer, inner, EPOLLIN, 2));
    CHECK_EQ(epoll_wait(outer, events, 1, 0), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(epoll_wait(outer, events, 1, 0), 1);
    CHECK_EQ(events[0].data.u64, 2);
    CHECK_EQ(poll_one(outer, POLLIN, 0), POLLIN);
    CHECK_ERRNO(add(inner, outer, EPOLLIN, 3), ELOOP);
}

CASE(epoll_many_ready_are_given_in_turns)
{
    enum { count = 10 };
    int fds[count][2], epoll = OK(epoll_create1(0)), seen = 0;
    struct epoll_event events[4];
    for (int i = 0; i < count; i++) {
        make_pipe(fds[i]);
        OK(add(epoll, fds[i][0], EPOLLIN, (uint64_t)i));
        CHECK_EQ(write(fds[i][1], "x", 1), 1);
    }
    for (int round = 0; round < 3; round++) {
        int got = OK(epoll_wait(epoll, events, 4, 0));
        CHECK_EQ(got, 4);
        for (int i = 0; i < got; i++) seen |= 1 << events[i].data.u64;
    }
    CHECK_EQ(seen, (1 << count) - 1);
}

CASE(eventfd_counts)
{
    int fd = OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
    uint64_t value = 4;
    CHECK_EQ(write(fd, &value, 8), 8);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 7);
    CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
    CHECK_ERRNO(read(fd, &value, 7), EINVAL);
    CHECK_ERRNO(write(fd, &value, 7), EINVAL);
    value = UINT64_MAX;
    CHECK_ERRNO(write(fd, &value, 8), EINVAL);
    value = UINT64_MAX - 1;
    CHECK_EQ(write(fd, &value, 8), 8);
    CHECK_EQ(poll_one(fd, POLLIN | POLLOUT, 0), POLLIN);
    value = 1;
    CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
    CHECK_ERRNO(eventfd(0, 0x1000), EINVAL);
}

CASE(eventfd_semaphore)
{
    int fd = OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
    uint64_t value;
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(read(fd, &value, 8), 8);
        CHECK_EQ(value, 1);
    }
    CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
}

CASE(eventfd_blocks_and_wakes)
{
    int fd = OK(eventfd(0, 0));
    uint64_t value = 5;
    pid_t pid;
    CHILD(pid) { sleep_ms(20); CHECK_EQ(write(fd, &value, 8), 8); }
    value = 0;
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 5);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(timerfd_fires)
{
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    struct itimerspec spec = { .it_value = { 10, 0 } }, left;
    uint64_t count;
    CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
    OK(timerfd_settime(fd, 0, &spec, NULL));
    OK(timerfd_gettime(fd, &left));
    CHECK(ns_of(left.it_value) > 0 && ns_of(left.it_value) <= 10000000000);
    spec.it_value = (struct timespec) { 0, 20000000 };
    OK(timerfd_settime(fd, 0, &spec, NULL));
    CHECK_EQ(poll_one(fd, POLLIN, 5000), POLLIN);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK_EQ(count, 1);
    CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
}

CASE(timerfd_interval_counts_expirations)
{
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec spec = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } };
    uint64_t count;
    OK(timerfd_settime(fd, 0, &spec, NULL));
    sleep_ms(52);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count >= 10);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count >= 1);
}

CASE(timerfd_with_an_interval_beyond_all_times_expires_once)
{
    int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec spec = { .it_value = { 0, 1 }, .it_interval = { 9223372036, 0 } };
    uint64_t count;
    OK(timerfd_settime(fd, 0, &spec, NULL));
    CHECK_EQ(poll_one(fd, POLLIN, 5000), POLLIN);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK_EQ(count, 1);
    CHECK_EQ(poll_one(fd, POLLIN, 0), 0);
    CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
}

CASE(timerfd_absolute_in_the_past_and_disarm)
{
    int fd = OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
    struct itimerspec spec = { .it_value = { 1, 0 } }, old;
    uint64_t count;
    OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
    CHECK_EQ(poll_one(fd, POLLIN, 1000), POLLIN);
    CHECK_EQ(read(fd, &count, 8), 8);
    spec.it_value.tv_sec = 100;
    OK(timerfd_settime(fd, 0, &spec, NULL));
    memset(&spec, 0, sizeof spec);
    OK(timerfd_settime(fd, 0, &spec, &old));
    CHECK(old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100);
    CHECK_EQ(poll_one(fd, POLLIN, 0), 0);
    CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
    CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    CHECK_ERRNO(timerfd_settime(0, 0, &spec, NULL), EINVAL);
}

static void *write_later(void *argument)
{
    sleep_ms(20);
    if (write(*(int *)argument, "x", 1) != 1) return (void *)1;
    return NULL;
}

CASE(poll_is_woken_by_another_thread)
{
    int fds[2];
    pthread_t thread;
    make_pipe(fds);
    CHECK_CODE(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
    CHECK_EQ(poll_one(fds[0], POLLIN, 5000), POLLIN);
    CHECK_CODE(pthread_join(thread, NULL), 0);
}

CASE(poll_of_dev_null_and_zero)
{
    int null = OK(open("/dev/null", O_RDWR)), zero = OK(open("/dev/zero", O_RDONLY));
    CHECK_EQ(poll_one(null, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
    CHECK_EQ(poll_one(zero, POLLIN, 0), POLLIN);
}
