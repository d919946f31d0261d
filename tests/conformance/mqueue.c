/* POSIX message queues (mq_overview(7)). */
// flags: -lrt
#include "conformance.h"
#include <mqueue.h>
#include <pthread.h>
#include <sys/resource.h>

static char queue_name[64];

/* A queue of its own for each case, which is unlinked at once unless it is to be opened again. */
static mqd_t open_queue(int flags, long messages, long size)
{
    struct mq_attr attributes = { .mq_maxmsg = messages, .mq_msgsize = size };
    snprintf(queue_name, sizeof queue_name, "/conformance-%d", getpid());
    mqd_t queue = mq_open(queue_name, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &attributes);
    if (queue == (mqd_t)-1 && (errno == EMFILE || errno == ENOSYS || errno == ENOSPC)) SKIP("no message queues here");
    CHECK(queue != (mqd_t)-1);
    OK(mq_unlink(queue_name));
    return queue;
}

static struct timespec in_ms(long ms)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    int64_t ns = time.tv_nsec + ms * 1000000LL;
    time.tv_sec += ns / 1000000000;
    time.tv_nsec = ns % 1000000000;
    return time;
}

CASE(messages_come_by_priority_then_by_age)
{
    mqd_t queue = open_queue(0, 10, 64);
    char text[64];
    unsigned priority;
    OK(mq_send(queue, "a1", 3, 1));
    OK(mq_send(queue, "b5", 3, 5));
    OK(mq_send(queue, "c1", 3, 1));
    OK(mq_send(queue, "d5", 3, 5));
    OK(mq_send(queue, "e0", 3, 0));
    static const char *const expected[] = { "b5", "d5", "a1", "c1", "e0" };
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        CHECK_EQ(mq_receive(queue, text, sizeof text, &priority), 3);
        CHECK_STR(text, expected[i]);
        CHECK_EQ(priority, expected[i][1] - '0');
    }
}

CASE(attributes_are_as_asked_for)
{
    mqd_t queue = open_queue(O_NONBLOCK, 4, 100);
    struct mq_attr attributes;
    OK(mq_getattr(queue, &attributes));
    CHECK_EQ(attributes.mq_maxmsg, 4);
    CHECK_EQ(attributes.mq_msgsize, 100);
    CHECK_EQ(attributes.mq_curmsgs, 0);
    CHECK_EQ(attributes.mq_flags, O_NONBLOCK);
    OK(mq_send(queue, "", 0, 0));
    struct mq_attr wanted = { .mq_flags = 0, .mq_maxmsg = 9 }, old;
    OK(mq_setattr(queue, &wanted, &old));
    CHECK_EQ(old.mq_flags, O_NONBLOCK);
    CHECK_EQ(old.mq_curmsgs, 1);
    OK(mq_getattr(queue, &attributes));
    CHECK_EQ(attributes.mq_flags, 0);
    CHECK_EQ(attributes.mq_maxmsg, 4);
    wanted.mq_flags = O_APPEND;
    CHECK_ERRNO(mq_setattr(queue, &wanted, NULL), EINVAL);
}

CASE(defaults_without_attributes)
{
    snprintf(queue_name, sizeof queue_name, "/conformance-d%d", getpid());
    mqd_t queue = mq_open(queue_name, O_RDWR | O_CREAT, 0600, NULL);
    CHECK(queue != (mqd_t)-1);
    OK(mq_unlink(queue_name));
    struct mq_attr attributes;
    OK(mq_getattr(queue, &attributes));
    CHECK_EQ(attributes.mq_maxmsg, 10);
    CHECK_EQ(attributes.mq_msgsize, 8192);
    CHECK_EQ(fcntl(queue, F_GETFD), FD_CLOEXEC);
}

