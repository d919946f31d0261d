/* The pieces of the system-call fuzzer: a random generator, and the world of objects that calls are made on. */
#ifndef FUZZ_H
#define FUZZ_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ARENAS 6
#define ARENA_SIZE 65536
#define MAX_FDS 96

/* What all threads of a worker share. */
struct world {
    int fds[MAX_FDS];
    int fd_count;
    unsigned char *arenas[ARENAS];
    pid_t main_pid;
    pid_t children[4];
};

/* Shared with the main process. */
struct totals {
    volatile uint64_t calls;
    volatile uint64_t workers;
    volatile uint64_t by_errno[134];
};

extern struct world world;
extern struct totals *totals;

/* splitmix64: small, and the same everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint64_t below(uint64_t *state, uint64_t limit) { return next_random(state) % limit; }
static inline bool one_in(uint64_t *state, uint64_t n) { return below(state, n) == 0; }

uint64_t boundary_value(uint64_t *state);
void make_world(uint64_t *state);
void run_calls(uint64_t seed, long calls);
void run_instructions(uint64_t *state);

#endif
