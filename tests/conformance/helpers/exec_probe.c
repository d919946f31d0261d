/* What exec tests start: does what its first argument says and reports by its exit code or on stdout. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char **environ;
static _Thread_local int per_thread = 7;
static int initialised_by_constructor;

__attribute__((constructor)) static void initialise(void) { initialised_by_constructor = 1; }

static void *thread_body(void *argument)
{
    per_thread += (int)(intptr_t)argument;
    return (void *)(intptr_t)per_thread;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 100;
    if (strcmp(argv[1], "exit") == 0) return atoi(argv[2]);
    if (strcmp(argv[1], "argc") == 0) return argc;
    if (strcmp(argv[1], "sleep") == 0) for (;;) pause();
    if (strcmp(argv[1], "echo") == 0) {
        for (int i = 0; i < argc; i++) printf("%s|", argv[i]);
        return 0;
    }
    if (strcmp(argv[1], "env") == 0) {
        for (char **entry = environ; *entry; entry++) printf("%s|", *entry);
        return 0;
    }
    if (strcmp(argv[1], "fd") == 0) return fcntl(atoi(argv[2]), F_GETFD) >= 0;
    if (strcmp(argv[1], "comm") == 0) {
        char name[17] = "";
        prctl(PR_GET_NAME, name);
        printf("%s", name);
        return 0;
    }
    if (strcmp(argv[1], "signal") == 0) {
        struct sigaction action;
        sigset_t mask, pending;
        int number = atoi(argv[2]);
        sigaction(number, NULL, &action);
        sigprocmask(SIG_BLOCK, NULL, &mask);
        sigpending(&pending);
        printf("%s %s %s", action.sa_handler == SIG_IGN ? "ignored" : action.sa_handler == SIG_DFL ? "default" : "handler",
            sigismember(&mask, number) ? "blocked" : "open", sigismember(&pending, number) ? "pending" : "none");
        return 0;
    }
    if (strcmp(argv[1], "works") == 0) {
        /* Constructors, TLS, threads, floating point and the auxiliary vector. */
        pthread_t thread;
        void *result;
        volatile double two = 2;
        if (!initialised_by_constructor) return 101;
        if (per_thread != 7) return 102;
        if (pthread_create(&thread, NULL, thread_body, (void *)(intptr_t)5) != 0 || pthread_join(thread, &result) != 0) return 103;
        if ((intptr_t)result != 12 || per_thread != 7) return 104;
        if (fabs(sqrt(two) - 1.41421356) > 1e-6) return 105;
        if (getauxval(AT_PAGESZ) != 4096 || getauxval(AT_PHDR) == 0 || getauxval(AT_ENTRY) == 0 || getauxval(AT_RANDOM) == 0) return 106;
        return 42;
    }
    return 100;
}
