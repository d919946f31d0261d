/* Random system calls. The table says what each argument is, so that most calls get far enough to do something. */
#include "fuzz.h"

/*
 * f descriptor  p path  b buffer  z size  i small number  r any number  F flags  m mode  a address of memory  l length of memory  t timespec, times
 * s small structure  S socket address  n its length  v iovec  c count of iovecs  M msghdr  P process  T thread  g signal  o offset pointer  O offset
 * k clock  A argv  E epoll_event  w pointer to an int that is right  0 zero  q SysV id or key  d AT_FDCWD or a directory
 */
struct call { short number; const char *arguments; };

static const struct call calls[] = {
    { SYS_read, "fbz" }, { SYS_write, "fbz" }, { SYS_open, "pFm" }, { SYS_close, "f" }, { SYS_stat, "pb" }, { SYS_fstat, "fb" }, { SYS_poll, "bii" }, { SYS_lseek, "fOi" },
    { SYS_mmap, "alFFfO" }, { SYS_mprotect, "alF" }, { SYS_munmap, "al" }, { SYS_brk, "a" }, { SYS_rt_sigaction, "gbb8" }, { SYS_rt_sigprocmask, "ibb8" },
    { SYS_ioctl, "fIb" }, { SYS_pread64, "fbzO" }, { SYS_pwrite64, "fbzO" }, { SYS_readv, "fvc" }, { SYS_writev, "fvc" }, { SYS_access, "pF" }, { SYS_pipe, "b" },
    { SYS_select, "ibbbt" }, { SYS_sched_yield, "" }, { SYS_mremap, "allFa" }, { SYS_msync, "alF" }, { SYS_mincore, "alb" }, { SYS_madvise, "ali" }, { SYS_shmget, "qzF" },
    { SYS_shmat, "qaF" }, { SYS_shmctl, "qib" }, { SYS_dup, "f" }, { SYS_dup2, "ff" }, { SYS_nanosleep, "tb" }, { SYS_getitimer, "ib" }, { SYS_setitimer, "ibb" },
    { SYS_sendfile, "ffoz" }, { SYS_socket, "iii" }, { SYS_connect, "fSn" }, { SYS_accept, "fbw" }, { SYS_sendto, "fbzFSn" }, { SYS_recvfrom, "fbzFbw" },
    { SYS_sendmsg, "fMF" }, { SYS_recvmsg, "fMF" }, { SYS_shutdown, "fi" }, { SYS_bind, "fSn" }, { SYS_listen, "fi" }, { SYS_getsockname, "fbw" },
    { SYS_getpeername, "fbw" }, { SYS_socketpair, "iiib" }, { SYS_setsockopt, "fiibn" }, { SYS_getsockopt, "fiibw" }, { SYS_wait4, "PbFb" }, { SYS_semget, "qiF" },
    { SYS_semop, "qbi" }, { SYS_semctl, "qiib" }, { SYS_shmdt, "a" }, { SYS_msgget, "qF" }, { SYS_msgsnd, "qbzF" }, { SYS_msgrcv, "qbzrF" }, { SYS_msgctl, "qib" },
    { SYS_fcntl, "fir" }, { SYS_fcntl, "fib" }, { SYS_flock, "fi" }, { SYS_fsync, "f" }, { SYS_truncate, "pO" }, { SYS_ftruncate, "fO" }, { SYS_getdents, "fbz" },
    { SYS_getcwd, "bz" }, { SYS_chdir, "p" }, { SYS_fchdir, "f" }, { SYS_rename, "pp" }, { SYS_mkdir, "pm" }, { SYS_rmdir, "p" }, { SYS_creat, "pm" }, { SYS_link, "pp" },
    { SYS_unlink, "p" }, { SYS_symlink, "pp" }, { SYS_readlink, "pbz" }, { SYS_chmod, "pm" }, { SYS_fchmod, "fm" }, { SYS_chown, "pii" }, { SYS_fchown, "fii" },
    { SYS_umask, "m" }, { SYS_getrlimit, "ib" }, { SYS_getrusage, "ib" }, { SYS_sysinfo, "b" }, { SYS_times, "b" }, { SYS_ptrace, "iPab" }, { SYS_syslog, "ibi" },
    { SYS_setuid, "i" }, { SYS_setgid, "i" }, { SYS_setpgid, "PP" }, { SYS_setsid, "" }, { SYS_setgroups, "ib" }, { SYS_getgroups, "ib" }, { SYS_setresuid, "iii" },
    { SYS_getresuid, "bbb" }, { SYS_getpgid, "P" }, { SYS_getsid, "P" }, { SYS_capget, "bb" }, { SYS_capset, "bb" }, { SYS_rt_sigpending, "b8" },
    { SYS_rt_sigtimedwait, "bbt8" }, { SYS_rt_sigqueueinfo, "Pgb" }, { SYS_rt_sigsuspend, "b8" }, { SYS_sigaltstack, "bb" }, { SYS_utime, "pb" }, { SYS_mknod, "pmr" },
    { SYS_personality, "r" }, { SYS_ustat, "rb" }, { SYS_statfs, "pb" }, { SYS_fstatfs, "fb" }, { SYS_getpriority, "iP" }, { SYS_setpriority, "iPi" },
    { SYS_sched_setparam, "Pb" }, { SYS_sched_getparam, "Pb" }, { SYS_sched_setscheduler, "Pib" }, { SYS_sched_getscheduler, "P" }, { SYS_sched_rr_get_interval, "Pb" },
    { SYS_mlock, "al" }, { SYS_munlock, "al" }, { SYS_mlockall, "F" }, { SYS_pivot_root, "pp" }, { SYS_prctl, "iiiii" }, { SYS_prctl, "iballp" },
    { SYS_arch_prctl, "ib" }, { SYS_adjtimex, "b" }, { SYS_setrlimit, "ib" }, { SYS_chroot, "p" }, { SYS_mount, "pppFb" }, { SYS_umount2, "pF" },
    { SYS_sethostname, "bz" }, { SYS_setdomainname, "bz" }, { SYS_readahead, "fOz" }, { SYS_setxattr, "ppbzi" }, { SYS_fsetxattr, "fpbzi" }, { SYS_getxattr, "ppbz" },
    { SYS_fgetxattr, "fpbz" }, { SYS_listxattr, "pbz" }, { SYS_flistxattr, "fbz" }, { SYS_removexattr, "pp" }, { SYS_fremovexattr, "fp" }, { SYS_tkill, "Tg" },
    { SYS_futex, "bFitbr" }, { SYS_futex, "bFiiba" }, { SYS_sched_setaffinity, "Pzb" }, { SYS_sched_getaffinity, "Pzb" }, { SYS_getdents64, "fbz" },
    { SYS_set_tid_address, "b" }, { SYS_semtimedop, "qbit" }, { SYS_fadvise64, "fOzi" }, { SYS_timer_create, "kbb" }, { SYS_timer_settime, "iFbb" },
    { SYS_timer_gettime, "ib" }, { SYS_timer_getoverrun, "i" }, { SYS_timer_delete, "i" }, { SYS_clock_settime, "kt" }, { SYS_clock_gettime, "kb" },
    { SYS_clock_getres, "kb" }, { SYS_clock_nanosleep, "kFtb" }, { SYS_epoll_wait, "fbii" }, { SYS_epoll_ctl, "fifE" }, { SYS_tgkill, "PTg" }, { SYS_utimes, "pb" },
    { SYS_mbind, "alibiF" }, { SYS_set_mempolicy, "ibi" }, { SYS_get_mempolicy, "bbiaF" }, { SYS_mq_open, "pFmb" }, { SYS_mq_unlink, "p" }, { SYS_mq_timedsend, "fbzit" },
    { SYS_mq_timedreceive, "fbzbt" }, { SYS_mq_notify, "fb" }, { SYS_mq_getsetattr, "fbb" }, { SYS_waitid, "iPbFb" }, { SYS_ioprio_set, "iPr" }, { SYS_ioprio_get, "iP" },
    { SYS_inotify_add_watch, "fpF" }, { SYS_inotify_rm_watch, "fi" }, { SYS_openat, "dpFm" }, { SYS_mkdirat, "dpm" }, { SYS_mknodat, "dpmr" }, { SYS_fchownat, "dpiiF" },
    { SYS_futimesat, "dpb" }, { SYS_newfstatat, "dpbF" }, { SYS_unlinkat, "dpF" }, { SYS_renameat, "dpdp" }, { SYS_linkat, "dpdpF" }, { SYS_symlinkat, "pdp" },
    { SYS_readlinkat, "dpbz" }, { SYS_fchmodat, "dpm" }, { SYS_faccessat, "dpF" }, { SYS_pselect6, "ibbbtb" }, { SYS_ppoll, "bitb8" }, { SYS_unshare, "F" },
    { SYS_set_robust_list, "b8" }, { SYS_get_robust_list, "Pbb" }, { SYS_splice, "fofozF" }, { SYS_tee, "ffzF" }, { SYS_sync_file_range, "fOzF" }, { SYS_vmsplice, "fvcF" },
    { SYS_move_pages, "PibbbF" }, { SYS_utimensat, "dpbF" }, { SYS_epoll_pwait, "fbiib8" }, { SYS_signalfd4, "fb8F" }, { SYS_timerfd_create, "kF" }, { SYS_eventfd2, "iF" },
    { SYS_fallocate, "fFOz" }, { SYS_timerfd_settime, "fFbb" }, { SYS_timerfd_gettime, "fb" }, { SYS_accept4, "fbwF" }, { SYS_epoll_create1, "F" }, { SYS_dup3, "ffF" },
    { SYS_pipe2, "bF" }, { SYS_inotify_init1, "F" }, { SYS_preadv, "fvcO" }, { SYS_pwritev, "fvcO" }, { SYS_rt_tgsigqueueinfo, "PTgb" }, { SYS_recvmmsg, "fbiFt" },
    { SYS_prlimit64, "Pibb" }, { SYS_name_to_handle_at, "dpbbF" }, { SYS_open_by_handle_at, "fbF" }, { SYS_clock_adjtime, "kb" }, { SYS_syncfs, "f" }, { SYS_sendmmsg, "fbiF" },
    { SYS_setns, "fF" }, { SYS_getcpu, "bbb" }, { SYS_process_vm_readv, "PvcvcF" }, { SYS_process_vm_writev, "PvcvcF" }, { SYS_kcmp, "PPiff" }, { SYS_sched_setattr, "PbF" },
    { SYS_sched_getattr, "PbzF" }, { SYS_renameat2, "dpdpF" }, { SYS_seccomp, "iFb" }, { SYS_getrandom, "bzF" }, { SYS_memfd_create, "pF" }, { SYS_membarrier, "iFi" },
    { SYS_mlock2, "alF" }, { SYS_copy_file_range, "fofozF" }, { SYS_preadv2, "fvcO0F" }, { SYS_pwritev2, "fvcO0F" }, { SYS_pkey_mprotect, "alFi" }, { SYS_statx, "dpFFb" },
    { SYS_rseq, "bzFr" }, { 424, "fgbF" }, { 434, "PF" }, { 435, "bz" }, { 436, "ffF" }, { 437, "dpbz" }, { 438, "ffF" }, { 439, "dpFF" }, { 440, "fvciF" },
    { 441, "fbitb8" }, { 428, "dpF" }, { 429, "dpdpF" }, { 442, "dpFbz" }, { 443, "fiib" }, { 449, "biFtk" }, { 452, "dpmF" }, { 425, "ib" }, { SYS_io_setup, "ib" },
    { SYS_quotactl, "ipib" }, { SYS_get_mempolicy, "bbiaF" }, { SYS_remap_file_pages, "alFiF" }, { SYS_userfaultfd, "F" }, { SYS_bpf, "ibz" }, { SYS_perf_event_open, "bPifF" },
    { SYS_add_key, "ppbzi" }, { SYS_keyctl, "iiiii" }, { SYS_acct, "p" }, { SYS_swapon, "pF" }, { SYS_execveat, "dpAAF" }, { SYS_execve, "pAA" },
};

