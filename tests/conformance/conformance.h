/*
 * A tiny harness for system call tests that run natively and in a sandbox with the same assertions.
 *
 *   CASE(name) { CHECK(expr); CHECK_ERRNO(close(-1), EBADF); }
 *
 * Each case runs in a forked child with its own process group and an empty working directory; the parent kills it after a
 * time limit, so a crash or a hang of one case does not end the others. One line per case on stdout:
 *   ok NAME | skip NAME: why | not ok NAME: file:line expression ...
 * preceded by "run NAME". Options: --list, --run NAME, --after NAME (the cases behind NAME).
 *
 * A source may say, in comments of its own line, how it is built:
 *   // flags: -lm                          further options for the compiler
 *   // helper: NAME SOURCE OPTIONS...      a further program, next to the test; HELPER("NAME") is its path
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
/* Against hangs alone: cases of 180,000 page faults take their time on a busy machine. */
#define CASE_SECONDS 60

struct conf_case {
    const char *name;
    void (*body)(void);
    struct conf_case *next;
};

static struct conf_case *conf_first, **conf_last = &conf_first;
static int conf_report = -1;
static char conf_directory[PATH_MAX];

#define CASE(id)                                                              \
    static void case_##id(void);                                              \
    __attribute__((constructor)) static void register_##id(void)              \
    {                                                                         \
        static struct conf_case entry = { #id, case_##id, NULL };             \
        *conf_last = &entry;                                                  \
        conf_last = &entry.next;                                              \
    }                                                                         \
    static void case_##id(void)

UNUSED static void conf_end(char kind, const char *file, int line, const char *format, ...)
{
    char text[1024];
    const char *base = strrchr(file, '/');
    int length = kind == 'S' ? snprintf(text, sizeof text, "S") : snprintf(text, sizeof text, "F%s:%d ", base ? base + 1 : file, line);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(text + length, sizeof text - (size_t)length - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof text - 2) length = sizeof text - 2;
    for (int i = 0; i < length; i++) if (text[i] == '\n') text[i] = '~';
    text[length] = '\n';
    if (write(conf_report, text, (size_t)length + 1) < 0) { /* The exit status still tells. */ }
    _exit(99);
}

#define FAIL(...) conf_end('F', __FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) conf_end('S', __FILE__, __LINE__, __VA_ARGS__)

/* The expression must be true. */
#define CHECK(expr) do { if (!(expr)) { int e_ = errno; FAIL("%s errno=%d (%s)", #expr, e_, strerror(e_)); } } while (0)

/* Two integers must be equal. */
#define CHECK_EQ(actual, expected) do { \
    long long a_ = (long long)(actual); int e_ = errno; long long x_ = (long long)(expected); \
    if (a_ != x_) FAIL("%s is %lld (0x%llx), not %s = %lld errno=%d (%s)", #actual, a_, a_, #expected, x_, e_, strerror(e_)); } while (0)

/* A call that must not return -1; its value. */
#define OK(expr) ({ \
    errno = 0; \
    __typeof__(expr) v_ = (expr); \
    if ((long)v_ == -1) { int e_ = errno; FAIL("%s failed, errno=%d (%s)", #expr, e_, strerror(e_)); } \
    v_; })

/* A call that must return -1 with this errno. */
#define CHECK_ERRNO(expr, expected) do { \
    errno = 0; \
    long r_ = (long)(expr); int e_ = errno; \
    if (r_ != -1 || e_ != (expected)) FAIL("%s returned %ld errno=%d (%s), not %s", #expr, r_, e_, strerror(e_), #expected); } while (0)

/* A call that returns its error (pthread_*). */
#define CHECK_CODE(expr, expected) do { \
    int r_ = (expr); \
    if (r_ != (expected)) FAIL("%s returned %d (%s), not %s", #expr, r_, strerror(r_), #expected); } while (0)

#define CHECK_STR(actual, expected) do { \
    const char *a_ = (actual), *x_ = (expected); \
    if (strcmp(a_, x_) != 0) FAIL("%s is \"%s\", not \"%s\"", #actual, a_, x_); } while (0)

UNUSED static pid_t conf_fork(void)
{
    pid_t pid = fork();
    if (pid < 0) FAIL("fork failed, errno=%d (%s)", errno, strerror(errno));
    return pid;
}

/* Waits for a child: its exit code, or 128 + the signal that ended it. */
UNUSED static int wait_for(pid_t pid)
{
    int status;
    pid_t got;
    do got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got != pid) FAIL("waitpid(%d) returned %d errno=%d (%s)", pid, got, errno, strerror(errno));
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    FAIL("waitpid(%d): status 0x%x", pid, status);
    return -1;
}

UNUSED static int conf_in_child(void)
{
    pid_t pid = conf_fork();
    if (pid == 0) return 1;
    int code = wait_for(pid);
    if (code != 0) FAIL("a child ended with %d", code);
    return 0;
}

/* CHILD(pid) { ... } runs the block in a child, which then exits with 0. */
#define CHILD(pid) if (((pid) = conf_fork()) == 0) for (;; _exit(0))
/* IN_CHILD { ... } runs the block in a child and waits; it must exit with 0. */
#define IN_CHILD if (conf_in_child()) for (;; _exit(0))

/* Whether this runs in a sandbox: for what not every Linux kernel is built with, but Ramet has. */
UNUSED static bool in_ramet(void)
{
    struct utsname name;
    return uname(&name) == 0 && strstr(name.release, "ramet") != NULL;
}

#define NEEDS_ROOT() do { if (geteuid() != 0) SKIP("needs root"); } while (0)

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

UNUSED static int64_t ns_of(struct timespec time) { return time.tv_sec * 1000000000LL + time.tv_nsec; }

UNUSED static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) FAIL("clock_gettime(%d) errno=%d", (int)clock, errno);
    return ns_of(time);
}

UNUSED static int64_t now_ms(void) { return clock_ns(CLOCK_MONOTONIC) / 1000000; }

UNUSED static void sleep_ms(long ms)
{
    struct timespec left = { ms / 1000, ms % 1000 * 1000000L };
    while (nanosleep(&left, &left) != 0 && errno == EINTR) { }
}

UNUSED static void write_file(const char *path, const char *text)
{
    int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    OK(close(fd));
}

/* The text of a (small) file. */
UNUSED static char *read_file(const char *path)
{
    static char text[65536];
    int fd = OK(open(path, O_RDONLY));
    size_t length = 0;
    ssize_t got;
    while (length < sizeof text - 1 && (got = OK(read(fd, text + length, sizeof text - 1 - length))) > 0) length += (size_t)got;
    text[length] = 0;
    OK(close(fd));
    return text;
}

/* Until a process waits in a system call: /proc says that it sleeps. For one that does nothing else on its way there. */
UNUSED static void wait_until_blocked(pid_t pid)
{
    char path[64], *end;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    do {
        sleep_ms(1);
        end = strrchr(read_file(path), ')');
    } while (end == NULL || end[2] != 'S');
}

/* The path of a helper program, which lies next to the test itself. */
UNUSED static const char *helper_path(const char *name)
{
    static char path[PATH_MAX * 2];
    snprintf(path, sizeof path, "%s/%s", conf_directory, name);
    return path;
}
#define HELPER(name) helper_path(name)

static volatile pid_t conf_running;

static void conf_time_is_up(int signal)
{
    (void)signal;
    if (conf_running > 0) {
        kill(-conf_running, SIGKILL);
        kill(conf_running, SIGKILL);
    }
}

static void conf_remove_tree(const char *path)
{
    char command[PATH_MAX + 32];
    /* Most cases leave little; rm -r only if rmdir alone does not do. */
    if (rmdir(path) == 0) return;
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0) { /* Left behind in /tmp. */ }
}

static void conf_run_case(const struct conf_case *entry)
{
    char directory[] = "/tmp/conformance-XXXXXX", text[1100];
    int report[2], status = 0;
    printf("run %s\n", entry->name);
    fflush(stdout);
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0 || pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0) {
        printf("not ok %s: cannot be set up, errno=%d (%s)\n", entry->name, errno, strerror(errno));
        return;
    }

    pid_t pid = fork();
    if (pid < 0) {
        printf("not ok %s: cannot fork, errno=%d (%s)\n", entry->name, errno, strerror(errno));
        return;
    }
    if (pid == 0) {
        struct sigaction normal = { .sa_handler = SIG_DFL };
        sigaction(SIGALRM, &normal, NULL);
        setpgid(0, 0);
        /* Out of the way of cases that count descriptors. */
        conf_report = fcntl(report[1], F_DUPFD_CLOEXEC, 500);
        close(report[0]);
        close(report[1]);
        if (chdir(directory) != 0) _exit(98);
        umask(022);
        entry->body();
        _exit(0);
    }

    conf_running = pid;
    alarm(CASE_SECONDS);
    bool timed_out = false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) timed_out = true;
    alarm(0);
    conf_running = 0;
    kill(-pid, SIGKILL);
    ssize_t length = read(report[0], text, sizeof text - 1);
    close(report[0]);
    close(report[1]);
    if (length > 0) {
        text[length] = 0;
        *strchrnul(text, '\n') = 0;
        if (text[0] == 'S') printf("skip %s: %s\n", entry->name, text + 1);
        else printf("not ok %s: %s\n", entry->name, text + 1);
    } else if (timed_out) printf("not ok %s: time is up after %d s\n", entry->name, CASE_SECONDS);
    else if (WIFSIGNALED(status)) printf("not ok %s: ended by signal %d (%s)\n", entry->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (status != 0) printf("not ok %s: ended with exit code %d\n", entry->name, WEXITSTATUS(status));
    else printf("ok %s\n", entry->name);
    fflush(stdout);
    conf_remove_tree(directory);
}

