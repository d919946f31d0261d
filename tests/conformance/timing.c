/* Clocks, sleeping, interval and POSIX timers, the vDSO. */
#include "conformance.h"
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile sig_atomic_t fired;
static siginfo_t seen;
static void on_alarm(int signal) { (void)signal; fired++; }
static void on_info(int signal, siginfo_t *info, void *context) { (void)signal; (void)context; seen = *info; fired++; }

static void catch_signal(int signal, int flags)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
    OK(sigaction(signal, &action, NULL));
}

static int64_t raw_ns(clockid_t clock)
{
    struct timespec time;
    OK(syscall(SYS_clock_gettime, clock, &time));
    return ns_of(time);
}

CASE(monotonic_clock_never_goes_back)
{
    int64_t last = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t now = clock_ns(CLOCK_MONOTONIC);
        if (now < last) FAIL("%lld after %lld", (long long)now, (long long)last);
        last = now;
    }
}

CASE(vdso_and_system_call_agree)
{
    static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME };
    for (size_t c = 0; c < ARRAY_LENGTH(clocks); c++) {
        for (int i = 0; i < 20; i++) {
            int64_t before = raw_ns(clocks[c]), vdso = clock_ns(clocks[c]), after = raw_ns(clocks[c]);
            if (vdso < before - 1000 || vdso > after + 1000)
                FAIL("clock %d: %lld, then %lld, then %lld", clocks[c], (long long)before, (long long)vdso, (long long)after);
        }
    }
}

CASE(coarse_clocks_are_behind_by_less_than_20_ms)
{
    int64_t fine = clock_ns(CLOCK_MONOTONIC), coarse = clock_ns(CLOCK_MONOTONIC_COARSE);
    CHECK(coarse <= clock_ns(CLOCK_MONOTONIC) && coarse > fine - 20000000);
    fine = clock_ns(CLOCK_REALTIME);
    coarse = clock_ns(CLOCK_REALTIME_COARSE);
    CHECK(coarse > fine - 20000000);
}

CASE(gettimeofday_time_and_clock_agree)
{
    struct timeval now;
    // time(2) reads the coarse clock, which may be a tick behind the others.
    int64_t coarse = clock_ns(CLOCK_REALTIME_COARSE) / 1000000000;
    OK(gettimeofday(&now, NULL));
    int64_t clock = clock_ns(CLOCK_REALTIME) / 1000, wall = now.tv_sec * 1000000LL + now.tv_usec;
    CHECK(clock - wall >= 0 && clock - wall < 1000000);
    time_t seconds = time(NULL);
    CHECK(seconds >= coarse && seconds <= clock_ns(CLOCK_REALTIME) / 1000000000 && now.tv_sec >= coarse);
    CHECK(now.tv_sec > 1700000000);
}

CASE(clock_errors)
{
    struct timespec time;
    CHECK_ERRNO(clock_gettime(99, &time), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8), EFAULT);
    OK(clock_getres(CLOCK_MONOTONIC, &time));
    CHECK(time.tv_sec == 0 && time.tv_nsec >= 1 && time.tv_nsec <= 10000000);
    CHECK_ERRNO(clock_getres(99, &time), EINVAL);
    time = (struct timespec) { 0, 1000000000 };
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &time), EINVAL);
    CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &time), EINVAL);
}

CASE(a_sandbox_has_a_clock_of_its_own_to_set)
{
    NEEDS_ROOT();
    struct timespec was, set, now;
    OK(clock_gettime(CLOCK_REALTIME, &was));
    struct timeval back = { was.tv_sec, 1000000 };
    CHECK_ERRNO(settimeofday(&back, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_settimeofday, 8, NULL), EFAULT);
    IN_CHILD {
        OK(setresuid(12345, 12345, 12345));
        CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &was), EPERM);
    }
    /* On the bare machine it is everybody's clock. */
    if (!in_ramet()) return;
    int64_t monotonic = clock_ns(CLOCK_MONOTONIC);
    set = (struct timespec) { was.tv_sec + 86400, was.tv_nsec };
    OK(clock_settime(CLOCK_REALTIME, &set));
    OK(clock_gettime(CLOCK_REALTIME, &now));
    CHECK(now.tv_sec - was.tv_sec >= 86400 && now.tv_sec - was.tv_sec < 86460);
    OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &now));
    CHECK(now.tv_sec - was.tv_sec >= 86400 && now.tv_sec - was.tv_sec < 86460);
    CHECK(time(NULL) - was.tv_sec >= 86400);
    CHECK(clock_ns(CLOCK_MONOTONIC) - monotonic < 60000000000LL);
    write_file("f", "");
    struct stat status;
    OK(stat("f", &status));
    CHECK(status.st_mtime >= set.tv_sec);
    back.tv_usec = 0;
    OK(settimeofday(&back, NULL));
    CHECK(time(NULL) - was.tv_sec < 60);
}

