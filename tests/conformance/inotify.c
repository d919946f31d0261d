/* inotify(7): what is told, in which order, and how it is read. */
#include "conformance.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>

static char buffer[16384] __attribute__((aligned(8)));
static ssize_t length, at;

static void fetch(int fd) { length = read(fd, buffer, sizeof buffer); at = 0; }

/* The next event must be this one. */
static struct inotify_event *expect(int fd, int wd, uint32_t mask, const char *name, int line)
{
    if (at >= length) fetch(fd);
    if (length <= 0) FAIL("line %d: no event, errno=%d", line, errno);
    struct inotify_event *event = (struct inotify_event *)(buffer + at);
    at += (ssize_t)(sizeof *event + event->len);
    const char *got = event->len ? event->name : "";
    if (event->wd != wd || event->mask != mask || strcmp(got, name) != 0)
        FAIL("line %d: wd %d mask 0x%x name \"%s\", not wd %d mask 0x%x name \"%s\"", line, event->wd, event->mask, got, wd, mask, name);
    return event;
}

#define EXPECT(wd, mask, name) expect(fd, (wd), (mask), (name), __LINE__)
#define EXPECT_NONE() do { CHECK(at >= length); CHECK_ERRNO(read(fd, buffer, sizeof buffer), EAGAIN); } while (0)

static int start(void) { length = at = 0; return OK(inotify_init1(IN_NONBLOCK)); }

CASE(creating_writing_and_closing)
{
    int fd = start(), wd = OK(inotify_add_watch(fd, ".", IN_ALL_EVENTS));
    int file = OK(open("f", O_CREAT | O_WRONLY, 0644));
    CHECK_EQ(write(file, "x", 1), 1);
    OK(close(file));
    EXPECT(wd, IN_CREATE, "f");
    EXPECT(wd, IN_OPEN, "f");
    EXPECT(wd, IN_MODIFY, "f");
    EXPECT(wd, IN_CLOSE_WRITE, "f");
    EXPECT_NONE();
}

CASE(reading_and_truncating)
{
    write_file("f", "text");
    int fd = start(), wd = OK(inotify_add_watch(fd, "f", IN_ALL_EVENTS));
    char c;
    int file = OK(open("f", O_RDONLY));
    CHECK_EQ(read(file, &c, 1), 1);
    OK(close(file));
    EXPECT(wd, IN_OPEN, "");
    EXPECT(wd, IN_ACCESS, "");
    EXPECT(wd, IN_CLOSE_NOWRITE, "");
    OK(truncate("f", 1));
    EXPECT(wd, IN_MODIFY, "");
    OK(chmod("f", 0600));
    EXPECT(wd, IN_ATTRIB, "");
    file = OK(open("f", O_WRONLY | O_TRUNC));
    EXPECT(wd, IN_OPEN, "");
    EXPECT(wd, IN_MODIFY, "");
    EXPECT_NONE();
}

CASE(directory_and_file_both_watched)
{
    write_file("f", "text");
    int fd = start(), dir = OK(inotify_add_watch(fd, ".", IN_ATTRIB)), file = OK(inotify_add_watch(fd, "f", IN_ATTRIB));
    OK(chmod("f", 0600));
    EXPECT(dir, IN_ATTRIB, "f");
    EXPECT(file, IN_ATTRIB, "");
    EXPECT_NONE();
}

CASE(moves_carry_a_cookie)
{
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    write_file("a/f", "");
    int fd = start(), a = OK(inotify_add_watch(fd, "a", IN_MOVE)), b = OK(inotify_add_watch(fd, "b", IN_MOVE)), f = OK(inotify_add_watch(fd, "a/f", IN_MOVE_SELF));
    OK(rename("a/f", "b/g"));
    uint32_t cookie = EXPECT(a, IN_MOVED_FROM, "f")->cookie;
    CHECK(cookie != 0);
    CHECK_EQ(EXPECT(b, IN_MOVED_TO, "g")->cookie, cookie);
    EXPECT(f, IN_MOVE_SELF, "");
    OK(mkdir("a/d", 0755));
    OK(rename("a/d", "a/e"));
    uint32_t second = EXPECT(a, IN_MOVED_FROM | IN_ISDIR, "d")->cookie;
    CHECK(second != cookie);
    CHECK_EQ(EXPECT(a, IN_MOVED_TO | IN_ISDIR, "e")->cookie, second);
    EXPECT_NONE();
}

CASE(deleting_ends_the_watch)
{
    write_file("f", "");
    int fd = start(), dir = OK(inotify_add_watch(fd, ".", IN_DELETE)), wd = OK(inotify_add_watch(fd, "f", IN_ATTRIB | IN_DELETE_SELF));
    OK(unlink("f"));
    EXPECT(wd, IN_ATTRIB, "");
    EXPECT(wd, IN_DELETE_SELF, "");
    EXPECT(wd, IN_IGNORED, "");
    EXPECT(dir, IN_DELETE, "f");
    EXPECT_NONE();
    CHECK_ERRNO(inotify_rm_watch(fd, wd), EINVAL);
}

CASE(an_open_file_lives_until_it_is_closed)
{
    write_file("f", "");
    int file = OK(open("f", O_RDONLY)), fd = start(), wd = OK(inotify_add_watch(fd, "f", IN_DELETE_SELF));
    OK(unlink("f"));
    EXPECT_NONE();
    OK(close(file));
    EXPECT(wd, IN_DELETE_SELF, "");
    EXPECT(wd, IN_IGNORED, "");
}