static const char *const paths[] = {
    "f", "g", "l", "h", "loop", "p", "d", "d/e", "d/x", "d/../f", "mnt", "mnt/x", "x", "y", "z", "s0", "dg", ".", "..", "/", "", "m", "/tmp", "/proc/self/fd/3",
    "/proc/self/fd", "/proc/self/status", "/proc/self/exe", "/proc/self/mem", "/proc/self/root/tmp", "/proc/self/cwd/f", "/proc/1/stat", "/proc/self/task", "/proc/sys/kernel/hostname",
    "/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/shm/fz", "/dev/random", "/dev/pts/0", "/dev/fd/5", "/sys/devices", "/etc/passwd", "/bin/sh", "/usr/bin/true",
    "tmpfs", "proc", "sysfs", "devpts", "mqueue", "overlay", "bind", "/fuzz", "/mq2", "user.a", "user.b", "security.capability", "trusted.x", "system.posix_acl_access", "d/", "f/", "//", "./d/./e/",
};

static unsigned char *some_memory(uint64_t *state, size_t room)
{
    unsigned char *arena = world.arenas[below(state, ARENAS)];
    if (arena == NULL) return NULL;
    switch (below(state, 6)) {
    case 0: return arena + ARENA_SIZE - 4096 - below(state, room ? room : 1);
    case 1: return arena + below(state, ARENA_SIZE);
    case 2: return arena + (below(state, ARENA_SIZE / 4096) << 12);
    default: return arena + below(state, 2048) * 8;
    }
}