CASE(cpu_clocks_count_work_and_not_sleep)
{
    int64_t before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    sleep_ms(50);
    int64_t slept = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
    CHECK(slept < 30000000);
    before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t start = clock_ns(CLOCK_MONOTONIC), worked;
    do worked = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    while (worked < 20000000);
    CHECK(worked <= clock_ns(CLOCK_MONOTONIC) - start + 1000000);
    struct tms times_now;
    CHECK(times(&times_now) != -1);
    CHECK(clock() > 0);
}

CASE(nanosleep_sleeps_at_least_as_long)
{
    static const long lengths[] = { 0, 1000, 1000000, 15000000 };
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        struct timespec time = { 0, lengths[i] };
        int64_t before = clock_ns(CLOCK_MONOTONIC);
        OK(nanosleep(&time, NULL));
        int64_t slept = clock_ns(CLOCK_MONOTONIC) - before;
        if (slept < lengths[i]) FAIL("slept %lld of %ld", (long long)slept, lengths[i]);
    }
}

CASE(nanosleep_errors)
{
    struct timespec time = { 0, 1000000000 };
    CHECK_ERRNO(nanosleep(&time, NULL), EINVAL);
    time = (struct timespec) { -1, 0 };
    CHECK_ERRNO(nanosleep(&time, NULL), EINVAL);
    CHECK_ERRNO(nanosleep((struct timespec *)8, NULL), EFAULT);
    CHECK_CODE(clock_nanosleep(99, 0, &time, NULL), EINVAL);
}

CASE(an_interrupted_nanosleep_tells_what_is_left)
{
    catch_signal(SIGALRM, SA_RESTART);
    /* Again and again: the first may come before the sleep. */
    struct itimerval timer = { .it_value = { 0, 50000 }, .it_interval = { 0, 50000 } };
    struct timespec time = { 10, 0 }, left = { 0, 0 };
    /* What is left counts the slack. */
    OK(prctl(PR_SET_TIMERSLACK, 1));
    OK(setitimer(ITIMER_REAL, &timer, NULL));
    int64_t before = clock_ns(CLOCK_MONOTONIC);
    CHECK_ERRNO(nanosleep(&time, &left), EINTR);
    int64_t slept = clock_ns(CLOCK_MONOTONIC) - before;
    CHECK(ns_of(left) < ns_of(time) && ns_of(left) + 1000 >= ns_of(time) - slept);
    CHECK(fired >= 1);
}

CASE(clock_nanosleep_until_a_time)
{
    int64_t at = clock_ns(CLOCK_MONOTONIC) + 20000000;
    struct timespec time = { at / 1000000000, at % 1000000000 };
    CHECK_CODE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL), 0);
    CHECK(clock_ns(CLOCK_MONOTONIC) >= at);
    CHECK_CODE(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL), 0);
    at = clock_ns(CLOCK_REALTIME) + 20000000;
    time = (struct timespec) { at / 1000000000, at % 1000000000 };
    CHECK_CODE(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL), 0);
    CHECK(clock_ns(CLOCK_REALTIME) >= at);
}

CASE(alarm_kills_and_tells_what_was_left)
{
    CHECK_EQ(alarm(100), 0);
    CHECK(alarm(0) >= 99);
    CHECK_EQ(alarm(0), 0);
    pid_t pid;
    CHILD(pid) {
        struct itimerval timer = { .it_value = { 0, 20000 } };
        OK(setitimer(ITIMER_REAL, &timer, NULL));
        for (;;) pause();
    }
    CHECK_EQ(wait_for(pid), 128 + SIGALRM);
}

CASE(setitimer_repeats)
{
    catch_signal(SIGALRM, 0);
    struct itimerval timer = { .it_value = { 0, 5000 }, .it_interval = { 0, 5000 } }, now;
    OK(setitimer(ITIMER_REAL, &timer, NULL));
    while (fired < 5) pause();
    OK(getitimer(ITIMER_REAL, &now));
    CHECK_EQ(now.it_interval.tv_usec, 5000);
    memset(&timer, 0, sizeof timer);
    OK(setitimer(ITIMER_REAL, &timer, &now));
    CHECK_EQ(now.it_interval.tv_usec, 5000);
    int count = fired;
    sleep_ms(20);
    CHECK_EQ(fired, count);
    timer.it_value.tv_usec = 1000000;
    CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
    CHECK_ERRNO(setitimer((enum __itimer_which)9, NULL, NULL), EINVAL);
}

