/* fork, vfork, wait, process groups, sessions, prctl. */
#include "conformance.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

CASE(fork_returns_zero_in_the_child_and_its_pid_in_the_parent)
{
    pid_t parent = getpid();
    int fds[2];
    OK(pipe(fds));
    pid_t pid = fork();
    if (pid == 0) {
        pid_t self = getpid();
        CHECK_EQ(getppid(), parent);
        CHECK_EQ(write(fds[1], &self, sizeof self), sizeof self);
        _exit(0);
    }
    CHECK(pid > 0);
    pid_t seen;
    CHECK_EQ(read(fds[0], &seen, sizeof seen), sizeof seen);
    CHECK_EQ(seen, pid);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(exit_codes_are_cut_to_eight_bits)
{
    static const int codes[] = { 0, 1, 7, 127, 128, 255, 256, 300, -1 };
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        pid_t pid = conf_fork();
        if (pid == 0) _exit(codes[i]);
        CHECK_EQ(wait_for(pid), codes[i] & 0xFF);
    }
}

CASE(fork_copies_memory)
{
    static int data = 1;
    int local = 2;
    int *heap = malloc(sizeof *heap);
    *heap = 3;
    IN_CHILD {
        CHECK(data == 1 && local == 2 && *heap == 3);
        data = local = *heap = 99;
    }
    CHECK_EQ(data, 1);
    CHECK_EQ(local, 2);
    CHECK_EQ(*heap, 3);
}

CASE(fork_shares_the_file_offset)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    IN_CHILD { CHECK_EQ(write(fd, "abc", 3), 3); }
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_EQ(write(fd, "d", 1), 1);
    CHECK_STR(read_file("f"), "abcd");
}

CASE(descriptors_closed_in_the_child_stay_open_in_the_parent)
{
    int fd = OK(dup(0));
    IN_CHILD { OK(close(fd)); }
    OK(fcntl(fd, F_GETFD));
}

CASE(nested_forks)
{
    IN_CHILD {
        IN_CHILD {
            IN_CHILD {
                IN_CHILD { CHECK(getppid() > 0); }
            }
        }
    }
}

CASE(many_children_at_once)
{
    enum { count = 20 };
    pid_t pids[count];
    for (int i = 0; i < count; i++) {
        pids[i] = conf_fork();
        if (pids[i] == 0) _exit(i);
    }
    for (int i = count - 1; i >= 0; i--) CHECK_EQ(wait_for(pids[i]), i);
    CHECK_ERRNO(wait(NULL), ECHILD);
}

CASE(wait_collects_every_child_once)
{
    enum { count = 8 };
    int seen = 0;
    for (int i = 0; i < count; i++) {
        pid_t pid;
        CHILD(pid) { _exit(i); }
    }
    for (int i = 0; i < count; i++) {
        int status;
        CHECK(wait(&status) > 0);
        CHECK(WIFEXITED(status));
        seen |= 1 << WEXITSTATUS(status);
    }
    CHECK_EQ(seen, (1 << count) - 1);
    CHECK_ERRNO(wait(NULL), ECHILD);
}

CASE(vfork_suspends_the_parent_until_exit)
{
    static volatile int value;
    value = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        value = 2;
        _exit(5);
    }
    CHECK(pid > 0);
    /* The child shares memory and has ended. */
    CHECK_EQ(value, 2);
    CHECK_EQ(wait_for(pid), 5);
}

CASE(vfork_suspends_the_parent_until_exec)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0);
    CHECK_EQ(wait_for(pid), 9);
}

CASE(waitpid_wnohang_returns_zero_while_the_child_runs)
{
    int fds[2];
    char byte;
    OK(pipe(fds));
    pid_t pid = conf_fork();
    if (pid == 0) {
        close(fds[1]);
        if (read(fds[0], &byte, 1) < 0) _exit(1);
        _exit(3);
    }
    int status = 77;
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_EQ(status, 77);
    close(fds[1]);
    CHECK_EQ(wait_for(pid), 3);
}

