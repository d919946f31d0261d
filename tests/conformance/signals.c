/* Signal handlers, masks, queues, waiting for signals, job control. */
#include "conformance.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last, depth, max_depth, order[64];
/* Volatile: raise() is a leaf function to the compiler, which may keep a static variable in a register across it. */
static volatile siginfo_t seen_info;

static void on_signal(int signal) { last = signal; order[count++ % 64] = signal; }

static void on_siginfo(int signal, siginfo_t *info, void *context)
{
    (void)context;
    last = signal;
    seen_info = *info;
    order[count++ % 64] = signal;
}

static void set_handler(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    OK(sigaction(signal, &action, NULL));
}

static void set_info_handler(int signal, int flags)
{
    struct sigaction action = { .sa_sigaction = on_siginfo, .sa_flags = SA_SIGINFO | flags };
    OK(sigaction(signal, &action, NULL));
}

static void block(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

CASE(raise_runs_the_handler_before_it_returns)
{
    set_handler(SIGUSR1, on_signal, 0);
    OK(raise(SIGUSR1));
    CHECK_EQ(count, 1);
    CHECK_EQ(last, SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 2);
}

CASE(siginfo_of_kill)
{
    set_info_handler(SIGUSR1, 0);
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 1);
    CHECK_EQ(seen_info.si_signo, SIGUSR1);
    CHECK_EQ(seen_info.si_code, SI_USER);
    CHECK_EQ(seen_info.si_pid, getpid());
    CHECK_EQ(seen_info.si_uid, getuid());
}

CASE(siginfo_of_tgkill)
{
    set_info_handler(SIGUSR1, 0);
    OK(tgkill(getpid(), gettid(), SIGUSR1));
    CHECK_EQ(seen_info.si_code, SI_TKILL);
    CHECK_EQ(seen_info.si_pid, getpid());
}

CASE(siginfo_of_sigqueue)
{
    set_info_handler(SIGUSR1, 0);
    OK(sigqueue(getpid(), SIGUSR1, (union sigval) { .sival_ptr = (void *)0x123456789abcdef0 }));
    CHECK_EQ(seen_info.si_code, SI_QUEUE);
    CHECK(seen_info.si_value.sival_ptr == (void *)0x123456789abcdef0);
    CHECK_EQ(seen_info.si_pid, getpid());
}

CASE(siginfo_of_a_child)
{
    set_info_handler(SIGCHLD, SA_RESTART);
    pid_t pid;
    CHILD(pid) { _exit(9); }
    CHECK_EQ(wait_for(pid), 9);
    CHECK_EQ(count, 1);
    CHECK_EQ(seen_info.si_signo, SIGCHLD);
    CHECK_EQ(seen_info.si_code, CLD_EXITED);
    CHECK_EQ(seen_info.si_pid, pid);
    CHECK_EQ(seen_info.si_status, 9);
}

CASE(sigchld_tells_of_stop_and_continue_unless_nocldstop)
{
    set_info_handler(SIGCHLD, SA_RESTART);
    pid_t pid;
    int status;
    CHILD(pid) { for (;;) pause(); }
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    /* waitpid sees that it has stopped before the parent is told. */
    while (count == 0) sleep_ms(1);
    CHECK_EQ(count, 1);
    CHECK_EQ(seen_info.si_code, CLD_STOPPED);
    CHECK_EQ(seen_info.si_status, SIGSTOP);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    /* The child itself tells the parent when it runs again; that may be after waitpid has returned. */
    for (int i = 0; i < 2000 && seen_info.si_code != CLD_CONTINUED; i++) sleep_ms(1);
    CHECK_EQ(seen_info.si_code, CLD_CONTINUED);
    int before = count;
    set_info_handler(SIGCHLD, SA_RESTART | SA_NOCLDSTOP);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(count, before);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
    CHECK_EQ(count, before + 1);
    CHECK_EQ(seen_info.si_code, CLD_KILLED);
}

