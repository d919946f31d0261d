/* ptrace(2): a tracer and its tracees. */
#include "conformance.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <elf.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#undef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128

static volatile long shared_word = 41;

static int wait_status(pid_t pid)
{
    int status;
    pid_t got;
    do got = waitpid(pid, &status, __WALL);
    while (got < 0 && errno == EINTR);
    CHECK_EQ(got, pid);
    return status;
}

#define STOPPED(pid, code) CHECK_EQ(wait_status(pid), ((code) << 8) | 0x7F)
#define ENDED(pid, code) CHECK_EQ(wait_status(pid), (code) << 8)
#define PT(request, pid, addr, data) OK(ptrace(request, pid, (void *)(uintptr_t)(addr), (void *)(uintptr_t)(data)))

/* A child that is traced, and stopped by its own SIGSTOP. */
static pid_t traced_child(void (*body)(void))
{
    pid_t pid = conf_fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(70);
        raise(SIGSTOP);
        body();
        _exit(0);
    }
    STOPPED(pid, SIGSTOP);
    return pid;
}

static void nothing(void) { }
static void exit_5(void) { _exit(5); }
static void sleeper(void) { for (;;) pause(); }

static char *status_line(pid_t pid, const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    char *line = strstr(read_file(path), key);
    CHECK(line != NULL);
    *strchrnul(line, '\n') = 0;
    return line;
}

CASE(traceme_stops_for_a_signal_and_cont_drops_it)
{
    pid_t pid = traced_child(exit_5);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 5);
}

CASE(traceme_twice_is_EPERM)
{
    IN_CHILD {
        OK(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
        CHECK_ERRNO(ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM);
    }
}

CASE(requests_to_who_is_not_traced_are_ESRCH)
{
    pid_t pid;
    CHILD(pid) sleeper();
    CHECK_ERRNO(ptrace(PTRACE_CONT, pid, NULL, NULL), ESRCH);
    CHECK_ERRNO(ptrace(PTRACE_PEEKDATA, pid, &shared_word, NULL), ESRCH);
    CHECK_ERRNO(ptrace(PTRACE_ATTACH, 4194300, NULL, NULL), ESRCH);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(attach_to_oneself_is_EPERM)
{
    CHECK_ERRNO(ptrace(PTRACE_ATTACH, getpid(), NULL, NULL), EPERM);
}

CASE(attach_twice_is_EPERM)
{
    pid_t pid = traced_child(nothing);
    CHECK_ERRNO(ptrace(PTRACE_ATTACH, pid, NULL, NULL), EPERM);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 0);
}

CASE(requests_to_a_running_tracee_are_ESRCH)
{
    pid_t pid = traced_child(sleeper);
    PT(PTRACE_CONT, pid, 0, 0);
    struct user_regs_struct regs;
    CHECK_ERRNO(ptrace(PTRACE_GETREGS, pid, NULL, &regs), ESRCH);
    CHECK_ERRNO(ptrace(PTRACE_CONT, pid, NULL, NULL), ESRCH);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_status(pid), SIGKILL);
}

CASE(unknown_requests_are_EIO)
{
    pid_t pid = traced_child(nothing);
    CHECK_ERRNO(ptrace(0x7777, pid, NULL, NULL), EIO);
    CHECK_ERRNO(ptrace(PTRACE_CONT, pid, NULL, (void *)65L), EIO);
    CHECK_ERRNO(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(1L << 30)), EINVAL);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 0);
}

static void exit_with_word(void) { _exit((int)shared_word); }

CASE(peek_and_poke_memory)
{
    pid_t pid = traced_child(exit_with_word);
    errno = 0;
    CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &shared_word, NULL), 41);
    CHECK_EQ(errno, 0);
    PT(PTRACE_POKEDATA, pid, &shared_word, 43);
    CHECK_EQ(shared_word, 41);
    CHECK_ERRNO(ptrace(PTRACE_PEEKDATA, pid, (void *)8L, NULL), EIO);
    CHECK_ERRNO(ptrace(PTRACE_POKEDATA, pid, (void *)8L, NULL), EIO);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 43);
}

static __attribute__((noinline)) void landmark(void) { __asm__ volatile("nop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop"); }
static void call_landmark(void) { landmark(); _exit(9); }

