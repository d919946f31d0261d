/* /proc, /sys and /dev as programs read them. */
#include "conformance.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

static char *link_of(const char *path)
{
    static char text[PATH_MAX];
    ssize_t length = readlink(path, text, sizeof text - 1);
    if (length < 0) FAIL("readlink(%s) errno=%d (%s)", path, errno, strerror(errno));
    text[length] = 0;
    return text;
}

/* The value behind "Name:\t" in a status file. */
static long status_value(const char *path, const char *name)
{
    char *text = read_file(path), *at = strstr(text, name);
    if (at == NULL) FAIL("%s has no %s", path, name);
    return strtol(at + strlen(name) + 1, NULL, 0);
}

CASE(proc_self_is_the_reader)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    CHECK_STR(link_of("/proc/self"), pid);
    IN_CHILD {
        snprintf(pid, sizeof pid, "%d", getpid());
        CHECK_STR(link_of("/proc/self"), pid);
    }
    char both[64];
    snprintf(both, sizeof both, "%d/task/%d", getpid(), gettid());
    CHECK_STR(link_of("/proc/thread-self"), both);
}

CASE(proc_self_status)
{
    OK(prctl(PR_SET_NAME, "status-test"));
    char *text = read_file("/proc/self/status");
    CHECK(strncmp(text, "Name:\tstatus-test\n", 18) == 0);
    CHECK_EQ(status_value("/proc/self/status", "\nPid:"), getpid());
    CHECK_EQ(status_value("/proc/self/status", "\nPPid:"), getppid());
    CHECK_EQ(status_value("/proc/self/status", "\nUid:"), getuid());
    CHECK_EQ(status_value("/proc/self/status", "\nThreads:"), 1);
    CHECK(status_value("/proc/self/status", "\nVmRSS:") > 100);
    CHECK(status_value("/proc/self/status", "\nVmSize:") > 1000);
}

CASE(proc_self_stat_has_52_fields)
{
    OK(prctl(PR_SET_NAME, "odd) (name"));
    char *text = read_file("/proc/self/stat"), *end = strrchr(text, ')');
    CHECK(end != NULL);
    CHECK_EQ(strtol(text, NULL, 10), getpid());
    CHECK(strncmp(strchr(text, '('), "(odd) (name) R ", 15) == 0);
    int fields = 2;
    for (char *at = end + 1; *at; at++) if (*at == ' ') fields++;
    CHECK_EQ(fields, 52);
    int parent, group, session;
    CHECK_EQ(sscanf(end + 2, "%*c %d %d %d", &parent, &group, &session), 3);
    CHECK_EQ(parent, getppid());
    CHECK_EQ(group, getpgrp());
    CHECK_EQ(session, getsid(0));
}

CASE(proc_self_cmdline_environ_and_exe)
{
    char *text = read_file("/proc/self/cmdline");
    CHECK(strstr(text, "test") != NULL);
    CHECK(strstr(link_of("/proc/self/exe"), "/test") != NULL);
    int fds[2];
    OK(pipe(fds));
    pid_t pid = conf_fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execle("/bin/cat", "cat", "/proc/self/cmdline", "/proc/self/environ", (char *)NULL, (char *[]) { "ONE=1", "TWO=2", NULL });
        _exit(127);
    }
    CHECK_EQ(wait_for(pid), 0);
    static const char expected[] = "cat\0/proc/self/cmdline\0/proc/self/environ\0ONE=1\0TWO=2";
    char got[128] = "";
    CHECK_EQ(read(fds[0], got, sizeof got), sizeof expected);
    CHECK(memcmp(got, expected, sizeof expected) == 0);
}

CASE(proc_self_cwd_and_root)
{
    char path[PATH_MAX];
    CHECK_STR(link_of("/proc/self/cwd"), getcwd(path, sizeof path));
    CHECK_STR(link_of("/proc/self/root"), "/");
}