CASE(itimer_prof_and_virtual_count_cpu_time)
{
    catch_signal(SIGVTALRM, 0);
    catch_signal(SIGPROF, 0);
    struct itimerval timer = { .it_value = { 0, 10000 } };
    OK(setitimer(ITIMER_VIRTUAL, &timer, NULL));
    sleep_ms(30);
    CHECK_EQ(fired, 0);
    int64_t until = now_ms() + 5000;
    while (fired == 0 && now_ms() < until) { }
    CHECK_EQ(fired, 1);
    OK(setitimer(ITIMER_PROF, &timer, NULL));
    while (fired == 1 && now_ms() < until) { }
    CHECK_EQ(fired, 2);
}

CASE(an_alarm_is_not_inherited_by_fork_and_survives_exec)
{
    alarm(100);
    IN_CHILD { CHECK_EQ(alarm(0), 0); }
    pid_t pid = conf_fork();
    if (pid == 0) {
        struct itimerval timer = { .it_value = { 0, 100000 } };
        setitimer(ITIMER_REAL, &timer, NULL);
        execl("/bin/sleep", "sleep", "10", (char *)NULL);
        _exit(1);
    }
    CHECK_EQ(wait_for(pid), 128 + SIGALRM);
}

CASE(timer_create_signals_with_a_value)
{
    struct sigaction action = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 1234 };
    struct itimerspec spec = { .it_value = { 10, 0 } }, now;
    timer_t timer;
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    OK(timer_settime(timer, 0, &spec, NULL));
    OK(timer_gettime(timer, &now));
    CHECK(ns_of(now.it_value) > 0 && ns_of(now.it_value) <= 10000000000);
    spec.it_value = (struct timespec) { 0, 10000000 };
    OK(timer_settime(timer, 0, &spec, NULL));
    int64_t until = now_ms() + 5000;
    while (fired == 0 && now_ms() < until) sleep_ms(1);
    CHECK_EQ(fired, 1);
    CHECK_EQ(seen.si_code, SI_TIMER);
    CHECK_EQ(seen.si_value.sival_int, 1234);
    OK(timer_gettime(timer, &now));
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    OK(timer_delete(timer));
    CHECK_ERRNO(timer_delete(timer), EINVAL);
}

CASE(timer_overrun_is_counted)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    struct itimerspec spec = { .it_value = { 0, 2000000 }, .it_interval = { 0, 2000000 } };
    timer_t timer;
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    OK(timer_settime(timer, 0, &spec, NULL));
    sleep_ms(30);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK(info.si_overrun >= 8);
    CHECK(timer_getoverrun(timer) >= 8);
    OK(timer_delete(timer));
}

CASE(timer_without_notification_can_be_asked)
{
    struct sigevent event = { .sigev_notify = SIGEV_NONE };
    struct itimerspec spec = { .it_value = { 10, 0 } }, now;
    timer_t timer;
    OK(timer_create(CLOCK_REALTIME, &event, &timer));
    OK(timer_settime(timer, 0, &spec, NULL));
    OK(timer_gettime(timer, &now));
    CHECK(now.it_value.tv_sec >= 8 && now.it_value.tv_sec <= 10);
    event.sigev_notify = 77;
    CHECK_ERRNO(timer_create(CLOCK_REALTIME, &event, &timer), EINVAL);
    CHECK_ERRNO(timer_create(99, NULL, &timer), EINVAL);
}

static void on_thread(union sigval value) { *(volatile int *)value.sival_ptr = 1; }

CASE(timer_that_starts_a_thread)
{
    volatile int done = 0;
    struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value.sival_ptr = (void *)&done };
    struct itimerspec spec = { .it_value = { 0, 5000000 } };
    timer_t timer;
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    OK(timer_settime(timer, 0, &spec, NULL));
    int64_t until = now_ms() + 5000;
    while (!done && now_ms() < until) sleep_ms(1);
    CHECK_EQ(done, 1);
}

CASE(local_time_is_computed)
{
    time_t at = 86400 * 365;
    struct tm utc;
    CHECK(gmtime_r(&at, &utc) != NULL);
    CHECK(utc.tm_year == 71 && utc.tm_mon == 0 && utc.tm_mday == 1);
    CHECK(localtime_r(&at, &utc) != NULL);
}