/* Memory that is readable, with small numbers in it more often than noise. */
static unsigned char *structure(uint64_t *state, size_t size)
{
    static const int writable[] = { 0, 0, 0, 1, 5 };
    unsigned char *arena = world.arenas[writable[below(state, COUNT(writable))]];
    if (arena == NULL) return NULL;
    unsigned char *memory = arena + below(state, 4096) * 8;
    uint64_t *words = (uint64_t *)memory;
    for (size_t i = 0; i < (size + 7) / 8; i++) {
        switch (below(state, 6)) {
        case 0: words[i] = boundary_value(state); break;
        case 1: words[i] = 0; break;
        case 2: words[i] = (uint64_t)(uintptr_t)some_memory(state, 64); break;
        case 3: words[i] = (uint64_t)(uint32_t)world.fds[below(state, MAX_FDS)] | below(state, 64) << 32; break;
        case 4: words[i] = below(state, 64) << 32 | below(state, 64); break;
        default: words[i] = below(state, 16); break;
        }
    }
    return memory;
}

static uint64_t some_path(uint64_t *state)
{
    unsigned char *memory = structure(state, 0);
    if (memory == NULL) return 0;
    if (one_in(state, 40)) {
        memset(memory, 'x', 300);
        if (one_in(state, 2)) memset(memory, '/', 200);
        memory[300] = 0;
    } else strcpy((char *)memory, paths[below(state, COUNT(paths))]);
    return (uint64_t)(uintptr_t)memory;
}

