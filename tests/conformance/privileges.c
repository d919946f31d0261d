/* Set-user-ID programs, capabilities of files, and who a signal comes from. */
// helper: probe privileges_probe.c
#include "conformance.h"
#include <linux/capability.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/xattr.h>

static void copy_probe(const char *to, uid_t uid, gid_t gid, mode_t mode)
{
    static char bytes[1 << 20];
    int from = OK(open(HELPER("probe"), O_RDONLY));
    int fd = OK(open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700));
    ssize_t count;
    while ((count = OK(read(from, bytes, sizeof bytes))) > 0) CHECK_EQ(write(fd, bytes, (size_t)count), count);
    OK(fchown(fd, uid, gid));
    OK(fchmod(fd, mode));
    close(fd);
    close(from);
}

/* Runs a program as user and group 1000 and returns what it prints. */
static char *run_as_user(const char *program, void (*prepare)(void))
{
    static char text[4096];
    int ends[2];
    OK(pipe(ends));
    pid_t pid = conf_fork();
    if (pid == 0) {
        OK(dup2(ends[1], 1));
        gid_t none[1];
        OK(syscall(SYS_setgroups, 0, none));
        OK(setresgid(1000, 1000, 1000));
        OK(setresuid(1000, 1000, 1000));
        if (prepare) prepare();
        execl(program, program, (char *)NULL);
        printf("errno %d\n", errno);
        fflush(stdout);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t count;
    while ((count = read(ends[0], text + length, sizeof text - 1 - length)) > 0) length += (size_t)count;
    text[length] = 0;
    close(ends[0]);
    CHECK_EQ(wait_for(pid), 0);
    return text;
}

static void skip_if_nosuid(void)
{
    NEEDS_ROOT();
    OK(chmod(".", 0755));
    copy_probe("check", 0, 0, 04755);
    if (strstr(run_as_user("./check", NULL), "uid 1000 0 0") == NULL && strcmp(getenv("CONFORMANCE_SUID") ?: "", "1") != 0) {
        FILE *mounts = fopen("/proc/mounts", "r");
        char line[1024];
        while (mounts && fgets(line, sizeof line, mounts))
            if (strstr(line, " /tmp ") && strstr(line, "nosuid")) SKIP("/tmp is mounted nosuid");
        if (mounts) fclose(mounts);
    }
}

CASE(a_set_user_id_program_has_its_owners_rights)
{
    skip_if_nosuid();
    copy_probe("suid", 0, 0, 04755);
    char *text = run_as_user("./suid", NULL);
    CHECK(strstr(text, "uid 1000 0 0\n") != NULL);
    CHECK(strstr(text, "gid 1000 1000 1000\n") != NULL);
    CHECK(strstr(text, "secure 1\n") != NULL);
    CHECK(strstr(text, "dumpable 0\n") != NULL);
    CHECK(strstr(text, "effective 1\n") != NULL);
}

CASE(a_set_group_id_program_has_its_group)
{
    skip_if_nosuid();
    copy_probe("sgid", 0, 2000, 02755);
    char *text = run_as_user("./sgid", NULL);
    CHECK(strstr(text, "uid 1000 1000 1000\n") != NULL);
    CHECK(strstr(text, "gid 1000 2000 2000\n") != NULL);
    CHECK(strstr(text, "secure 1\n") != NULL);
    CHECK(strstr(text, "effective 0\n") != NULL);
}

CASE(set_group_id_without_execute_means_nothing)
{
    skip_if_nosuid();
    copy_probe("sgid", 0, 2000, 02745);
    char *text = run_as_user("./sgid", NULL);
    CHECK(strstr(text, "gid 1000 1000 1000\n") != NULL);
    CHECK(strstr(text, "secure 0\n") != NULL);
}

static void no_new_privileges(void) { OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

CASE(no_new_privs_keeps_set_user_id_from_counting)
{
    skip_if_nosuid();
    copy_probe("suid", 0, 0, 04755);
    char *text = run_as_user("./suid", no_new_privileges);
    CHECK(strstr(text, "uid 1000 1000 1000\n") != NULL);
    CHECK(strstr(text, "secure 0\n") != NULL);
}

CASE(a_script_does_not_pass_set_user_id_on)
{
    skip_if_nosuid();
    write_file("script", "#!/bin/sh\nexec ./plain\n");
    copy_probe("plain", 0, 0, 0755);
    OK(chmod("script", 04755));
    char *text = run_as_user("./script", NULL);
    CHECK(strstr(text, "uid 1000 1000 1000\n") != NULL);
}

CASE(a_write_takes_set_user_id_away)
{
    NEEDS_ROOT();
    OK(chmod(".", 0777));
    copy_probe("suid", 1000, 1000, 06775);
    IN_CHILD {
        OK(setresgid(1000, 1000, 1000));
        OK(setresuid(1000, 1000, 1000));
        int fd = OK(open("suid", O_WRONLY));
        CHECK_EQ(pwrite(fd, "\177", 1, 0), 1);
    }
    struct stat status;
    OK(stat("suid", &status));
    CHECK_EQ(status.st_mode & 07777, 0775);
}

struct file_capabilities { uint32_t magic, permitted, inheritable, permitted_high, inheritable_high; };

static void set_capabilities(const char *path, uint32_t permitted, bool effective)
{
    struct file_capabilities value = { 0x02000000 | (effective ? 1 : 0), permitted, 0, 0, 0 };
    if (setxattr(path, "security.capability", &value, sizeof value, 0) != 0) {
        if (errno == EPERM || errno == EOPNOTSUPP) SKIP("capabilities of files cannot be set here");
        FAIL("setxattr errno=%d", errno);
    }
}

CASE(a_program_with_capabilities_has_them)
{
    skip_if_nosuid();
    copy_probe("capable", 0, 0, 0755);
    set_capabilities("capable", 1 << CAP_NET_BIND_SERVICE | 1 << CAP_CHOWN, true);
    char *text = run_as_user("./capable", NULL);
    char expected[64];
    snprintf(expected, sizeof expected, "capabilities %x %x\n", 1 << CAP_NET_BIND_SERVICE | 1 << CAP_CHOWN, 1 << CAP_NET_BIND_SERVICE | 1 << CAP_CHOWN);
    CHECK(strstr(text, expected) != NULL);
    CHECK(strstr(text, "uid 1000 1000 1000\n") != NULL);
    CHECK(strstr(text, "secure 1\n") != NULL);
}

CASE(capabilities_of_a_file_may_be_permitted_only)
{
    skip_if_nosuid();
    copy_probe("capable", 0, 0, 0755);
    set_capabilities("capable", 1 << CAP_CHOWN, false);
    CHECK(strstr(run_as_user("./capable", NULL), "capabilities 1 0\n") != NULL);
}

static void drop_chown(void) { }

CASE(capabilities_outside_the_bounding_set_refuse_the_program)
{
    skip_if_nosuid();
    copy_probe("capable", 0, 0, 0755);
    set_capabilities("capable", 1 << CAP_CHOWN, true);
    OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0));
    char *text = run_as_user("./capable", drop_chown);
    CHECK_STR(text, "errno 1\n");
}

