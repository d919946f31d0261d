/* Pipes and FIFOs. */
#include "conformance.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

CASE(bytes_come_out_in_order)
{
    int fds[2];
    char text[16] = "";
    OK(pipe(fds));
    CHECK_EQ(write(fds[1], "one", 3), 3);
    CHECK_EQ(write(fds[1], "two", 3), 3);
    CHECK_EQ(read(fds[0], text, 4), 4);
    CHECK_STR(text, "onet");
    memset(text, 0, sizeof text);
    CHECK_EQ(read(fds[0], text, 16), 2);
    CHECK_STR(text, "wo");
}

CASE(pipe_gives_the_lowest_descriptors)
{
    int fds[2], more[2];
    OK(pipe(fds));
    CHECK_EQ(fds[1], fds[0] + 1);
    close(fds[0]);
    OK(pipe(more));
    CHECK_EQ(more[0], fds[0]);
    CHECK_EQ(more[1], fds[1] + 1);
}

CASE(pipe2_flags)
{
    int fds[2];
    char byte;
    OK(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
    CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(fds[1], F_GETFL), O_WRONLY | O_NONBLOCK);
    CHECK_ERRNO(read(fds[0], &byte, 1), EAGAIN);
    CHECK_ERRNO(pipe2(fds, 0x1), EINVAL);
}

CASE(read_returns_zero_when_the_last_writer_has_gone)
{
    int fds[2];
    char byte;
    OK(pipe(fds));
    int second = OK(dup(fds[1]));
    close(fds[1]);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    CHECK_ERRNO(read(fds[0], &byte, 1), EAGAIN);
    close(second);
    CHECK_EQ(read(fds[0], &byte, 1), 0);
}

