/*
 * What programs ask of a kernel, timed from inside: the same binary runs on the bare machine, in Ramet and in runsc.
 * Prints "KEY NANOSECONDS" for each measurement, and ends with code 1 when an answer is wrong.
 * usage: probe DIRECTORY RUNS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES 1000
#define PAGES (64 << 20 >> 12)

static char *self;

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "probe: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (errno %d: %s)\n", errno, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static void report(const char *key, double started, int count)
{
    printf("%s %.1f\n", key, (now() - started) / count);
}

static void getppid_(void)
{
    long parent = syscall(SYS_getppid);
    double started = now();
    for (int i = 0; i < 500; i++)
        if (syscall(SYS_getppid) != parent) die("getppid changed");
    report("getppid", started, 500);
}

static void ping_pong(void)
{
    int there[2], back[2];
    if (pipe(there) || pipe(back)) die("pipe");
    pid_t pid = fork();
    if (pid < 0) die("fork");
    char byte = 0;
    if (pid == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1) { byte++; if (write(back[1], &byte, 1) != 1) _exit(1); }
        _exit(0);
    }
    close(there[0]);
    double started = 0;
    for (int i = -1; i < 200; i++) {
        if (i == 0) started = now();
        char sent = i & 0x3f;
        if (write(there[1], &sent, 1) != 1 || read(back[0], &byte, 1) != 1 || byte != sent + 1) die("ping-pong");
    }
    report("pipe_ping_pong", started, 200);
    close(there[1]);
    close(back[0]);
    close(back[1]);
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0) die("the other end: status %d", status);
}

static void open_read_close(void)
{
    char buffer[64];
    double started = now();
    for (int i = 0; i < 200; i++) {
        int fd = open("small", O_RDONLY);
        if (fd < 0 || read(fd, buffer, sizeof buffer) != 6 || memcmp(buffer, "small\n", 6) || close(fd)) die("open, read, close");
    }
    report("open_read_close", started, 200);
}

static void stat_files(void)
{
    char name[32];
    long sum = 0;
    struct stat data;
    double started = now();
    for (int i = 0; i < FILES; i++) {
        sprintf(name, "many/f%d", i);
        if (stat(name, &data)) die("stat %s", name);
        sum += data.st_size;
    }
    report("stat_1000_files", started, 1);
    if (sum != FILES * 3) die("sizes are %ld in all", sum);
}

/* Runs a program; its output, at most size - 1 bytes, goes to output. Gives the exit code. */
static int run(char *const arguments[], char *output, size_t size)
{
    int fds[2];
    if (pipe(fds)) die("pipe");
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        execvp(arguments[0], arguments);
        _exit(127);
    }
    close(fds[1]);
    size_t length = 0;
    for (ssize_t count; length < size - 1 && (count = read(fds[0], output + length, size - 1 - length)) > 0;) length += count;
    output[length] = 0;
    close(fds[0]);
    int status;
    if (waitpid(pid, &status, 0) != pid) die("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void fork_exec_wait(void)
{
    double started = now();
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) { execl(self, self, "leave", (char *)NULL); _exit(127); }
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 42) die("fork, exec, wait: status %d", status);
    report("fork_exec_wait", started, 1);
}

static void map_and_touch(void)
{
    double started = now();
    unsigned char *memory = mmap(NULL, (size_t)PAGES << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    for (size_t i = 0; i < PAGES; i++) memory[i << 12] = i;
    report("mmap_touch_64mb", started, 1);
    for (size_t i = 0; i < PAGES; i++)
        if (memory[i << 12] != (unsigned char)i) die("page %zu", i);
    munmap(memory, (size_t)PAGES << 12);
}

static void timed_run(const char *key, char *const arguments[], const char *expected)
{
    static char output[4096];
    double started = now();
    int code = run(arguments, output, sizeof output);
    report(key, started, 1);
    if (code != 0 || strcmp(output, expected)) die("%s: exit code %d, output '%s'", key, code, output);
}

static void command(const char *text)
{
    if (system(text) != 0) die("%s", text);
}

int main(int count, char **arguments)
{
    if (count == 2 && !strcmp(arguments[1], "leave")) return 42;
    if (count != 3 || mkdir(arguments[1], 0755) || chdir(arguments[1])) die("usage: probe NEW-DIRECTORY RUNS");
    self = arguments[0];
    int runs = atoi(arguments[2]);
    double began = now();
    setvbuf(stdout, NULL, _IOFBF, 1 << 20);
    setenv("HOME", arguments[1], 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_OPTIONAL_LOCKS", "0", 1);

    FILE *file = fopen("small", "w");
    fputs("small\n", file);
    fclose(file);
    mkdir("many", 0755);
    for (int i = 0; i < FILES; i++) {
        char name[32];
        sprintf(name, "many/f%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0644);
        if (write(fd, "abc", 3) != 3 || close(fd)) die("%s", name);
    }
    file = fopen("hello.c", "w");
    fputs("#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n", file);
    fclose(file);
    /* Files as old as the index are read again by git status, every time. */
    command("git -c init.defaultBranch=main init -q repository && cp -r many repository/ && cd repository && touch -d '1 hour ago' many/* && git add -A && git -c user.name=a -c user.email=a@b commit -q -m files && echo more >> many/f7 && echo new > new");

    for (int i = 0; i < runs; i++) {
        getppid_();
        ping_pong();
        open_read_close();
        stat_files();
        for (int k = 0; k < 3; k++) fork_exec_wait();
        map_and_touch();
        timed_run("git_status", (char *[]) { "git", "-C", "repository", "status", "--porcelain", NULL }, " M many/f7\n?? new\n");
        timed_run("gcc_hello", (char *[]) { "gcc", "-O1", "-o", "hello", "hello.c", NULL }, "");
        char output[16];
        if (run((char *[]) { "./hello", NULL }, output, sizeof output) || strcmp(output, "hello\n")) die("hello printed '%s'", output);
        unlink("hello");
        timed_run("python_pass", (char *[]) { "python3", "-c", "pass", NULL }, "");
    }

    /* For a check of the clock from outside. */
    report("total", began, 1);
    fflush(stdout);
    return 0;
}
