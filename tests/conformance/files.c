/* Regular files: opening, reading, writing, seeking, sizes, descriptors, locks. */
#include "conformance.h"
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static off_t size_of(const char *path)
{
    struct stat status;
    OK(stat(path, &status));
    return status.st_size;
}

CASE(open_creates_with_the_umask)
{
    struct stat status;
    umask(027);
    close(OK(open("f", O_WRONLY | O_CREAT, 0666)));
    OK(stat("f", &status));
    CHECK_EQ(status.st_mode, S_IFREG | 0640);
    CHECK_EQ(status.st_size, 0);
    CHECK_EQ(status.st_nlink, 1);
    CHECK_EQ(status.st_uid, geteuid());
}

CASE(open_gives_the_lowest_free_descriptor)
{
    int a = OK(open("/dev/null", O_RDONLY)), b = OK(open("/dev/null", O_RDONLY));
    CHECK_EQ(b, a + 1);
    close(a);
    CHECK_EQ(OK(open("/dev/null", O_RDONLY)), a);
}

CASE(open_errors)
{
    CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("missing/f", O_WRONLY | O_CREAT, 0600), ENOENT);
    CHECK_ERRNO(open("missing/", O_WRONLY | O_CREAT, 0600), EISDIR);
    write_file("f", "x");
    CHECK_ERRNO(open("f/g", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("f/", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
    CHECK_ERRNO(open(".", O_RDWR), EISDIR);
    CHECK_ERRNO(open(".", O_RDONLY | O_CREAT, 0600), EISDIR);
    CHECK_ERRNO(open((char *)8, O_RDONLY), EFAULT);
}

CASE(names_that_are_too_long)
{
    static char name[5000];
    memset(name, 'n', 256);
    CHECK_ERRNO(open(name, O_WRONLY | O_CREAT, 0600), ENAMETOOLONG);
    name[255] = 0;
    close(OK(open(name, O_WRONLY | O_CREAT, 0600)));
    for (size_t i = 0; i < 4096; i += 2) memcpy(name + i, "./", 2);
    CHECK_ERRNO(open(name, O_RDONLY), ENAMETOOLONG);
    name[4094] = 0;
    close(OK(open(name, O_RDONLY)));
}

CASE(o_excl_refuses_what_exists)
{
    close(OK(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600)));
    CHECK_ERRNO(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    OK(symlink("nowhere", "link"));
    CHECK_ERRNO(open("link", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    close(OK(open("link", O_WRONLY | O_CREAT, 0600)));
    CHECK_EQ(size_of("nowhere"), 0);
}

CASE(o_trunc_empties)
{
    write_file("f", "some text");
    close(OK(open("f", O_WRONLY)));
    CHECK_EQ(size_of("f"), 9);
    close(OK(open("f", O_WRONLY | O_TRUNC)));
    CHECK_EQ(size_of("f"), 0);
}

CASE(o_append_writes_at_the_end)
{
    write_file("f", "start");
    int fd = OK(open("f", O_WRONLY | O_APPEND)), other = OK(open("f", O_WRONLY | O_APPEND));
    CHECK_EQ(write(fd, "A", 1), 1);
    CHECK_EQ(write(other, "B", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "C", 1), 1);
    CHECK_STR(read_file("f"), "startABC");
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
    /* Linux: pwrite of an O_APPEND descriptor appends too. */
    CHECK_EQ(pwrite(fd, "D", 1, 0), 1);
    CHECK_STR(read_file("f"), "startABCD");
}

CASE(o_nofollow_and_o_path)
{
    write_file("f", "x");
    OK(symlink("f", "link"));
    CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    int fd = OK(open("link", O_PATH | O_NOFOLLOW));
    struct stat status;
    OK(fstat(fd, &status));
    CHECK(S_ISLNK(status.st_mode));
    char text[8] = "";
    CHECK_EQ(readlinkat(fd, "", text, 8), 1);
    CHECK_ERRNO(read(fd, text, 1), EBADF);
    CHECK_ERRNO(write(fd, text, 1), EBADF);
    CHECK_ERRNO(fchmod(fd, 0600), EBADF);
    int file = OK(open("f", O_PATH));
    CHECK_EQ(fcntl(file, F_GETFL) & O_PATH, O_PATH);
    CHECK_ERRNO(ftruncate(file, 0), EBADF);
}

CASE(o_tmpfile_has_no_name_until_linked)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 && errno == EOPNOTSUPP) SKIP("the file system has no O_TMPFILE");
    CHECK(fd >= 0);
    struct stat status;
    CHECK_EQ(write(fd, "hidden", 6), 6);
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    OK(linkat(AT_FDCWD, path, AT_FDCWD, "visible", AT_SYMLINK_FOLLOW));
    CHECK_STR(read_file("visible"), "hidden");
}

CASE(access_modes_are_checked_at_read_and_write)
{
    write_file("f", "x");
    char byte = 0;
    int in = OK(open("f", O_RDONLY)), out = OK(open("f", O_WRONLY));
    CHECK_ERRNO(write(in, &byte, 1), EBADF);
    CHECK_ERRNO(read(out, &byte, 1), EBADF);
    CHECK_ERRNO(read(499, &byte, 1), EBADF);
    CHECK_ERRNO(read(-1, &byte, 1), EBADF);
    int directory = OK(open(".", O_RDONLY));
    CHECK_ERRNO(read(directory, &byte, 1), EISDIR);
    CHECK_ERRNO(ftruncate(in, 0), EINVAL);
}

CASE(pread_and_pwrite_leave_the_offset)
{
    char text[8] = "";
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    CHECK_EQ(write(fd, "abcdef", 6), 6);
    CHECK_EQ(pread(fd, text, 3, 2), 3);
    CHECK_STR(text, "cde");
    CHECK_EQ(pwrite(fd, "XY", 2, 1), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_STR(read_file("f"), "aXYdef");
    CHECK_EQ(pread(fd, text, 8, 100), 0);
    CHECK_ERRNO(pread(fd, text, 1, -1), EINVAL);
    CHECK_ERRNO(pwrite(fd, text, 1, -1), EINVAL);
}

CASE(vectors)
{
    char a[3] = "", b[10] = "";
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec out[] = { { "one", 3 }, { "two", 3 } }, in[] = { { a, 2 }, { b, 9 } };
    CHECK_EQ(writev(fd, out, 2), 6);
    CHECK_EQ(pwritev(fd, out, 1, 6), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(readv(fd, in, 2), 9);
    CHECK_STR(a, "on");
    CHECK_STR(b, "etwoone");
    CHECK_EQ(preadv(fd, in, 2, 7), 2);
    CHECK_EQ(preadv2(fd, in, 1, 0, 0), 2);
    CHECK_ERRNO(preadv2(fd, in, 1, 0, 0x40000000), EOPNOTSUPP);
    struct iovec bad = { (void *)8, 4 };
    OK(lseek(fd, 0, SEEK_SET));
    CHECK_ERRNO(readv(fd, &bad, 1), EFAULT);
}

CASE(lseek_whence)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(lseek(fd, -3, SEEK_END), 7);
    CHECK_EQ(lseek(fd, -2, SEEK_CUR), 5);
    CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERRNO(lseek(fd, 0, 77), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100);
    char byte;
    CHECK_EQ(read(fd, &byte, 1), 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(size_of("f"), 101);
    CHECK_EQ(pread(fd, &byte, 1, 50), 1);
    CHECK_EQ(byte, 0);
}

CASE(seek_hole_and_data)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, 1 << 20));
    CHECK_EQ(pwrite(fd, "data", 4, 512 << 10), 4);
    off_t data = lseek(fd, 0, SEEK_DATA);
    CHECK(data <= (512 << 10) && data >= 0);
    off_t hole = lseek(fd, 512 << 10, SEEK_HOLE);
    CHECK(hole > (512 << 10) && hole <= (1 << 20));
    CHECK_ERRNO(lseek(fd, 2 << 20, SEEK_DATA), ENXIO);
    CHECK_ERRNO(lseek(fd, 2 << 20, SEEK_HOLE), ENXIO);
}

CASE(a_sparse_file_uses_few_blocks)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, 1ll << 32));
    CHECK_EQ(pwrite(fd, "end", 3, (1ll << 32) - 3), 3);
    struct stat status;
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 1ll << 32);
    CHECK(status.st_blocks < 2000);
    char text[4] = "x";
    CHECK_EQ(pread(fd, text, 3, 1ll << 31), 3);
    CHECK_EQ(text[0], 0);
    CHECK_EQ(pread(fd, text, 3, (1ll << 32) - 3), 3);
    CHECK_STR(text, "end");
}

