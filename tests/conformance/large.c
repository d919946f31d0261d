/* Mappings of a program of several MiB: an implementation may use large pages for it, which nothing must show. */
#include "conformance.h"
#include <glob.h>
#include <setjmp.h>

#define PAGE 4096ul
#define LARGE (2ul << 20)

static sigjmp_buf jump;
static void on_fault(int signal) { siglongjmp(jump, signal); }

static int touch(volatile char *address, bool write)
{
    struct sigaction action = { .sa_handler = on_fault };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    int signal = sigsetjmp(jump, 1);
    if (signal == 0) {
        char value = *address;
        if (write) *address = (char)(value + 1);
    }
    return signal;
}

static size_t length;

/* A program of at least 4 MiB, and its length in whole pages. */
static int open_program(void)
{
    glob_t found;
    int fd = -1;
    if (glob("/usr/bin/python3.*", 0, NULL, &found) != 0) SKIP("no program of 4 MiB here");
    for (size_t i = 0; i < found.gl_pathc && fd < 0; i++) {
        struct stat status;
        fd = open(found.gl_pathv[i], O_RDONLY);
        if (fd >= 0 && fstat(fd, &status) == 0 && (size_t)status.st_size >= 2 * LARGE + PAGE) length = (size_t)status.st_size & ~(PAGE - 1);
        else if (fd >= 0) close(fd), fd = -1;
    }
    if (fd < 0) SKIP("no program of 4 MiB here");
    return fd;
}

static char *map_program(int fd, int protection)
{
    char *map = mmap(NULL, length, protection, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) FAIL("mmap, errno=%d", errno);
    return map;
}

static void check_page(int fd, const char *map, size_t offset)
{
    char page[PAGE];
    CHECK_EQ(pread(fd, page, PAGE, (off_t)offset), (ssize_t)PAGE);
    if (memcmp(page, map + offset, PAGE) != 0) FAIL("the page at %#zx differs from the file", offset);
}

static void check_all(int fd, const char *map)
{
    for (size_t offset = 0; offset < length; offset += PAGE) check_page(fd, map, offset);
}

/* The first page that begins 2 MiB of the mapping: inside, all addresses around it are mapped. */
static size_t inside(const char *map) { return (((uintptr_t)map + LARGE - 1) & ~(LARGE - 1)) - (uintptr_t)map + 17 * PAGE; }

CASE(a_mapped_program_shows_its_bytes)
{
    int fd = open_program();
    char *map = map_program(fd, PROT_READ);
    check_all(fd, map);
    CHECK_EQ(touch(map + inside(map), true), SIGSEGV);
    check_all(fd, map);
    OK(munmap(map, length));
    CHECK_EQ(touch(map + inside(map), false), SIGSEGV);
}

CASE(one_page_of_a_mapped_program_can_be_written)
{
    int fd = open_program();
    char *map = map_program(fd, PROT_READ);
    check_all(fd, map);
    size_t at = inside(map);
    OK(mprotect(map + at, PAGE, PROT_READ | PROT_WRITE));
    memset(map + at, 0x5A, PAGE);
    CHECK_EQ(touch(map + at - PAGE, true), SIGSEGV);
    CHECK_EQ(touch(map + at + PAGE, true), SIGSEGV);
    for (size_t i = 0; i < PAGE; i++) CHECK_EQ(map[at + i], 0x5A);
    for (size_t offset = 0; offset < length; offset += PAGE) if (offset != at) check_page(fd, map, offset);
    OK(mprotect(map + at, PAGE, PROT_READ));
    CHECK_EQ(touch(map + at, true), SIGSEGV);
    CHECK_EQ(map[at], 0x5A);
    OK(madvise(map + at, PAGE, MADV_DONTNEED));
    check_all(fd, map);
}

CASE(one_page_of_a_mapped_program_can_be_unmapped_or_replaced)
{
    int fd = open_program();
    char *map = map_program(fd, PROT_READ);
    check_all(fd, map);
    size_t at = inside(map);
    OK(munmap(map + at, PAGE));
    CHECK_EQ(touch(map + at, false), SIGSEGV);
    check_page(fd, map, at - PAGE);
    check_page(fd, map, at + PAGE);
    char *other = mmap(map + at + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(other == map + at + 2 * PAGE);
    CHECK_EQ(other[0], 0);
    other[0] = 7;
    CHECK_EQ(other[0], 7);
    check_page(fd, map, at + PAGE);
    check_page(fd, map, at + 3 * PAGE);
    OK(mprotect(map + at + 4 * PAGE, PAGE, PROT_NONE));
    CHECK_EQ(touch(map + at + 4 * PAGE, false), SIGSEGV);
    OK(mprotect(map + at + 4 * PAGE, PAGE, PROT_READ));
    check_page(fd, map, at + 4 * PAGE);
}

CASE(a_child_changes_its_own_mapping_of_a_program_only)
{
    int fd = open_program();
    char *map = map_program(fd, PROT_READ);
    check_all(fd, map);
    size_t at = inside(map);
    IN_CHILD {
        check_all(fd, map);
        OK(mprotect(map + at, PAGE, PROT_READ | PROT_WRITE));
        memset(map + at, 1, PAGE);
        CHECK_EQ(map[at], 1);
        OK(munmap(map + at + PAGE, LARGE));
        check_page(fd, map, at - PAGE);
    }
    check_all(fd, map);
    OK(munmap(map + at, PAGE));
    IN_CHILD {
        CHECK_EQ(touch(map + at, false), SIGSEGV);
        check_page(fd, map, at + PAGE);
    }
}

CASE(a_part_of_a_mapped_program_can_be_moved)
{
    int fd = open_program();
    char *map = map_program(fd, PROT_READ);
    check_all(fd, map);
    size_t at = inside(map);
    char *place = mmap(NULL, LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(place != MAP_FAILED);
    CHECK(mremap(map + at, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
    for (size_t i = 0; i < 8; i++) {
        char page[PAGE];
        CHECK_EQ(pread(fd, page, PAGE, (off_t)(at + i * PAGE)), (ssize_t)PAGE);
        CHECK(memcmp(page, place + i * PAGE, PAGE) == 0);
        CHECK_EQ(touch(map + at + i * PAGE, false), SIGSEGV);
    }
    check_page(fd, map, at - PAGE);
    check_page(fd, map, at + 8 * PAGE);
}

CASE(a_mapped_program_can_be_written_to_a_file)
{
    int fd = open_program();
    char *map = map_program(fd, PROT_READ | PROT_EXEC);
    int copy = OK(open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600));
    CHECK_EQ(write(copy, map, length), (ssize_t)length);
    char *second = map_program(copy, PROT_READ);
    CHECK(memcmp(map, second, length) == 0);
    char letter = 'x';
    CHECK_EQ(pwrite(copy, &letter, 1, (off_t)inside(map)), 1);
    CHECK_EQ(second[inside(map)], 'x');
}
