/* seccomp filters, netlink, NUMA policies, /sys, pidfd_getfd. */
#include "conformance.h"
#include <ifaddrs.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Answers one system call number with an action, and allows all others. */
static int install(int number, uint32_t action, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { ARRAY_LENGTH(code), code };
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

CASE(a_filter_needs_no_new_privs_or_root)
{
    NEEDS_ROOT();
    IN_CHILD {
        OK(setresuid(1234, 1234, 1234));
        CHECK_ERRNO(install(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0), EACCES);
        OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        OK(install(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0));
        CHECK_ERRNO(syscall(SYS_getppid), EXDEV);
        CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
    }
}

CASE(filters_are_inherited_and_the_strictest_wins)
{
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    OK(install(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0));
    OK(install(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, 0));
    CHECK_ERRNO(syscall(SYS_getppid), EDOM);
    IN_CHILD CHECK_ERRNO(syscall(SYS_getppid), EDOM);
    pid_t pid;
    CHILD(pid) {
        OK(install(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0));
        syscall(SYS_getppid);
    }
    CHECK_EQ(wait_for(pid), 128 + SIGSYS);
}

static volatile int trapped_number, trapped_code, trapped_error;

static void on_sigsys(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    trapped_number = info->si_syscall;
    trapped_code = info->si_code;
    trapped_error = info->si_errno;
}

CASE(a_trap_gives_sigsys)
{
    struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
    OK(sigaction(SIGSYS, &action, NULL));
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    OK(install(SYS_getppid, SECCOMP_RET_TRAP | 77, 0));
    syscall(SYS_getppid);
    CHECK_EQ(trapped_number, SYS_getppid);
    CHECK_EQ(trapped_code, 1);
    CHECK_EQ(trapped_error, 77);
}

CASE(strict_mode_allows_four_calls)
{
    pid_t pid;
    CHILD(pid) {
        OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
        syscall(SYS_exit, 7);
    }
    CHECK_EQ(wait_for(pid), 7);
    CHILD(pid) {
        OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
        syscall(SYS_getpid);
    }
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(bad_filters_are_refused)
{
    struct sock_filter nothing[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) }, far[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter jump[] = { BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_fprog program = { 1, nothing };
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), EINVAL);
    program = (struct sock_fprog){ 2, far };
    CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), EINVAL);
    program = (struct sock_fprog){ 2, jump };
    CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), EINVAL);
    program = (struct sock_fprog){ 0, jump };
    CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), EINVAL);
    CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
}

CASE(getifaddrs_finds_loopback)
{
    struct ifaddrs *all, *each;
    bool found = false;
    OK(getifaddrs(&all));
    for (each = all; each; each = each->ifa_next) {
        if (each->ifa_addr == NULL || each->ifa_addr->sa_family != AF_INET) continue;
        if (((struct sockaddr_in *)each->ifa_addr)->sin_addr.s_addr != htonl(INADDR_LOOPBACK)) continue;
        CHECK_STR(each->ifa_name, "lo");
        CHECK(each->ifa_flags & IFF_LOOPBACK);
        CHECK(each->ifa_flags & IFF_UP);
        found = true;
    }
    freeifaddrs(all);
    CHECK(found);
    CHECK_EQ(if_nametoindex("lo"), 1);
}

CASE(netlink_lists_links_and_ends)
{
    int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    struct { struct nlmsghdr header; struct ifinfomsg info; } request = {
        .header = { .nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = 9 },
    };
    CHECK_EQ(send(fd, &request, sizeof request, 0), sizeof request);
    static char answer[65536];
    int links = 0;
    for (bool done = false; !done;) {
        ssize_t length = OK(recv(fd, answer, sizeof answer, 0));
        for (struct nlmsghdr *header = (struct nlmsghdr *)answer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
            CHECK_EQ(header->nlmsg_seq, 9);
            if (header->nlmsg_type == NLMSG_DONE) done = true;
            else if (header->nlmsg_type == RTM_NEWLINK) links++;
        }
    }
    CHECK(links >= 1);
}

CASE(there_is_a_node_of_memory)
{
    int mode = -1;
    unsigned long nodes[16] = { 0 };
    if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) != 0 && errno == ENOSYS && !in_ramet()) return;
    OK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0));
    CHECK_EQ(mode, 0);
    OK(syscall(SYS_get_mempolicy, NULL, nodes, 1024, NULL, 4));
    CHECK(nodes[0] & 1);
    CHECK_ERRNO(syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0x100), EINVAL);
    unsigned long first = 1;
    OK(syscall(SYS_set_mempolicy, 2, &first, 64));
    OK(syscall(SYS_set_mempolicy, 0, NULL, 0));
    CHECK_ERRNO(syscall(SYS_set_mempolicy, 77, NULL, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_set_mempolicy, 2, NULL, 0), EINVAL);
}

CASE(sys_tells_of_cpus)
{
    cpu_set_t set;
    OK(sched_getaffinity(0, sizeof set, &set));
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= CPU_COUNT(&set) || !in_ramet());
    char *online = read_file("/sys/devices/system/cpu/online");
    CHECK(online[0] >= '0' && online[0] <= '9');
    if (in_ramet()) {
        CHECK_STR(read_file("/sys/devices/system/node/online"), "0\n");
        CHECK_STR(read_file("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list"), "0\n");
        CHECK_STR(read_file("/sys/class/net/lo/mtu"), "65536\n");
    }
}

CASE(pidfd_getfd_takes_a_descriptor)
{
    int ends[2], ready[2];
    char byte = 'b';
    OK(pipe(ready));
    OK(pipe(ends));
    pid_t pid;
    CHILD(pid) {
        int copy = OK(fcntl(ends[1], F_DUPFD, 200));
        CHECK_EQ(copy, 200);
        CHECK_EQ(write(ready[1], &byte, 1), 1);
        pause();
    }
    close(ends[1]);
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    int pidfd = (int)OK(syscall(SYS_pidfd_open, pid, 0));
    int fd = (int)OK(syscall(438 /* pidfd_getfd */, pidfd, 200, 0));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(fd, "z", 1), 1);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(byte, 'z');
    CHECK_ERRNO(syscall(438, pidfd, 999, 0), EBADF);
    CHECK_ERRNO(syscall(438, 0, 1, 0), EBADF);
    CHECK_ERRNO(syscall(438, pidfd, 200, 1), EINVAL);
    kill(pid, SIGKILL);
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
    CHECK_ERRNO(syscall(438, pidfd, 200, 0), ESRCH);
}