CASE(a_breakpoint_in_read_only_code)
{
    pid_t pid = traced_child(call_landmark);
    errno = 0;
    long original = ptrace(PTRACE_PEEKTEXT, pid, landmark, NULL);
    CHECK_EQ(errno, 0);
    PT(PTRACE_POKETEXT, pid, landmark, (original & ~0xFFL) | 0xCC);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP);
    siginfo_t info;
    PT(PTRACE_GETSIGINFO, pid, 0, &info);
    CHECK_EQ(info.si_signo, SIGTRAP);
    CHECK_EQ(info.si_code, SI_KERNEL);
    struct user_regs_struct regs;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ(regs.rip, (uintptr_t)landmark + 1);
    CHECK_EQ((long)regs.orig_rax, -1);
    CHECK_EQ(regs.cs, 0x33);
    CHECK_EQ(*(unsigned char *)landmark == 0xCC, 0);
    PT(PTRACE_POKETEXT, pid, landmark, original);
    regs.rip--;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 9);
}

CASE(single_steps)
{
    pid_t pid = traced_child(call_landmark);
    errno = 0;
    long original = ptrace(PTRACE_PEEKTEXT, pid, landmark, NULL);
    PT(PTRACE_POKETEXT, pid, landmark, (original & ~0xFFL) | 0xCC);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP);
    PT(PTRACE_POKETEXT, pid, landmark, original);
    struct user_regs_struct regs;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    regs.rip--;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    for (int i = 0; i < 12; i++) {
        unsigned long before = regs.rip;
        PT(PTRACE_SINGLESTEP, pid, 0, 0);
        STOPPED(pid, SIGTRAP);
        siginfo_t info;
        PT(PTRACE_GETSIGINFO, pid, 0, &info);
        CHECK_EQ(info.si_code, TRAP_TRACE);
        PT(PTRACE_GETREGS, pid, 0, &regs);
        CHECK(regs.rip != before);
        CHECK_EQ(regs.eflags & 0x100, 0);
    }
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 9);
}

static void raise_and_report(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    sigpending(&set);
    _exit(sigismember(&set, SIGUSR2) ? 3 : 4);
}

CASE(a_signal_can_be_replaced)
{
    pid_t pid = traced_child(raise_and_report);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGUSR1);
    PT(PTRACE_CONT, pid, 0, SIGUSR2);
    ENDED(pid, 3);
}

CASE(a_signal_that_is_delivered_kills)
{
    pid_t pid = traced_child(raise_and_report);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGUSR1);
    siginfo_t info;
    PT(PTRACE_GETSIGINFO, pid, 0, &info);
    CHECK_EQ(info.si_signo, SIGUSR1);
    CHECK_EQ(info.si_code, SI_TKILL);
    CHECK_EQ(info.si_pid, pid);
    PT(PTRACE_CONT, pid, 0, SIGUSR1);
    CHECK_EQ(wait_status(pid), SIGUSR1);
}

static volatile int handled;
static void on_signal(int number) { handled = number; }
static void handle_usr1(void)
{
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    _exit(handled);
}

CASE(a_single_step_into_a_handler_stops_at_its_first_instruction)
{
    pid_t pid = traced_child(handle_usr1);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGUSR1);
    PT(PTRACE_SINGLESTEP, pid, 0, SIGUSR1);
    STOPPED(pid, SIGTRAP);
    struct user_regs_struct regs;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ(regs.rip, (uintptr_t)on_signal);
    CHECK_EQ(regs.rdi, SIGUSR1);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, SIGUSR1);
}

static void ignore_usr1(void)
{
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    _exit(6);
}

CASE(an_ignored_signal_stops_a_tracee)
{
    pid_t pid = traced_child(ignore_usr1);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGUSR1);
    PT(PTRACE_CONT, pid, 0, SIGUSR1);
    ENDED(pid, 6);
}

CASE(sigkill_ends_a_stopped_tracee)
{
    pid_t pid = traced_child(sleeper);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_status(pid), SIGKILL);
    pid = traced_child(sleeper);
    PT(PTRACE_KILL, pid, 0, 0);
    CHECK_EQ(wait_status(pid), SIGKILL);
}

static void getppid_twice(void)
{
    syscall(SYS_getppid);
    _exit((int)(syscall(SYS_getppid) & 0x7F));
}

