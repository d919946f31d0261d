/* Mount and host name namespaces, mount(2), pivot_root(2). */
#include "conformance.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

static void own_mounts(void)
{
    NEEDS_ROOT();
    if (unshare(CLONE_NEWNS) != 0) {
        if (errno == EPERM) SKIP("no mount namespaces here");
        FAIL("unshare errno=%d", errno);
    }
    OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static bool mounts_contain(const char *text)
{
    return strstr(read_file("/proc/self/mountinfo"), text) != NULL;
}

CASE(a_mount_in_an_own_namespace_is_not_seen_outside)
{
    NEEDS_ROOT();
    int ready[2], go[2];
    char byte = 'x';
    OK(pipe(ready));
    OK(pipe(go));
    OK(mkdir("m", 0755));
    pid_t pid;
    CHILD(pid) {
        own_mounts();
        OK(mount("none", "m", "tmpfs", 0, "mode=700"));
        write_file("m/inside", "x");
        CHECK_EQ(write(ready[1], &byte, 1), 1);
        CHECK_EQ(read(go[0], &byte, 1), 1);
        CHECK_STR(read_file("m/inside"), "x");
    }
    close(ready[1]);
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_ERRNO(access("m/inside", F_OK), ENOENT);
    CHECK_EQ(write(go[1], &byte, 1), 1);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(the_working_directory_moves_along)
{
    OK(mkdir("d", 0755));
    OK(chdir("d"));
    write_file("f", "here");
    char before[PATH_MAX], after[PATH_MAX];
    CHECK(getcwd(before, sizeof before) != NULL);
    own_mounts();
    CHECK(getcwd(after, sizeof after) != NULL);
    CHECK_STR(after, before);
    CHECK_STR(read_file("f"), "here");
}

CASE(clone_with_newns)
{
    NEEDS_ROOT();
    OK(mkdir("m", 0755));
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0 && errno == EPERM) SKIP("no mount namespaces here");
    CHECK(pid >= 0);
    if (pid == 0) {
        OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        OK(mount("none", "m", "tmpfs", 0, NULL));
        write_file("m/f", "x");
        _exit(0);
    }
    CHECK_EQ(wait_for(pid), 0);
    CHECK_ERRNO(access("m/f", F_OK), ENOENT);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

CASE(a_bind_mount_shows_another_directory)
{
    own_mounts();
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    write_file("a/f", "text");
    OK(mount("a", "b", NULL, MS_BIND, NULL));
    CHECK_STR(read_file("b/f"), "text");
    OK(mount("none", "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
    CHECK_ERRNO(open("b/g", O_CREAT | O_WRONLY, 0600), EROFS);
    close((int)OK(open("a/g", O_CREAT | O_WRONLY, 0600)));
    CHECK_ERRNO(umount2("a", 0), EINVAL);
    OK(umount2("b", 0));
    CHECK_ERRNO(access("b/f", F_OK), ENOENT);
}

CASE(a_bind_mount_of_a_file)
{
    own_mounts();
    write_file("a", "one");
    write_file("b", "two");
    OK(mount("a", "b", NULL, MS_BIND, NULL));
    CHECK_STR(read_file("b"), "one");
    CHECK_ERRNO(unlink("b"), EBUSY);
    OK(mkdir("d", 0755));
    CHECK_ERRNO(mount("a", "d", NULL, MS_BIND, NULL), ENOTDIR);
    OK(umount2("b", MNT_DETACH));
    CHECK_STR(read_file("b"), "two");
}

CASE(a_recursive_bind_mount_takes_what_is_mounted_below)
{
    own_mounts();
    OK(mkdir("a", 0755));
    OK(mkdir("a/inner", 0755));
    OK(mkdir("plain", 0755));
    OK(mkdir("recursive", 0755));
    OK(mount("none", "a/inner", "tmpfs", 0, NULL));
    write_file("a/inner/f", "deep");
    OK(mount("a", "plain", NULL, MS_BIND, NULL));
    OK(mount("a", "recursive", NULL, MS_BIND | MS_REC, NULL));
    CHECK_ERRNO(access("plain/inner/f", F_OK), ENOENT);
    CHECK_STR(read_file("recursive/inner/f"), "deep");
    CHECK_ERRNO(umount2("recursive", 0), EBUSY);
    OK(umount2("recursive", MNT_DETACH));
    CHECK_STR(read_file("a/inner/f"), "deep");
}

CASE(a_mount_is_moved)
{
    own_mounts();
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    OK(mount("none", "a", "tmpfs", 0, NULL));
    write_file("a/f", "moved");
    OK(mkdir("a/below", 0755));
    CHECK_ERRNO(mount("a", "a/below", NULL, MS_MOVE, NULL), ELOOP);
    OK(mount("a", "b", NULL, MS_MOVE, NULL));
    CHECK_STR(read_file("b/f"), "moved");
    CHECK_ERRNO(access("a/f", F_OK), ENOENT);
    CHECK_ERRNO(mount("b/below", "a", NULL, MS_MOVE, NULL), EINVAL);
}

CASE(mounts_lie_on_top_of_each_other)
{
    own_mounts();
    OK(mkdir("m", 0755));
    OK(mount("one", "m", "tmpfs", 0, NULL));
    write_file("m/one", "1");
    OK(mount("two", "m", "tmpfs", 0, NULL));
    write_file("m/two", "2");
    CHECK_ERRNO(access("m/one", F_OK), ENOENT);
    OK(umount2("m", 0));
    CHECK_STR(read_file("m/one"), "1");
    OK(umount2("m", 0));
    CHECK_ERRNO(access("m/one", F_OK), ENOENT);
}

CASE(a_busy_mount_is_not_unmounted)
{
    own_mounts();
    OK(mkdir("m", 0755));
    OK(mount("none", "m", "tmpfs", 0, NULL));
    int fd = OK(open("m/f", O_CREAT | O_RDWR, 0600));
    CHECK_ERRNO(umount2("m", 0), EBUSY);
    OK(umount2("m", MNT_DETACH));
    CHECK_EQ(write(fd, "x", 1), 1);
}

CASE(pivot_root_as_bubblewrap_does_it)
{
    own_mounts();
    OK(mkdir("base", 0755));
    OK(mount("tmpfs", "base", "tmpfs", MS_NODEV | MS_NOSUID, NULL));
    OK(chdir("base"));
    OK(mkdir("newroot", 0755));
    OK(mount("newroot", "newroot", NULL, MS_BIND | MS_REC, NULL));
    OK(mkdir("oldroot", 0755));
    char base[PATH_MAX];
    CHECK(getcwd(base, sizeof base) != NULL);
    OK(syscall(SYS_pivot_root, base, "oldroot"));
    OK(chdir("/"));
    OK(access("/oldroot/bin/sh", X_OK));
    CHECK_ERRNO(access("/bin/sh", X_OK), ENOENT);
    OK(mkdir("/newroot/proc", 0755));
    OK(mount("proc", "/newroot/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL));
    OK(mkdir("/newroot/usr", 0755));
    OK(mount("/oldroot/usr", "/newroot/usr", NULL, MS_BIND | MS_REC, NULL));
    OK(mount("none", "/newroot/usr", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL));
    OK(mkdir("/newroot/tmp", 0777));
    OK(mount("tmpfs", "/newroot/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"));
    OK(umount2("oldroot", MNT_DETACH));
    int old = OK(open("/", O_DIRECTORY | O_RDONLY));
    OK(chdir("/newroot"));
    OK(syscall(SYS_pivot_root, ".", "."));
    OK(fchdir(old));
    OK(umount2(".", MNT_DETACH));
    OK(chdir("/"));
    close(old);
    char *infos = read_file("/proc/self/mountinfo");
    CHECK(strstr(infos, " /usr ro") != NULL);
    CHECK(strstr(infos, " /tmp rw") != NULL);
    CHECK(strstr(infos, "oldroot") == NULL);
    CHECK(access("/usr/bin", F_OK) == 0);
    CHECK_ERRNO(access("/oldroot", F_OK), ENOENT);
    CHECK_ERRNO(open("/usr/x", O_CREAT | O_WRONLY, 0600), EROFS);
    write_file("/tmp/f", "mine");
    char here[PATH_MAX];
    OK(chdir("/tmp"));
    CHECK_STR(getcwd(here, sizeof here), "/tmp");
    OK(chdir("../../.."));
    CHECK_STR(getcwd(here, sizeof here), "/");
}

CASE(pivot_root_errors)
{
    own_mounts();
    OK(mkdir("n", 0755));
    OK(mkdir("n/o", 0755));
    CHECK_ERRNO(syscall(SYS_pivot_root, "n", "n/o"), EBUSY);
    OK(mount("n", "n", NULL, MS_BIND, NULL));
    OK(mkdir("elsewhere", 0755));
    write_file("file", "x");
    CHECK_ERRNO(syscall(SYS_pivot_root, "n", "file"), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_pivot_root, "none", "n"), ENOENT);
    IN_CHILD {
        OK(setresuid(1234, 1234, 1234));
        CHECK_ERRNO(syscall(SYS_pivot_root, "n", "n/o"), EPERM);
    }
}

CASE(names_of_the_host_in_a_namespace)
{
    NEEDS_ROOT();
    struct utsname before, name;
    OK(uname(&before));
    IN_CHILD {
        if (unshare(CLONE_NEWUTS) != 0) SKIP("no namespaces here");
        OK(sethostname("inside", 6));
        OK(uname(&name));
        CHECK_STR(name.nodename, "inside");
        CHECK_STR(read_file("/proc/sys/kernel/hostname"), "inside\n");
    }
    OK(uname(&name));
    CHECK_STR(name.nodename, before.nodename);
}

CASE(unshare_of_files_and_directories)
{
    OK(unshare(0));
    OK(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
    CHECK_ERRNO(unshare(1), EINVAL);
    OK(chdir("/"));
}

CASE(mounting_is_for_root)
{
    NEEDS_ROOT();
    OK(mkdir("m", 0755));
    OK(chmod(".", 0777));
    OK(setresuid(1234, 1234, 1234));
    CHECK_ERRNO(mount("none", "m", "tmpfs", 0, NULL), EPERM);
    CHECK_ERRNO(umount2("/proc", 0), EPERM);
    CHECK_ERRNO(unshare(CLONE_NEWNS), EPERM);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0), EPERM);
    CHECK_ERRNO(chroot("m"), EPERM);
}

CASE(mount_errors)
{
    own_mounts();
    OK(mkdir("m", 0755));
    write_file("f", "x");
    CHECK_ERRNO(mount("none", "m", "no-such-type", 0, NULL), ENODEV);
    CHECK_ERRNO(mount("none", "none", "tmpfs", 0, NULL), ENOENT);
    CHECK_ERRNO(mount("none", "f", "tmpfs", 0, NULL), ENOTDIR);
    CHECK_ERRNO(mount("none", "m", NULL, MS_BIND | MS_REMOUNT, NULL), EINVAL);
    CHECK_ERRNO(umount2("m", 0), EINVAL);
    CHECK_ERRNO(umount2("m", 0x100), EINVAL);
    CHECK_ERRNO(setns(1000, 0), EBADF);
    CHECK(!mounts_contain("no-such-type"));
}

static char *namespace_of(const char *process, const char *kind)
{
    static char target[64];
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/%s", process, kind);
    ssize_t length = OK(readlink(path, target, sizeof target - 1));
    target[length] = 0;
    return target;
}

CASE(proc_names_the_namespaces)
{
    static const char *const kinds[] = { "ipc", "mnt", "net", "pid", "pid_for_children", "user", "uts" };
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        char path[64], prefix[64];
        struct stat link;
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        snprintf(prefix, sizeof prefix, "%.3s", kinds[i]);
        char *name = namespace_of("self", kinds[i]);
        CHECK(strncmp(name, prefix, 3) == 0);
        OK(stat(path, &link));
        CHECK(S_ISREG(link.st_mode));
        CHECK_EQ(strtoull(strchr(name, '[') + 1, NULL, 10), link.st_ino);
    }
    CHECK_ERRNO(readlink("/proc/self/ns/other", (char[8]) { 0 }, 8), ENOENT);
    char parent[64];
    snprintf(parent, sizeof parent, "%s", namespace_of("self", "mnt"));
    IN_CHILD CHECK_STR(namespace_of("self", "mnt"), parent);
}

CASE(a_namespace_can_be_left_and_entered_again)
{
    NEEDS_ROOT();
    IN_CHILD {
        char outside[64];
        snprintf(outside, sizeof outside, "%s", namespace_of("self", "uts"));
        int names = OK(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC)), mounts = OK(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
        struct utsname before, now;
        OK(uname(&before));
        if (unshare(CLONE_NEWUTS | CLONE_NEWNS) != 0) SKIP("no namespaces here");
        OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        CHECK(strcmp(namespace_of("self", "uts"), outside) != 0);
        OK(sethostname("inside", 6));
        OK(mkdir("m", 0755));
        char place[PATH_MAX];
        CHECK(getcwd(place, sizeof place) != NULL);
        OK(mount("none", "m", "tmpfs", 0, NULL));
        write_file("m/inside", "x");
        CHECK_ERRNO(setns(names, CLONE_NEWNS), EINVAL);
        OK(setns(names, CLONE_NEWUTS));
        OK(uname(&now));
        CHECK_STR(now.nodename, before.nodename);
        CHECK_STR(namespace_of("self", "uts"), outside);
        OK(setns(mounts, 0));
        CHECK(strcmp(getcwd(now.nodename, sizeof now.nodename), "/") == 0);
        OK(chdir(place));
        CHECK_ERRNO(access("m/inside", F_OK), ENOENT);
        int fds[2];
        OK(pipe(fds));
        CHECK_ERRNO(setns(fds[0], 0), EINVAL);
        CHECK_ERRNO(setns(-1, 0), EBADF);
        OK(setresuid(12345, 12345, 12345));
        CHECK_ERRNO(setns(names, CLONE_NEWUTS), EPERM);
    }
}

CASE(mount_flags_may_begin_with_the_magic_of_old)
{
    NEEDS_ROOT();
    IN_CHILD {
        own_mounts();
        OK(mkdir("from", 0755));
        OK(mkdir("to", 0755));
        write_file("from/f", "x");
        OK(mount("from", "to", NULL, MS_MGC_VAL | MS_BIND | MS_REC | MS_SILENT, NULL));
        CHECK_STR(read_file("to/f"), "x");
    }
}