CASE(truncate_shrinks_and_grows)
{
    write_file("f", "0123456789");
    OK(truncate("f", 4));
    CHECK_STR(read_file("f"), "0123");
    OK(truncate("f", 8));
    CHECK_EQ(size_of("f"), 8);
    CHECK(memcmp(read_file("f"), "0123\0\0\0\0", 8) == 0);
    CHECK_ERRNO(truncate("f", -1), EINVAL);
    CHECK_ERRNO(truncate(".", 0), EISDIR);
    CHECK_ERRNO(truncate("missing", 0), ENOENT);
}

CASE(fallocate_modes)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(fallocate(fd, 0, 0, 100));
    CHECK_EQ(size_of("f"), 100);
    OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10000));
    CHECK_EQ(size_of("f"), 100);
    static char block[8192];
    memset(block, 'x', sizeof block);
    CHECK_EQ(pwrite(fd, block, sizeof block, 0), 8192);
    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000));
    CHECK_EQ(pread(fd, block, sizeof block, 0), 8192);
    CHECK(block[99] == 'x' && block[100] == 0 && block[5099] == 0 && block[5100] == 'x');
    CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERRNO(fallocate(fd, 0, -1, 10), EINVAL);
    CHECK_CODE(posix_fallocate(fd, 0, 20000), 0);
    CHECK_EQ(size_of("f"), 20000);
}