CASE(system_calls_stop_at_entry_and_exit)
{
    pid_t pid = traced_child(getppid_twice);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    struct user_regs_struct regs;
    PT(PTRACE_SYSCALL, pid, 0, 0);
    /* raise may make further calls behind the stop. */
    do {
        STOPPED(pid, SIGTRAP | 0x80);
        PT(PTRACE_GETREGS, pid, 0, &regs);
        if (regs.orig_rax != SYS_getppid) PT(PTRACE_SYSCALL, pid, 0, 0);
    } while (regs.orig_rax != SYS_getppid);
    CHECK_EQ((long)regs.rax, -ENOSYS);
    struct __ptrace_syscall_info info;
    long size = OK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info));
    CHECK_EQ(size, 80);
    CHECK_EQ(info.op, 1);
    CHECK_EQ(info.arch, 0xC000003E);
    CHECK_EQ(info.entry.nr, SYS_getppid);
    CHECK_EQ(info.instruction_pointer, regs.rip);
    unsigned long message;
    PT(PTRACE_GETEVENTMSG, pid, 0, &message);
    CHECK_EQ(message, 1);
    siginfo_t signal_info;
    PT(PTRACE_GETSIGINFO, pid, 0, &signal_info);
    CHECK_EQ(signal_info.si_code, SIGTRAP | 0x80);

    PT(PTRACE_SYSCALL, pid, 0, 0);
    STOPPED(pid, SIGTRAP | 0x80);
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ(regs.orig_rax, SYS_getppid);
    CHECK_EQ(regs.rax, getpid());
    size = OK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info));
    CHECK_EQ(size, 33);
    CHECK_EQ(info.op, 2);
    CHECK_EQ(info.exit.rval, getpid());
    CHECK_EQ(info.exit.is_error, 0);

    /* The second call: what it returns is changed. */
    PT(PTRACE_SYSCALL, pid, 0, 0);
    STOPPED(pid, SIGTRAP | 0x80);
    PT(PTRACE_SYSCALL, pid, 0, 0);
    STOPPED(pid, SIGTRAP | 0x80);
    PT(PTRACE_GETREGS, pid, 0, &regs);
    regs.rax = 77;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 77);
}

static void call_getppid(void) { _exit(syscall(SYS_getppid) == -1 && errno == EPERM ? 8 : 7); }

CASE(a_system_call_can_be_skipped_and_changed)
{
    pid_t pid = traced_child(call_getppid);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    struct user_regs_struct regs;
    do {
        PT(PTRACE_SYSCALL, pid, 0, 0);
        STOPPED(pid, SIGTRAP | 0x80);
        PT(PTRACE_GETREGS, pid, 0, &regs);
    } while (regs.orig_rax != SYS_getppid);
    regs.orig_rax = -1;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    PT(PTRACE_SYSCALL, pid, 0, 0);
    STOPPED(pid, SIGTRAP | 0x80);
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ((long)regs.rax, -ENOSYS);
    regs.rax = (unsigned long)-EPERM;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 8);
}

static void fork_and_wait(void)
{
    pid_t pid = fork();
    if (pid == 0) _exit(2);
    int status;
    waitpid(pid, &status, 0);
    _exit(WEXITSTATUS(status));
}

CASE(fork_events_bring_the_child)
{
    pid_t pid = traced_child(fork_and_wait);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_FORK << 8));
    unsigned long child;
    PT(PTRACE_GETEVENTMSG, pid, 0, &child);
    CHECK(child != 0 && (pid_t)child != pid);
    STOPPED((pid_t)child, SIGSTOP);
    PT(PTRACE_CONT, pid, 0, 0);
    PT(PTRACE_CONT, child, 0, 0);
    /* The tracer learns of the end first, then the parent. */
    ENDED((pid_t)child, 2);
    STOPPED(pid, SIGCHLD);
    PT(PTRACE_CONT, pid, 0, SIGCHLD);
    ENDED(pid, 2);
}

static void vfork_and_exit(void)
{
    pid_t pid = vfork();
    if (pid == 0) _exit(0);
    waitpid(pid, NULL, 0);
    _exit(1);
}

