/* execve: arguments, environment, what survives, scripts, errors, kinds of program. */
// helper: probe exec_probe.c -pthread -lm
// helper: probe-no-pie exec_probe.c -no-pie -pthread -lm
// helper: probe-static exec_probe.c -static -pthread -lm
// helper: probe-static-pie exec_probe.c -static-pie -pthread -lm
#include "conformance.h"
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;

/* Runs a program, gives its exit code and keeps what it printed in `output`. */
static char output[70000];

static int run_program(const char *path, char *const argv[], char *const envp[])
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = conf_fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        execve(path, argv, envp);
        _exit(errno == ENOEXEC ? 126 : 127);
    }
    close(fds[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = OK(read(fds[0], output + length, sizeof output - 1 - length))) > 0) length += (size_t)got;
    output[length] = 0;
    close(fds[0]);
    return wait_for(pid);
}

#define RUN(path, ...) run_program((path), (char *[]) { __VA_ARGS__, NULL }, environ)

CASE(argv_arrives_whole)
{
    CHECK_EQ(RUN(HELPER("probe"), "any name", "echo", "", "two words", "\xff\xfe"), 0);
    CHECK_STR(output, "any name|echo||two words|\xff\xfe|");
}

CASE(envp_arrives_whole)
{
    char *env[] = { "A=1", "NOEQUALS", "EMPTY=", "B=x y", NULL };
    CHECK_EQ(run_program(HELPER("probe"), (char *[]) { "p", "env", NULL }, env), 0);
    CHECK_STR(output, "A=1|NOEQUALS|EMPTY=|B=x y|");
}

CASE(an_empty_environment)
{
    char *env[] = { NULL };
    CHECK_EQ(run_program(HELPER("probe"), (char *[]) { "p", "env", NULL }, env), 0);
    CHECK_STR(output, "");
    CHECK_EQ(run_program(HELPER("probe"), (char *[]) { "p", "env", NULL }, NULL), 0);
    CHECK_STR(output, "");
}

CASE(an_empty_argv_becomes_one_empty_string)
{
    /* Linux 5.18 and later: argc is never 0. */
    CHECK_EQ(run_program(HELPER("probe"), (char *[]) { NULL }, environ), 100);
}

CASE(a_position_independent_program) { CHECK_EQ(RUN(HELPER("probe"), "p", "works"), 42); }
CASE(a_program_at_a_fixed_address) { CHECK_EQ(RUN(HELPER("probe-no-pie"), "p", "works"), 42); }
CASE(a_static_program) { CHECK_EQ(RUN(HELPER("probe-static"), "p", "works"), 42); }
CASE(a_static_position_independent_program) { CHECK_EQ(RUN(HELPER("probe-static-pie"), "p", "works"), 42); }

CASE(long_arguments)
{
    static char big[100000];
    memset(big, 'x', sizeof big - 1);
    CHECK_EQ(RUN(HELPER("probe"), big, "argc", big, big), 4);
}

CASE(many_arguments)
{
    enum { count = 5000 };
    static char *argv[count + 1];
    argv[0] = "p";
    argv[1] = "argc";
    for (int i = 2; i < count; i++) argv[i] = "x";
    CHECK_EQ(run_program(HELPER("probe"), argv, environ), count & 0xFF);
}

CASE(an_argument_over_128_kib_is_e2big)
{
    static char big[131073];
    memset(big, 'x', sizeof big - 1);
    CHECK_ERRNO(execl(HELPER("probe"), "p", big, (char *)NULL), E2BIG);
    big[131071] = 0;
    CHECK_EQ(RUN(HELPER("probe"), "p", "exit", "5", big), 5);
}

CASE(arguments_over_a_quarter_of_the_stack_are_e2big)
{
    static char big[120001], *argv[40];
    memset(big, 'x', sizeof big - 1);
    struct rlimit stack = { 8 << 20, 8 << 20 };
    OK(setrlimit(RLIMIT_STACK, &stack));
    for (int i = 0; i < 30; i++) argv[i] = big;
    CHECK_ERRNO(execv(HELPER("probe"), argv), E2BIG);
}

CASE(missing_program_is_enoent) { CHECK_ERRNO(execl("/no/such/program", "x", (char *)NULL), ENOENT); CHECK_ERRNO(execl("", "x", (char *)NULL), ENOENT); }
CASE(a_directory_is_eacces) { CHECK_ERRNO(execl("/tmp", "x", (char *)NULL), EACCES); }
CASE(a_file_in_the_path_is_enotdir) { CHECK_ERRNO(execl("/bin/sh/x", "x", (char *)NULL), ENOTDIR); }

CASE(a_file_without_x_is_eacces_even_for_root)
{
    write_file("f", "#!/bin/sh\nexit 3\n");
    CHECK_ERRNO(execl("f", "f", (char *)NULL), EACCES);
}

CASE(a_file_of_no_known_format_is_enoexec)
{
    write_file("f", "just text\n");
    OK(chmod("f", 0755));
    CHECK_ERRNO(execl("f", "f", (char *)NULL), ENOEXEC);
    write_file("empty", "");
    OK(chmod("empty", 0755));
    CHECK_ERRNO(execl("empty", "f", (char *)NULL), ENOEXEC);
}