CASE(waitpid_of_a_stranger_is_echild)
{
    CHECK_ERRNO(waitpid(getppid(), NULL, 0), ECHILD);
    CHECK_ERRNO(waitpid(getpid(), NULL, 0), ECHILD);
    CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
}

CASE(waitpid_with_unknown_options_is_einval)
{
    CHECK_ERRNO(waitpid(-1, NULL, 0x1000), EINVAL);
}

CASE(a_second_wait_for_the_same_child_is_echild)
{
    pid_t pid;
    CHILD(pid) { }
    CHECK_EQ(wait_for(pid), 0);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

CASE(waitpid_by_process_group)
{
    pid_t one = conf_fork();
    if (one == 0) { setpgid(0, 0); _exit(1); }
    pid_t two = conf_fork();
    if (two == 0) _exit(2);
    setpgid(one, one);
    int status;
    CHECK_EQ(waitpid(0, &status, 0), two);
    CHECK_EQ(WEXITSTATUS(status), 2);
    CHECK_EQ(waitpid(-one, &status, 0), one);
    CHECK_EQ(WEXITSTATUS(status), 1);
    CHECK_ERRNO(waitpid(-one, &status, 0), ECHILD);
}

CASE(wait_status_of_a_killed_child)
{
    pid_t pid;
    CHILD(pid) { pause(); }
    OK(kill(pid, SIGKILL));
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    CHECK(!WIFEXITED(status));
}

CASE(abort_ends_with_sigabrt)
{
    pid_t pid;
    CHILD(pid) {
        struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        abort();
    }
    CHECK_EQ(wait_for(pid), 128 + SIGABRT);
}

CASE(wait4_gives_resource_usage)
{
    pid_t pid;
    CHILD(pid) {
        int64_t until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + 30000000;
        while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < until) { }
    }
    struct rusage usage;
    memset(&usage, 0xFF, sizeof usage);
    int status;
    CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
    CHECK_EQ(status, 0);
    int64_t us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    CHECK(us >= 20000 && us < 5000000);
    CHECK(usage.ru_maxrss > 0);
}

CASE(waitid_fills_siginfo_for_an_exit)
{
    pid_t pid;
    CHILD(pid) { _exit(44); }
    siginfo_t info;
    memset(&info, 0, sizeof info);
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_status, 44);
    CHECK_EQ(info.si_uid, getuid());
}

CASE(waitid_fills_siginfo_for_a_kill)
{
    pid_t pid;
    CHILD(pid) { pause(); }
    OK(kill(pid, SIGTERM));
    siginfo_t info;
    OK(waitid(P_ALL, 0, &info, WEXITED));
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGTERM);
    CHECK_EQ(info.si_pid, pid);
}

CASE(waitid_wnowait_leaves_the_child_waitable)
{
    pid_t pid;
    CHILD(pid) { _exit(6); }
    siginfo_t info;
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK_EQ(info.si_status, 6);
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK_EQ(wait_for(pid), 6);
}