CASE(proc_self_fd_lists_descriptors)
{
    int fd = OK(open("/dev/null", O_RDONLY)), seen = 0;
    char path[64];
    CHECK_EQ(dup2(fd, 77), 77);
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) if (strcmp(entry->d_name, "77") == 0) seen = 1;
    CHECK_EQ(seen, 1);
    CHECK_STR(link_of("/proc/self/fd/77"), "/dev/null");
    write_file("f", "by number");
    int file = OK(open("f", O_RDONLY));
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    CHECK_STR(read_file(path), "by number");
    OK(unlink("f"));
    CHECK(strstr(link_of(path), "/f (deleted)") != NULL);
    CHECK_STR(read_file(path), "by number");
    snprintf(path, sizeof path, "/dev/fd/%d", file);
    CHECK_STR(read_file(path), "by number");
}

CASE(proc_self_fdinfo)
{
    int fd = OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0600));
    CHECK_EQ(write(fd, "12345", 5), 5);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    CHECK_EQ(status_value(path, "pos:"), 5);
    long flags = status_value(path, "flags:");
    CHECK_EQ(flags & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
}

CASE(proc_self_maps_describes_mappings)
{
    write_file("mapped-file", "x");
    int fd = OK(open("mapped-file", O_RDONLY));
    char *map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0), line[64];
    char *anonymous = mmap(NULL, 12288, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *text = read_file("/proc/self/maps");
    snprintf(line, sizeof line, "%lx-%lx r--p 00000000 ", (long)map, (long)map + 8192);
    char *at = strstr(text, line);
    CHECK(at != NULL);
    CHECK(strstr(at, "/mapped-file\n") != NULL && strstr(at, "/mapped-file\n") < strchr(at, '\n') + 1);
    snprintf(line, sizeof line, "%lx", (long)anonymous + 12288);
    CHECK(strstr(text, line) != NULL);
    CHECK(strstr(text, "[stack]\n") != NULL && strstr(text, "[heap]\n") != NULL && strstr(text, "[vdso]\n") != NULL);
}

CASE(the_break_lies_in_the_heap_of_maps)
{
    free(malloc(100));
    char *text = read_file("/proc/self/maps"), *at = strstr(text, "[heap]");
    CHECK(at != NULL);
    while (at > text && at[-1] != '\n') at--;
    unsigned long start, end;
    CHECK_EQ(sscanf(at, "%lx-%lx", &start, &end), 2);
    CHECK_EQ(end, ((unsigned long)sbrk(0) + 4095) & ~4095ul);
}

CASE(proc_self_task_lists_threads)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
    OK(prctl(PR_SET_NAME, "taskname"));
    CHECK_STR(read_file(path), "taskname\n");
}

CASE(comm_can_be_written)
{
    int fd = OK(open("/proc/self/comm", O_WRONLY));
    CHECK_EQ(write(fd, "written", 7), 7);
    char name[17];
    OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "written");
}

CASE(proc_self_mem_reads_memory)
{
    static char secret[] = "in memory";
    char text[16] = "";
    int fd = OK(open("/proc/self/mem", O_RDONLY));
    CHECK_EQ(pread(fd, text, 9, (off_t)(uintptr_t)secret), 9);
    CHECK_STR(text, "in memory");
}

CASE(proc_of_a_child_and_of_a_zombie)
{
    char path[64];
    pid_t pid;
    CHILD(pid) { pause(); }
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    CHECK_EQ(status_value(path, "\nPPid:"), getpid());
    OK(kill(pid, SIGKILL));
    siginfo_t info;
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK(strstr(read_file(path), "State:\tZ (zombie)\n") != NULL);
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
    CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

CASE(states_of_processes)
{
    char path[64], *text;
    pid_t pid;
    int status;
    CHILD(pid) { for (;;) pause(); }
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int64_t until = now_ms() + 3000;
    do text = read_file(path); while (strstr(text, "State:\tS (sleeping)\n") == NULL && now_ms() < until);
    CHECK(strstr(text, "State:\tS (sleeping)\n") != NULL);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(strstr(read_file(path), "State:\tT (stopped)\n") != NULL);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(proc_lists_processes)
{
    char name[16];
    snprintf(name, sizeof name, "%d", getpid());
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    int self = 0, meminfo = 0;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, name) == 0) self = entry->d_type == DT_DIR;
        if (strcmp(entry->d_name, "meminfo") == 0) meminfo = 1;
    }
    CHECK_EQ(self, 1);
    CHECK_EQ(meminfo, 1);
}