CASE(vfork_events)
{
    pid_t pid = traced_child(vfork_and_exit);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_VFORK << 8));
    unsigned long child, done;
    PT(PTRACE_GETEVENTMSG, pid, 0, &child);
    STOPPED((pid_t)child, SIGSTOP);
    PT(PTRACE_CONT, pid, 0, 0);
    PT(PTRACE_DETACH, child, 0, 0);
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_VFORK_DONE << 8));
    PT(PTRACE_GETEVENTMSG, pid, 0, &done);
    CHECK_EQ(done, child);
    PT(PTRACE_DETACH, pid, 0, 0);
    ENDED(pid, 1);
}

static void execute(void)
{
    execl("/proc/self/exe", "test", "--list", NULL);
    _exit(71);
}

static void quiet_execute(void)
{
    int fd = open("/dev/null", O_WRONLY);
    dup2(fd, 1);
    execute();
}

CASE(exec_stops_with_SIGTRAP)
{
    pid_t pid = traced_child(quiet_execute);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 0);
}

CASE(exec_and_exit_events)
{
    pid_t pid = traced_child(quiet_execute);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_EXEC << 8));
    unsigned long message;
    PT(PTRACE_GETEVENTMSG, pid, 0, &message);
    CHECK_EQ(message, pid);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_EXIT << 8));
    PT(PTRACE_GETEVENTMSG, pid, 0, &message);
    CHECK_EQ(message, 0);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 0);
}

static void *thread_body(void *unused) { (void)unused; return NULL; }

static void make_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, thread_body, NULL);
    pthread_join(thread, NULL);
    _exit(12);
}

CASE(clone_events_and_the_end_of_a_thread)
{
    pid_t pid = traced_child(make_thread);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_CLONE << 8));
    unsigned long thread;
    PT(PTRACE_GETEVENTMSG, pid, 0, &thread);
    STOPPED((pid_t)thread, SIGSTOP);
    PT(PTRACE_CONT, thread, 0, 0);
    ENDED((pid_t)thread, 0);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 12);
}

CASE(attach_stops_a_running_process_and_detach_frees_it)
{
    volatile int *runs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(runs != MAP_FAILED);
    pid_t pid;
    CHILD(pid) {
        signal(SIGUSR1, on_signal);
        *runs = 1;
        while (!handled) { }
    }
    while (!*runs) sleep_ms(1);
    PT(PTRACE_ATTACH, pid, 0, 0);
    STOPPED(pid, SIGSTOP);
    char expected[32];
    snprintf(expected, sizeof expected, "TracerPid:\t%d", getpid());
    CHECK_STR(status_line(pid, "TracerPid:"), expected);
    CHECK_STR(status_line(pid, "State:"), "State:\tt (tracing stop)");
    struct user_regs_struct regs;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ((long)regs.orig_rax, -1);
    PT(PTRACE_DETACH, pid, 0, 0);
    CHECK_STR(status_line(pid, "TracerPid:"), "TracerPid:\t0");
    OK(kill(pid, SIGUSR1));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(attach_interrupts_a_call_that_waits_and_it_goes_on)
{
    int ends[2];
    OK(pipe(ends));
    pid_t pid;
    CHILD(pid) {
        char byte;
        if (read(ends[0], &byte, 1) != 1 || byte != 'x') _exit(1);
        struct timespec time = { 2, 0 };
        if (nanosleep(&time, NULL) != 0) _exit(2);
    }
    wait_until_blocked(pid);
    PT(PTRACE_ATTACH, pid, 0, 0);
    STOPPED(pid, SIGSTOP);
    struct user_regs_struct regs;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ(regs.orig_rax, SYS_read);
    CHECK_EQ((long)regs.rax, -512);
    PT(PTRACE_CONT, pid, 0, 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    int waiting;
    do OK(ioctl(ends[0], FIONREAD, &waiting));
    while (waiting != 0);
    wait_until_blocked(pid);
    OK(kill(pid, SIGSTOP));
    STOPPED(pid, SIGSTOP);
    PT(PTRACE_GETREGS, pid, 0, &regs);
    PT(PTRACE_DETACH, pid, 0, 0);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(seize_does_not_stop_and_interrupt_does)
{
    pid_t pid;
    CHILD(pid) sleeper();
    CHECK_ERRNO(ptrace(PTRACE_SEIZE, pid, (void *)1L, NULL), EIO);
    PT(PTRACE_SEIZE, pid, 0, 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, __WALL | WNOHANG), 0);
    PT(PTRACE_INTERRUPT, pid, 0, 0);
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_STOP << 8));
    PT(PTRACE_CONT, pid, 0, 0);
    OK(kill(pid, SIGTERM));
    STOPPED(pid, SIGTERM);
    PT(PTRACE_CONT, pid, 0, SIGTERM);
    CHECK_EQ(wait_status(pid), SIGTERM);
}