CASE(unlink_while_open_keeps_the_file)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(unlink("f"));
    CHECK_ERRNO(open("f", O_RDONLY), ENOENT);
    CHECK_EQ(write(fd, "still", 5), 5);
    char text[8] = "";
    CHECK_EQ(pread(fd, text, 8, 0), 5);
    CHECK_STR(text, "still");
    struct stat status;
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 0);
}

CASE(dup_shares_the_offset_and_not_cloexec)
{
    int fd = OK(open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600)), copy = OK(dup(fd));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(copy, F_GETFD), 0);
    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK_EQ(lseek(copy, 0, SEEK_CUR), 3);
    OK(fcntl(copy, F_SETFL, O_APPEND));
    CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    CHECK_ERRNO(dup(499), EBADF);
}

CASE(dup2_and_dup3)
{
    int fd = OK(open("/dev/null", O_RDONLY));
    CHECK_EQ(dup2(fd, 100), 100);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_ERRNO(dup2(499, 100), EBADF);
    OK(fcntl(100, F_GETFD));
    CHECK_ERRNO(dup2(fd, -1), EBADF);
    CHECK_ERRNO(dup2(fd, 1 << 30), EBADF);
    CHECK_EQ(dup3(fd, 101, O_CLOEXEC), 101);
    CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
    CHECK_ERRNO(dup3(fd, 102, O_APPEND), EINVAL);
}