CASE(system_wide_files)
{
    CHECK(strncmp(read_file("/proc/meminfo"), "MemTotal:", 9) == 0);
    CHECK(strstr(read_file("/proc/meminfo"), "\nMemAvailable:") != NULL);
    CHECK(strstr(read_file("/proc/cpuinfo"), "processor\t: 0\n") != NULL);
    CHECK(strstr(read_file("/proc/cpuinfo"), "\nflags\t\t: fpu ") != NULL);
    CHECK(strncmp(read_file("/proc/version"), "Linux version ", 14) == 0);
    CHECK(strncmp(read_file("/proc/stat"), "cpu  ", 5) == 0);
    CHECK(strstr(read_file("/proc/stat"), "\nbtime ") != NULL);
    CHECK(strstr(read_file("/proc/mounts"), " / ") != NULL);
    CHECK(strstr(read_file("/proc/filesystems"), "\tproc\n") != NULL);
    double up, idle;
    CHECK_EQ(sscanf(read_file("/proc/uptime"), "%lf %lf", &up, &idle), 2);
    double load;
    CHECK_EQ(sscanf(read_file("/proc/loadavg"), "%lf", &load), 1);
    CHECK(strstr(read_file("/proc/self/mountinfo"), " / / ") != NULL);
    CHECK(strlen(read_file("/proc/self/cgroup")) > 0);
    CHECK(strstr(read_file("/proc/self/limits"), "Max open files") != NULL);
    CHECK(strlen(read_file("/proc/self/auxv")) < 1000);
    int fd = OK(open("/proc/self/auxv", O_RDONLY));
    char auxv[1024];
    ssize_t length = OK(read(fd, auxv, sizeof auxv));
    CHECK(length > 16 && length % 16 == 0);
}

CASE(sysctl_files)
{
    CHECK(strtol(read_file("/proc/sys/kernel/pid_max"), NULL, 10) >= 301);
    CHECK_EQ(strlen(read_file("/proc/sys/kernel/random/boot_id")), 37);
    char first[64];
    strcpy(first, read_file("/proc/sys/kernel/random/uuid"));
    CHECK(strcmp(first, read_file("/proc/sys/kernel/random/uuid")) != 0);
    CHECK(strlen(read_file("/proc/sys/kernel/hostname")) > 1);
    CHECK_STR(read_file("/proc/sys/kernel/ostype"), "Linux\n");
    long overcommit = strtol(read_file("/proc/sys/vm/overcommit_memory"), NULL, 10);
    CHECK(overcommit >= 0 && overcommit <= 2);
}

CASE(dev_null_zero_full)
{
    char text[16];
    int null = OK(open("/dev/null", O_RDWR)), zero = OK(open("/dev/zero", O_RDWR)), full = OK(open("/dev/full", O_RDWR));
    CHECK_EQ(write(null, "gone", 4), 4);
    CHECK_EQ(read(null, text, 16), 0);
    memset(text, 1, 16);
    CHECK_EQ(read(zero, text, 16), 16);
    for (int i = 0; i < 16; i++) CHECK_EQ(text[i], 0);
    CHECK_EQ(write(zero, "gone", 4), 4);
    CHECK_EQ(read(full, text, 4), 4);
    CHECK_ERRNO(write(full, "x", 1), ENOSPC);
    struct stat status;
    OK(stat("/dev/zero", &status));
    CHECK_EQ(status.st_rdev, makedev(1, 5));
    OK(lseek(null, 100, SEEK_SET));
}

CASE(dev_random_and_urandom)
{
    static const char *const names[] = { "/dev/random", "/dev/urandom" };
    for (int i = 0; i < 2; i++) {
        unsigned char a[32], b[32];
        int fd = OK(open(names[i], O_RDONLY));
        CHECK_EQ(read(fd, a, 32), 32);
        CHECK_EQ(read(fd, b, 32), 32);
        CHECK(memcmp(a, b, 32) != 0);
    }
}

CASE(dev_shm_takes_files)
{
    int fd = OK(shm_open("/conformance-shm", O_RDWR | O_CREAT | O_EXCL, 0600));
    OK(ftruncate(fd, 4096));
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    strcpy(map, "shared");
    IN_CHILD {
        int other = OK(shm_open("/conformance-shm", O_RDWR, 0));
        char *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
        CHECK_STR(mine, "shared");
        strcpy(mine, "child");
    }
    CHECK_STR(map, "child");
    OK(shm_unlink("/conformance-shm"));
    CHECK_ERRNO(shm_open("/conformance-shm", O_RDWR, 0), ENOENT);
}

