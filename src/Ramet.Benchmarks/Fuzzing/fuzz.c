/*
 * Makes random system calls, with arguments that are often nearly right, from several threads; runs inside a sandbox.
 *
 *   fuzz --seed S --seconds N [--threads T]
 *
 * The main process starts one worker process after the other until its time is over, and prints what it did. The last line is "done CALLS WORKERS".
 */
#include "fuzz.h"

struct totals *totals;
static int threads_per_worker = 3;
static volatile int threads_done;

static void on_alarm(int signal) { (void)signal; }

static void *run_thread(void *argument)
{
    run_calls((uint64_t)(uintptr_t)argument, 700);
    __sync_fetch_and_add(&threads_done, 1);
    return NULL;
}

static void work(uint64_t seed)
{
    uint64_t state = seed;
    char directory[64];
    snprintf(directory, sizeof directory, "/tmp/fuzz-%d", getpid());
    if (mkdir(directory, 0777) != 0 || chdir(directory) != 0) _exit(1);
    setpgid(0, 0);
    /* Calls that wait are interrupted again and again. */
    struct sigaction action = { .sa_handler = on_alarm };
    sigaction(SIGALRM, &action, NULL);
    struct rlimit limit = { 256, 256 };
    setrlimit(RLIMIT_NOFILE, &limit);
    make_world(&state);
    if (one_in(&state, 2) && (setgid(1000) != 0 || setuid(1000) != 0)) _exit(1);
    for (size_t i = 0; i < COUNT(world.children) && i < 2; i++) {
        world.children[i] = fork();
        if (world.children[i] == 0) for (;;) pause();
    }
    pthread_t threads[16];
    int started = 0;
    for (int i = 0; i < threads_per_worker && i < 16; i++)
        if (pthread_create(&threads[started], NULL, run_thread, (void *)(uintptr_t)next_random(&state)) == 0) started++;
    while (threads_done < started) {
        struct timespec pause = { 0, 3000000 };
        nanosleep(&pause, NULL);
        for (int i = 0; i < started; i++) pthread_kill(threads[i], SIGALRM);
    }
    _exit(0);
}

/* Random machine code, and instructions that only a kernel may use, in a child of its own. */
static void work_on_instructions(uint64_t seed)
{
    uint64_t state = seed;
    setpgid(0, 0);
    run_instructions(&state);
    _exit(0);
}

static void wait_or_kill(pid_t pid, int milliseconds)
{
    for (int waited = 0; waited < milliseconds; waited += 2) {
        struct timespec pause = { 0, 2000000 };
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            pid = 0;
            break;
        }
        nanosleep(&pause, NULL);
    }
    if (pid > 0) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    /* What it left behind, orphans in sessions of their own among it. */
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0) { }
}

static void clean_up(pid_t worker)
{
    char command[128];
    snprintf(command, sizeof command, "/tmp/fuzz-%d", worker);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/rm", "rm", "-rf", command, (char *)NULL);
        _exit(1);
    }
    if (pid > 0) wait_or_kill(pid, 3000);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    long seconds = 10;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--seconds") == 0) seconds = atol(argv[i + 1]);
        else if (strcmp(argv[i], "--threads") == 0) threads_per_worker = atoi(argv[i + 1]);
        else return 2;
    }
    /* It kills whatever it can reach: nothing for the machine itself. */
    struct utsname name;
    if (uname(&name) != 0 || strstr(name.release, "ramet") == NULL) return 4;
    for (int number = 1; number < 32; number++) signal(number, number == SIGCHLD || number == SIGKILL || number == SIGSTOP ? SIG_DFL : SIG_IGN);
    totals = mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (totals == MAP_FAILED) return 3;
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + seconds;
    uint64_t state = seed;
    do {
        uint64_t worker_seed = next_random(&state);
        pid_t pid = fork();
        if (pid == 0) {
            for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
            if (one_in(&state, 8)) work_on_instructions(worker_seed);
            work(worker_seed);
        }
        if (pid > 0) {
            wait_or_kill(pid, 900);
            clean_up(pid);
        }
        totals->workers++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end);
    for (size_t i = 0; i < COUNT(totals->by_errno); i++)
        if (totals->by_errno[i] > 0) printf("errno %zu %llu\n", i, (unsigned long long)totals->by_errno[i]);
    printf("done %llu %llu\n", (unsigned long long)totals->calls, (unsigned long long)totals->workers);
    return 0;
}