CASE(names_and_their_errors)
{
    struct mq_attr attributes = { .mq_maxmsg = 0, .mq_msgsize = 10 };
    CHECK_ERRNO(mq_open("/conformance-none", O_RDWR), ENOENT);
    CHECK_ERRNO(mq_unlink("/conformance-none"), ENOENT);
    CHECK_ERRNO(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
    CHECK_ERRNO(mq_open("/.", O_RDWR | O_CREAT, 0600, NULL), EACCES);
    CHECK_ERRNO(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
    CHECK_ERRNO(mq_open("/conformance-bad", O_RDWR | O_CREAT, 0600, &attributes), EINVAL);
    attributes = (struct mq_attr){ .mq_maxmsg = 10, .mq_msgsize = 0 };
    CHECK_ERRNO(mq_open("/conformance-bad", O_RDWR | O_CREAT, 0600, &attributes), EINVAL);
    attributes = (struct mq_attr){ .mq_maxmsg = 1 << 20, .mq_msgsize = 10 };
    CHECK_ERRNO(mq_open("/conformance-bad", O_RDWR | O_CREAT, 0600, &attributes), EINVAL);
    CHECK_ERRNO(syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, 8), EFAULT);
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = 0;
    CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
}

CASE(exclusive_creation_and_reopening)
{
    snprintf(queue_name, sizeof queue_name, "/conformance-x%d", getpid());
    mqd_t queue = mq_open(queue_name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
    CHECK(queue != (mqd_t)-1);
    CHECK_ERRNO(mq_open(queue_name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST);
    mqd_t again = mq_open(queue_name, O_RDONLY);
    CHECK(again != (mqd_t)-1);
    OK(mq_send(queue, "x", 1, 0));
    char text[8192];
    CHECK_EQ(mq_receive(again, text, sizeof text, NULL), 1);
    CHECK_ERRNO(mq_send(again, "x", 1, 0), EBADF);
    OK(mq_unlink(queue_name));
    CHECK_ERRNO(mq_open(queue_name, O_RDONLY), ENOENT);
    /* It goes on without its name. */
    OK(mq_send(queue, "y", 1, 0));
    CHECK_EQ(mq_receive(again, text, sizeof text, NULL), 1);
}

CASE(sizes_and_priorities_are_checked)
{
    mqd_t queue = open_queue(O_NONBLOCK, 2, 16);
    char text[16];
    CHECK_ERRNO(mq_send(queue, "12345678901234567", 17, 0), EMSGSIZE);
    CHECK_ERRNO(mq_receive(queue, text, 15, NULL), EMSGSIZE);
    CHECK_ERRNO(mq_send(queue, "x", 1, 32768), EINVAL);
    OK(mq_send(queue, "x", 1, 32767));
    CHECK_ERRNO(mq_send(queue, (char *)8, 4, 0), EFAULT);
    CHECK_ERRNO(mq_send(-1, "x", 1, 0), EBADF);
    CHECK_ERRNO(mq_send(0, "x", 1, 0), EBADF);
    CHECK_ERRNO(mq_receive(1000, text, sizeof text, NULL), EBADF);
}

CASE(a_full_queue_and_an_empty_one_do_not_wait_with_nonblock)
{
    mqd_t queue = open_queue(O_NONBLOCK, 2, 16);
    char text[16];
    CHECK_ERRNO(mq_receive(queue, text, sizeof text, NULL), EAGAIN);
    OK(mq_send(queue, "1", 1, 0));
    OK(mq_send(queue, "2", 1, 0));
    CHECK_ERRNO(mq_send(queue, "3", 1, 0), EAGAIN);
}

CASE(waits_end_at_their_time)
{
    mqd_t queue = open_queue(0, 1, 16);
    char text[16];
    int64_t start = now_ms();
    struct timespec until = in_ms(60);
    CHECK_ERRNO(mq_timedreceive(queue, text, sizeof text, NULL, &until), ETIMEDOUT);
    CHECK(now_ms() - start >= 55);
    OK(mq_send(queue, "1", 1, 0));
    until = in_ms(60);
    CHECK_ERRNO(mq_timedsend(queue, "2", 1, 0, &until), ETIMEDOUT);
    until = in_ms(0);
    until.tv_sec -= 1;
    CHECK_ERRNO(mq_timedsend(queue, "2", 1, 0, &until), ETIMEDOUT);
    CHECK_EQ(mq_timedreceive(queue, text, sizeof text, NULL, &until), 1);
    until.tv_nsec = 1000000000;
    CHECK_ERRNO(mq_timedreceive(queue, text, sizeof text, NULL, &until), EINVAL);
}

static mqd_t shared_queue;

static void *send_soon(void *argument)
{
    wait_until_blocked(getpid());
    mq_send(shared_queue, argument, 2, 3);
    return NULL;
}

CASE(a_receiver_waits_for_a_sender)
{
    shared_queue = open_queue(0, 1, 16);
    pthread_t thread;
    char text[16];
    unsigned priority;
    CHECK_CODE(pthread_create(&thread, NULL, send_soon, "z"), 0);
    CHECK_EQ(mq_receive(shared_queue, text, sizeof text, &priority), 2);
    CHECK_STR(text, "z");
    CHECK_EQ(priority, 3);
    pthread_join(thread, NULL);
}

CASE(a_sender_waits_for_room)
{
    mqd_t queue = open_queue(0, 1, 16);
    pid_t pid;
    char text[16];
    OK(mq_send(queue, "1", 2, 0));
    pid_t self = getpid();
    CHILD(pid) {
        wait_until_blocked(self);
        CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 2);
    }
    OK(mq_send(queue, "2", 2, 0));
    CHECK_EQ(wait_for(pid), 0);
    CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 2);
    CHECK_STR(text, "2");
}

static void on_usr1(int number) { (void)number; }

CASE(a_handler_interrupts_a_wait)
{
    mqd_t queue = open_queue(0, 1, 16);
    struct sigaction action = { .sa_handler = on_usr1 };
    char text[16];
    pid_t pid, self = getpid();
    OK(sigaction(SIGUSR1, &action, NULL));
    CHILD(pid) {
        wait_until_blocked(self);
        kill(self, SIGUSR1);
    }
    CHECK_ERRNO(mq_receive(queue, text, sizeof text, NULL), EINTR);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(poll_tells_of_messages_and_room)
{
    mqd_t queue = open_queue(O_NONBLOCK, 1, 16);
    struct pollfd poller = { .fd = queue, .events = POLLIN | POLLOUT };
    char text[16];
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK_EQ(poller.revents, POLLOUT);
    OK(mq_send(queue, "1", 2, 0));
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK_EQ(poller.revents, POLLIN);
    CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 2);
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK_EQ(poller.revents, POLLOUT);
}

CASE(a_signal_tells_of_the_first_message_once)
{
    mqd_t queue = open_queue(O_NONBLOCK, 4, 16);
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 4711 };
    OK(mq_notify(queue, &event));
    CHECK_ERRNO(mq_notify(queue, &event), EBUSY);
    pid_t pid;
    CHILD(pid) OK(mq_send(queue, "1", 2, 0));
    CHECK_EQ(wait_for(pid), 0);
    struct timespec limit = { 2, 0 };
    CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGUSR2);
    CHECK_EQ(info.si_code, SI_MESGQ);
    CHECK_EQ(info.si_value.sival_int, 4711);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_uid, getuid());
    /* The registration is used up. */
    OK(mq_notify(queue, NULL));
    OK(mq_notify(queue, &event));
    OK(mq_send(queue, "2", 2, 0));
    limit = (struct timespec){ 0, 30000000 };
    CHECK_ERRNO(sigtimedwait(&set, &info, &limit), EAGAIN);
    /* Closing the descriptor ends the registration. */
    int again = OK(dup(queue));
    OK(mq_close(queue));
    OK(mq_notify(again, &event));
}