CASE(a_truncated_elf_is_enoexec)
{
    write_file("f", "\177ELF\2\1\1");
    OK(chmod("f", 0755));
    CHECK_ERRNO(execl("f", "f", (char *)NULL), ENOEXEC);
}

CASE(a_program_open_for_writing_is_etxtbsy)
{
    write_file("f", "#!/bin/sh\nexit 3\n");
    OK(chmod("f", 0755));
    int fd = OK(open("f", O_WRONLY));
    CHECK_ERRNO(execl("f", "f", (char *)NULL), ETXTBSY);
    close(fd);
    CHECK_EQ(RUN("f", "f"), 3);
}

CASE(bad_pointers_are_efault)
{
    CHECK_ERRNO(execve((char *)8, (char *[]) { "x", NULL }, environ), EFAULT);
    CHECK_ERRNO(execve("/bin/sh", (char **)8, environ), EFAULT);
    CHECK_ERRNO(execve("/bin/sh", (char *[]) { (char *)8, NULL }, environ), EFAULT);
}

CASE(a_script_gets_its_interpreter)
{
    char text[PATH_MAX * 3];
    snprintf(text, sizeof text, "#!%s echo\nrest\n", HELPER("probe"));
    write_file("script", text);
    OK(chmod("script", 0755));
    CHECK_EQ(RUN("./script", "ignored", "one", "two"), 0);
    snprintf(text, sizeof text, "%s|echo|./script|one|two|", HELPER("probe"));
    CHECK_STR(output, text);
}

CASE(a_script_line_has_one_argument_only)
{
    char text[PATH_MAX * 3];
    snprintf(text, sizeof text, "#!  %s   echo a b  \nrest\n", HELPER("probe"));
    write_file("script", text);
    OK(chmod("script", 0755));
    CHECK_EQ(RUN("./script", "x"), 100);
}

CASE(a_shell_script_runs)
{
    write_file("script", "#!/bin/sh\necho \"$0 $1 $#\"\nexit 11\n");
    OK(chmod("script", 0755));
    CHECK_EQ(RUN("./script", "zero", "one"), 11);
    CHECK_STR(output, "./script one 1\n");
}

CASE(a_script_as_interpreter_of_a_script)
{
    char directory[PATH_MAX], text[PATH_MAX + 64];
    CHECK(getcwd(directory, sizeof directory) != NULL);
    write_file("one", "#!/bin/sh\necho one \"$@\"\n");
    snprintf(text, sizeof text, "#!%s/one\n", directory);
    write_file("two", text);
    OK(chmod("one", 0755));
    OK(chmod("two", 0755));
    CHECK_EQ(RUN("./two", "x", "arg"), 0);
    CHECK_STR(output, "one ./two arg\n");
}

CASE(a_script_that_is_its_own_interpreter_is_eloop)
{
    char directory[PATH_MAX], text[PATH_MAX + 64];
    CHECK(getcwd(directory, sizeof directory) != NULL);
    snprintf(text, sizeof text, "#!%s/loop\n", directory);
    write_file("loop", text);
    OK(chmod("loop", 0755));
    CHECK_ERRNO(execl("./loop", "loop", (char *)NULL), ELOOP);
}

CASE(a_script_with_a_missing_interpreter_is_enoent)
{
    write_file("script", "#!/no/such/interpreter\n");
    OK(chmod("script", 0755));
    CHECK_ERRNO(execl("./script", "x", (char *)NULL), ENOENT);
}

CASE(the_name_of_the_process_is_the_file_name)
{
    OK(prctl(PR_SET_NAME, "before"));
    CHECK_EQ(RUN(HELPER("probe"), "argv zero", "comm"), 0);
    CHECK_STR(output, "probe");
    OK(symlink(HELPER("probe"), "a-link-with-a-long-name"));
    CHECK_EQ(RUN("./a-link-with-a-long-name", "p", "comm"), 0);
    CHECK_STR(output, "a-link-with-a-l");
}

CASE(close_on_exec)
{
    int kept = OK(open("/dev/null", O_RDONLY)), closed = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
    char number[16];
    snprintf(number, sizeof number, "%d", kept);
    CHECK_EQ(RUN(HELPER("probe"), "p", "fd", number), 1);
    snprintf(number, sizeof number, "%d", closed);
    CHECK_EQ(RUN(HELPER("probe"), "p", "fd", number), 0);
    OK(fcntl(closed, F_GETFD));
}

static void handler(int signal) { (void)signal; }

CASE(handlers_are_reset_and_ignored_signals_stay_ignored)
{
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    CHECK_EQ(RUN(HELPER("probe"), "p", "signal", "10"), 0);
    CHECK_STR(output, "default open none");
    CHECK_EQ(RUN(HELPER("probe"), "p", "signal", "12"), 0);
    CHECK_STR(output, "ignored open none");
}