CASE(capabilities_of_files_are_validated)
{
    NEEDS_ROOT();
    write_file("f", "x");
    set_capabilities("f", 1, true);
    CHECK_ERRNO(setxattr("f", "security.capability", "abcdefgh", 8, 0), EINVAL);
    struct file_capabilities value = { 0x09000001, 1, 0, 0, 0 };
    CHECK_ERRNO(setxattr("f", "security.capability", &value, sizeof value, 0), EINVAL);
    CHECK_EQ(getxattr("f", "security.capability", &value, sizeof value), 20);
    /* A write takes them away. */
    int fd = OK(open("f", O_WRONLY));
    CHECK_EQ(write(fd, "y", 1), 1);
    CHECK_ERRNO(getxattr("f", "security.capability", &value, sizeof value), ENODATA);
    IN_CHILD {
        OK(chown("f", 1000, 1000));
        OK(setresuid(1000, 1000, 1000));
        CHECK_ERRNO(setxattr("f", "security.capability", &value, sizeof value, 0), EPERM);
    }
}

CASE(sigchld_says_whose_child_it_was)
{
    NEEDS_ROOT();
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    pid_t pid;
    CHILD(pid) OK(setresuid(1234, 1234, 1234));
    CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_uid, 1234);
    CHECK_EQ(info.si_code, CLD_EXITED);
    memset(&info, 0, sizeof info);
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
    CHECK_EQ(info.si_uid, 1234);
    CHECK_EQ(info.si_pid, pid);
}