CASE(directories)
{
    int fd = start(), wd = OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE));
    OK(mkdir("d", 0755));
    int d = OK(inotify_add_watch(fd, "d", IN_DELETE_SELF));
    OK(rmdir("d"));
    EXPECT(wd, IN_CREATE | IN_ISDIR, "d");
    EXPECT(d, IN_DELETE_SELF, "");
    EXPECT(d, IN_IGNORED, "");
    EXPECT(wd, IN_DELETE | IN_ISDIR, "d");
    OK(symlink("x", "l"));
    EXPECT(wd, IN_CREATE, "l");
    OK(link("l", "m"));
    EXPECT(wd, IN_CREATE, "m");
    EXPECT_NONE();
}

CASE(removing_a_watch)
{
    int fd = start(), wd = OK(inotify_add_watch(fd, ".", IN_CREATE));
    CHECK_EQ(wd, 1);
    OK(inotify_rm_watch(fd, wd));
    EXPECT(wd, IN_IGNORED, "");
    write_file("f", "");
    EXPECT_NONE();
    CHECK_EQ(inotify_add_watch(fd, ".", IN_CREATE), 2);
}

CASE(one_shot)
{
    int fd = start(), wd = OK(inotify_add_watch(fd, ".", IN_CREATE | IN_ONESHOT));
    write_file("f", "");
    write_file("g", "");
    EXPECT(wd, IN_CREATE, "f");
    EXPECT(wd, IN_IGNORED, "");
    EXPECT_NONE();
}

CASE(masks_are_replaced_or_added)
{
    int fd = start(), wd = OK(inotify_add_watch(fd, ".", IN_CREATE));
    CHECK_EQ(inotify_add_watch(fd, ".", IN_DELETE), wd);
    write_file("f", "");
    EXPECT_NONE();
    CHECK_EQ(inotify_add_watch(fd, ".", IN_CREATE | IN_MASK_ADD), wd);
    OK(unlink("f"));
    write_file("f", "");
    EXPECT(wd, IN_DELETE, "f");
    EXPECT(wd, IN_CREATE, "f");
    CHECK_ERRNO(inotify_add_watch(fd, ".", IN_CREATE | IN_MASK_CREATE), EEXIST);
    CHECK_ERRNO(inotify_add_watch(fd, ".", IN_CREATE | IN_MASK_CREATE | IN_MASK_ADD), EINVAL);
}

CASE(equal_events_are_merged)
{
    write_file("f", "");
    int file = OK(open("f", O_WRONLY)), fd = start(), wd = OK(inotify_add_watch(fd, "f", IN_MODIFY));
    for (int i = 0; i < 5; i++) CHECK_EQ(write(file, "x", 1), 1);
    int pending;
    OK(ioctl(fd, FIONREAD, &pending));
    CHECK_EQ(pending, sizeof(struct inotify_event));
    EXPECT(wd, IN_MODIFY, "");
    EXPECT_NONE();
}

CASE(a_buffer_that_is_too_small)
{
    int fd = start();
    OK(inotify_add_watch(fd, ".", IN_CREATE));
    write_file("f", "");
    CHECK_ERRNO(read(fd, buffer, 16), EINVAL);
    CHECK_EQ(read(fd, buffer, 32), 32);
    CHECK_EQ(((struct inotify_event *)buffer)->len, 16);
}

CASE(poll_sees_events)
{
    int fd = start();
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    OK(inotify_add_watch(fd, ".", IN_CREATE));
    CHECK_EQ(poll(&poller, 1, 0), 0);
    write_file("f", "");
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK_EQ(poller.revents, POLLIN);
}

CASE(a_reader_waits)
{
    int fd = OK(inotify_init()), wd = OK(inotify_add_watch(fd, ".", IN_CREATE));
    pid_t pid;
    CHILD(pid) { sleep_ms(50); write_file("f", ""); }
    length = at = 0;
    EXPECT(wd, IN_CREATE, "f");
    CHECK_EQ(wait_for(pid), 0);
}

CASE(unlinked_files_can_be_left_out)
{
    write_file("f", "");
    int file = OK(open("f", O_WRONLY)), fd = start();
    OK(inotify_add_watch(fd, ".", IN_MODIFY | IN_EXCL_UNLINK));
    OK(unlink("f"));
    CHECK_EQ(write(file, "x", 1), 1);
    EXPECT_NONE();
}

CASE(times_are_attributes)
{
    write_file("f", "");
    int fd = start(), wd = OK(inotify_add_watch(fd, "f", IN_ATTRIB));
    OK(utimensat(AT_FDCWD, "f", NULL, 0));
    EXPECT(wd, IN_ATTRIB, "");
}

CASE(errors)
{
    int fd = start(), other = OK(open(".", O_RDONLY));
    write_file("f", "");
    OK(symlink("f", "l"));
    CHECK_ERRNO(inotify_init1(1), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, ".", 0), EINVAL);
    CHECK_ERRNO(inotify_add_watch(-1, ".", IN_CREATE), EBADF);
    CHECK_ERRNO(inotify_add_watch(other, ".", IN_CREATE), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, "missing", IN_CREATE), ENOENT);
    CHECK_ERRNO(inotify_add_watch(fd, "f", IN_CREATE | IN_ONLYDIR), ENOTDIR);
    CHECK_ERRNO(inotify_add_watch(fd, (char *)1, IN_CREATE), EFAULT);
    CHECK_ERRNO(inotify_rm_watch(fd, 99), EINVAL);
    CHECK_ERRNO(inotify_rm_watch(-1, 1), EBADF);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
    int a = OK(inotify_add_watch(fd, "f", IN_MODIFY)), b = OK(inotify_add_watch(fd, "l", IN_MODIFY | IN_DONT_FOLLOW));
    CHECK(a != b);
    CHECK_EQ(inotify_add_watch(fd, "l", IN_MODIFY), a);
}
