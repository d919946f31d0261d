/* Users and groups, capabilities, limits, scheduling, system information, randomness. */
#include "conformance.h"
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void expect_uids(uid_t real, uid_t effective, uid_t saved, int line)
{
    uid_t r, e, s;
    OK(getresuid(&r, &e, &s));
    if (r != real || e != effective || s != saved) FAIL("line %d: uids are %u %u %u, not %u %u %u", line, r, e, s, real, effective, saved);
}

CASE(root_may_set_any_uid_and_loses_that_with_setuid)
{
    NEEDS_ROOT();
    OK(setuid(1000));
    expect_uids(1000, 1000, 1000, __LINE__);
    CHECK_ERRNO(setuid(0), EPERM);
    OK(setuid(1000));
    CHECK_EQ(geteuid(), 1000);
}

CASE(seteuid_can_go_back)
{
    NEEDS_ROOT();
    OK(seteuid(1000));
    expect_uids(0, 1000, 0, __LINE__);
    CHECK_ERRNO(setresuid(5, 5, 5), EPERM);
    OK(seteuid(0));
    expect_uids(0, 0, 0, __LINE__);
}

CASE(setreuid_and_setresuid)
{
    NEEDS_ROOT();
    IN_CHILD {
        OK(setreuid(1000, 2000));
        expect_uids(1000, 2000, 2000, __LINE__);
        OK(setreuid(2000, 1000));
        expect_uids(2000, 1000, 1000, __LINE__);
        CHECK_ERRNO(setreuid(0, -1), EPERM);
    }
    IN_CHILD {
        OK(setresuid(1, 2, 3));
        OK(setresuid(-1, 3, -1));
        expect_uids(1, 3, 3, __LINE__);
        OK(setresuid(3, 1, -1));
        expect_uids(3, 1, 3, __LINE__);
        CHECK_ERRNO(setresuid(2, -1, -1), EPERM);
    }
}

CASE(group_ids)
{
    NEEDS_ROOT();
    gid_t r, e, s;
    OK(setresgid(10, 20, 30));
    OK(getresgid(&r, &e, &s));
    CHECK(r == 10 && e == 20 && s == 30);
    CHECK_EQ(getgid(), 10);
    CHECK_EQ(getegid(), 20);
    OK(setgid(5));
    OK(getresgid(&r, &e, &s));
    CHECK(r == 5 && e == 5 && s == 5);
    OK(setuid(1000));
    CHECK_ERRNO(setgid(0), EPERM);
}

CASE(supplementary_groups)
{
    NEEDS_ROOT();
    gid_t groups[3] = { 7, 8, 9 }, back[8];
    OK(setgroups(3, groups));
    CHECK_EQ(getgroups(0, NULL), 3);
    CHECK_EQ(getgroups(8, back), 3);
    CHECK(back[0] == 7 && back[1] == 8 && back[2] == 9);
    CHECK_ERRNO(getgroups(2, back), EINVAL);
    IN_CHILD {
        CHECK_EQ(getgroups(8, back), 3);
        OK(setuid(1000));
        CHECK_ERRNO(setgroups(0, NULL), EPERM);
    }
    write_file("f", "x");
    OK(chown("f", 0, 8));
    OK(chmod("f", 0640));
    IN_CHILD { OK(setuid(1000)); close(OK(open("f", O_RDONLY))); }
    OK(setgroups(0, NULL));
    IN_CHILD { OK(setuid(1000)); CHECK_ERRNO(open("f", O_RDONLY), EACCES); }
}

CASE(credentials_are_inherited)
{
    NEEDS_ROOT();
    OK(setresuid(0, 1000, 0));
    IN_CHILD { expect_uids(0, 1000, 0, __LINE__); }
}

CASE(capabilities_go_with_root)
{
    NEEDS_ROOT();
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    OK(syscall(SYS_capget, &header, data));
    CHECK(data[0].effective & (1u << CAP_CHOWN));
    OK(setuid(1000));
    OK(syscall(SYS_capget, &header, data));
    CHECK_EQ(data[0].effective, 0);
    header.version = 5;
    CHECK_ERRNO(syscall(SYS_capget, &header, data), EINVAL);
    CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
}