static uint64_t some_flags(uint64_t *state)
{
    uint64_t flags = 0;
    for (uint64_t bits = below(state, 5); bits > 0; bits--) flags |= 1ULL << below(state, one_in(state, 20) ? 64 : 26);
    return one_in(state, 4) ? below(state, 4) : flags;
}

static uint64_t vectors(uint64_t *state)
{
    struct iovec *vector = (struct iovec *)structure(state, 0);
    if (vector == NULL) return 0;
    for (int i = 0; i < 8; i++) {
        vector[i].iov_base = some_memory(state, 64);
        vector[i].iov_len = one_in(state, 20) ? boundary_value(state) : below(state, one_in(state, 4) ? 20000 : 64);
    }
    return (uint64_t)(uintptr_t)vector;
}

static uint64_t message(uint64_t *state)
{
    struct msghdr *header = (struct msghdr *)structure(state, 0);
    if (header == NULL) return 0;
    memset(header, 0, sizeof *header);
    header->msg_iov = (struct iovec *)(uintptr_t)vectors(state);
    header->msg_iovlen = below(state, 4);
    if (one_in(state, 2)) {
        struct cmsghdr *control = (struct cmsghdr *)structure(state, 64);
        if (control != NULL) {
            int count = (int)below(state, 4) + 1;
            control->cmsg_len = one_in(state, 8) ? boundary_value(state) : CMSG_LEN(sizeof(int) * (size_t)count);
            control->cmsg_level = one_in(state, 8) ? (int)below(state, 64) : SOL_SOCKET;
            control->cmsg_type = one_in(state, 8) ? (int)below(state, 64) : SCM_RIGHTS;
            for (int i = 0; i < count; i++) ((int *)CMSG_DATA(control))[i] = world.fds[below(state, MAX_FDS)];
            header->msg_control = control;
            header->msg_controllen = one_in(state, 8) ? boundary_value(state) : CMSG_SPACE(sizeof(int) * (size_t)count);
        }
    }
    return (uint64_t)(uintptr_t)header;
}

static uint64_t socket_address(uint64_t *state)
{
    unsigned char *memory = structure(state, 128);
    if (memory == NULL) return 0;
    static const unsigned short families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_UNSPEC, AF_PACKET };
    *(unsigned short *)memory = families[below(state, COUNT(families))];
    if (*(unsigned short *)memory == AF_UNIX) strcpy((char *)memory + 2, one_in(state, 2) ? "dg" : "s1");
    else if (one_in(state, 2)) {
        ((struct sockaddr_in *)memory)->sin_port = htons((unsigned short)(40000 + below(state, 8)));
        ((struct sockaddr_in *)memory)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    return (uint64_t)(uintptr_t)memory;
}