static void nested(int signal)
{
    if (++depth > max_depth) max_depth = depth;
    count++;
    if (count < 4) raise(signal);
    depth--;
}

CASE(a_signal_is_blocked_in_its_own_handler)
{
    set_handler(SIGUSR1, nested, 0);
    raise(SIGUSR1);
    CHECK_EQ(count, 4);
    CHECK_EQ(max_depth, 1);
}

CASE(sa_nodefer_lets_a_handler_be_interrupted_by_its_own_signal)
{
    set_handler(SIGUSR1, nested, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(count, 4);
    CHECK_EQ(max_depth, 4);
}

static void raise_other(int signal)
{
    order[count++] = signal;
    if (signal == SIGUSR1) {
        raise(SIGUSR2);
        order[count++] = -signal;
    }
}

CASE(another_signal_nests)
{
    set_handler(SIGUSR1, raise_other, 0);
    set_handler(SIGUSR2, raise_other, 0);
    raise(SIGUSR1);
    CHECK_EQ(count, 3);
    CHECK_EQ(order[0], SIGUSR1);
    CHECK_EQ(order[1], SIGUSR2);
    CHECK_EQ(order[2], -SIGUSR1);
}

CASE(sa_mask_holds_another_signal_back)
{
    struct sigaction action = { .sa_handler = raise_other };
    sigaddset(&action.sa_mask, SIGUSR2);
    OK(sigaction(SIGUSR1, &action, NULL));
    set_handler(SIGUSR2, raise_other, 0);
    raise(SIGUSR1);
    CHECK_EQ(count, 3);
    CHECK_EQ(order[1], -SIGUSR1);
    CHECK_EQ(order[2], SIGUSR2);
}

CASE(the_mask_is_restored_after_a_handler)
{
    sigset_t before, after;
    block(SIGUSR2);
    OK(sigprocmask(SIG_SETMASK, NULL, &before));
    struct sigaction action = { .sa_handler = on_signal };
    sigfillset(&action.sa_mask);
    OK(sigaction(SIGUSR1, &action, NULL));
    raise(SIGUSR1);
    OK(sigprocmask(SIG_SETMASK, NULL, &after));
    CHECK_EQ(sigismember(&after, SIGUSR1), 0);
    CHECK_EQ(sigismember(&after, SIGUSR2), 1);
    for (int signal = 1; signal < 65; signal++) CHECK_EQ(sigismember(&after, signal), sigismember(&before, signal));
}

CASE(sa_resethand_works_once)
{
    set_handler(SIGUSR1, on_signal, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
    struct sigaction action;
    OK(sigaction(SIGUSR1, NULL, &action));
    CHECK(action.sa_handler == SIG_DFL);
    pid_t pid;
    CHILD(pid) { raise(SIGUSR1); }
    CHECK_EQ(wait_for(pid), 128 + SIGUSR1);
}

CASE(sigaction_gives_back_what_was_set)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NODEFER }, old;
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGRTMIN + 3);
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == on_signal);
    CHECK_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO | SA_RESETHAND), SA_RESTART | SA_NODEFER);
    CHECK(sigismember(&old.sa_mask, SIGTERM) && sigismember(&old.sa_mask, SIGRTMIN + 3) && !sigismember(&old.sa_mask, SIGINT));
}

