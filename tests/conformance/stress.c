/* Many things at once: mappings that change under other threads, forks of busy processes, storms of signals, limits that are hit. */
#include "conformance.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define PAGE 4096ul

static atomic_int stop, failures;

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK_CODE(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

static void join_all(pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++) CHECK_CODE(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(failures, 0);
}

static void *map_and_unmap(void *argument)
{
    unsigned char mark = (unsigned char)(uintptr_t)argument;
    for (int i = 0; i < 150; i++) {
        size_t pages = 1 + (size_t)(i % 9);
        unsigned char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED) { failures++; return NULL; }
        for (size_t k = 0; k < pages; k++) {
            /* Fresh memory is zero, whoever had the frame before. */
            if (map[k * PAGE + 100] != 0) failures++;
            memset(map + k * PAGE, mark, PAGE);
        }
        for (size_t k = 0; k < pages * PAGE; k += 511) if (map[k] != mark) failures++;
        if (munmap(map, pages * PAGE) != 0) failures++;
    }
    return NULL;
}

CASE(threads_map_and_unmap_at_once)
{
    pthread_t threads[6];
    for (long i = 0; i < 6; i++) threads[i] = start(map_and_unmap, (void *)(i + 1));
    join_all(threads, 6);
}

static unsigned char *volatile shared_page;
static __thread sigjmp_buf jump;
static __thread volatile int guarded;

static void on_fault(int signal)
{
    (void)signal;
    if (!guarded) _exit(77);
    siglongjmp(jump, 1);
}

static void *read_a_page_that_changes(void *argument)
{
    (void)argument;
    while (!stop) {
        guarded = 1;
        if (sigsetjmp(jump, 1) == 0) {
            unsigned char a = shared_page[10], b = shared_page[2000];
            /* Either the old or the new contents, never anything else. */
            if ((a != 1 && a != 2 && a != 0) || (b != 1 && b != 2 && b != 0)) failures++;
        }
        guarded = 0;
    }
    return NULL;
}

CASE(a_page_is_replaced_and_protected_under_readers)
{
    struct sigaction action = { .sa_handler = on_fault };
    OK(sigaction(SIGSEGV, &action, NULL));
    shared_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(shared_page, 1, PAGE);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) threads[i] = start(read_a_page_that_changes, NULL);
    for (int i = 0; i < 100; i++) {
        OK(mprotect(shared_page, PAGE, PROT_NONE));
        OK(mprotect(shared_page, PAGE, PROT_READ | PROT_WRITE));
        CHECK(mmap(shared_page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == shared_page);
        memset(shared_page, 1 + i % 2, PAGE);
        if (i % 5 == 0) OK(madvise(shared_page, PAGE, MADV_DONTNEED));
    }
    stop = 1;
    join_all(threads, 3);
}

static void *write_words(void *argument)
{
    volatile uint64_t *words = argument;
    uint64_t value = 0;
    while (!stop) { words[0] = ++value; words[512] = value; }
    return NULL;
}

CASE(writes_do_not_get_lost_while_the_process_forks)
{
    /* Each fork makes pages read-only under the writers. */
    uint64_t *words = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t threads[2] = { start(write_words, words), start(write_words, words + 1024) };
    for (int i = 0; i < 30; i++) {
        pid_t pid;
        CHILD(pid) {
            /* A snapshot: the writer stores one before the other, so they differ by at most one. */
            uint64_t a = words[0], b = words[512];
            CHECK(a == b || a == b + 1);
            sched_yield();
            CHECK(words[0] == a && words[512] == b);
        }
        CHECK_EQ(wait_for(pid), 0);
    }
    stop = 1;
    join_all(threads, 2);
    CHECK(words[0] > 30 && words[1024] > 30);
    CHECK_EQ(words[0], words[512]);
}

CASE(fork_while_threads_allocate)
{
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) threads[i] = start(map_and_unmap, (void *)(i + 1));
    for (int i = 0; i < 20; i++) {
        pid_t pid;
        CHILD(pid) { map_and_unmap((void *)9); CHECK_EQ(failures, 0); }
        CHECK_EQ(wait_for(pid), 0);
    }
    join_all(threads, 3);
}

static atomic_int handled;
static void count_signal(int signal) { (void)signal; handled++; }