static uint64_t some_request(uint64_t *state)
{
    static const uint64_t others[] = {
        0x5421, 0x541B, 0x5450, 0x5451, 0x5452, 0x8912, 0x8913, 0x8914, 0x8915, 0x8921, 0x8927, 0x8933, 0x80045430, 0x40045431, 0x80045438, 0x5441, 0x802C542A, 0x1267,
    };
    return one_in(state, 3) ? others[below(state, COUNT(others))] : one_in(state, 10) ? next_random(state) : 0x5401 + below(state, 0x50);
}

static uint64_t some_process(uint64_t *state)
{
    pid_t candidates[] = { 0, getpid(), world.children[0], world.children[1], (pid_t)syscall(SYS_gettid), (pid_t)below(state, 4), -1 };
    return (uint64_t)(int64_t)candidates[below(state, COUNT(candidates))];
}

static uint64_t times(uint64_t *state)
{
    struct timespec *time = (struct timespec *)structure(state, 64);
    if (time == NULL || one_in(state, 6)) return 0;
    if (!one_in(state, 6)) {
        time[0] = (struct timespec){ 0, (long)below(state, 2000000) };
        time[1] = (struct timespec){ 0, (long)below(state, 2000000) };
    }
    return (uint64_t)(uintptr_t)time;
}

static uint64_t argument_list(uint64_t *state)
{
    uint64_t *list = (uint64_t *)structure(state, 64);
    if (list == NULL) return 0;
    for (int i = 0; i < 3; i++) list[i] = some_path(state);
    list[3] = 0;
    return (uint64_t)(uintptr_t)list;
}

static uint64_t make_argument(uint64_t *state, char kind)
{
    if (one_in(state, 30)) return boundary_value(state);
    switch (kind) {
    case 'f': return one_in(state, 30) ? boundary_value(state) : (uint64_t)(int64_t)world.fds[below(state, (uint64_t)world.fd_count + 1)];
    case 'd': return one_in(state, 2) ? (uint64_t)AT_FDCWD : (uint64_t)world.fds[below(state, (uint64_t)world.fd_count + 1)];
    case 'p': return some_path(state);
    case 'b': return one_in(state, 10) ? (uint64_t)(uintptr_t)some_memory(state, 64) : one_in(state, 10) ? 0 : (uint64_t)(uintptr_t)structure(state, 128);
    case 'a': return one_in(state, 6) ? 0 : (uint64_t)(uintptr_t)some_memory(state, 0) & ~(one_in(state, 10) ? 0ULL : 4095ULL);
    case 'l': return below(state, 8) << (one_in(state, 10) ? below(state, 40) : 12);
    case 'z': return below(state, 4) == 0 ? below(state, 70000) : below(state, 200);
    case 'i': return one_in(state, 12) ? (uint64_t)-1 : below(state, one_in(state, 3) ? 80 : 12);
    case 'r': return boundary_value(state);
    case 'F': return some_flags(state);
    case 'm': return below(state, 2) ? 0777 & next_random(state) : next_random(state) & 0177777;
    case 't': return times(state);
    case 'S': return socket_address(state);
    case 'n': return one_in(state, 2) ? 16 : below(state, 120);
    case 'v': return vectors(state);
    case 'c': return below(state, 9);
    case 'M': return message(state);
    case 'P': return some_process(state);
    case 'T': return one_in(state, 2) ? (uint64_t)syscall(SYS_gettid) : some_process(state);
    case 'g': return below(state, one_in(state, 3) ? 66 : 20);
    case 'o': {
        uint64_t *offset = (uint64_t *)structure(state, 8);
        if (offset == NULL || one_in(state, 2)) return 0;
        *offset = one_in(state, 5) ? boundary_value(state) : below(state, 70000);
        return (uint64_t)(uintptr_t)offset;
    }
    case 'O': return one_in(state, 5) ? boundary_value(state) : below(state, 4) << below(state, 24);
    case 'k': return below(state, 14) - (one_in(state, 10) ? 3 : 0);
    case 'A': return argument_list(state);
    case 'E': {
        uint32_t *event = (uint32_t *)structure(state, 16);
        if (event != NULL) event[0] = (uint32_t)(below(state, 64) | (one_in(state, 3) ? (uint32_t)next_random(state) & 0xF0000000 : 0));
        return (uint64_t)(uintptr_t)event;
    }
    case 'w': {
        uint32_t *length = (uint32_t *)structure(state, 8);
        if (length != NULL) *length = one_in(state, 10) ? (uint32_t)boundary_value(state) : (uint32_t)below(state, 128);
        return (uint64_t)(uintptr_t)length;
    }
    case 'I': return some_request(state);
    case 'q': return below(state, 5);
    case '8': return 8;
    default: return 0;
    }
}

