/* Signals about files: O_ASYNC, F_SETOWN, F_SETSIG, leases, F_NOTIFY (fcntl(2)). */
#include "conformance.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SIG_FILE (SIGRTMIN + 1)
#ifndef SI_SIGIO
#define SI_SIGIO (-5)
#endif

/* Signals are blocked and taken one by one. */
static void block(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

/* Takes a signal: its si_code, or 0 when there is none within the time. */
static int take(int number, siginfo_t *info, int ms)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
    if (sigtimedwait(&set, info, &time) == number) return info->si_code;
    CHECK_EQ(errno, EAGAIN);
    return 0;
}

static void make_async(int fd, int owner, int number)
{
    OK(fcntl(fd, F_SETOWN, owner));
    OK(fcntl(fd, F_SETSIG, number));
    OK(fcntl(fd, F_SETFL, OK(fcntl(fd, F_GETFL)) | O_ASYNC));
}

CASE(a_pipe_tells_its_reader_by_SIGIO)
{
    int fds[2];
    siginfo_t info;
    block(SIGIO);
    OK(pipe(fds));
    make_async(fds[0], getpid(), 0);
    CHECK_EQ(take(SIGIO, &info, 20), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(take(SIGIO, &info, 5000), SI_KERNEL);
    CHECK(OK(fcntl(fds[0], F_GETFL)) & O_ASYNC);
}

CASE(with_F_SETSIG_a_signal_says_which_descriptor_and_what)
{
    int fds[2];
    siginfo_t info;
    block(SIG_FILE);
    OK(pipe(fds));
    make_async(fds[0], getpid(), SIG_FILE);
    CHECK_EQ(fcntl(fds[0], F_GETSIG), SIG_FILE);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_IN);
    CHECK_EQ(info.si_fd, fds[0]);
    CHECK_EQ(info.si_band, POLLIN | POLLRDNORM);
    close(fds[1]);
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_IN);
}

CASE(a_full_pipe_tells_its_writer_of_room)
{
    int fds[2];
    static char bytes[65536];
    siginfo_t info;
    block(SIG_FILE);
    OK(pipe2(fds, O_NONBLOCK));
    while (write(fds[1], bytes, sizeof bytes) > 0) { }
    make_async(fds[1], getpid(), SIG_FILE);
    CHECK_EQ(take(SIG_FILE, &info, 20), 0);
    CHECK(read(fds[0], bytes, sizeof bytes) > 0);
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_OUT);
    CHECK_EQ(info.si_fd, fds[1]);
}

CASE(sockets_tell_of_data_connections_and_the_end)
{
    int fds[2];
    siginfo_t info;
    block(SIG_FILE);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    make_async(fds[0], getpid(), SIG_FILE);
    CHECK_EQ(send(fds[1], "x", 1, 0), 1);
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_IN);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    close(fds[1]);
    int code = take(SIG_FILE, &info, 5000);
    CHECK(code == POLL_HUP || code == POLL_IN);
    while (take(SIG_FILE, &info, 20) != 0) { }

    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    make_async(fds[0], getpid(), SIG_FILE);
    CHECK_EQ(send(fds[1], "datagram", 8, 0), 8);
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_IN);
    CHECK_EQ(info.si_fd, fds[0]);
}

CASE(a_listening_socket_tells_of_a_connection)
{
    siginfo_t info;
    block(SIG_FILE);
    struct sockaddr address = { .sa_family = AF_UNIX };
    int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(listener, &address, sizeof(sa_family_t)));
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    OK(getsockname(listener, (struct sockaddr *)&name, &length));
    OK(listen(listener, 5));
    make_async(listener, getpid(), SIG_FILE);
    int client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(connect(client, (struct sockaddr *)&name, length));
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_IN);
    CHECK_EQ(info.si_fd, listener);
}