CASE(a_storm_of_signals_hits_a_busy_process)
{
    struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(sigaction(SIGRTMIN, &action, NULL));
    pid_t parent = getpid(), pid;
    CHILD(pid) {
        for (int i = 0; i < 300; i++) {
            OK(kill(parent, SIGUSR1));
            while (sigqueue(parent, SIGRTMIN, (union sigval) { .sival_int = i }) != 0) { CHECK_EQ(errno, EAGAIN); sched_yield(); }
        }
    }
    /* Floating point, memory and system calls under fire. */
    double sum = 0;
    char text[64];
    int status;
    for (int i = 1; waitpid(pid, &status, WNOHANG) == 0; i++) {
        sum += 1.0 / i - 1.0 / i;
        snprintf(text, sizeof text, "%d %.3f", i, i * 0.5);
        int number;
        double half;
        CHECK_EQ(sscanf(text, "%d %lf", &number, &half), 2);
        CHECK(number == i && half == i * 0.5);
    }
    CHECK_EQ(status, 0);
    CHECK(sum == 0.0);
    CHECK(handled >= 301);
}

static void *bounce(void *argument)
{
    int *fds = argument;
    char byte;
    for (int i = 0; i < 200; i++) if (read(fds[0], &byte, 1) != 1 || write(fds[1], &byte, 1) != 1) failures++;
    return NULL;
}

CASE(a_ring_of_threads_and_pipes)
{
    enum { count = 5 };
    int pipes[count][2], ends[count][2];
    pthread_t threads[count];
    for (int i = 0; i < count; i++) OK(pipe(pipes[i]));
    for (int i = 0; i < count; i++) {
        ends[i][0] = pipes[i][0];
        ends[i][1] = pipes[(i + 1) % count][1];
        threads[i] = start(bounce, ends[i]);
    }
    CHECK_EQ(write(pipes[0][1], "t", 1), 1);
    join_all(threads, count);
}

CASE(hundreds_of_short_processes)
{
    for (int round = 0; round < 10; round++) {
        pid_t pids[20];
        for (int i = 0; i < 20; i++) CHILD(pids[i]) { _exit(i + round); }
        for (int i = 0; i < 20; i++) CHECK_EQ(wait_for(pids[i]), i + round);
    }
}

CASE(threads_come_and_go_while_others_fork)
{
    for (int i = 0; i < 8; i++) {
        pthread_t threads[2] = { start(map_and_unmap, (void *)1), start(map_and_unmap, (void *)2) };
        IN_CHILD { CHECK(getpid() > 0); }
        join_all(threads, 2);
    }
}

static void *append_lines(void *argument)
{
    char line[64];
    memset(line, 'a' + (int)(intptr_t)argument, 63);
    line[63] = '\n';
    int fd = open("log", O_WRONLY | O_APPEND | O_CREAT, 0600);
    for (int i = 0; i < 100; i++) if (write(fd, line, 64) != 64) failures++;
    close(fd);
    return NULL;
}

CASE(appending_threads_and_processes_do_not_overwrite)
{
    pthread_t threads[3];
    pid_t pid;
    close(OK(open("log", O_WRONLY | O_CREAT, 0600)));
    CHILD(pid) { append_lines((void *)9); }
    for (long i = 0; i < 3; i++) threads[i] = start(append_lines, (void *)i);
    join_all(threads, 3);
    CHECK_EQ(wait_for(pid), 0);
    char *text = read_file("log");
    CHECK_EQ(strlen(text), 400 * 64);
    for (int i = 0; i < 400; i++) {
        char *line = text + i * 64;
        for (int k = 1; k < 63; k++) CHECK_EQ(line[k], line[0]);
        CHECK_EQ(line[63], '\n');
    }
}

CASE(a_hundred_megabytes_hold_what_was_written)
{
    size_t size = 100ul << 20;
    uint64_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)map != MAP_FAILED);
    for (size_t i = 0; i < size / 8; i += 64) map[i] = i * 0x9E3779B97F4A7C15ull;
    for (size_t i = 0; i < size / 8; i += 64) if (map[i] != i * 0x9E3779B97F4A7C15ull) FAIL("word %zu", i);
    OK(munmap(map, size));
}