CASE(fcntl_dupfd_takes_a_minimum)
{
    int fd = OK(open("/dev/null", O_RDONLY));
    CHECK_EQ(fcntl(fd, F_DUPFD, 200), 200);
    CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 200), 201);
    CHECK_EQ(fcntl(201, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
    CHECK_ERRNO(fcntl(fd, 9999, 0), EINVAL);
    CHECK_ERRNO(fcntl(499, F_GETFD), EBADF);
}

CASE(close_range_closes_and_marks)
{
    for (int fd = 100; fd < 110; fd++) CHECK_EQ(dup2(0, fd), fd);
    OK(syscall(SYS_close_range, 100, 104, 4 /* CLOSE_RANGE_CLOEXEC */));
    CHECK_EQ(fcntl(104, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(105, F_GETFD), 0);
    OK(syscall(SYS_close_range, 100, 108, 0));
    CHECK_ERRNO(fcntl(100, F_GETFD), EBADF);
    CHECK_ERRNO(fcntl(108, F_GETFD), EBADF);
    OK(fcntl(109, F_GETFD));
    CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
    CHECK_ERRNO(close(100), EBADF);
}

CASE(getfl_tells_how_it_was_opened)
{
    int fd = OK(open("f", O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0600));
    int flags = fcntl(fd, F_GETFL);
    CHECK_EQ(flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT | O_EXCL), O_RDWR | O_APPEND | O_NONBLOCK);
    OK(fcntl(fd, F_SETFL, 0));
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
}

CASE(flock_excludes_other_descriptions)
{
    int one = OK(open("f", O_RDWR | O_CREAT, 0600)), two = OK(open("f", O_RDWR));
    OK(flock(one, LOCK_EX));
    CHECK_ERRNO(flock(two, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    OK(flock(one, LOCK_SH));
    OK(flock(two, LOCK_SH | LOCK_NB));
    CHECK_ERRNO(flock(one, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    OK(flock(two, LOCK_UN));
    CHECK_ERRNO(flock(one, 77), EINVAL);
    close(one);
    OK(flock(two, LOCK_EX | LOCK_NB));
}

CASE(flock_waits_for_the_holder)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    int ready[2];
    char byte;
    OK(pipe(ready));
    pid_t pid;
    CHILD(pid) {
        int own = OK(open("f", O_RDWR));
        OK(flock(own, LOCK_EX));
        CHECK_EQ(write(ready[1], "x", 1), 1);
        sleep_ms(30);
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    OK(flock(fd, LOCK_EX));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(record_locks_of_processes)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
    pid_t parent = getpid();
    OK(fcntl(fd, F_SETLK, &lock));
    IN_CHILD {
        struct flock other = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1 };
        CHECK_ERRNO(fcntl(fd, F_SETLK, &other), EAGAIN);
        OK(fcntl(fd, F_GETLK, &other));
        CHECK_EQ(other.l_type, F_WRLCK);
        CHECK_EQ(other.l_pid, parent);
        CHECK_EQ(other.l_start, 10);
        CHECK_EQ(other.l_len, 10);
        other = (struct flock) { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 0 };
        OK(fcntl(fd, F_SETLK, &other));
    }
    /* The same process may take its own lock again, and convert it. */
    lock.l_type = F_RDLCK;
    OK(fcntl(fd, F_SETLK, &lock));
    IN_CHILD {
        struct flock other = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
        OK(fcntl(fd, F_SETLK, &other));
    }
    /* Closing any descriptor of the file drops the locks of the process. */
    close(OK(open("f", O_RDONLY)));
    IN_CHILD {
        struct flock other = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
        OK(fcntl(fd, F_SETLK, &other));
    }
}

CASE(setlkw_waits_and_finds_deadlocks)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    struct flock first = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
    struct flock second = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1 };
    int ready[2];
    char byte;
    OK(pipe(ready));
    OK(fcntl(fd, F_SETLK, &first));
    pid_t pid;
    CHILD(pid) {
        OK(fcntl(fd, F_SETLK, &second));
        CHECK_EQ(write(ready[1], "x", 1), 1);
        /* Waits for the parent. */
        OK(fcntl(fd, F_SETLKW, &first));
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    wait_until_blocked(pid);
    CHECK_ERRNO(fcntl(fd, F_SETLKW, &second), EDEADLK);
    first.l_type = F_UNLCK;
    OK(fcntl(fd, F_SETLK, &first));
    CHECK_EQ(wait_for(pid), 0);
    OK(fcntl(fd, F_SETLKW, &second));
}

CASE(ofd_locks_belong_to_the_description)
{
    int one = OK(open("f", O_RDWR | O_CREAT, 0600)), two = OK(open("f", O_RDWR));
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
    OK(fcntl(one, F_OFD_SETLK, &lock));
    CHECK_ERRNO(fcntl(two, F_OFD_SETLK, &lock), EAGAIN);
    OK(fcntl(two, F_OFD_GETLK, &lock));
    CHECK_EQ(lock.l_pid, -1);
    IN_CHILD {
        struct flock own = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
        OK(fcntl(one, F_OFD_SETLK, &own));
    }
    close(one);
    lock = (struct flock) { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    OK(fcntl(two, F_OFD_SETLK, &lock));
    lock.l_pid = 5;
    CHECK_ERRNO(fcntl(two, F_OFD_SETLK, &lock), EINVAL);
}

CASE(lock_errors)
{
    int in = OK(open("f", O_RDONLY | O_CREAT, 0600));
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    CHECK_ERRNO(fcntl(in, F_SETLK, &lock), EBADF);
    lock.l_type = 77;
    CHECK_ERRNO(fcntl(in, F_SETLK, &lock), EINVAL);
    lock = (struct flock) { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = -5 };
    CHECK_ERRNO(fcntl(in, F_SETLK, &lock), EINVAL);
}

CASE(sendfile_copies)
{
    write_file("in", "0123456789");
    int in = OK(open("in", O_RDONLY)), out = OK(open("out", O_WRONLY | O_CREAT, 0600));
    off_t offset = 3;
    CHECK_EQ(sendfile(out, in, &offset, 4), 4);
    CHECK_EQ(offset, 7);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
    CHECK_EQ(sendfile(out, in, NULL, 2), 2);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 2);
    CHECK_STR(read_file("out"), "345601");
    CHECK_EQ(sendfile(out, in, NULL, 100), 8);
    CHECK_EQ(sendfile(out, in, NULL, 100), 0);
    CHECK_ERRNO(sendfile(in, out, NULL, 1), EBADF);
}

CASE(copy_file_range_copies)
{
    write_file("in", "0123456789");
    int in = OK(open("in", O_RDONLY)), out = OK(open("out", O_RDWR | O_CREAT, 0600));
    off_t from = 2, to = 1;
    CHECK_EQ(copy_file_range(in, &from, out, &to, 5, 0), 5);
    CHECK_EQ(from, 7);
    CHECK_EQ(to, 6);
    CHECK(memcmp(read_file("out"), "\00023456", 6) == 0);
    CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 10);
    CHECK_ERRNO(copy_file_range(in, NULL, out, NULL, 1, 1), EINVAL);
    int directory = OK(open(".", O_RDONLY));
    CHECK_ERRNO(copy_file_range(directory, NULL, out, NULL, 1, 0), EISDIR);
}

CASE(fsync_and_friends)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(fsync(fd));
    OK(fdatasync(fd));
    OK(syncfs(fd));
    sync();
    OK(sync_file_range(fd, 0, 0, 0));
    CHECK_CODE(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    CHECK_CODE(posix_fadvise(fd, 0, 0, 99), EINVAL);
    OK(readahead(fd, 0, 10));
    int fds[2];
    OK(pipe(fds));
    CHECK_ERRNO(fsync(fds[0]), EINVAL);
    CHECK_ERRNO(fsync(499), EBADF);
}

CASE(extended_attributes)
{
    write_file("f", "");
    if (setxattr("f", "user.colour", "red", 3, 0) != 0 && errno == EOPNOTSUPP) SKIP("the file system has no user attributes");
    char value[16] = "", list[64];
    CHECK_EQ(getxattr("f", "user.colour", value, sizeof value), 3);
    CHECK_STR(value, "red");
    CHECK_EQ(getxattr("f", "user.colour", NULL, 0), 3);
    CHECK_ERRNO(getxattr("f", "user.colour", value, 2), ERANGE);
    CHECK_ERRNO(getxattr("f", "user.none", value, 16), ENODATA);
    CHECK_ERRNO(setxattr("f", "user.colour", "x", 1, XATTR_CREATE), EEXIST);
    CHECK_ERRNO(setxattr("f", "user.none", "x", 1, XATTR_REPLACE), ENODATA);
    CHECK_ERRNO(setxattr("f", "nonsense", "x", 1, 0), EOPNOTSUPP);
    OK(setxattr("f", "user.size", "10", 2, 0));
    ssize_t length = OK(listxattr("f", list, sizeof list));
    CHECK_EQ(length, (ssize_t)(sizeof "user.colour" + sizeof "user.size"));
    OK(removexattr("f", "user.colour"));
    CHECK_ERRNO(removexattr("f", "user.colour"), ENODATA);
    int fd = OK(open("f", O_RDONLY));
    CHECK_EQ(fgetxattr(fd, "user.size", value, sizeof value), 2);
}

CASE(large_reads_and_writes)
{
    enum { size = 3 << 20 };
    unsigned char *block = malloc(size);
    for (int i = 0; i < size; i++) block[i] = (unsigned char)(i * 31 >> 3);
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    CHECK_EQ(write(fd, block, size), size);
    unsigned char *back = malloc(size);
    CHECK_EQ(pread(fd, back, size, 0), size);
    CHECK(memcmp(block, back, size) == 0);
    CHECK_EQ(pread(fd, back, size, size - 5), 5);
}

CASE(many_open_files)
{
    int fds[300];
    for (int i = 0; i < 300; i++) fds[i] = OK(open("/dev/null", O_RDONLY));
    for (int i = 0; i < 300; i++) OK(close(fds[i]));
}

CASE(fionread_of_a_file)
{
    write_file("f", "12345");
    int fd = OK(open("f", O_RDONLY)), left = -1;
    OK(ioctl(fd, FIONREAD, &left));
    CHECK_EQ(left, 5);
    CHECK_ERRNO(ioctl(fd, 0x5401 /* TCGETS */, &left), ENOTTY);
    CHECK_EQ(isatty(fd), 0);
}

CASE(fioclex_and_fionbio)
{
    int fds[2], on = 1;
    OK(pipe(fds));
    OK(ioctl(fds[0], FIOCLEX));
    CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    OK(ioctl(fds[0], FIONCLEX));
    CHECK_EQ(fcntl(fds[0], F_GETFD), 0);
    OK(ioctl(fds[0], FIONBIO, &on));
    CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

CASE(stdio_reads_what_it_wrote)
{
    FILE *file = fopen("f", "w+");
    CHECK(file != NULL);
    for (int i = 0; i < 1000; i++) fprintf(file, "line %d\n", i);
    rewind(file);
    char line[32];
    int count = 0;
    while (fgets(line, sizeof line, file)) {
        int number;
        CHECK_EQ(sscanf(line, "line %d", &number), 1);
        CHECK_EQ(number, count++);
    }
    CHECK_EQ(count, 1000);
    OK(fclose(file));
    file = tmpfile();
    CHECK(file != NULL);
    CHECK(fputs("x", file) >= 0);
    OK(fclose(file));
}

CASE(fallocate_flags_that_do_not_go_together)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, 65536));
    /* EINVAL before Linux 6.12. */
    CHECK(fallocate(fd, 0x8 | 0x1, 0, 4096) == -1 && (errno == EOPNOTSUPP || errno == EINVAL));
    CHECK(fallocate(fd, 0x20 | 0x8, 0, 4096) == -1 && (errno == EOPNOTSUPP || errno == EINVAL));
    CHECK_ERRNO(fallocate(fd, 0x8, 0, 0), EINVAL);
    CHECK_ERRNO(fallocate(fd, 0x8, -1, 4096), EINVAL);
    CHECK_ERRNO(fallocate(fd, 0x2, 0, 4096), EOPNOTSUPP);
    CHECK_ERRNO(fallocate(fd, 0x10000, 0, 4096), EOPNOTSUPP);
    /* Collapsing: done, or not known to the file system. */
    int result = fallocate(fd, 0x8, 0, 4096);
    CHECK(result == 0 || errno == EOPNOTSUPP);
    struct stat status;
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, result == 0 ? 61440 : 65536);
}

CASE(the_largest_sizes)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    const off_t largest = 0x7FFFFFFFFFFFFFFF;
    if (ftruncate(fd, largest) != 0) {
        /* More than blocks can be counted for. */
        CHECK_EQ(errno, EFBIG);
        return;
    }
    CHECK_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO);
    CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_ERRNO(lseek(fd, largest - 10, SEEK_DATA), ENXIO);
    OK(ftruncate(fd, largest - 1));
    struct stat status;
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, largest - 1);
    OK(ftruncate(fd, 0));
}