CASE(interrupt_and_listen_need_seize)
{
    pid_t pid = traced_child(nothing);
    CHECK_ERRNO(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), EIO);
    CHECK_ERRNO(ptrace(PTRACE_LISTEN, pid, NULL, NULL), EIO);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 0);
}

CASE(a_seized_process_reports_the_stop_of_its_group_and_its_end)
{
    pid_t pid;
    CHILD(pid) sleeper();
    PT(PTRACE_SEIZE, pid, 0, 0);
    OK(kill(pid, SIGSTOP));
    STOPPED(pid, SIGSTOP);
    PT(PTRACE_CONT, pid, 0, SIGSTOP);
    STOPPED(pid, SIGSTOP | (PTRACE_EVENT_STOP << 8));
    PT(PTRACE_LISTEN, pid, 0, 0);
    OK(kill(pid, SIGCONT));
    STOPPED(pid, SIGTRAP | (PTRACE_EVENT_STOP << 8));
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_status(pid), SIGKILL);
}

CASE(a_group_stop_has_no_signal_information)
{
    pid_t pid = traced_child(sleeper);
    siginfo_t info;
    PT(PTRACE_GETSIGINFO, pid, 0, &info);
    PT(PTRACE_CONT, pid, 0, SIGSTOP);
    STOPPED(pid, SIGSTOP);
    CHECK_ERRNO(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info), EINVAL);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_status(pid), SIGKILL);
}

CASE(register_sets)
{
    pid_t pid = traced_child(nothing);
    struct user_regs_struct regs, again;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    struct iovec vector = { &again, sizeof again + 64 };
    PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector);
    CHECK_EQ(vector.iov_len, sizeof again);
    CHECK_EQ(memcmp(&regs, &again, sizeof regs), 0);
    struct user_fpregs_struct floats;
    PT(PTRACE_GETFPREGS, pid, 0, &floats);
    CHECK_EQ(floats.mxcsr, 0x1F80);
    CHECK_EQ(floats.cwd, 0x37F);
    static char extended[16384];
    vector = (struct iovec){ extended, sizeof extended };
    PT(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &vector);
    CHECK(vector.iov_len >= 576 && vector.iov_len < sizeof extended);
    CHECK_EQ(*(uint64_t *)(extended + 464) & 3, 3);
    PT(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &vector);
    vector.iov_len = sizeof extended;
    CHECK_ERRNO(ptrace(PTRACE_GETREGSET, pid, (void *)0x999L, &vector), EINVAL);
    PT(PTRACE_SETFPREGS, pid, 0, &floats);
    errno = 0;
    CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), NULL), (long)regs.rip);
    CHECK_ERRNO(ptrace(PTRACE_PEEKUSER, pid, (void *)3L, NULL), EIO);
    CHECK_ERRNO(ptrace(PTRACE_PEEKUSER, pid, (void *)4096L, NULL), EIO);
    errno = 0;
    CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[7]), NULL) & 0xFF, 0);
    CHECK_EQ(errno, 0);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 0);
}

static double number = 2.5;
static void floats(void)
{
    register double value __asm__("xmm3") = number;
    __asm__ volatile("int3" : "+x"(value));
    _exit((int)value);
}

CASE(floating_point_registers_can_be_changed)
{
    pid_t pid = traced_child(floats);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP);
    struct user_fpregs_struct registers;
    PT(PTRACE_GETFPREGS, pid, 0, &registers);
    double value;
    memcpy(&value, (char *)registers.xmm_space + 3 * 16, sizeof value);
    CHECK(value == 2.5);
    value = 33;
    memcpy((char *)registers.xmm_space + 3 * 16, &value, sizeof value);
    PT(PTRACE_SETFPREGS, pid, 0, &registers);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 33);
}