CASE(dropped_capabilities_do_not_come_back)
{
    NEEDS_ROOT();
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { 0 };
    OK(syscall(SYS_capset, &header, data));
    CHECK_ERRNO(setuid(1000), EPERM);
    data[0].effective = data[0].permitted = 1u << CAP_SETUID;
    CHECK_ERRNO(syscall(SYS_capset, &header, data), EPERM);
}

CASE(the_bounding_set_can_be_read)
{
    CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) >= 0);
    CHECK_ERRNO(prctl(PR_CAPBSET_READ, 999), EINVAL);
}

CASE(rlimits_can_be_read_and_lowered)
{
    struct rlimit limit, old;
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    CHECK(limit.rlim_cur >= 64 && limit.rlim_max >= limit.rlim_cur);
    limit.rlim_cur = 40;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    OK(prlimit(0, RLIMIT_NOFILE, NULL, &old));
    CHECK_EQ(old.rlim_cur, 40);
    int last = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 39);
    CHECK_ERRNO(dup2(0, 40), EBADF);
    limit.rlim_cur = limit.rlim_max + 1;
    if (limit.rlim_max != RLIM_INFINITY) CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
    CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
    CHECK_ERRNO(prlimit(0x3fffffff, RLIMIT_NOFILE, NULL, &limit), ESRCH);
}

CASE(hard_limits_cannot_be_raised_without_privilege)
{
    struct rlimit limit = { 100, 100 };
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    IN_CHILD {
        if (geteuid() == 0) OK(setuid(1000));
        limit.rlim_max = 200;
        CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
        limit = (struct rlimit) { 50, 60 };
        OK(setrlimit(RLIMIT_NOFILE, &limit));
    }
}

CASE(file_size_limit)
{
    struct rlimit limit = { 1000, 1000 };
    OK(setrlimit(RLIMIT_FSIZE, &limit));
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    static char block[2000];
    CHECK_EQ(write(fd, block, 2000), 1000);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_ERRNO(write(fd, block, 1), EFBIG);
    CHECK_ERRNO(ftruncate(fd, 1001), EFBIG);
    signal(SIGXFSZ, SIG_DFL);
    pid_t pid;
    CHILD(pid) { if (write(fd, block, 1) < 0) _exit(1); }
    CHECK_EQ(wait_for(pid), 128 + SIGXFSZ);
}

CASE(cpu_time_limit)
{
    pid_t pid;
    CHILD(pid) {
        struct rlimit limit = { 1, 2 };
        OK(setrlimit(RLIMIT_CPU, &limit));
        for (;;) { __asm__ volatile("" ::: "memory"); }
    }
    CHECK_EQ(wait_for(pid), 128 + SIGXCPU);
}

CASE(process_limit)
{
    NEEDS_ROOT();
    IN_CHILD {
        struct rlimit limit = { 1, 1 };
        OK(setuid(54321));
        OK(setrlimit(RLIMIT_NPROC, &limit));
        CHECK_ERRNO(fork(), EAGAIN);
    }
}

CASE(nice_and_priorities)
{
    errno = 0;
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    CHECK_EQ(nice(5), 5);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
    OK(setpriority(PRIO_PROCESS, 0, 100));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    CHECK_ERRNO(getpriority(99, 0), EINVAL);
    CHECK_ERRNO(getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
    IN_CHILD { CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19); }
    if (geteuid() == 0) {
        IN_CHILD {
            OK(setuid(1000));
            CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 0), EACCES);
        }
    }
}

CASE(sched_calls)
{
    struct sched_param parameters = { -1 };
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    OK(sched_getparam(0, &parameters));
    CHECK_EQ(parameters.sched_priority, 0);
    OK(sched_yield());
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
    CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    CHECK_ERRNO(sched_get_priority_max(99), EINVAL);
    OK(sched_setscheduler(0, SCHED_BATCH, &parameters));
    CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
    parameters.sched_priority = 5;
    CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &parameters), EINVAL);
    CHECK_ERRNO(sched_getscheduler(0x3fffffff), ESRCH);
    struct timespec interval;
    OK(sched_rr_get_interval(0, &interval));
}