CASE(sigkill_and_sigstop_cannot_be_caught_or_blocked)
{
    struct sigaction action = { .sa_handler = on_signal };
    CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERRNO(sigaction(SIGSTOP, &action, NULL), EINVAL);
    OK(sigaction(SIGKILL, NULL, &action));
    CHECK_ERRNO(sigaction(65, &action, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
    sigset_t set;
    sigfillset(&set);
    OK(sigprocmask(SIG_SETMASK, &set, NULL));
    OK(sigprocmask(SIG_SETMASK, NULL, &set));
    CHECK(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP) && sigismember(&set, SIGTERM));
}

CASE(sigprocmask_errors)
{
    sigset_t set;
    sigemptyset(&set);
    CHECK_ERRNO(sigprocmask(99, &set, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8), EFAULT);
}

CASE(a_blocked_signal_is_pending_until_unblocked)
{
    sigset_t pending;
    set_handler(SIGUSR1, on_signal, 0);
    block(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQ(count, 0);
    OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
    CHECK_EQ(sigismember(&pending, SIGUSR2), 0);
    unblock(SIGUSR1);
    /* Standard signals do not queue. */
    CHECK_EQ(count, 1);
    OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
}

CASE(ignoring_a_signal_discards_it_while_pending)
{
    sigset_t pending;
    block(SIGUSR1);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
    signal(SIGUSR1, SIG_DFL);
    unblock(SIGUSR1);
}

CASE(realtime_signals_queue_with_their_values)
{
    int number = SIGRTMIN + 2;
    set_info_handler(number, 0);
    block(number);
    for (int i = 0; i < 5; i++) OK(sigqueue(getpid(), number, (union sigval) { .sival_int = 100 + i }));
    struct timespec now = { 0, 0 };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    siginfo_t info;
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(sigtimedwait(&set, &info, &now), number);
        CHECK_EQ(info.si_value.sival_int, 100 + i);
    }
    unblock(number);
    CHECK_EQ(count, 3);
    CHECK_EQ(seen_info.si_value.sival_int, 104);
}

CASE(lower_realtime_signals_come_first)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < 4; i++) sigaddset(&set, SIGRTMIN + i);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    for (int i = 3; i >= 0; i--) OK(sigqueue(getpid(), SIGRTMIN + i, (union sigval) { .sival_int = i }));
    siginfo_t info;
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + i);
        CHECK_EQ(info.si_value.sival_int, i);
    }
}

CASE(standard_signals_come_before_realtime_ones)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGTERM);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    raise(SIGRTMIN);
    raise(SIGTERM);
    CHECK_EQ(sigwaitinfo(&set, NULL), SIGTERM);
    CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN);
}

CASE(sigtimedwait_times_out)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    struct timespec timeout = { 0, 30000000 };
    int64_t before = now_ms();
    CHECK_ERRNO(sigtimedwait(&set, NULL, &timeout), EAGAIN);
    CHECK(now_ms() - before >= 29);
    timeout.tv_nsec = 1000000000;
    CHECK_ERRNO(sigtimedwait(&set, NULL, &timeout), EINVAL);
}

CASE(sigtimedwait_is_woken_by_another_process)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    pid_t parent = getpid(), pid;
    CHILD(pid) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); }
    struct timespec timeout = { 10, 0 };
    siginfo_t info;
    CHECK_EQ(sigtimedwait(&set, &info, &timeout), SIGUSR1);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_code, SI_USER);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(sigtimedwait_is_interrupted_by_a_signal_outside_the_set)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    set_handler(SIGUSR2, on_signal, SA_RESTART);
    pid_t parent = getpid(), pid;
    CHILD(pid) { wait_until_blocked(parent); OK(kill(parent, SIGUSR2)); }
    CHECK_ERRNO(sigwaitinfo(&set, NULL), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(sigwait_takes_a_pending_signal_without_its_handler)
{
    int number = 0;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    set_handler(SIGUSR1, on_signal, 0);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    raise(SIGUSR1);
    CHECK_CODE(sigwait(&set, &number), 0);
    CHECK_EQ(number, SIGUSR1);
    CHECK_EQ(count, 0);
}

CASE(sigsuspend_swaps_the_mask)
{
    sigset_t none, now;
    sigemptyset(&none);
    set_handler(SIGUSR1, on_signal, 0);
    block(SIGUSR1);
    raise(SIGUSR1);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
    OK(sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK_EQ(sigismember(&now, SIGUSR1), 1);
}

CASE(sigsuspend_waits_for_another_process)
{
    sigset_t none;
    sigemptyset(&none);
    set_handler(SIGUSR1, on_signal, 0);
    block(SIGUSR1);
    pid_t parent = getpid(), pid;
    CHILD(pid) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); }
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(pause_returns_eintr_after_a_handler)
{
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid_t parent = getpid(), pid;
    CHILD(pid) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); }
    CHECK_ERRNO(pause(), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(read_is_interrupted_without_sa_restart)
{
    int fds[2];
    char byte;
    OK(pipe(fds));
    set_handler(SIGUSR1, on_signal, 0);
    pid_t parent = getpid(), pid;
    CHILD(pid) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); }
    CHECK_ERRNO(read(fds[0], &byte, 1), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(read_goes_on_with_sa_restart)
{
    int fds[2];
    char byte;
    OK(pipe(fds));
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid_t parent = getpid(), pid;
    CHILD(pid) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); sleep_ms(30); CHECK_EQ(write(fds[1], "r", 1), 1); }
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(byte, 'r');
    CHECK_EQ(count, 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(waitpid_goes_on_with_sa_restart_and_is_interrupted_without)
{
    pid_t parent = getpid(), child, killer;
    int status;
    CHILD(child) { for (;;) pause(); }
    set_handler(SIGUSR1, on_signal, 0);
    CHILD(killer) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); }
    CHECK_ERRNO(waitpid(child, &status, 0), EINTR);
    CHECK_EQ(wait_for(killer), 0);
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    CHILD(killer) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); sleep_ms(30); OK(kill(child, SIGKILL)); }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(count, 2);
    CHECK_EQ(wait_for(killer), 0);
}