CASE(freed_memory_can_be_used_again)
{
    /* Together more than a sandbox has. */
    size_t size = 60ul << 20;
    for (int i = 0; i < 12; i++) {
        char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(map != MAP_FAILED);
        for (size_t k = 0; k < size; k += PAGE) map[k] = 1;
        OK(munmap(map, size));
    }
}

CASE(memory_of_ended_processes_can_be_used_again)
{
    for (int i = 0; i < 12; i++) {
        IN_CHILD {
            size_t size = 60ul << 20;
            char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            CHECK(map != MAP_FAILED);
            for (size_t k = 0; k < size; k += PAGE) map[k] = 1;
        }
    }
}

CASE(space_of_unlinked_files_can_be_used_again)
{
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 12; i++) {
        int fd = OK(open("big", O_RDWR | O_CREAT | O_TRUNC, 0600));
        for (int k = 0; k < 60; k++) CHECK_EQ(write(fd, block, sizeof block), sizeof block);
        OK(close(fd));
        OK(unlink("big"));
    }
}

CASE(descriptors_that_run_out_come_back)
{
    struct rlimit limit = { 64, 64 };
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    for (int round = 0; round < 20; round++) {
        int fds[64], count = 0;
        while ((fds[count] = open("/dev/null", O_RDONLY)) >= 0) count++;
        CHECK_EQ(errno, EMFILE);
        int pair[2];
        CHECK_ERRNO(pipe(pair), EMFILE);
        CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), EMFILE);
        close(fds[--count]);
        CHECK_ERRNO(pipe(pair), EMFILE);
        CHECK_EQ(open("/dev/null", O_RDONLY), fds[count]);
        close(fds[count]);
        while (count > 0) close(fds[--count]);
    }
}

static void *epoll_server(void *argument)
{
    int epoll = *(int *)argument;
    struct epoll_event events[8];
    int left = 8;
    while (left > 0) {
        int count = epoll_wait(epoll, events, 8, 5000);
        if (count <= 0) { failures++; return NULL; }
        for (int i = 0; i < count; i++) {
            char text[64];
            ssize_t got = read(events[i].data.fd, text, sizeof text);
            if (got > 0) { if (write(events[i].data.fd, text, (size_t)got) != got) failures++; }
            else { close(events[i].data.fd); left--; }
        }
    }
    return NULL;
}

static void *epoll_client(void *argument)
{
    int fd = (int)(intptr_t)argument;
    for (int i = 0; i < 100; i++) {
        int back = -1;
        if (write(fd, &i, sizeof i) != sizeof i || read(fd, &back, sizeof back) != sizeof back || back != i) failures++;
    }
    close(fd);
    return NULL;
}

CASE(an_epoll_server_with_eight_clients)
{
    int epoll = OK(epoll_create1(0));
    pthread_t threads[9];
    for (int i = 0; i < 8; i++) {
        int fds[2];
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[0] };
        OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
        threads[i + 1] = start(epoll_client, (void *)(intptr_t)fds[1]);
    }
    threads[0] = start(epoll_server, &epoll);
    join_all(threads, 9);
}

CASE(sleepers_all_wake_and_none_too_early)
{
    pid_t pids[10];
    int64_t before = now_ms();
    for (int i = 0; i < 10; i++) CHILD(pids[i]) { sleep_ms(20 + i * 5); }
    for (int i = 0; i < 10; i++) CHECK_EQ(wait_for(pids[i]), 0);
    CHECK(now_ms() - before >= 65);
}

static void *exit_randomly(void *argument)
{
    (void)argument;
    for (;;) { int *block = malloc(1000); free(block); }
    return NULL;
}

CASE(processes_with_busy_threads_end_cleanly)
{
    for (int i = 0; i < 15; i++) {
        pid_t pid;
        CHILD(pid) {
            for (int k = 0; k < 3; k++) start(exit_randomly, NULL);
            sched_yield();
            _exit(40 + i);
        }
        CHECK_EQ(wait_for(pid), 40 + i);
    }
}

CASE(a_chain_of_execs)
{
    write_file("again", "#!/bin/sh\nif test $1 -ge 15; then exit 15; fi\nexec ./again $(($1+1))\n");
    OK(chmod("again", 0755));
    pid_t pid = conf_fork();
    if (pid == 0) {
        execl("./again", "again", "0", (char *)NULL);
        _exit(127);
    }
    CHECK_EQ(wait_for(pid), 15);
}