CASE(waitid_wnohang_with_nothing_leaves_pid_zero)
{
    pid_t pid;
    CHILD(pid) { pause(); }
    siginfo_t info;
    memset(&info, 0x55, sizeof info);
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
    CHECK_EQ(info.si_pid, 0);
    CHECK_EQ(info.si_signo, 0);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(waitid_without_events_is_einval)
{
    siginfo_t info;
    CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
    CHECK_ERRNO(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
    CHECK_ERRNO(waitid((idtype_t)99, 0, &info, WEXITED), EINVAL);
}

CASE(waitid_by_process_group)
{
    pid_t pid = conf_fork();
    if (pid == 0) { setpgid(0, 0); _exit(1); }
    setpgid(pid, pid);
    siginfo_t info;
    CHECK_ERRNO(waitid(P_PGID, 0x3fffffff, &info, WEXITED), ECHILD);
    OK(waitid(P_PGID, (id_t)pid, &info, WEXITED));
    CHECK_EQ(info.si_pid, pid);
}

CASE(stop_and_continue_are_reported_to_waitpid)
{
    pid_t pid;
    int status;
    CHILD(pid) { for (;;) pause(); }
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(waitid_reports_stop_and_continue)
{
    pid_t pid;
    siginfo_t info;
    CHILD(pid) { for (;;) pause(); }
    OK(kill(pid, SIGSTOP));
    OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
    CHECK_EQ(info.si_code, CLD_STOPPED);
    CHECK_EQ(info.si_status, SIGSTOP);
    OK(kill(pid, SIGCONT));
    OK(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
    CHECK_EQ(info.si_code, CLD_CONTINUED);
    CHECK_EQ(info.si_status, SIGCONT);
    OK(kill(pid, SIGKILL));
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED));
    CHECK_EQ(info.si_code, CLD_KILLED);
}

CASE(children_are_reaped_by_themselves_when_sigchld_is_ignored)
{
    signal(SIGCHLD, SIG_IGN);
    pid_t pid;
    CHILD(pid) { }
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
    /* waitpid may find no child before its number is free. */
    while (kill(pid, 0) == 0) sched_yield();
    CHECK_EQ(errno, ESRCH);
}

CASE(sa_nocldwait_reaps_children)
{
    struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
    OK(sigaction(SIGCHLD, &action, NULL));
    pid_t pid;
    CHILD(pid) { }
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

CASE(a_zombie_can_still_be_signalled)
{
    pid_t pid;
    siginfo_t info;
    CHILD(pid) { }
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    OK(kill(pid, 0));
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 0);
    CHECK_ERRNO(kill(pid, 0), ESRCH);
}

CASE(an_orphan_gets_another_parent)
{
    int fds[2];
    char byte;
    OK(pipe(fds));
    pid_t middle;
    CHILD(middle) {
        pid_t parent = getpid(), orphan;
        CHILD(orphan) {
            while (getppid() == parent) sched_yield();
            CHECK(getppid() != parent);
            CHECK_EQ(write(fds[1], "x", 1), 1);
        }
    }
    CHECK_EQ(wait_for(middle), 0);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_ERRNO(wait(NULL), ECHILD);
}

CASE(a_subreaper_adopts_orphans)
{
    pid_t self = getpid();
    OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    int value = 0;
    OK(prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0));
    CHECK_EQ(value, 1);
    pid_t middle;
    CHILD(middle) {
        pid_t parent = getpid(), orphan;
        CHILD(orphan) {
            while (getppid() == parent) sched_yield();
            _exit(getppid() == self ? 21 : 22);
        }
    }
    CHECK_EQ(wait_for(middle), 0);
    int status;
    CHECK(wait(&status) > 0);
    CHECK_EQ(WEXITSTATUS(status), 21);
}

CASE(parent_death_signal)
{
    int fds[2];
    char byte;
    OK(pipe(fds));
    pid_t middle;
    CHILD(middle) {
        int ready[2];
        OK(pipe(ready));
        pid_t child;
        CHILD(child) {
            OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
            int sig = 0;
            OK(prctl(PR_GET_PDEATHSIG, &sig));
            CHECK_EQ(sig, SIGKILL);
            CHECK_EQ(write(ready[1], "x", 1), 1);
            for (;;) pause();
        }
        CHECK_EQ(read(ready[0], &byte, 1), 1);
    }
    close(fds[1]);
    CHECK_EQ(wait_for(middle), 0);
    /* End-of-file: the grandchild, the last writer, is dead. */
    CHECK_EQ(read(fds[0], &byte, 1), 0);
}

CASE(getpgid_and_setpgid)
{
    CHECK_EQ(getpgrp(), getpid());
    CHECK_EQ(getpgid(0), getpid());
    pid_t pid;
    int fds[2];
    char byte;
    OK(pipe(fds));
    CHILD(pid) { CHECK_EQ(read(fds[0], &byte, 1), 1); CHECK_EQ(getpgrp(), getpid()); }
    CHECK_EQ(getpgid(pid), getpid());
    OK(setpgid(pid, 0));
    CHECK_EQ(getpgid(pid), pid);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(setpgid_errors)
{
    CHECK_ERRNO(setpgid(0, -1), EINVAL);
    CHECK_ERRNO(setpgid(0x3fffffff, 0), ESRCH);
    CHECK_ERRNO(getpgid(0x3fffffff), ESRCH);
    CHECK_ERRNO(getpgid(-1), ESRCH);
    /* A group that does not exist. */
    pid_t pid;
    CHILD(pid) { CHECK_ERRNO(setpgid(0, 0x3fffffff), EPERM); }
    CHECK_EQ(wait_for(pid), 0);
    CHECK_ERRNO(setpgid(getppid(), 0), ESRCH);
}

CASE(setpgid_of_a_child_after_exec_is_eacces)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = conf_fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execl("/bin/sh", "sh", "-c", "echo; sleep 10", (char *)NULL);
        _exit(1);
    }
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_ERRNO(setpgid(pid, pid), EACCES);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(setsid_makes_a_leader)
{
    CHECK_ERRNO(setsid(), EPERM);
    IN_CHILD {
        pid_t self = getpid();
        CHECK(getsid(0) != self);
        CHECK_EQ(setsid(), self);
        CHECK_EQ(getsid(0), self);
        CHECK_EQ(getpgrp(), self);
        CHECK_ERRNO(setsid(), EPERM);
        /* A session leader cannot change its group. */
        CHECK_ERRNO(setpgid(0, 0), EPERM);
        IN_CHILD { CHECK_EQ(getsid(0), self); }
    }
}

CASE(getsid_of_nobody_is_esrch)
{
    CHECK_ERRNO(getsid(0x3fffffff), ESRCH);
    CHECK_EQ(getsid(getpid()), getsid(0));
}

CASE(kill_a_process_group)
{
    pid_t leader = conf_fork();
    if (leader == 0) {
        setpgid(0, 0);
        for (;;) pause();
    }
    OK(setpgid(leader, leader));
    pid_t member = conf_fork();
    if (member == 0) for (;;) pause();
    OK(setpgid(member, leader));
    OK(kill(-leader, SIGTERM));
    CHECK_EQ(wait_for(leader), 128 + SIGTERM);
    CHECK_EQ(wait_for(member), 128 + SIGTERM);
    CHECK_ERRNO(kill(-leader, 0), ESRCH);
}

CASE(killpg_zero_reaches_the_own_group)
{
    IN_CHILD {
        OK(setpgid(0, 0));
        signal(SIGUSR1, SIG_IGN);
        pid_t child;
        CHILD(child) { signal(SIGUSR1, SIG_DFL); raise(SIGSTOP); for (;;) pause(); }
        int status;
        CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
        OK(kill(child, SIGCONT));
        OK(kill(0, SIGUSR1));
        CHECK_EQ(wait_for(child), 128 + SIGUSR1);
    }
}

CASE(prctl_name_can_be_set_and_read)
{
    char name[17];
    OK(prctl(PR_SET_NAME, "a-name"));
    memset(name, 'x', sizeof name);
    OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "a-name");
    OK(prctl(PR_SET_NAME, "a-name-that-is-much-too-long"));
    OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "a-name-that-is-");
    CHECK_STR(read_file("/proc/self/comm"), "a-name-that-is-\n");
}