CASE(poll_is_interrupted_even_with_sa_restart)
{
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid_t parent = getpid(), pid;
    CHILD(pid) { wait_until_blocked(parent); OK(kill(parent, SIGUSR1)); }
    CHECK_ERRNO(poll(NULL, 0, 5000), EINTR);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(an_ignored_signal_interrupts_nothing)
{
    signal(SIGUSR1, SIG_IGN);
    pid_t parent = getpid(), pid;
    CHILD(pid) { sleep_ms(20); OK(kill(parent, SIGUSR1)); OK(kill(parent, SIGCHLD)); OK(kill(parent, SIGURG)); }
    CHECK_EQ(poll(NULL, 0, 60), 0);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(a_stop_and_continue_does_not_interrupt_a_read)
{
    int fds[2], status;
    OK(pipe(fds));
    pid_t pid;
    CHILD(pid) {
        char byte;
        CHECK_EQ(read(fds[0], &byte, 1), 1);
    }
    wait_until_blocked(pid);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGCONT));
    sleep_ms(20);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(a_stopped_process_does_not_run)
{
    int status;
    volatile int *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(counter != MAP_FAILED);
    pid_t pid;
    CHILD(pid) { for (;;) ++*counter; }
    while (*counter == 0) sleep_ms(1);
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    int frozen = *counter;
    sleep_ms(30);
    CHECK_EQ(*counter, frozen);
    OK(kill(pid, SIGCONT));
    int64_t until = now_ms() + 5000;
    while (*counter == frozen && now_ms() < until) sleep_ms(1);
    CHECK(*counter != frozen);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(sigkill_ends_a_stopped_process)
{
    int status;
    pid_t pid;
    CHILD(pid) { for (;;) pause(); }
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(a_signal_to_a_stopped_process_waits_for_sigcont)
{
    int status;
    pid_t pid;
    CHILD(pid) { for (;;) pause(); }
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGTERM));
    sleep_ms(20);
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(wait_for(pid), 128 + SIGTERM);
}

CASE(sigcont_runs_its_handler)
{
    int status;
    pid_t pid;
    CHILD(pid) {
        set_handler(SIGCONT, on_signal, 0);
        raise(SIGSTOP);
        CHECK_EQ(count, 1);
    }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(sigtstp_can_be_handled_and_stops_by_default)
{
    int status;
    pid_t pid;
    set_handler(SIGTSTP, on_signal, 0);
    raise(SIGTSTP);
    CHECK_EQ(count, 1);
    signal(SIGTSTP, SIG_DFL);
    CHILD(pid) { raise(SIGTSTP); }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    OK(kill(pid, SIGCONT));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(kill_errors)
{
    CHECK_ERRNO(kill(getpid(), 65), EINVAL);
    CHECK_ERRNO(kill(getpid(), -1), EINVAL);
    CHECK_ERRNO(kill(0x3fffffff, SIGTERM), ESRCH);
    CHECK_ERRNO(kill(-0x3fffffff, SIGTERM), ESRCH);
    OK(kill(getpid(), 0));
    CHECK_ERRNO(tgkill(getpid(), 0x3fffffff, 0), ESRCH);
    CHECK_ERRNO(tgkill(-1, gettid(), 0), EINVAL);
    CHECK_ERRNO(tgkill(getppid(), gettid(), 0), ESRCH);
    OK(tgkill(getpid(), gettid(), 0));
}

CASE(kill_of_another_users_process_is_eperm)
{
    NEEDS_ROOT();
    pid_t root = getpid();
    IN_CHILD {
        OK(setuid(65534));
        CHECK_ERRNO(kill(root, 0), EPERM);
        CHECK_ERRNO(kill(root, SIGTERM), EPERM);
        OK(kill(getpid(), 0));
    }
}

CASE(default_actions_that_terminate)
{
    static const int signals[] = { SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGPROF, SIGVTALRM, SIGIO };
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
        pid_t pid;
        CHILD(pid) { raise(signals[i]); }
        CHECK_EQ(wait_for(pid), 128 + signals[i]);
    }
    pid_t pid;
    CHILD(pid) { raise(SIGRTMIN); }
    CHECK_EQ(wait_for(pid), 128 + SIGRTMIN);
}

CASE(default_actions_that_ignore)
{
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGCONT);
}

CASE(sigpipe_kills_and_can_be_ignored)
{
    int fds[2];
    OK(pipe(fds));
    close(fds[0]);
    pid_t pid;
    CHILD(pid) { if (write(fds[1], "x", 1) < 0) _exit(1); }
    CHECK_EQ(wait_for(pid), 128 + SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
    set_handler(SIGPIPE, on_signal, 0);
    CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
    CHECK_EQ(count, 1);
}

CASE(the_mask_is_inherited_by_fork_and_pending_signals_are_not)
{
    block(SIGUSR1);
    raise(SIGUSR1);
    IN_CHILD {
        sigset_t set;
        OK(sigprocmask(SIG_BLOCK, NULL, &set));
        CHECK_EQ(sigismember(&set, SIGUSR1), 1);
        OK(sigpending(&set));
        CHECK_EQ(sigismember(&set, SIGUSR1), 0);
    }
}

CASE(handlers_are_inherited_by_fork)
{
    set_handler(SIGUSR1, on_signal, 0);
    IN_CHILD {
        raise(SIGUSR1);
        CHECK_EQ(count, 1);
    }
    CHECK_EQ(count, 0);
}

static volatile pthread_t handler_thread;
static void note_thread(int signal) { (void)signal; handler_thread = pthread_self(); count++; }

static void *wait_for_count(void *argument)
{
    (void)argument;
    while (count == 0) sleep_ms(1);
    return NULL;
}

CASE(pthread_kill_reaches_that_thread)
{
    pthread_t thread;
    set_handler(SIGUSR1, note_thread, SA_RESTART);
    CHECK_CODE(pthread_create(&thread, NULL, wait_for_count, NULL), 0);
    CHECK_CODE(pthread_kill(thread, SIGUSR1), 0);
    CHECK_CODE(pthread_join(thread, NULL), 0);
    CHECK_EQ(count, 1);
    CHECK(pthread_equal(handler_thread, thread));
}

CASE(a_process_signal_goes_to_a_thread_that_does_not_block_it)
{
    pthread_t thread;
    set_handler(SIGUSR1, note_thread, SA_RESTART);
    CHECK_CODE(pthread_create(&thread, NULL, wait_for_count, NULL), 0);
    block(SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    CHECK_CODE(pthread_join(thread, NULL), 0);
    CHECK(pthread_equal(handler_thread, thread));
}

static void *mask_of_thread(void *argument)
{
    sigset_t set;
    (void)argument;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return (void *)(intptr_t)sigismember(&set, SIGUSR2);
}

CASE(a_new_thread_inherits_the_mask)
{
    pthread_t thread;
    void *result;
    block(SIGUSR2);
    CHECK_CODE(pthread_create(&thread, NULL, mask_of_thread, NULL), 0);
    CHECK_CODE(pthread_join(thread, &result), 0);
    CHECK_EQ((intptr_t)result, 1);
}

static void *spin_for_ever(void *argument)
{
    (void)argument;
    for (;;) { __asm__ volatile("pause"); }
    return NULL;
}

CASE(a_fatal_signal_ends_all_threads)
{
    pid_t pid;
    CHILD(pid) {
        pthread_t thread;
        CHECK_CODE(pthread_create(&thread, NULL, spin_for_ever, NULL), 0);
        CHECK_CODE(pthread_create(&thread, NULL, spin_for_ever, NULL), 0);
        sleep_ms(10);
        CHECK_CODE(pthread_kill(thread, SIGTERM), 0);
        for (;;) pause();
    }
    CHECK_EQ(wait_for(pid), 128 + SIGTERM);
}

CASE(a_spinning_process_can_be_killed)
{
    pid_t pid;
    CHILD(pid) { spin_for_ever(NULL); }
    sleep_ms(10);
    OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_for(pid), 128 + SIGKILL);
}

CASE(a_spinning_process_runs_its_handler)
{
    set_handler(SIGUSR1, on_signal, 0);
    pid_t parent = getpid(), pid;
    CHILD(pid) { sleep_ms(20); OK(kill(parent, SIGUSR1)); }
    while (count == 0) { }
    CHECK_EQ(wait_for(pid), 0);
}

static sigjmp_buf jump;
static void on_jump(int signal) { (void)signal; siglongjmp(jump, 7); }

CASE(siglongjmp_out_of_a_handler_restores_the_mask)
{
    set_handler(SIGUSR1, on_jump, 0);
    volatile int rounds = 0;
    int value = sigsetjmp(jump, 1);
    if (value != 0) CHECK_EQ(value, 7);
    if (++rounds < 5) raise(SIGUSR1);
    CHECK_EQ(rounds, 5);
}

static void change_context(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ucontext_t *user = context;
    /* The instruction after int3 reads rax. */
    user->uc_mcontext.gregs[REG_RAX] = 4242;
    sigaddset(&user->uc_sigmask, SIGUSR2);
}

CASE(a_handler_may_change_registers_and_mask_of_its_context)
{
    struct sigaction action = { .sa_sigaction = change_context, .sa_flags = SA_SIGINFO };
    OK(sigaction(SIGTRAP, &action, NULL));
    long value;
    __asm__ volatile("mov $1, %%eax\n\tint3\n\t" : "=a"(value) : : "memory");
    CHECK_EQ(value, 4242);
    sigset_t set;
    OK(sigprocmask(SIG_BLOCK, NULL, &set));
    CHECK_EQ(sigismember(&set, SIGUSR2), 1);
}

static int64_t registers_after[6];
static void clobber(int signal)
{
    (void)signal;
    __asm__ volatile("xor %%ecx, %%ecx\n\txor %%edx, %%edx\n\txor %%r8d, %%r8d\n\txor %%r9d, %%r9d\n\tstd\n\tcld" ::: "rcx", "rdx", "r8", "r9", "cc");
    count++;
}

CASE(registers_survive_a_handler)
{
    set_handler(SIGTRAP, clobber, 0);
    __asm__ volatile(
        "mov $11, %%rcx\n\tmov $12, %%rdx\n\tmov $13, %%r8\n\tmov $14, %%r9\n\tmov $15, %%rsi\n\tmov $16, %%r10\n\t"
        "stc\n\t"
        "int3\n\t"
        "setc %%al\n\tmovzbl %%al, %%eax\n\t"
        "mov %%rcx, 0(%0)\n\tmov %%rdx, 8(%0)\n\tmov %%r8, 16(%0)\n\tmov %%r9, 24(%0)\n\tadd %%r10, %%rsi\n\tmov %%rsi, 32(%0)\n\tmov %%rax, 40(%0)"
        : : "r"(registers_after) : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "memory", "cc");
    CHECK_EQ(count, 1);
    for (int i = 0; i < 4; i++) CHECK_EQ(registers_after[i], 11 + i);
    CHECK_EQ(registers_after[4], 31);
    CHECK_EQ(registers_after[5], 1);
}

__attribute__((noinline)) static int red_zone_sum(void)
{
    /* A leaf function whose data may lie under the stack pointer. */
    volatile int values[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    __asm__ volatile("int3");
    return values[0] + values[7];
}

CASE(the_red_zone_survives_a_handler)
{
    set_handler(SIGTRAP, on_signal, 0);
    for (int i = 0; i < 10; i++) CHECK_EQ(red_zone_sum(), 9);
    CHECK_EQ(count, 10);
}

static void use_vectors(int signal)
{
    (void)signal;
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm7, %%xmm7\n\tfninit" ::: "xmm0", "xmm7");
    count++;
}

CASE(vector_registers_survive_a_handler)
{
    set_handler(SIGTRAP, use_vectors, 0);
    double in[2] = { 1.5, -2.5 }, out[2] = { 0, 0 }, out7[2];
    __asm__ volatile(
        "movupd (%0), %%xmm0\n\tmovupd (%0), %%xmm7\n\tint3\n\tmovupd %%xmm0, (%1)\n\tmovupd %%xmm7, (%2)"
        : : "r"(in), "r"(out), "r"(out7) : "xmm0", "xmm7", "memory");
    CHECK(out[0] == 1.5 && out[1] == -2.5 && out7[0] == 1.5);
    CHECK_EQ(count, 1);
}

CASE(upper_halves_of_avx_registers_survive_a_handler)
{
    if (!__builtin_cpu_supports("avx")) SKIP("the processor has no AVX");
    set_handler(SIGTRAP, use_vectors, 0);
    double in[4] = { 1, 2, 3, 4 }, out[4] = { 0 };
    __asm__ volatile("vmovupd (%0), %%ymm3\n\tint3\n\tvmovupd %%ymm3, (%1)\n\tvzeroupper" : : "r"(in), "r"(out) : "xmm3", "memory");
    CHECK(memcmp(in, out, sizeof in) == 0);
}

CASE(rounding_mode_survives_a_handler)
{
    set_handler(SIGTRAP, use_vectors, 0);
    unsigned before, after;
    unsigned short x87_before, x87_after;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(before), "=m"(x87_before));
    unsigned changed = before | 0x6000;
    unsigned short x87_changed = (unsigned short)(x87_before | 0x0C00);
    __asm__ volatile("ldmxcsr %2\n\tfldcw %3\n\tint3\n\tstmxcsr %0\n\tfnstcw %1" : "=m"(after), "=m"(x87_after) : "m"(changed), "m"(x87_changed) : "memory");
    CHECK_EQ(after, changed);
    CHECK_EQ(x87_after, x87_changed);
    CHECK_EQ(count, 1);
}

static volatile uintptr_t handler_sp;
static volatile stack_t handler_stack;
static void note_stack(int signal)
{
    (void)signal;
    volatile char here = 0;
    handler_sp = (uintptr_t)&here;
    stack_t stack;
    sigaltstack(NULL, &stack);
    handler_stack = stack;
    count++;
}

static char alternate[65536] __attribute__((aligned(16)));

CASE(sigaltstack_is_used_with_sa_onstack_only)
{
    stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate }, old;
    OK(sigaltstack(&stack, NULL));
    OK(sigaltstack(NULL, &old));
    CHECK(old.ss_sp == alternate && old.ss_size == sizeof alternate && old.ss_flags == 0);
    set_handler(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(handler_sp >= (uintptr_t)alternate && handler_sp < (uintptr_t)alternate + sizeof alternate);
    CHECK_EQ(handler_stack.ss_flags, SS_ONSTACK);
    set_handler(SIGUSR1, note_stack, 0);
    raise(SIGUSR1);
    CHECK(handler_sp < (uintptr_t)alternate || handler_sp >= (uintptr_t)alternate + sizeof alternate);
    CHECK_EQ(handler_stack.ss_flags, 0);
}

static void change_stack(int signal)
{
    (void)signal;
    stack_t stack = { .ss_flags = SS_DISABLE };
    CHECK_ERRNO(sigaltstack(&stack, NULL), EPERM);
    count++;
}

CASE(sigaltstack_errors)
{
    stack_t stack = { .ss_sp = alternate, .ss_size = 100 };
    CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_size = sizeof alternate;
    stack.ss_flags = 0x1234;
    CHECK_ERRNO(sigaltstack(&stack, NULL), EINVAL);
    stack.ss_flags = 0;
    OK(sigaltstack(&stack, NULL));
    set_handler(SIGUSR1, change_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
    stack.ss_flags = SS_DISABLE;
    OK(sigaltstack(&stack, NULL));
    OK(sigaltstack(NULL, &stack));
    CHECK_EQ(stack.ss_flags, SS_DISABLE);
}

__attribute__((noipa)) static int overflow(int level)
{
    if (level < 0) return 0;
    volatile char big[4096];
    big[0] = (char)level;
    return overflow(level + 1) + big[0];
}

static void on_overflow(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    _exit(info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR ? 33 : 34);
}

CASE(stack_overflow_is_caught_on_the_alternate_stack)
{
    pid_t pid;
    CHILD(pid) {
        stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
        OK(sigaltstack(&stack, NULL));
        struct sigaction action = { .sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        OK(sigaction(SIGSEGV, &action, NULL));
        _exit(overflow(1));
    }
    CHECK_EQ(wait_for(pid), 33);
}

CASE(stack_overflow_without_alternate_stack_kills)
{
    pid_t pid;
    CHILD(pid) {
        struct sigaction action = { .sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO };
        OK(sigaction(SIGSEGV, &action, NULL));
        _exit(overflow(1));
    }
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
}

CASE(rt_sigqueueinfo_to_another_process_cannot_claim_the_kernel)
{
    siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
    pid_t pid;
    CHILD(pid) { for (;;) pause(); }
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
    info.si_code = SI_QUEUE;
    OK(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info));
    CHECK_EQ(wait_for(pid), 128 + SIGUSR1);
}

CASE(the_queue_of_realtime_signals_is_limited)
{
    struct rlimit limit = { 8, 8 };
    int sent = 0;
    block(SIGRTMIN);
    OK(setrlimit(RLIMIT_SIGPENDING, &limit));
    while (sent < 100 && sigqueue(getpid(), SIGRTMIN, (union sigval) { .sival_int = sent }) == 0) sent++;
    int error = errno;
    CHECK_EQ(error, EAGAIN);
    CHECK(sent <= 8);
    /* kill(2) of a standard signal still works. */
    block(SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
}

CASE(signalfd_reads_what_is_pending)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    int fd = (int)OK(syscall(SYS_signalfd4, -1, &set, 8, 04000 | 02000000));
    uint32_t record[32];
    CHECK_ERRNO(read(fd, record, sizeof record), EAGAIN);
    raise(SIGUSR1);
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK_EQ(read(fd, record, sizeof record), 128);
    CHECK_EQ(record[0], SIGUSR1);
    CHECK_EQ(record[3], getpid());
    CHECK_ERRNO(read(fd, record, sizeof record), EAGAIN);
    CHECK_ERRNO(read(fd, record, 100), EINVAL);
}