CASE(dev_links)
{
    CHECK(strstr(link_of("/dev/fd"), "/proc/self/fd") != NULL);
    CHECK(strstr(link_of("/dev/stdin"), "/proc/self/fd/0") != NULL);
    CHECK(strstr(link_of("/dev/stdout"), "/proc/self/fd/1") != NULL);
    CHECK(strstr(link_of("/dev/stderr"), "/proc/self/fd/2") != NULL);
}

CASE(opening_dev_stdin_of_a_pipe)
{
    int fds[2];
    OK(pipe(fds));
    CHECK_EQ(write(fds[1], "piped", 5), 5);
    close(fds[1]);
    OK(dup2(fds[0], 0));
    CHECK_STR(read_file("/dev/stdin"), "piped");
}

CASE(dev_tty_without_a_terminal_is_enxio)
{
    IN_CHILD {
        OK(setsid());
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    }
}

CASE(sys_tells_of_processors)
{
    CHECK(strncmp(read_file("/sys/devices/system/cpu/online"), "0", 1) == 0);
    struct stat status;
    OK(stat("/sys", &status));
    CHECK(S_ISDIR(status.st_mode));
}

CASE(oom_score_adj_can_be_read_and_raised)
{
    CHECK(strtol(read_file("/proc/self/oom_score_adj"), NULL, 10) >= -1000);
    int fd = OK(open("/proc/self/oom_score_adj", O_WRONLY));
    CHECK_EQ(write(fd, "500", 3), 3);
    CHECK_STR(read_file("/proc/self/oom_score_adj"), "500\n");
}

CASE(proc_pid_mem_of_a_child_is_read_and_written)
{
    static volatile int value = 11;
    int ends[2], back[2];
    char byte;
    OK(pipe(ends));
    OK(pipe(back));
    pid_t pid;
    CHILD(pid) {
        CHECK_EQ(read(ends[0], &byte, 1), 1);
        CHECK_EQ(value, 77);
        (void)!write(back[1], "x", 1);
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int fd = OK(open(path, O_RDWR));
    int seen = 0, wanted = 77;
    CHECK_EQ(pread(fd, &seen, sizeof seen, (off_t)(uintptr_t)&value), sizeof seen);
    CHECK_EQ(seen, 11);
    CHECK_EQ(pwrite(fd, &wanted, sizeof wanted, (off_t)(uintptr_t)&value), sizeof wanted);
    CHECK_EQ(lseek(fd, (off_t)(uintptr_t)&value, SEEK_SET), (off_t)(uintptr_t)&value);
    CHECK_EQ(read(fd, &seen, sizeof seen), sizeof seen);
    CHECK_EQ(seen, 77);
    CHECK_EQ(value, 11);
    CHECK_ERRNO(pread(fd, &seen, sizeof seen, 4096), EIO);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(wait_for(pid), 0);
    /* The address space is gone. */
    CHECK_EQ(pread(fd, &seen, sizeof seen, (off_t)(uintptr_t)&value), 0);
}

CASE(proc_self_mem_writes_read_only_memory)
{
    char *map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    int fd = open("/proc/self/mem", O_RDWR);
    if (fd < 0) SKIP("/proc/self/mem cannot be written here");
    ssize_t count = pwrite(fd, "text", 4, (off_t)(uintptr_t)map);
    if (count < 0 && errno == EIO) SKIP("this kernel does not force writes");
    CHECK_EQ(count, 4);
    CHECK(memcmp(map, "text", 4) == 0);
    pid_t pid;
    CHILD(pid) *(volatile char *)map = 'x';
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
    OK(mprotect(map, 8192, PROT_NONE));
    char text[5] = "";
    CHECK_EQ(pread(fd, text, 4, (off_t)(uintptr_t)map), 4);
    CHECK_STR(text, "text");
    OK(mprotect(map, 8192, PROT_READ));
    CHECK(memcmp(map, "text", 4) == 0);
}