CASE(prctl_name_is_inherited_by_fork)
{
    OK(prctl(PR_SET_NAME, "heir"));
    IN_CHILD {
        char name[17];
        OK(prctl(PR_GET_NAME, name));
        CHECK_STR(name, "heir");
    }
}

CASE(prctl_dumpable_and_no_new_privs)
{
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    OK(prctl(PR_SET_DUMPABLE, 0));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 99), EINVAL);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    IN_CHILD { CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1); }
}

CASE(prctl_with_an_unknown_option_is_einval)
{
    CHECK_ERRNO(prctl(987654), EINVAL);
}

CASE(pids_are_not_reused_at_once)
{
    pid_t first, second;
    CHILD(first) { }
    CHECK_EQ(wait_for(first), 0);
    CHILD(second) { }
    CHECK_EQ(wait_for(second), 0);
    CHECK(first != second);
}

CASE(gettid_is_the_pid_in_a_single_thread)
{
    CHECK_EQ(gettid(), getpid());
    CHECK_EQ(syscall(SYS_gettid), syscall(SYS_getpid));
}

CASE(set_tid_address_returns_the_tid)
{
    static int word;
    CHECK_EQ(syscall(SYS_set_tid_address, &word), gettid());
}

CASE(an_unknown_system_call_is_enosys)
{
    CHECK_ERRNO(syscall(999), ENOSYS);
    CHECK_ERRNO(syscall(-5L), ENOSYS);
    CHECK_ERRNO(syscall(0x3fffffff), ENOSYS);
}