CASE(notification_errors)
{
    mqd_t queue = open_queue(O_NONBLOCK, 4, 16);
    struct sigevent event = { .sigev_notify = 77 };
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, &event), EINVAL);
    event = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 100 };
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, &event), EINVAL);
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, 8), EFAULT);
    CHECK_ERRNO(mq_notify(-1, NULL), EBADF);
    CHECK_ERRNO(mq_notify(0, NULL), EBADF);
    event = (struct sigevent){ .sigev_notify = SIGEV_NONE };
    OK(mq_notify(queue, &event));
    OK(mq_send(queue, "1", 2, 0));
    OK(mq_notify(queue, &event));
}

static volatile int told;
static void on_told(union sigval value) { told = value.sival_int; }

CASE(a_thread_tells_of_the_first_message)
{
    mqd_t queue = open_queue(O_NONBLOCK, 4, 16);
    struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_told, .sigev_value.sival_int = 12 };
    OK(mq_notify(queue, &event));
    OK(mq_send(queue, "1", 2, 0));
    for (int i = 0; i < 200 && told == 0; i++) sleep_ms(10);
    CHECK_EQ(told, 12);
}

CASE(a_waiting_receiver_goes_before_a_notification)
{
    shared_queue = open_queue(0, 4, 16);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
    OK(mq_notify(shared_queue, &event));
    pthread_t thread;
    char text[16];
    CHECK_CODE(pthread_create(&thread, NULL, send_soon, "q"), 0);
    CHECK_EQ(mq_receive(shared_queue, text, sizeof text, NULL), 2);
    pthread_join(thread, NULL);
    struct timespec limit = { 0, 30000000 };
    CHECK_ERRNO(sigtimedwait(&set, NULL, &limit), EAGAIN);
}

CASE(queues_count_against_their_limit)
{
    struct rlimit limit = { 4096, 4096 };
    OK(setrlimit(RLIMIT_MSGQUEUE, &limit));
    struct mq_attr attributes = { .mq_maxmsg = 10, .mq_msgsize = 8192 };
    CHECK_ERRNO(mq_open("/conformance-limit", O_RDWR | O_CREAT, 0600, &attributes), EMFILE);
}

CASE(permissions_of_queues)
{
    NEEDS_ROOT();
    snprintf(queue_name, sizeof queue_name, "/conformance-p%d", getpid());
    mqd_t queue = mq_open(queue_name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
    CHECK(queue != (mqd_t)-1);
    IN_CHILD {
        OK(setgid(1234));
        OK(setuid(1234));
        CHECK_ERRNO(mq_open(queue_name, O_RDONLY), EACCES);
        CHECK(mq_unlink(queue_name) == -1 && (errno == EPERM || errno == EACCES));
    }
    OK(mq_unlink(queue_name));
}