CASE(inotify_and_terminals_tell_as_well)
{
    siginfo_t info;
    block(SIG_FILE);
    int fd = OK(inotify_init());
    OK(inotify_add_watch(fd, ".", IN_CREATE));
    make_async(fd, getpid(), SIG_FILE);
    write_file("new", "");
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_IN);

    int master = OK(posix_openpt(O_RDWR | O_NOCTTY));
    OK(grantpt(master));
    OK(unlockpt(master));
    int slave = OK(open(ptsname(master), O_RDWR | O_NOCTTY));
    make_async(slave, getpid(), SIG_FILE);
    while (take(SIG_FILE, &info, 20) != 0) { }
    CHECK_EQ(write(master, "line\n", 5), 5);
    do CHECK(take(SIG_FILE, &info, 5000) != 0);
    while (info.si_code != POLL_IN);
    CHECK_EQ(info.si_fd, slave);
}

CASE(without_an_owner_nobody_is_told)
{
    int fds[2];
    siginfo_t info;
    block(SIGIO);
    OK(pipe(fds));
    OK(fcntl(fds[0], F_SETFL, O_ASYNC));
    CHECK_EQ(fcntl(fds[0], F_GETOWN), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(take(SIGIO, &info, 50), 0);
    /* And without the flag, an owner is not told. */
    OK(fcntl(fds[0], F_SETOWN, getpid()));
    OK(fcntl(fds[0], F_SETFL, 0));
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(take(SIGIO, &info, 50), 0);
}

CASE(FIOASYNC_is_the_same_flag)
{
    int fds[2], on = 1;
    siginfo_t info;
    block(SIGIO);
    OK(pipe(fds));
    OK(fcntl(fds[0], F_SETOWN, getpid()));
    OK(ioctl(fds[0], FIOASYNC, &on));
    CHECK(OK(fcntl(fds[0], F_GETFL)) & O_ASYNC);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(take(SIGIO, &info, 5000), SI_KERNEL);
    on = 0;
    OK(ioctl(fds[0], FIOASYNC, &on));
    CHECK(!(OK(fcntl(fds[0], F_GETFL)) & O_ASYNC));
    /* Files that are always ready, and event counters, send none: fcntl passes over it, ioctl says so. */
    on = 1;
    int fd = OK(eventfd(0, 0));
    CHECK_ERRNO(ioctl(fd, FIOASYNC, &on), ENOTTY);
    OK(fcntl(fd, F_SETFL, O_ASYNC));
    CHECK(!(OK(fcntl(fd, F_GETFL)) & O_ASYNC));
    CHECK_ERRNO(ioctl(fds[0], FIOASYNC, 8), EFAULT);
}

CASE(the_owner_is_a_process_a_group_or_a_thread)
{
    int fds[2];
    OK(pipe(fds));
    CHECK_EQ(fcntl(fds[0], F_GETOWN), 0);
    OK(fcntl(fds[0], F_SETOWN, getpid()));
    CHECK_EQ(fcntl(fds[0], F_GETOWN), getpid());
    OK(fcntl(fds[0], F_SETOWN, -getpgrp()));
    CHECK_EQ(fcntl(fds[0], F_GETOWN), -getpgrp());
    struct f_owner_ex owner = { -1, -1 };
    OK(fcntl(fds[0], F_GETOWN_EX, &owner));
    CHECK_EQ(owner.type, F_OWNER_PGRP);
    CHECK_EQ(owner.pid, getpgrp());
    owner = (struct f_owner_ex) { F_OWNER_TID, getpid() };
    OK(fcntl(fds[0], F_SETOWN_EX, &owner));
    owner = (struct f_owner_ex) { -1, -1 };
    OK(fcntl(fds[0], F_GETOWN_EX, &owner));
    CHECK_EQ(owner.type, F_OWNER_TID);
    CHECK_EQ(owner.pid, getpid());
    OK(fcntl(fds[0], F_SETOWN, 0));
    CHECK_EQ(fcntl(fds[0], F_GETOWN), 0);
}

CASE(owner_errors)
{
    int fds[2];
    OK(pipe(fds));
    CHECK_ERRNO(fcntl(fds[0], F_SETOWN, 0x3fffffff), ESRCH);
    CHECK_ERRNO(fcntl(fds[0], F_SETOWN, -0x3fffffff), ESRCH);
    CHECK_ERRNO(fcntl(fds[0], F_SETOWN, INT_MIN), EINVAL);
    struct f_owner_ex owner = { 7, getpid() };
    CHECK_ERRNO(fcntl(fds[0], F_SETOWN_EX, &owner), EINVAL);
    owner = (struct f_owner_ex) { F_OWNER_PID, 0x3fffffff };
    CHECK_ERRNO(fcntl(fds[0], F_SETOWN_EX, &owner), ESRCH);
    CHECK_ERRNO(fcntl(fds[0], F_SETOWN_EX, 8), EFAULT);
    CHECK_ERRNO(fcntl(fds[0], F_SETSIG, 65), EINVAL);
    CHECK_ERRNO(fcntl(fds[0], F_SETSIG, -1), EINVAL);
    CHECK_EQ(fcntl(fds[0], F_GETSIG), 0);
}

static void *write_later(void *argument)
{
    sleep_ms(20);
    CHECK_EQ(write(*(int *)argument, "x", 1), 1);
    return NULL;
}

CASE(a_thread_as_owner_gets_the_signal_alone)
{
    int fds[2];
    siginfo_t info;
    pthread_t thread;
    block(SIG_FILE);
    OK(pipe(fds));
    struct f_owner_ex owner = { F_OWNER_TID, (pid_t)syscall(SYS_gettid) };
    OK(fcntl(fds[0], F_SETOWN_EX, &owner));
    OK(fcntl(fds[0], F_SETSIG, SIG_FILE));
    OK(fcntl(fds[0], F_SETFL, O_ASYNC));
    CHECK_CODE(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_IN);
    CHECK_CODE(pthread_join(thread, NULL), 0);
}

CASE(all_of_a_group_are_told)
{
    int fds[2], ready[2];
    char byte;
    siginfo_t info;
    block(SIGIO);
    OK(pipe(fds));
    OK(pipe(ready));
    pid_t children[2];
    for (int i = 0; i < 2; i++)
        CHILD(children[i]) {
            CHECK_EQ(write(ready[1], "r", 1), 1);
            CHECK_EQ(take(SIGIO, &info, 10000), SI_KERNEL);
        }
    for (int i = 0; i < 2; i++) CHECK_EQ(read(ready[0], &byte, 1), 1);
    make_async(fds[0], -getpgrp(), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 2; i++) CHECK_EQ(wait_for(children[i]), 0);
    CHECK_EQ(take(SIGIO, &info, 5000), SI_KERNEL);
}

CASE(an_owner_of_another_user_is_not_told)
{
    NEEDS_ROOT();
    int fds[2], ready[2];
    char byte;
    siginfo_t info;
    block(SIGIO);
    OK(pipe(fds));
    OK(pipe(ready));
    IN_CHILD {
        pid_t parent = getppid();
        OK(setresuid(12345, 12345, 12345));
        make_async(fds[0], parent, 0);
    }
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(take(SIGIO, &info, 50), 0);
    (void)ready;
    (void)byte;
}

CASE(urgent_data_tell_the_owner_of_a_socket_by_ioctl)
{
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), owner = getpid(), got = 0;
    OK(ioctl(fd, FIOSETOWN, &owner));
    OK(ioctl(fd, FIOGETOWN, &got));
    CHECK_EQ(got, owner);
    OK(ioctl(fd, SIOCGPGRP, &got));
    CHECK_EQ(got, owner);
    owner = -getpgrp();
    OK(ioctl(fd, SIOCSPGRP, &owner));
    CHECK_EQ(fcntl(fd, F_GETOWN), owner);
    CHECK_ERRNO(ioctl(fd, FIOSETOWN, 8), EFAULT);
}