CASE(atexit_handlers_and_stdio_are_flushed_by_exit)
{
    pid_t pid = conf_fork();
    if (pid == 0) {
        FILE *file = fopen("out", "w");
        fputs("buffered", file);
        exit(4);
    }
    CHECK_EQ(wait_for(pid), 4);
    CHECK_STR(read_file("out"), "buffered");
}

CASE(getrusage_children_grows)
{
    pid_t pid;
    CHILD(pid) {
        int64_t until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + 20000000;
        while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < until) { }
    }
    CHECK_EQ(wait_for(pid), 0);
    struct rusage usage;
    OK(getrusage(RUSAGE_CHILDREN, &usage));
    CHECK(usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec >= 10000);
    CHECK_ERRNO(getrusage(77, &usage), EINVAL);
}

CASE(clone3_forks)
{
    struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } arguments = { .exit_signal = SIGCHLD };
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) _exit(12);
    CHECK(pid > 0);
    CHECK_EQ(wait_for((pid_t)pid), 12);
}

CASE(clone3_errors)
{
    struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } arguments = { .exit_signal = SIGCHLD };
    CHECK_ERRNO(syscall(SYS_clone3, &arguments, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone3, NULL, sizeof arguments), EFAULT);
    arguments.exit_signal = 200;
    CHECK_ERRNO(syscall(SYS_clone3, &arguments, sizeof arguments), EINVAL);
    arguments.exit_signal = SIGCHLD;
    arguments.flags = CLONE_THREAD;
    CHECK_ERRNO(syscall(SYS_clone3, &arguments, sizeof arguments), EINVAL);
    arguments.flags = 0;
    arguments.stack_size = 4096;
    CHECK_ERRNO(syscall(SYS_clone3, &arguments, sizeof arguments), EINVAL);
}

CASE(clone_parent_settid_and_child_settid)
{
    int parent_tid = 0, child_tid = 0;
    long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_tid, &child_tid, 0);
    if (pid == 0) _exit(child_tid == getpid() ? 0 : 1);
    CHECK(pid > 0);
    CHECK_EQ(parent_tid, pid);
    CHECK_EQ(child_tid, 0);
    CHECK_EQ(wait_for((pid_t)pid), 0);
}