int main(int argc, char **argv)
{
    const char *only = NULL, *after = NULL;
    char *slash = strrchr(argv[0], '/');
    snprintf(conf_directory, sizeof conf_directory, "%.*s", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            for (struct conf_case *entry = conf_first; entry; entry = entry->next) puts(entry->name);
            return 0;
        }
        if (strcmp(argv[i], "--run") == 0 && i + 1 < argc) only = argv[++i];
        else if (strcmp(argv[i], "--after") == 0 && i + 1 < argc) after = argv[++i];
        else {
            fprintf(stderr, "usage: %s [--list | --run NAME | --after NAME]\n", argv[0]);
            return 2;
        }
    }

    /* Whoever started this may ignore or block signals (.NET ignores SIGPIPE); cases begin with the defaults. */
    struct sigaction normal = { .sa_handler = SIG_DFL };
    sigset_t none;
    for (int number = 1; number < NSIG; number++) sigaction(number, &normal, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct sigaction alarm_action = { .sa_handler = conf_time_is_up };
    sigaction(SIGALRM, &alarm_action, NULL);
    int count = 0;
    for (struct conf_case *entry = conf_first; entry; entry = entry->next) {
        if (after) {
            if (strcmp(entry->name, after) == 0) after = NULL;
            continue;
        }
        if (only && strcmp(entry->name, only) != 0) continue;
        conf_run_case(entry);
        count++;
    }
    if (only && count == 0) {
        fprintf(stderr, "%s: no such case\n", only);
        return 2;
    }
    puts("done");
    return 0;
}

#endif