CASE(a_read_lease_is_broken_by_a_writer)
{
    siginfo_t info;
    block(SIGIO);
    write_file("f", "x");
    int fd = OK(open("f", O_RDONLY));
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
    OK(fcntl(fd, F_SETLEASE, F_RDLCK));
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
    /* Readers may come. */
    OK(close(OK(open("f", O_RDONLY))));
    CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), EAGAIN);
    CHECK_EQ(take(SIGIO, &info, 5000), SI_KERNEL);
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
    pid_t pid;
    CHILD(pid) {
        int other = OK(open("f", O_WRONLY));
        CHECK_EQ(write(other, "written", 7), 7);
    }
    sleep_ms(50);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    OK(fcntl(fd, F_SETLEASE, F_UNLCK));
    CHECK_EQ(wait_for(pid), 0);
    CHECK_STR(read_file("f"), "written");
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
}

CASE(a_write_lease_is_broken_by_any_open_and_may_be_kept_for_reading)
{
    siginfo_t info;
    block(SIG_FILE);
    write_file("f", "x");
    int fd = OK(open("f", O_RDWR));
    OK(fcntl(fd, F_SETSIG, SIG_FILE));
    OK(fcntl(fd, F_SETLEASE, F_WRLCK));
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
    pid_t pid;
    CHILD(pid) OK(open("f", O_RDONLY));
    int code = take(SIG_FILE, &info, 5000);
    CHECK_EQ(code, POLL_MSG);
    CHECK_EQ(info.si_fd, fd);
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
    sleep_ms(20);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    OK(fcntl(fd, F_SETLEASE, F_UNLCK));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(the_end_of_the_holder_lets_the_others_in)
{
    write_file("f", "x");
    int ready[2];
    char byte;
    OK(pipe(ready));
    pid_t pid;
    CHILD(pid) {
        block(SIGIO);
        int fd = OK(open("f", O_RDWR));
        OK(fcntl(fd, F_SETLEASE, F_WRLCK));
        CHECK_EQ(write(ready[1], "r", 1), 1);
        siginfo_t info;
        CHECK_EQ(take(SIGIO, &info, 5000), SI_KERNEL);
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    OK(open("f", O_RDONLY));
    CHECK_EQ(wait_for(pid), 0);
}

static void on_alarm(int number) { (void)number; }

CASE(truncate_breaks_a_lease_and_a_signal_interrupts_the_wait)
{
    siginfo_t info;
    block(SIGIO);
    write_file("f", "content");
    int fd = OK(open("f", O_RDONLY));
    OK(fcntl(fd, F_SETLEASE, F_RDLCK));
    pid_t pid;
    CHILD(pid) {
        struct sigaction action = { .sa_handler = on_alarm };
        OK(sigaction(SIGALRM, &action, NULL));
        /* Again and again: the first may come before the wait. */
        ualarm(30000, 30000);
        CHECK_ERRNO(truncate("f", 0), EINTR);
    }
    CHECK_EQ(take(SIGIO, &info, 5000), SI_KERNEL);
    CHECK_EQ(wait_for(pid), 0);
    CHECK_STR(read_file("f"), "content");
}

CASE(lease_errors)
{
    write_file("f", "x");
    int reader = OK(open("f", O_RDONLY)), writer = OK(open("f", O_RDWR));
    CHECK_ERRNO(fcntl(reader, F_SETLEASE, F_RDLCK), EAGAIN);
    CHECK_ERRNO(fcntl(writer, F_SETLEASE, F_WRLCK), EAGAIN);
    CHECK_ERRNO(fcntl(reader, F_SETLEASE, F_UNLCK), EAGAIN);
    CHECK_ERRNO(fcntl(reader, F_SETLEASE, 17), EINVAL);
    int fds[2];
    OK(pipe(fds));
    CHECK_ERRNO(fcntl(fds[0], F_SETLEASE, F_RDLCK), EINVAL);
    CHECK_ERRNO(fcntl(-1, F_SETLEASE, F_RDLCK), EBADF);
    close(writer);
    OK(fcntl(reader, F_SETLEASE, F_RDLCK));
    /* Many may have a lease for reading. */
    int second = OK(open("f", O_RDONLY));
    OK(fcntl(second, F_SETLEASE, F_RDLCK));
    if (geteuid() != 0) return;
    IN_CHILD {
        OK(chown("f", 0, 0));
        OK(chmod("f", 0644));
        OK(setresuid(12345, 12345, 12345));
        int other = OK(open("f", O_RDONLY));
        CHECK_ERRNO(fcntl(other, F_SETLEASE, F_RDLCK), EACCES);
    }
}

CASE(a_directory_tells_of_its_files_once)
{
    siginfo_t info;
    block(SIG_FILE);
    OK(mkdir("d", 0755));
    int fd = OK(open("d", O_RDONLY));
    if (fcntl(fd, F_SETSIG, SIG_FILE) != 0 || fcntl(fd, F_NOTIFY, DN_CREATE) != 0) {
        if (errno == EINVAL) SKIP("no F_NOTIFY here");
        FAIL("F_NOTIFY errno=%d", errno);
    }
    write_file("d/first", "");
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_MSG);
    CHECK_EQ(info.si_fd, fd);
    write_file("d/second", "");
    CHECK_EQ(take(SIG_FILE, &info, 50), 0);
}

CASE(with_DN_MULTISHOT_it_tells_each_time)
{
    siginfo_t info;
    block(SIG_FILE);
    OK(mkdir("d", 0755));
    int fd = OK(open("d", O_RDONLY));
    OK(fcntl(fd, F_SETSIG, SIG_FILE));
    if (fcntl(fd, F_NOTIFY, DN_DELETE | DN_RENAME | DN_MODIFY | DN_ATTRIB | DN_MULTISHOT) != 0) {
        if (errno == EINVAL) SKIP("no F_NOTIFY here");
        FAIL("F_NOTIFY errno=%d", errno);
    }
    write_file("d/f", "");
    CHECK_EQ(take(SIG_FILE, &info, 50), 0);
    write_file("d/f", "content");
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_MSG);
    while (take(SIG_FILE, &info, 20) != 0) { }
    OK(chmod("d/f", 0600));
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_MSG);
    OK(rename("d/f", "d/g"));
    CHECK_EQ(take(SIG_FILE, &info, 5000), POLL_MSG);
    while (take(SIG_FILE, &info, 20) != 0) { }
    OK(unlink("d/g"));
    CHECK(take(SIG_FILE, &info, 5000) != 0);
    while (take(SIG_FILE, &info, 20) != 0) { }
    /* No events: the end of it. */
    OK(fcntl(fd, F_NOTIFY, 0));
    write_file("d/f", "x");
    OK(unlink("d/f"));
    CHECK_EQ(take(SIG_FILE, &info, 50), 0);
    write_file("file", "");
    CHECK_ERRNO(fcntl(OK(open("file", O_RDONLY)), F_NOTIFY, DN_CREATE), ENOTDIR);
}

CASE(the_end_of_a_watched_directory_leaves_nothing)
{
    siginfo_t info;
    block(SIG_FILE);
    OK(mkdir("d", 0755));
    int fd = OK(open("d", O_RDONLY));
    OK(fcntl(fd, F_SETSIG, SIG_FILE));
    if (fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT) != 0) SKIP("no F_NOTIFY here");
    OK(rmdir("d"));
    OK(close(fd));
    OK(mkdir("d", 0755));
    write_file("d/f", "");
    CHECK_EQ(take(SIG_FILE, &info, 50), 0);
}