CASE(proc_mem_writes_to_code)
{
    pid_t pid = traced_child(call_landmark);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int fd = OK(open(path, O_RDWR));
    unsigned char trap = 0xCC, original;
    CHECK_EQ(pread(fd, &original, 1, (off_t)(uintptr_t)landmark), 1);
    CHECK_EQ(pwrite(fd, &trap, 1, (off_t)(uintptr_t)landmark), 1);
    PT(PTRACE_CONT, pid, 0, 0);
    STOPPED(pid, SIGTRAP);
    CHECK_EQ(pwrite(fd, &original, 1, (off_t)(uintptr_t)landmark), 1);
    PT(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rip), landmark);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 9);
}

CASE(waitid_reports_CLD_TRAPPED)
{
    pid_t pid = traced_child(nothing);
    PT(PTRACE_CONT, pid, 0, SIGSTOP);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT));
    CHECK_EQ(info.si_code, CLD_TRAPPED);
    CHECK_EQ(info.si_status, SIGSTOP);
    CHECK_EQ(info.si_signo, SIGCHLD);
    OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED));
    OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOHANG));
    CHECK_EQ(info.si_pid, 0);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_status(pid), SIGKILL);
}

CASE(tracees_are_free_when_their_tracer_ends)
{
    int ends[2];
    OK(pipe(ends));
    pid_t pid;
    CHILD(pid) { char byte; if (read(ends[0], &byte, 1) != 1) _exit(1); }
    IN_CHILD {
        PT(PTRACE_ATTACH, pid, 0, 0);
        STOPPED(pid, SIGSTOP);
        PT(PTRACE_CONT, pid, 0, 0);
        OK(kill(pid, SIGUSR1));
        STOPPED(pid, SIGUSR1);
        PT(PTRACE_CONT, pid, 0, 0);
    }
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(exitkill_ends_tracees_with_their_tracer)
{
    pid_t pid;
    CHILD(pid) sleeper();
    IN_CHILD PT(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL);
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(a_parent_learns_of_the_end_after_the_tracer)
{
    int ends[2];
    OK(pipe(ends));
    pid_t pid, tracer;
    CHILD(pid) { char byte; close(ends[1]); _exit(read(ends[0], &byte, 1) == 0 ? 4 : 1); }
    int ready[2];
    OK(pipe(ready));
    CHILD(tracer) {
        PT(PTRACE_SEIZE, pid, 0, 0);
        close(ends[1]);
        CHECK_EQ(write(ready[1], "r", 1), 1);
        sleep_ms(100);
        ENDED(pid, 4);
    }
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    close(ends[1]);
    CHECK_EQ(wait_for(pid), 4);
    CHECK_EQ(wait_for(tracer), 0);
}

CASE(another_thread_than_the_tracer_gets_ESRCH)
{
    pid_t pid = traced_child(nothing);
    IN_CHILD {
        struct user_regs_struct regs;
        CHECK_ERRNO(ptrace(PTRACE_GETREGS, pid, NULL, &regs), ESRCH);
        CHECK_ERRNO(ptrace(PTRACE_ATTACH, pid, NULL, NULL), EPERM);
    }
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 0);
}

/* Makes two calls that its tracer may take over. */
static void two_calls(void)
{
    long first = syscall(SYS_getppid, 1, 2, 3);
    long second = syscall(SYS_getpid);
    _exit(first == 1234 && second == getpid() ? 7 : 8);
}

CASE(sysemu_stops_at_a_call_that_is_not_made)
{
    pid_t pid = traced_child(two_calls);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    struct user_regs_struct regs;
    for (;;) {
        PT(PTRACE_SYSEMU, pid, 0, 0);
        STOPPED(pid, SIGTRAP | 0x80);
        PT(PTRACE_GETREGS, pid, 0, &regs);
        CHECK_EQ(regs.rax, -ENOSYS);
        if (regs.orig_rax == SYS_getppid) break;
        /* The end of raise(), maybe: let the C library have its answer. */
        regs.rax = 0;
        PT(PTRACE_SETREGS, pid, 0, &regs);
    }
    CHECK_EQ(regs.rdi, 1);
    regs.rax = 1234;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    /* Without another PTRACE_SYSEMU, calls are made again. */
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 7);
}