CASE(a_blocked_reader_is_woken_by_data_and_by_the_end)
{
    int fds[2];
    char text[8] = "";
    OK(pipe(fds));
    pid_t pid;
    CHILD(pid) { sleep_ms(20); CHECK_EQ(write(fds[1], "late", 4), 4); sleep_ms(20); }
    close(fds[1]);
    CHECK_EQ(read(fds[0], text, 8), 4);
    CHECK_EQ(read(fds[0], text, 8), 0);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(wrong_end_is_ebadf)
{
    int fds[2];
    char byte = 0;
    OK(pipe(fds));
    CHECK_ERRNO(read(fds[1], &byte, 1), EBADF);
    CHECK_ERRNO(write(fds[0], &byte, 1), EBADF);
}

CASE(a_pipe_cannot_seek)
{
    int fds[2];
    char byte = 0;
    OK(pipe(fds));
    CHECK_ERRNO(lseek(fds[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERRNO(pread(fds[0], &byte, 1, 0), ESPIPE);
    CHECK_ERRNO(pwrite(fds[1], &byte, 1, 0), ESPIPE);
    CHECK_ERRNO(ftruncate(fds[1], 0), EINVAL);
}

CASE(capacity_is_64_kib_and_can_be_changed)
{
    int fds[2];
    static char block[65536];
    OK(pipe2(fds, O_NONBLOCK));
    CHECK_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
    CHECK_EQ(write(fds[1], block, sizeof block), 65536);
    CHECK_ERRNO(write(fds[1], block, 1), EAGAIN);
    CHECK_EQ(OK(fcntl(fds[1], F_SETPIPE_SZ, 131072)), 131072);
    CHECK_EQ(write(fds[1], block, 65536), 65536);
    CHECK_ERRNO(fcntl(fds[1], F_SETPIPE_SZ, 4096), EBUSY);
}

CASE(a_nonblocking_write_that_fits_in_part_is_partial_when_larger_than_pipe_buf)
{
    int fds[2];
    static char block[70000];
    OK(pipe2(fds, O_NONBLOCK));
    CHECK_EQ(write(fds[1], block, sizeof block), 65536);
    CHECK_EQ(read(fds[0], block, 4096), 4096);
    /* Atomic up to PIPE_BUF: 4096 fit now. */
    CHECK_EQ(write(fds[1], block, 4096), 4096);
    CHECK_ERRNO(write(fds[1], block, 4096), EAGAIN);
}

CASE(a_blocking_write_larger_than_the_pipe_waits_for_the_reader)
{
    int fds[2];
    enum { total = 300000 };
    static unsigned char block[total];
    OK(pipe(fds));
    pid_t pid;
    CHILD(pid) {
        for (int i = 0; i < total; i++) block[i] = (unsigned char)(i * 7);
        CHECK_EQ(write(fds[1], block, total), total);
    }
    close(fds[1]);
    size_t at = 0;
    ssize_t got;
    unsigned char part[10000];
    while ((got = OK(read(fds[0], part, sizeof part))) > 0)
        for (ssize_t i = 0; i < got; i++, at++) if (part[i] != (unsigned char)(at * 7)) FAIL("byte %zu is wrong", at);
    CHECK_EQ(at, total);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(small_writes_of_many_writers_do_not_mix)
{
    int fds[2];
    OK(pipe(fds));
    pid_t pids[4];
    for (int w = 0; w < 4; w++) {
        CHILD(pids[w]) {
            char line[100];
            memset(line, 'a' + w, sizeof line);
            for (int i = 0; i < 50; i++) CHECK_EQ(write(fds[1], line, sizeof line), sizeof line);
        }
    }
    close(fds[1]);
    char line[100];
    int lines = 0;
    for (;;) {
        size_t have = 0;
        ssize_t got = 1;
        while (have < sizeof line && (got = OK(read(fds[0], line + have, sizeof line - have))) > 0) have += (size_t)got;
        if (got == 0 && have == 0) break;
        CHECK_EQ(have, sizeof line);
        for (size_t i = 1; i < sizeof line; i++) CHECK_EQ(line[i], line[0]);
        lines++;
    }
    CHECK_EQ(lines, 200);
    for (int w = 0; w < 4; w++) CHECK_EQ(wait_for(pids[w]), 0);
}

CASE(fionread_tells_how_much_there_is)
{
    int fds[2], available = -1;
    OK(pipe(fds));
    OK(ioctl(fds[0], FIONREAD, &available));
    CHECK_EQ(available, 0);
    CHECK_EQ(write(fds[1], "12345", 5), 5);
    OK(ioctl(fds[0], FIONREAD, &available));
    CHECK_EQ(available, 5);
}

CASE(readv_and_writev)
{
    int fds[2];
    char a[4] = "", b[8] = "";
    OK(pipe(fds));
    struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } }, in[2] = { { a, 3 }, { b, 8 } };
    CHECK_EQ(writev(fds[1], out, 3), 6);
    CHECK_EQ(readv(fds[0], in, 2), 6);
    CHECK(memcmp(a, "abc", 3) == 0);
    CHECK_STR(b, "def");
    CHECK_ERRNO(writev(fds[1], out, -1), EINVAL);
    CHECK_ERRNO(writev(fds[1], out, 1025), EINVAL);
    CHECK_EQ(writev(fds[1], out, 0), 0);
}

CASE(zero_byte_operations)
{
    int fds[2];
    char byte;
    OK(pipe(fds));
    CHECK_EQ(write(fds[1], &byte, 0), 0);
    CHECK_EQ(read(fds[0], &byte, 0), 0);
}

CASE(fstat_of_a_pipe)
{
    int fds[2];
    struct stat status;
    OK(pipe(fds));
    OK(fstat(fds[0], &status));
    CHECK(S_ISFIFO(status.st_mode));
    char path[64], link[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
    ssize_t length = OK(readlink(path, link, sizeof link - 1));
    link[length] = 0;
    CHECK(strncmp(link, "pipe:[", 6) == 0);
}

CASE(a_fifo_connects_two_processes)
{
    OK(mkfifo("fifo", 0600));
    struct stat status;
    OK(stat("fifo", &status));
    CHECK(S_ISFIFO(status.st_mode));
    pid_t pid;
    CHILD(pid) {
        int fd = OK(open("fifo", O_WRONLY));
        CHECK_EQ(write(fd, "through", 7), 7);
    }
    int fd = OK(open("fifo", O_RDONLY));
    char text[16] = "";
    CHECK_EQ(read(fd, text, 15), 7);
    CHECK_STR(text, "through");
    CHECK_EQ(read(fd, text, 15), 0);
    CHECK_EQ(wait_for(pid), 0);
}

CASE(fifo_open_modes)
{
    OK(mkfifo("fifo", 0600));
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = OK(open("fifo", O_RDONLY | O_NONBLOCK));
    int writer = OK(open("fifo", O_WRONLY | O_NONBLOCK));
    char byte;
    CHECK_ERRNO(read(reader, &byte, 1), EAGAIN);
    close(writer);
    CHECK_EQ(read(reader, &byte, 1), 0);
    int both = OK(open("fifo", O_RDWR));
    CHECK_EQ(write(both, "x", 1), 1);
    CHECK_EQ(read(both, &byte, 1), 1);
    CHECK_ERRNO(mkfifo("fifo", 0600), EEXIST);
}

CASE(splice_moves_from_a_file_to_a_pipe_and_back)
{
    int fds[2];
    write_file("in", "spliced bytes");
    int in = OK(open("in", O_RDONLY)), out = OK(open("out", O_WRONLY | O_CREAT, 0600));
    OK(pipe(fds));
    CHECK_EQ(splice(in, NULL, fds[1], NULL, 7, 0), 7);
    CHECK_EQ(splice(fds[0], NULL, out, NULL, 100, 0), 7);
    CHECK_STR(read_file("out"), "spliced");
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 7);
    CHECK_ERRNO(splice(in, NULL, out, NULL, 5, 0), EINVAL);
}

CASE(tee_copies_without_taking)
{
    int from[2], to[2];
    char text[8] = "";
    OK(pipe(from));
    OK(pipe(to));
    CHECK_EQ(write(from[1], "abc", 3), 3);
    CHECK_EQ(tee(from[0], to[1], 100, 0), 3);
    CHECK_EQ(read(to[0], text, 8), 3);
    CHECK_STR(text, "abc");
    CHECK_EQ(read(from[0], text, 8), 3);
}

CASE(a_child_process_as_filter)
{
    int in[2], out[2];
    OK(pipe(in));
    OK(pipe(out));
    pid_t pid = conf_fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]); close(in[1]); close(out[0]); close(out[1]);
        execlp("tr", "tr", "a-z", "A-Z", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    CHECK_EQ(write(in[1], "shout", 5), 5);
    close(in[1]);
    char text[16] = "";
    CHECK_EQ(read(out[0], text, 15), 5);
    CHECK_STR(text, "SHOUT");
    CHECK_EQ(wait_for(pid), 0);
}