CASE(signals_say_who_sent_them)
{
    NEEDS_ROOT();
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    pid_t pid, self = getpid();
    for (int how = 0; how < 4; how++) {
        CHILD(pid) {
            /* The saved user is the target's, and the real one is sent along. */
            OK(setresuid(1234, 0, 0));
            if (how == 0) OK(kill(self, SIGUSR1));
            else if (how == 1) OK(syscall(SYS_tgkill, self, self, SIGUSR1));
            else if (how == 2) OK(sigqueue(self, SIGRTMIN, (union sigval){ .sival_int = 5 }));
            else OK(syscall(SYS_pidfd_send_signal, (int)OK(syscall(SYS_pidfd_open, self, 0)), SIGUSR1, NULL, 0));
        }
        CHECK_EQ(sigwaitinfo(&set, &info), how == 2 ? SIGRTMIN : SIGUSR1);
        CHECK_EQ(info.si_pid, pid);
        CHECK_EQ(info.si_uid, 1234);
        if (how != 1) CHECK_EQ(info.si_code, how == 2 ? SI_QUEUE : SI_USER);
        CHECK_EQ(wait_for(pid), 0);
    }
}

static int pdeath_pipe[2];

static void *fork_and_end(void *argument)
{
    (void)argument;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t set;
        siginfo_t info;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        char ready = 'r';
        if (write(pdeath_pipe[1], &ready, 1) != 1) _exit(1);
        struct timespec limit = { 5, 0 };
        _exit(sigtimedwait(&set, &info, &limit) == SIGUSR1 && info.si_pid == getppid() ? 42 : 2);
    }
    char ready;
    if (read(pdeath_pipe[0], &ready, 1) != 1) return NULL;
    return (void *)(intptr_t)pid;
}

CASE(the_parent_of_a_death_signal_is_the_thread)
{
    pthread_t thread;
    void *pid;
    OK(pipe(pdeath_pipe));
    CHECK_CODE(pthread_create(&thread, NULL, fork_and_end, NULL), 0);
    CHECK_CODE(pthread_join(thread, &pid), 0);
    CHECK_EQ(wait_for((pid_t)(intptr_t)pid), 42);
}

CASE(a_death_signal_is_not_inherited)
{
    OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    IN_CHILD {
        int number = -1;
        OK(prctl(PR_GET_PDEATHSIG, &number));
        CHECK_EQ(number, 0);
    }
    CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
}

CASE(the_release_is_the_same_everywhere)
{
    struct utsname name;
    OK(uname(&name));
    char text[256], expected[256];
    snprintf(expected, sizeof expected, "%s\n", name.release);
    CHECK_STR(read_file("/proc/sys/kernel/osrelease"), expected);
    snprintf(expected, sizeof expected, "%s\n", name.version);
    CHECK_STR(read_file("/proc/sys/kernel/version"), expected);
    snprintf(expected, sizeof expected, "%s\n", name.sysname);
    CHECK_STR(read_file("/proc/sys/kernel/ostype"), expected);
    snprintf(text, sizeof text, "Linux version %s ", name.release);
    char *version = read_file("/proc/version");
    CHECK(strncmp(version, text, strlen(text)) == 0);
    CHECK(strstr(version, name.version) != NULL);
}