/* Whether the call would only end the run, or end it far too often. */
static bool is_pointless(uint64_t *state, long number, const uint64_t *argument)
{
    switch (number) {
    case SYS_exit: case SYS_exit_group: case SYS_pause: case SYS_vfork: case SYS_rt_sigreturn: return !one_in(state, 100);
    case SYS_execve: case SYS_execveat: case SYS_rt_sigsuspend: case SYS_chroot: case SYS_pivot_root: return !one_in(state, 20);
    case SYS_seccomp: return !one_in(state, 10);
    case SYS_prctl: return argument[0] == PR_SET_SECCOMP && !one_in(state, 20);
    case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: {
        int target = (int)argument[0];
        return target == world.main_pid || target <= 0 || ((target == getpid() || target == (int)syscall(SYS_gettid)) && !one_in(state, 10));
    }
    case SYS_munmap: case SYS_mprotect: case SYS_mremap: return one_in(state, 2);
    /* What interrupts calls that wait stays in force for most of the time. */
    case SYS_rt_sigaction: return argument[0] == SIGALRM && !one_in(state, 10);
    case SYS_setrlimit: case SYS_prlimit64: return !one_in(state, 4);
    default: return false;
    }
}

/* fork, vfork and clone with random flags; the child makes some calls of its own. */
static void clone_something(uint64_t *state)
{
    static const uint64_t usual[] = { SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_FILES | SIGCHLD, CLONE_FS | SIGCHLD, CLONE_PARENT | SIGCHLD, 0 };
    uint64_t flags = one_in(state, 3) ? some_flags(state) << 6 | below(state, 40) : usual[below(state, COUNT(usual))];
    /* Without a stack of its own a child that shares memory soon ends the worker: only now and then. */
    if ((flags & CLONE_VM) != 0 && !one_in(state, 10)) flags &= ~(uint64_t)(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND);
    long pid = syscall(SYS_clone, flags, 0, structure(state, 8), structure(state, 8), (flags & CLONE_SETTLS) != 0 ? (uint64_t)(uintptr_t)structure(state, 64) : 0);
    if (pid != 0) return;
    uint64_t own = next_random(state);
    if (one_in(&own, 2)) run_calls(own, 10);
    syscall(one_in(&own, 2) ? SYS_exit : SYS_exit_group, below(&own, 256));
}

static void add_descriptor(uint64_t *state, long fd)
{
    if (fd < 3 || fd > 4096) return;
    if (world.fd_count < MAX_FDS) world.fds[world.fd_count++] = (int)fd;
    else world.fds[below(state, MAX_FDS)] = (int)fd;
}

void run_calls(uint64_t seed, long count)
{
    uint64_t state = seed;
    for (long made = 0; made < count; made++) {
        uint64_t argument[6];
        long number;
        if (one_in(&state, 60)) {
            clone_something(&state);
            continue;
        }
        if (one_in(&state, 12)) {
            number = (long)(one_in(&state, 20) ? boundary_value(&state) : below(&state, 470));
            for (int i = 0; i < 6; i++) argument[i] = make_argument(&state, "fbzipFarPg"[below(&state, 10)]);
            if (number == SYS_clone || number == SYS_clone3 || number == SYS_fork) continue;
        } else {
            const struct call *call = &calls[below(&state, COUNT(calls))];
            size_t given = strlen(call->arguments);
            number = call->number;
            for (size_t i = 0; i < 6; i++) argument[i] = i < given ? make_argument(&state, call->arguments[i]) : next_random(&state);
        }
        if (is_pointless(&state, number, argument)) continue;
        long result = syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
        int error = result == -1 ? errno : 0;
        __sync_fetch_and_add(&totals->calls, 1);
        if (error >= 0 && error < (int)COUNT(totals->by_errno)) __sync_fetch_and_add(&totals->by_errno[error], 1);
        if (number == SYS_rt_sigprocmask && !one_in(&state, 8)) {
            sigset_t none;
            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, NULL);
        }
        if (error == 0) add_descriptor(&state, result);
    }
}
