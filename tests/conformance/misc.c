/* Calls outside the big families: inotify, System V IPC, message queues, openat2, rseq, terminals, mounts. */
// flags: -lutil
#include "conformance.h"
#include <linux/openat2.h>
#include <mqueue.h>
#include <pty.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <termios.h>

CASE(inotify_tells_of_new_files)
{
    int fd = OK(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), watch = OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE));
    char buffer[1024];
    CHECK_ERRNO(read(fd, buffer, sizeof buffer), EAGAIN);
    write_file("made", "");
    ssize_t got = OK(read(fd, buffer, sizeof buffer));
    struct inotify_event *event = (struct inotify_event *)buffer;
    CHECK(got >= (ssize_t)sizeof *event);
    CHECK_EQ(event->wd, watch);
    CHECK_EQ(event->mask, IN_CREATE);
    CHECK_STR(event->name, "made");
}

CASE(system_v_shared_memory)
{
    int id = OK(shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600));
    int *shared = shmat(id, NULL, 0);
    CHECK((void *)shared != (void *)-1);
    OK(shmctl(id, IPC_RMID, NULL));
    IN_CHILD { shared[5] = 77; }
    CHECK_EQ(shared[5], 77);
    OK(shmdt(shared));
}

CASE(system_v_semaphores)
{
    int id = OK(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
    struct sembuf down = { 0, -1, IPC_NOWAIT }, up = { 0, 1, 0 };
    int failed = semop(id, &down, 1) == -1 && errno == EAGAIN;
    int raised = semop(id, &up, 1) == 0, taken = semop(id, &down, 1) == 0;
    OK(semctl(id, 0, IPC_RMID));
    CHECK(failed && raised && taken);
}

CASE(system_v_messages)
{
    int id = OK(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
    struct { long type; char text[8]; } message = { 3, "queued" }, back;
    int sent = msgsnd(id, &message, 7, 0) == 0;
    ssize_t got = msgrcv(id, &back, 8, 0, IPC_NOWAIT);
    OK(msgctl(id, IPC_RMID, NULL));
    CHECK(sent);
    CHECK_EQ(got, 7);
    CHECK_STR(back.text, "queued");
}

CASE(posix_message_queue)
{
    mqd_t queue = mq_open("/conformance-queue", O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, NULL);
    if (queue == (mqd_t)-1 && (errno == EACCES || errno == EMFILE)) SKIP("no message queues here");
    CHECK(queue != (mqd_t)-1);
    OK(mq_unlink("/conformance-queue"));
    char text[9000];
    unsigned priority;
    CHECK_ERRNO(mq_receive(queue, text, sizeof text, NULL), EAGAIN);
    OK(mq_send(queue, "low", 4, 1));
    OK(mq_send(queue, "high", 5, 9));
    CHECK_EQ(mq_receive(queue, text, sizeof text, &priority), 5);
    CHECK_STR(text, "high");
    CHECK_EQ(priority, 9);
}

CASE(openat2_resolves_within_limits)
{
    OK(mkdir("d", 0700));
    OK(symlink("/etc", "d/out"));
    write_file("d/f", "x");
    int directory = OK(open("d", O_PATH));
    struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_BENEATH };
    close((int)OK(syscall(SYS_openat2, directory, "f", &how, sizeof how)));
    CHECK_ERRNO(syscall(SYS_openat2, directory, "../d/f", &how, sizeof how), EXDEV);
    CHECK_ERRNO(syscall(SYS_openat2, directory, "out/passwd", &how, sizeof how), EXDEV);
    how.resolve = RESOLVE_NO_SYMLINKS;
    CHECK_ERRNO(syscall(SYS_openat2, directory, "out/passwd", &how, sizeof how), ELOOP);
    how.resolve = 0x8000;
    CHECK_ERRNO(syscall(SYS_openat2, directory, "f", &how, sizeof how), EINVAL);
    CHECK_ERRNO(syscall(SYS_openat2, directory, "f", &how, 4), EINVAL);
}

CASE(a_pseudo_terminal)
{
    int master, slave;
    if (openpty(&master, &slave, NULL, NULL, NULL) != 0) {
        if (errno == ENOENT && access("/dev/ptmx", F_OK) != 0) FAIL("there is no /dev/ptmx");
        FAIL("openpty errno=%d (%s)", errno, strerror(errno));
    }
    CHECK_EQ(isatty(slave), 1);
    CHECK_EQ(write(slave, "out\n", 4), 4);
    char text[16] = "";
    CHECK_EQ(read(master, text, sizeof text), 5);
    CHECK_STR(text, "out\r\n");
    CHECK_EQ(write(master, "in\n", 3), 3);
    CHECK_EQ(read(slave, text, sizeof text), 3);
    struct winsize size = { .ws_row = 7, .ws_col = 9 }, back;
    OK(ioctl(master, TIOCSWINSZ, &size));
    OK(ioctl(slave, TIOCGWINSZ, &back));
    CHECK(back.ws_row == 7 && back.ws_col == 9);
}

CASE(mounting_needs_privilege)
{
    NEEDS_ROOT();
    OK(mkdir("m", 0700));
    IN_CHILD {
        OK(setuid(65534));
        CHECK_ERRNO(mount("none", "m", "tmpfs", 0, NULL), EPERM);
        CHECK_ERRNO(umount("m"), EPERM);
    }
}

CASE(sethostname_needs_privilege)
{
    NEEDS_ROOT();
    IN_CHILD { OK(setuid(65534)); CHECK_ERRNO(sethostname("x", 1), EPERM); }
}

CASE(privileged_calls_are_refused_to_others)
{
    NEEDS_ROOT();
    IN_CHILD {
        OK(setuid(65534));
        struct timespec now = { 1, 0 };
        CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &now), EPERM);
        /* Kernels may be built without these. */
        CHECK(syscall(SYS_iopl, 3) == -1 && (errno == EPERM || errno == ENOSYS));
        CHECK(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL) == -1 && (errno == EPERM || errno == ENOSYS));
        CHECK(syscall(SYS_init_module, "", 0, "") == -1 && (errno == EPERM || errno == ENOSYS));
        CHECK(acct("/tmp/none") == -1 && (errno == EPERM || errno == ENOSYS));
    }
}

CASE(rseq_is_registered_or_absent)
{
    /* glibc registers it where there is one; either way programs run. */
    long code = syscall(SYS_rseq, NULL, 32, 0, 0x53053053);
    CHECK(code == -1 && (errno == ENOSYS || errno == EINVAL || errno == EBUSY || errno == EPERM || errno == EFAULT));
}

CASE(anonymous_mappings_can_be_named)
{
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int code = prctl(0x53564d41 /* PR_SET_VMA */, 0, map, 4096, "named");
    CHECK(code == 0 || errno == EINVAL);
    if (code == 0) CHECK(strstr(read_file("/proc/self/maps"), "[anon:named]") != NULL);
}

CASE(io_priorities_are_kept)
{
    long priority = syscall(SYS_ioprio_get, 1, 0);
    CHECK(priority >= 0);
    OK(syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 4));
    CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), (2 << 13) | 4);
}

CASE(kcmp_compares_descriptors_or_is_absent)
{
    int fd = OK(dup(0));
    long same = syscall(SYS_kcmp, getpid(), getpid(), 0, 0, fd);
    CHECK(same == 0 || errno == ENOSYS || errno == EPERM);
}