CASE(mask_and_pending_signals_survive)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pid = conf_fork();
    if (pid == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGUSR1);
        dup2(fds[1], 1);
        execl(HELPER("probe"), "p", "signal", "10", (char *)NULL);
        _exit(127);
    }
    CHECK_EQ(wait_for(pid), 0);
    ssize_t length = OK(read(fds[0], output, sizeof output - 1));
    output[length] = 0;
    CHECK_STR(output, "default blocked pending");
}

CASE(execveat_with_a_directory)
{
    char directory[PATH_MAX];
    strcpy(directory, HELPER("probe"));
    *strrchr(directory, '/') = 0;
    int fd = OK(open(directory, O_PATH | O_DIRECTORY));
    pid_t pid = conf_fork();
    if (pid == 0) {
        syscall(SYS_execveat, fd, "probe", (char *[]) { "p", "exit", "17", NULL }, environ, 0);
        _exit(127);
    }
    CHECK_EQ(wait_for(pid), 17);
    CHECK_ERRNO(syscall(SYS_execveat, fd, "probe", (char *[]) { "p", NULL }, environ, 0x40000000), EINVAL);
    CHECK_ERRNO(syscall(SYS_execveat, 499, "probe", (char *[]) { "p", NULL }, environ, 0), EBADF);
}

CASE(fexecve_runs_an_open_file)
{
    int fd = OK(open(HELPER("probe"), O_RDONLY | O_CLOEXEC));
    pid_t pid = conf_fork();
    if (pid == 0) {
        fexecve(fd, (char *[]) { "p", "exit", "18", NULL }, environ);
        _exit(127);
    }
    CHECK_EQ(wait_for(pid), 18);
}

CASE(a_program_runs_after_it_was_unlinked)
{
    char command[PATH_MAX * 2];
    snprintf(command, sizeof command, "cp '%s' copy", HELPER("probe"));
    CHECK_EQ(system(command), 0);
    int fd = OK(open("copy", O_RDONLY | O_CLOEXEC));
    OK(unlink("copy"));
    pid_t pid = conf_fork();
    if (pid == 0) {
        fexecve(fd, (char *[]) { "p", "works", NULL }, environ);
        _exit(127);
    }
    CHECK_EQ(wait_for(pid), 42);
}

CASE(exec_keeps_the_pid_and_ends_the_other_threads)
{
    CHECK_EQ(RUN("/bin/sh", "sh", "-c", "a=$$; exec sh -c 'test $$ = '$a"), 0);
}

CASE(limits_survive_exec)
{
    pid_t pid = conf_fork();
    if (pid == 0) {
        struct rlimit files = { 123, 123 };
        OK(setrlimit(RLIMIT_NOFILE, &files));
        execl("/bin/sh", "sh", "-c", "exit $(ulimit -n)", (char *)NULL);
        _exit(1);
    }
    CHECK_EQ(wait_for(pid), 123);
}

CASE(the_working_directory_survives_exec)
{
    char directory[PATH_MAX + 1];
    CHECK(getcwd(directory, PATH_MAX) != NULL);
    CHECK_EQ(RUN("/bin/sh", "sh", "-c", "pwd"), 0);
    strcat(directory, "\n");
    CHECK_STR(output, directory);
}

CASE(system_and_popen)
{
    CHECK_EQ(system("exit 3"), 3 << 8);
    CHECK_EQ(system("kill -9 $$"), 9);
    FILE *pipe = popen("echo hello; exit 2", "r");
    CHECK(pipe != NULL);
    char line[32];
    CHECK(fgets(line, sizeof line, pipe) != NULL);
    CHECK_STR(line, "hello\n");
    CHECK_EQ(pclose(pipe), 2 << 8);
}

CASE(proc_self_exe_names_the_program)
{
    CHECK_EQ(RUN("/bin/sh", "sh", "-c", "readlink /proc/self/exe"), 0);
    CHECK(strstr(output, "readlink") != NULL || strstr(output, "coreutils") != NULL);
}

CASE(a_running_program_cannot_be_opened_for_writing)
{
    static char bytes[1 << 20];
    int from = OK(open(HELPER("probe"), O_RDONLY)), fd = OK(open("copy", O_WRONLY | O_CREAT, 0700)), ends[2];
    ssize_t count;
    while ((count = OK(read(from, bytes, sizeof bytes))) > 0) CHECK_EQ(write(fd, bytes, (size_t)count), count);
    close(fd);
    OK(pipe2(ends, O_CLOEXEC));
    pid_t pid = conf_fork();
    if (pid == 0) {
        execl("./copy", "copy", "sleep", (char *)NULL);
        _exit(1);
    }
    /* The pipe closes when the program has been executed. */
    close(ends[1]);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 0);
    CHECK_ERRNO(open("copy", O_WRONLY), ETXTBSY);
    CHECK_ERRNO(open("copy", O_RDWR), ETXTBSY);
    CHECK_ERRNO(truncate("copy", 0), ETXTBSY);
    close((int)OK(open("copy", O_RDONLY)));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close((int)OK(open("copy", O_WRONLY)));
}