CASE(clone_with_inconsistent_flags_is_einval)
{
    CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD, 0, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

static int clone_files_body(void *argument)
{
    return close(*(int *)argument) == 0 ? 0 : 1;
}

CASE(clone_files_shares_the_descriptor_table)
{
    static char stack[65536] __attribute__((aligned(16)));
    int fd = OK(dup(0));
    pid_t pid = OK(clone(clone_files_body, stack + sizeof stack, CLONE_FILES | SIGCHLD, &fd));
    CHECK_EQ(wait_for(pid), 0);
    CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
}

static int clone_fs_body(void *argument)
{
    (void)argument;
    umask(0077);
    return chdir("/") == 0 ? 0 : 1;
}

CASE(clone_fs_shares_directory_and_umask)
{
    static char stack[65536] __attribute__((aligned(16)));
    char path[PATH_MAX];
    pid_t pid = OK(clone(clone_fs_body, stack + sizeof stack, SIGCHLD, NULL));
    CHECK_EQ(wait_for(pid), 0);
    CHECK(getcwd(path, sizeof path) != NULL && strcmp(path, "/") != 0);
    pid = OK(clone(clone_fs_body, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL));
    CHECK_EQ(wait_for(pid), 0);
    CHECK_STR(getcwd(path, sizeof path), "/");
    CHECK_EQ(umask(0), 0077);
}

CASE(clone_parent_makes_a_sibling)
{
    pid_t self = getpid();
    int fds[2];
    OK(pipe(fds));
    pid_t middle;
    CHILD(middle) {
        long sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
        if (sibling == 0) _exit(getppid() == self ? 31 : 32);
        CHECK(sibling > 0);
        CHECK_EQ(write(fds[1], &sibling, sizeof sibling), sizeof sibling);
    }
    CHECK_EQ(wait_for(middle), 0);
    long sibling;
    CHECK_EQ(read(fds[0], &sibling, sizeof sibling), sizeof sibling);
    CHECK_EQ(wait_for((pid_t)sibling), 31);
}

CASE(a_child_with_another_exit_signal_needs_wclone)
{
    long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0) _exit(8);
    CHECK(pid > 0);
    CHECK_ERRNO(waitpid((pid_t)pid, NULL, 0), ECHILD);
    int status;
    CHECK_EQ(waitpid((pid_t)pid, &status, __WCLONE), pid);
    CHECK_EQ(WEXITSTATUS(status), 8);
    pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0) _exit(9);
    CHECK_EQ(waitpid((pid_t)pid, &status, __WALL), pid);
    CHECK_EQ(WEXITSTATUS(status), 9);
}

CASE(pidfd_open_polls_the_end)
{
    pid_t pid;
    int fds[2];
    char byte;
    OK(pipe(fds));
    CHILD(pid) { close(fds[1]); CHECK_EQ(read(fds[0], &byte, 1), 0); _exit(3); }
    int fd = (int)OK(syscall(SYS_pidfd_open, pid, 0));
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    CHECK_EQ(poll(&poller, 1, 0), 0);
    close(fds[1]);
    CHECK_EQ(poll(&poller, 1, 5000), 1);
    CHECK(poller.revents & POLLIN);
    siginfo_t info;
    OK(waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED));
    CHECK_EQ(info.si_status, 3);
    CHECK_ERRNO(syscall(SYS_pidfd_open, 0x3fffffff, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_pidfd_open, -1, 0), EINVAL);
}

CASE(pidfd_send_signal)
{
    pid_t pid;
    CHILD(pid) { for (;;) pause(); }
    int fd = (int)OK(syscall(SYS_pidfd_open, pid, 0));
    OK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    CHECK_EQ(wait_for(pid), 128 + SIGTERM);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
}

CASE(pidfd_send_signal_takes_a_directory_of_proc)
{
    pid_t pid;
    CHILD(pid) for (;;) pause();
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", pid);
    int fd = OK(open(path, O_RDONLY | O_DIRECTORY));
    int place = OK(open(path, O_PATH | O_DIRECTORY));
    int other = OK(open("/proc", O_RDONLY | O_DIRECTORY));
    OK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, place, 0, NULL, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, other, 0, NULL, 0), EBADF);
    OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    CHECK_EQ(wait_for(pid), 128 + SIGTERM);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
}