CASE(after_sysemu_the_end_of_the_call_is_a_stop_for_PTRACE_SYSCALL)
{
    pid_t pid = traced_child(two_calls);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    struct user_regs_struct regs;
    do {
        PT(PTRACE_SYSEMU, pid, 0, 0);
        STOPPED(pid, SIGTRAP | 0x80);
        PT(PTRACE_GETREGS, pid, 0, &regs);
    } while (regs.orig_rax != SYS_getppid);
    PT(PTRACE_SYSCALL, pid, 0, 0);
    STOPPED(pid, SIGTRAP | 0x80);
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ(regs.rax, -ENOSYS);
    regs.rax = 1234;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 7);
}

CASE(sysemu_singlestep_steps_and_takes_calls)
{
    pid_t pid = traced_child(two_calls);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    struct user_regs_struct regs;
    int steps = 0;
    for (;;) {
        PT(PTRACE_SYSEMU_SINGLESTEP, pid, 0, 0);
        int status = wait_status(pid);
        CHECK(WIFSTOPPED(status));
        PT(PTRACE_GETREGS, pid, 0, &regs);
        if (WSTOPSIG(status) == SIGTRAP) {
            CHECK(++steps < 20000);
            continue;
        }
        CHECK_EQ(WSTOPSIG(status), SIGTRAP | 0x80);
        if (regs.orig_rax == SYS_getppid) break;
        regs.rax = 0;
        PT(PTRACE_SETREGS, pid, 0, &regs);
    }
    CHECK(steps > 3);
    regs.rax = 1234;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    PT(PTRACE_SINGLESTEP, pid, 0, 0);
    STOPPED(pid, SIGTRAP);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 7);
}

/* A filter that asks the tracer about getppid, with 77 for it to know why. */
static void ask_about_getppid(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { ARRAY_LENGTH(code), code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(71);
}

static void filtered_calls(void)
{
    ask_about_getppid();
    two_calls();
}

static void filtered_call_of_its_own(void)
{
    ask_about_getppid();
    _exit(syscall(SYS_getppid) == getpid() ? 7 : 8);
}

CASE(a_filter_asks_the_tracer_who_may_take_the_call)
{
    pid_t pid = traced_child(filtered_calls);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
    PT(PTRACE_CONT, pid, 0, 0);
    CHECK_EQ(wait_status(pid), (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) << 8 | 0x7F);
    unsigned long message = 0;
    PT(PTRACE_GETEVENTMSG, pid, 0, &message);
    CHECK_EQ(message, 77);
    struct user_regs_struct regs;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ(regs.orig_rax, SYS_getppid);
    CHECK_EQ(regs.rax, -ENOSYS);
    CHECK_EQ(regs.rdi, 1);
    regs.orig_rax = (unsigned long)-1;
    regs.rax = 1234;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 7);
}

CASE(a_filter_asks_the_tracer_who_may_change_the_call)
{
    pid_t pid = traced_child(filtered_call_of_its_own);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD);
    PT(PTRACE_CONT, pid, 0, 0);
    CHECK_EQ(wait_status(pid), (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) << 8 | 0x7F);
    struct user_regs_struct regs;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    regs.orig_rax = SYS_getpid;
    PT(PTRACE_SETREGS, pid, 0, &regs);
    /* The call's entry has been before the filter; what comes is its end. */
    PT(PTRACE_SYSCALL, pid, 0, 0);
    STOPPED(pid, SIGTRAP | 0x80);
    PT(PTRACE_GETREGS, pid, 0, &regs);
    CHECK_EQ(regs.rax, pid);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 7);
}

CASE(a_filter_that_asks_nobody_gets_ENOSYS)
{
    IN_CHILD {
        ask_about_getppid();
        CHECK_ERRNO(syscall(SYS_getppid), ENOSYS);
    }
    pid_t pid = traced_child(filtered_calls);
    PT(PTRACE_CONT, pid, 0, 0);
    ENDED(pid, 8);
}

CASE(a_tracer_that_leaves_at_the_filters_question_lets_the_call_be_made)
{
    pid_t pid = traced_child(filtered_calls);
    PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
    PT(PTRACE_CONT, pid, 0, 0);
    CHECK_EQ(wait_status(pid), (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) << 8 | 0x7F);
    PT(PTRACE_DETACH, pid, 0, 0);
    ENDED(pid, 8);
}