CASE(affinity)
{
    cpu_set_t set;
    OK(sched_getaffinity(0, sizeof set, &set));
    int count = CPU_COUNT(&set);
    CHECK(count >= 1);
    CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN) >= 1, 1);
    int first = 0;
    while (!CPU_ISSET(first, &set)) first++;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    OK(sched_setaffinity(0, sizeof one, &one));
    OK(sched_getaffinity(0, sizeof set, &set));
    CHECK_EQ(CPU_COUNT(&set), 1);
    IN_CHILD { OK(sched_getaffinity(0, sizeof set, &set)); CHECK_EQ(CPU_COUNT(&set), 1); }
    CPU_ZERO(&one);
    CHECK_ERRNO(sched_setaffinity(0, sizeof one, &one), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
}

CASE(uname_describes_a_linux)
{
    struct utsname name;
    OK(uname(&name));
    CHECK_STR(name.sysname, "Linux");
    CHECK_STR(name.machine, "x86_64");
    CHECK(name.nodename[0] != 0);
    int major = 0, minor = 0;
    CHECK_EQ(sscanf(name.release, "%d.%d", &major, &minor), 2);
    CHECK(major >= 4);
    char host[65];
    OK(gethostname(host, sizeof host));
    CHECK_STR(host, name.nodename);
}

CASE(sysinfo_is_plausible)
{
    struct sysinfo info;
    OK(sysinfo(&info));
    CHECK(info.totalram > 0 && info.freeram <= info.totalram);
    CHECK(info.procs >= 1);
    CHECK(info.mem_unit >= 1);
    CHECK(sysconf(_SC_PHYS_PAGES) > 0);
    CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
    CHECK_EQ(sysconf(_SC_CLK_TCK), 100);
}

CASE(getrandom_gives_different_bytes)
{
    unsigned char a[64], b[64];
    CHECK_EQ(getrandom(a, sizeof a, 0), 64);
    CHECK_EQ(getrandom(b, sizeof b, GRND_NONBLOCK), 64);
    CHECK(memcmp(a, b, 64) != 0);
    CHECK_EQ(getrandom(a, 0, 0), 0);
    CHECK_ERRNO(getrandom(a, 8, 0x100), EINVAL);
    CHECK_ERRNO(getrandom((void *)8, 8, 0), EFAULT);
    OK(getentropy(a, 32));
    static unsigned char big[100000];
    CHECK_EQ(getrandom(big, sizeof big, 0), sizeof big);
    int seen[256] = { 0 }, kinds = 0;
    for (size_t i = 0; i < sizeof big; i++) if (seen[big[i]]++ == 0) kinds++;
    CHECK_EQ(kinds, 256);
}

CASE(users_can_be_looked_up)
{
    struct passwd *root = getpwuid(0);
    CHECK(root != NULL);
    CHECK_STR(root->pw_name, "root");
    struct group *group = getgrgid(0);
    CHECK(group != NULL);
    CHECK_STR(group->gr_name, "root");
}

CASE(personality_is_linux)
{
    CHECK_EQ(syscall(SYS_personality, 0xFFFFFFFF) & 0xFF, 0);
}

CASE(arch_prctl_reads_and_writes_the_thread_bases)
{
    unsigned long fs = 0, gs = 1;
    OK(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &fs));
    CHECK(fs != 0);
    CHECK_EQ(*(unsigned long *)fs, fs);
    static unsigned long words[2] = { 0x1234, 0x5678 };
    OK(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, words));
    OK(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &gs));
    CHECK_EQ(gs, (unsigned long)words);
    unsigned long value;
    __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
    CHECK_EQ(value, 0x5678);
    CHECK_ERRNO(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1001, 1ul << 63), EPERM);
    sched_yield();
    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    CHECK_EQ(value, 0x1234);
    IN_CHILD {
        __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
        CHECK_EQ(value, 0x1234);
    }
}

CASE(membarrier_and_rseq_queries_do_not_crash)
{
    long commands = syscall(SYS_membarrier, 0 /* QUERY */, 0, 0);
    CHECK(commands >= 0 || errno == ENOSYS);
}
