/* The objects of a worker: descriptors of every kind, memory of several protections, files with every kind of name. */
#include "fuzz.h"

struct world world;

static int keep(int fd)
{
    if (fd >= 0 && world.fd_count < MAX_FDS) world.fds[world.fd_count++] = fd;
    return fd;
}

static void make_files(void)
{
    mkdir("d", 0777);
    mkdir("d/e", 0777);
    mkdir("mnt", 0777);
    int fd = keep(open("f", O_RDWR | O_CREAT, 0666));
    if (fd >= 0 && write(fd, "#!/bin/sh\nexit 0\n", 17) < 0) { /* It stays empty. */ }
    keep(open("g", O_RDWR | O_CREAT | O_APPEND, 0777));
    keep(open("f", O_RDONLY));
    keep(open("f", O_PATH));
    keep(open("d", O_RDONLY | O_DIRECTORY));
    keep(open("/", O_RDONLY));
    keep(open(".", O_RDWR | O_TMPFILE, 0600));
    if (symlink("f", "l") != 0 || symlink("loop", "loop") != 0 || link("f", "h") != 0) { /* They were there. */ }
    mkfifo("p", 0666);
    keep(open("p", O_RDWR | O_NONBLOCK));
    static const char *const paths[] = {
        "/proc/self", "/proc/self/maps", "/proc/self/mem", "/proc/self/fd", "/proc/self/task", "/proc", "/proc/self/stat", "/proc/self/mounts", "/sys", "/proc/meminfo",
        "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/bin/sh", "/proc/self/comm", "/dev/shm", "/dev/pts",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        fd = open(paths[i], O_RDWR | O_NONBLOCK | O_NOCTTY);
        keep(fd >= 0 ? fd : open(paths[i], O_RDONLY | O_NONBLOCK));
    }
}

static void make_sockets(uint64_t *state)
{
    int pair[2];
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    for (size_t i = 0; i < COUNT(types); i++)
        if (socketpair(AF_UNIX, types[i], 0, pair) == 0) { keep(pair[0]); keep(pair[1]); }
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = keep(socket(AF_INET, SOCK_STREAM, 0));
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 4);
    getsockname(listener, (struct sockaddr *)&address, &length);
    int client = keep(socket(AF_INET, SOCK_STREAM, 0));
    connect(client, (struct sockaddr *)&address, sizeof address);
    keep(accept(listener, NULL, NULL));
    keep(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    keep(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
    keep(socket(AF_INET6, SOCK_DGRAM, 0));
    keep(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "s%u", (unsigned)below(state, 4));
    int server = keep(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    bind(server, (struct sockaddr *)&name, sizeof name);
    listen(server, 2);
    int datagram = keep(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    strcpy(name.sun_path, "dg");
    bind(datagram, (struct sockaddr *)&name, sizeof name);
}

static void make_others(void)
{
    int pair[2];
    sigset_t set;
    if (pipe2(pair, 0) == 0) { keep(pair[0]); keep(pair[1]); }
    if (pipe2(pair, O_NONBLOCK) == 0) { keep(pair[0]); keep(pair[1]); }
    if (pipe2(pair, O_DIRECT | O_NONBLOCK) == 0) { keep(pair[0]); keep(pair[1]); }
    keep(eventfd(1, EFD_NONBLOCK));
    keep(eventfd(0, EFD_SEMAPHORE));
    keep(timerfd_create(CLOCK_MONOTONIC, 0));
    keep(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    keep(signalfd(-1, &set, SFD_NONBLOCK));
    int epoll = keep(epoll_create1(0));
    keep(epoll_create1(0));
    for (int i = 0; i < world.fd_count; i += 3) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | (i % 2 ? EPOLLET : 0), .data.u64 = (uint64_t)i };
        epoll_ctl(epoll, EPOLL_CTL_ADD, world.fds[i], &event);
    }
    int watcher = keep(inotify_init1(IN_NONBLOCK));
    inotify_add_watch(watcher, ".", IN_ALL_EVENTS);
    inotify_add_watch(watcher, "f", IN_ALL_EVENTS);
    keep((int)syscall(SYS_memfd_create, "fuzz", MFD_ALLOW_SEALING));
    int master = keep(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && ptsname(master)) keep(open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK));
    keep((int)syscall(SYS_pidfd_open, getpid(), 0));
    keep((int)syscall(SYS_mq_open, "/fuzz", O_RDWR | O_CREAT | O_NONBLOCK, 0666, NULL));
}

void make_world(uint64_t *state)
{
    memset(&world, 0, sizeof world);
    world.main_pid = getppid();
    make_files();
    make_sockets(state);
    make_others();
    for (int i = 0; i < ARENAS; i++) {
        int protection = i == 4 ? PROT_READ : i == 5 ? PROT_READ | PROT_WRITE | PROT_EXEC : PROT_READ | PROT_WRITE;
        int flags = i == 1 ? MAP_SHARED | MAP_ANONYMOUS : i == 2 ? MAP_SHARED : i == 3 ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS;
        int fd = -1;
        if (i == 2 || i == 3) {
            fd = open("m", O_RDWR | O_CREAT, 0666);
            if (fd < 0 || ftruncate(fd, ARENA_SIZE / 2) != 0) { /* Pages behind the end: SIGBUS, EFAULT. */ }
        }
        void *arena = mmap(NULL, ARENA_SIZE, protection, flags, fd, 0);
        world.arenas[i] = arena == MAP_FAILED ? NULL : arena;
        if (fd >= 0) close(fd);
        /* Nothing behind the end of the arena, so that what runs over it faults. */
        if (arena != MAP_FAILED && i == 0) munmap((char *)arena + ARENA_SIZE - 4096, 4096);
    }
}

uint64_t boundary_value(uint64_t *state)
{
    static const uint64_t values[] = {
        0, 1, 2, 3, 7, 8, 15, 16, 31, 63, 64, 127, 128, 255, 256, 511, 1023, 1024, 4095, 4096, 4097, 65535, 65536, 0x7FFF, 0x8000, 1 << 20, 1 << 21,
        0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x7FFFFFFFF000, 0x7FFFFFFFFFFF, 0x800000000000, 0xFFFF800000000000, 0xFFFFFFFFFF600000,
        0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFF000, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF, 0x8000000000000001, 0xFFFFFFFF80000000,
        0x3FFFFFFFFFFFFFFF, 0x4000000000000000, 0x1000000000000000, 0x1FFFFFFFFFFFFFFF,
    };
    switch (below(state, 5)) {
    case 0: return next_random(state);
    case 1: return 1ULL << below(state, 64);
    case 2: return values[below(state, COUNT(values))] + below(state, 3) - 1;
    case 3: return below(state, 65536);
    default: return values[below(state, COUNT(values))];
    }
}
