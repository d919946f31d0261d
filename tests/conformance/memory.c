/* mmap and its family, brk, the stack, sharing and copying over fork. */
#include "conformance.h"
#include <sys/prctl.h>
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define PAGE 4096ul

static char *map_anonymous(size_t length, int protection)
{
    char *map = mmap(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) FAIL("mmap of %zu bytes, errno=%d", length, errno);
    return map;
}

#define MAP(length) map_anonymous((length), PROT_READ | PROT_WRITE)

static sigjmp_buf jump;
static volatile int fault_signal;
static void on_fault(int signal) { fault_signal = signal; siglongjmp(jump, 1); }

/* The signal that an access ends in; 0: none. */
static int access_signal(volatile char *address, bool write)
{
    struct sigaction action = { .sa_handler = on_fault };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    fault_signal = 0;
    if (sigsetjmp(jump, 1) == 0) {
        char value = *address;
        if (write) *address = value;
    }
    return fault_signal;
}

CASE(anonymous_memory_is_zero)
{
    char *map = MAP(64 * PAGE);
    for (size_t i = 0; i < 64 * PAGE; i++) if (map[i] != 0) FAIL("byte %zu is %d", i, map[i]);
    memset(map, 0xAA, 64 * PAGE);
    OK(munmap(map, 64 * PAGE));
    map = MAP(64 * PAGE);
    for (size_t i = 0; i < 64 * PAGE; i++) if (map[i] != 0) FAIL("byte %zu is %d after reuse", i, map[i]);
}

CASE(mmap_errors)
{
    CHECK_ERRNO(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 5), EINVAL);
    CHECK_ERRNO(mmap((void *)5, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO(mmap(NULL, SIZE_MAX - 100, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO(mmap((void *)(1ul << 47), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
}

CASE(mmap_of_files_checks_the_access_mode)
{
    write_file("f", "text");
    int read_only = OK(open("f", O_RDONLY)), write_only = OK(open("f", O_WRONLY)), directory = OK(open(".", O_RDONLY));
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, read_only, 0), EACCES);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0), EACCES);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0), ENODEV);
    CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, read_only, 0) != MAP_FAILED);
    char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_ERRNO(mprotect(shared, PAGE, PROT_READ | PROT_WRITE), EACCES);
    int path_only = OK(open("f", O_PATH));
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, path_only, 0), EBADF);
    int fds[2];
    OK(pipe(fds));
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0), ENODEV);
}

CASE(map_fixed_replaces_what_was_there)
{
    char *map = MAP(3 * PAGE);
    memset(map, 1, 3 * PAGE);
    CHECK(mmap(map + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map + PAGE);
    CHECK_EQ(map[PAGE - 1], 1);
    CHECK_EQ(map[PAGE], 0);
    CHECK_EQ(map[2 * PAGE], 1);
}

CASE(map_fixed_noreplace)
{
    char *map = MAP(3 * PAGE);
    CHECK_ERRNO(mmap(map + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    OK(munmap(map + PAGE, PAGE));
    CHECK(mmap(map + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == map + PAGE);
}

CASE(a_hint_is_honoured_when_free_and_ignored_when_not)
{
    char *map = MAP(2 * PAGE);
    CHECK(mmap(map, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != map);
    OK(munmap(map, 2 * PAGE));
    CHECK(mmap(map, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == map);
}

CASE(munmap_of_the_middle_leaves_the_rest)
{
    char *map = MAP(5 * PAGE);
    memset(map, 7, 5 * PAGE);
    OK(munmap(map + 2 * PAGE, PAGE));
    CHECK_EQ(map[2 * PAGE - 1], 7);
    CHECK_EQ(map[3 * PAGE], 7);
    CHECK_EQ(access_signal(map + 2 * PAGE, false), SIGSEGV);
    CHECK_EQ(access_signal(map + 3 * PAGE - 1, false), SIGSEGV);
}

CASE(munmap_errors)
{
    char *map = MAP(PAGE);
    CHECK_ERRNO(munmap(map + 1, PAGE), EINVAL);
    CHECK_ERRNO(munmap(map, 0), EINVAL);
    OK(munmap(map, PAGE));
    OK(munmap(map, PAGE));
    CHECK_ERRNO(munmap((void *)(1ul << 47), PAGE), EINVAL);
}

CASE(mprotect_takes_rights_away_and_gives_them_back)
{
    char *map = MAP(3 * PAGE);
    memset(map, 5, 3 * PAGE);
    OK(mprotect(map + PAGE, PAGE, PROT_READ));
    CHECK_EQ(access_signal(map + PAGE, false), 0);
    CHECK_EQ(access_signal(map + PAGE, true), SIGSEGV);
    CHECK_EQ(access_signal(map, true), 0);
    OK(mprotect(map + PAGE, PAGE, PROT_NONE));
    CHECK_EQ(access_signal(map + PAGE, false), SIGSEGV);
    OK(mprotect(map + PAGE, PAGE, PROT_READ | PROT_WRITE));
    CHECK_EQ(map[PAGE + 9], 5);
    CHECK_EQ(access_signal(map + PAGE, true), 0);
}

CASE(mprotect_over_many_mappings)
{
    char *map = MAP(64 * PAGE);
    for (int i = 0; i < 64; i += 2) OK(mprotect(map + (size_t)i * PAGE, PAGE, PROT_READ));
    OK(mprotect(map, 64 * PAGE, PROT_READ));
    for (int i = 0; i < 64; i++) CHECK_EQ(access_signal(map + (size_t)i * PAGE, true), SIGSEGV);
    OK(mprotect(map, 64 * PAGE, PROT_READ | PROT_WRITE));
    for (int i = 0; i < 64; i++) CHECK_EQ(access_signal(map + (size_t)i * PAGE, true), 0);
}

CASE(mprotect_errors)
{
    char *map = MAP(2 * PAGE);
    CHECK_ERRNO(mprotect(map + 1, PAGE, PROT_READ), EINVAL);
    OK(munmap(map + PAGE, PAGE));
    CHECK_ERRNO(mprotect(map, 2 * PAGE, PROT_READ), ENOMEM);
    CHECK_ERRNO(mprotect(map, PAGE, 0x4000000), EINVAL);
    OK(mprotect(map, 0, PROT_READ));
}

CASE(freshly_written_code_can_be_run)
{
    unsigned char code[] = { 0xb8, 0x2a, 0, 0, 0, 0xc3 };
    unsigned char *map = (unsigned char *)MAP(PAGE);
    memcpy(map, code, sizeof code);
    OK(mprotect(map, PAGE, PROT_READ | PROT_EXEC));
    CHECK_EQ(((int (*)(void))(uintptr_t)map)(), 42);
    OK(mprotect(map, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
    map[1] = 43;
    CHECK_EQ(((int (*)(void))(uintptr_t)map)(), 43);
}

CASE(mremap_grows_in_place_or_moves_and_keeps_the_bytes)
{
    char *map = MAP(4 * PAGE);
    for (size_t i = 0; i < 4; i++) map[i * PAGE] = (char)(i + 1);
    char *grown = mremap(map, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED);
    for (size_t i = 0; i < 4; i++) CHECK_EQ(grown[i * PAGE], i + 1);
    CHECK_EQ(grown[399 * PAGE], 0);
    grown[399 * PAGE] = 1;
    char *shrunk = mremap(grown, 400 * PAGE, PAGE, 0);
    CHECK(shrunk == grown);
    CHECK_EQ(access_signal(grown + PAGE, false), SIGSEGV);
    CHECK_EQ(shrunk[0], 1);
}

CASE(mremap_fixed)
{
    char *map = MAP(2 * PAGE), *target = MAP(2 * PAGE);
    map[0] = 1;
    map[PAGE] = 2;
    target[0] = 99;
    CHECK(mremap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
    CHECK(target[0] == 1 && target[PAGE] == 2);
    CHECK_EQ(access_signal(map, false), SIGSEGV);
    CHECK_ERRNO(mremap(target, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), EINVAL);
    CHECK_ERRNO(mremap(target, PAGE, PAGE, MREMAP_FIXED, map), EINVAL);
}

CASE(mremap_errors)
{
    char *map = MAP(2 * PAGE);
    CHECK_ERRNO(mremap(map + 1, PAGE, PAGE, 0), EINVAL);
    CHECK_ERRNO(mremap(map, PAGE, 0, 0), EINVAL);
    CHECK_ERRNO(mremap(map, PAGE, PAGE, 0x100), EINVAL);
    CHECK_ERRNO(mremap(map, PAGE, 2 * PAGE, 0), ENOMEM);
    OK(munmap(map + PAGE, PAGE));
    CHECK_ERRNO(mremap(map + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

CASE(mremap_of_a_shared_file_mapping)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, (off_t)(8 * PAGE)));
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map[0] = 'a';
    map = mremap(map, PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    CHECK(map != MAP_FAILED);
    map[7 * PAGE] = 'h';
    char byte;
    CHECK_EQ(pread(fd, &byte, 1, (off_t)(7 * PAGE)), 1);
    CHECK_EQ(byte, 'h');
    CHECK_EQ(map[0], 'a');
}

CASE(private_memory_is_copied_on_write_after_fork)
{
    char *map = MAP(16 * PAGE);
    for (size_t i = 0; i < 16; i++) map[i * PAGE] = (char)i;
    int fds[2];
    char byte;
    OK(pipe(fds));
    pid_t pid;
    CHILD(pid) {
        CHECK_EQ(read(fds[0], &byte, 1), 1);
        /* Written by the parent after the fork: not seen here. */
        for (size_t i = 0; i < 16; i++) CHECK_EQ(map[i * PAGE], i);
        memset(map, 77, 16 * PAGE);
    }
    memset(map, 55, 8 * PAGE);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(wait_for(pid), 0);
    CHECK_EQ(map[0], 55);
    CHECK_EQ(map[8 * PAGE], 8);
}

CASE(shared_anonymous_memory_is_shared_over_fork)
{
    int *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)shared != MAP_FAILED);
    shared[0] = 1;
    IN_CHILD {
        CHECK_EQ(shared[0], 1);
        shared[0] = 2;
        /* A page that neither had touched. */
        shared[3 * 1024] = 3;
    }
    CHECK_EQ(shared[0], 2);
    CHECK_EQ(shared[3 * 1024], 3);
}

CASE(fork_of_fork_keeps_copies_apart)
{
    char *map = MAP(PAGE);
    map[0] = 1;
    IN_CHILD {
        map[0] = 2;
        IN_CHILD {
            CHECK_EQ(map[0], 2);
            map[0] = 3;
            IN_CHILD { CHECK_EQ(map[0], 3); map[0] = 4; }
            CHECK_EQ(map[0], 3);
        }
        CHECK_EQ(map[0], 2);
    }
    CHECK_EQ(map[0], 1);
}

CASE(the_kernel_writes_into_copied_pages_of_its_own_process_only)
{
    char *map = MAP(PAGE);
    map[0] = 'p';
    int fds[2];
    OK(pipe(fds));
    CHECK_EQ(write(fds[1], "k", 1), 1);
    IN_CHILD {
        CHECK_EQ(read(fds[0], map, 1), 1);
        CHECK_EQ(map[0], 'k');
    }
    CHECK_EQ(map[0], 'p');
}

CASE(madvise_dontneed_gives_zero_pages)
{
    char *map = MAP(4 * PAGE);
    memset(map, 9, 4 * PAGE);
    OK(madvise(map + PAGE, 2 * PAGE, MADV_DONTNEED));
    CHECK_EQ(map[0], 9);
    CHECK_EQ(map[PAGE], 0);
    CHECK_EQ(map[3 * PAGE - 1], 0);
    CHECK_EQ(map[3 * PAGE], 9);
    map[PAGE] = 1;
    CHECK_EQ(map[PAGE], 1);
}

CASE(madvise_dontneed_of_a_private_file_mapping_gives_the_file_again)
{
    write_file("f", "file text");
    int fd = OK(open("f", O_RDONLY));
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    map[0] = 'F';
    OK(madvise(map, PAGE, MADV_DONTNEED));
    CHECK_EQ(map[0], 'f');
}

CASE(madvise_wipeonfork)
{
    char *map = MAP(2 * PAGE);
    map[0] = map[PAGE] = 1;
    OK(madvise(map, PAGE, MADV_WIPEONFORK));
    IN_CHILD { CHECK_EQ(map[0], 0); CHECK_EQ(map[PAGE], 1); }
    CHECK_EQ(map[0], 1);
    OK(madvise(map, PAGE, MADV_KEEPONFORK));
    IN_CHILD { CHECK_EQ(map[0], 1); }
}

CASE(madvise_dontfork)
{
    char *map = MAP(PAGE);
    OK(madvise(map, PAGE, MADV_DONTFORK));
    IN_CHILD { CHECK_EQ(access_signal(map, false), SIGSEGV); }
    CHECK_EQ(access_signal(map, false), 0);
}

CASE(madvise_errors_and_hints)
{
    char *map = MAP(2 * PAGE);
    OK(madvise(map, 2 * PAGE, MADV_WILLNEED));
    OK(madvise(map, 2 * PAGE, MADV_SEQUENTIAL));
    OK(madvise(map, 2 * PAGE, MADV_NORMAL));
    map[0] = 1;
    OK(madvise(map, PAGE, MADV_FREE));
    CHECK(map[0] == 0 || map[0] == 1);
    CHECK_ERRNO(madvise(map + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_ERRNO(madvise(map, PAGE, 12345), EINVAL);
    OK(munmap(map + PAGE, PAGE));
    CHECK_ERRNO(madvise(map, 2 * PAGE, MADV_DONTNEED), ENOMEM);
}

CASE(madvise_populate)
{
    char *map = MAP(512 * PAGE);
    unsigned char present[512];
    OK(madvise(map, 4 * PAGE, 23 /* MADV_POPULATE_WRITE */));
    OK(mincore(map, 512 * PAGE, present));
    for (int i = 0; i < 4; i++) CHECK_EQ(present[i] & 1, 1);
}

CASE(brk_grows_and_shrinks)
{
    char *start = sbrk(0);
    CHECK(sbrk(3 * (long)PAGE) == start);
    memset(start, 1, 3 * PAGE);
    CHECK(sbrk(0) == start + 3 * PAGE);
    OK(brk(start + PAGE));
    CHECK(sbrk(0) == start + PAGE);
    OK(brk(start + 3 * PAGE));
    char *page = (char *)(((uintptr_t)start + 2 * PAGE) & ~(PAGE - 1));
    CHECK_EQ(*page, 0);
    /* The system call gives back the old break when it cannot move it. */
    CHECK_EQ(syscall(SYS_brk, 0), (long)(start + 3 * PAGE));
    CHECK_EQ(syscall(SYS_brk, 1), (long)(start + 3 * PAGE));
}

CASE(brk_is_limited_by_rlimit_data)
{
    char *start = sbrk(0);
    struct rlimit limit = { 1 << 20, 1 << 20 };
    OK(setrlimit(RLIMIT_DATA, &limit));
    CHECK_ERRNO(brk(start + (64 << 20)), ENOMEM);
}

CASE(address_space_limit)
{
    struct rlimit limit = { 256 << 20, 256 << 20 };
    OK(setrlimit(RLIMIT_AS, &limit));
    CHECK_ERRNO(mmap(NULL, 512 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);
    OK(munmap(MAP(1 << 20), 1 << 20));
    CHECK(malloc(1ul << 30) == NULL);
}

CASE(a_big_sparse_reservation_costs_nothing)
{
    size_t size = 64ul << 30;
    char *map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(map != MAP_FAILED);
    OK(mprotect(map + (32ul << 30), PAGE, PROT_READ | PROT_WRITE));
    map[32ul << 30] = 1;
    CHECK_EQ(map[32ul << 30], 1);
    OK(munmap(map, size));
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(map != MAP_FAILED);
    for (size_t i = 0; i < 64; i++) map[i << 30] = (char)i;
    for (size_t i = 0; i < 64; i++) CHECK_EQ(map[i << 30], i);
    OK(munmap(map, size));
}

static int deep(int level)
{
    volatile char frame[8192];
    memset((char *)frame, level, sizeof frame);
    if (level > 500) return frame[100];
    return deep(level + 1) + frame[0] - frame[8191];
}

CASE(the_stack_grows_by_itself)
{
    CHECK_EQ(deep(1), (char)501);
}

CASE(the_stack_limit_is_obeyed)
{
    IN_CHILD {
        struct rlimit limit;
        OK(getrlimit(RLIMIT_STACK, &limit));
        CHECK(limit.rlim_cur >= (1 << 20));
    }
    pid_t pid;
    CHILD(pid) {
        struct rlimit limit = { 512 << 10, 512 << 10 };
        OK(setrlimit(RLIMIT_STACK, &limit));
        deep(1);
    }
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
}

CASE(a_growing_mapping)
{
    char *area = MAP(64 * PAGE);
    OK(munmap(area, 64 * PAGE));
    char *map = mmap(area + 60 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    CHECK(map != MAP_FAILED);
    map[0] = 1;
    map[-1] = 2;
    map[-(long)PAGE - 1] = 3;
    CHECK(map[-1] == 2 && map[-(long)PAGE - 1] == 3);
}

CASE(a_private_file_mapping_does_not_change_the_file)
{
    write_file("f", "original");
    int fd = OK(open("f", O_RDWR));
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED);
    close(fd);
    CHECK(memcmp(map, "original", 8) == 0);
    CHECK_EQ(map[8], 0);
    memcpy(map, "changed!", 8);
    CHECK_STR(read_file("f"), "original");
}

CASE(a_shared_file_mapping_and_write_see_each_other)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, (off_t)(2 * PAGE)));
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK_EQ(pwrite(fd, "by write", 8, 100), 8);
    CHECK(memcmp(map + 100, "by write", 8) == 0);
    memcpy(map + PAGE, "by store", 8);
    char text[9] = "";
    CHECK_EQ(pread(fd, text, 8, (off_t)PAGE), 8);
    CHECK_STR(text, "by store");
}

CASE(two_mappings_of_one_file_are_the_same_memory)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, (off_t)PAGE));
    char *one = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *two = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    one[10] = 'x';
    CHECK_EQ(two[10], 'x');
    IN_CHILD { one[11] = 'y'; }
    CHECK_EQ(two[11], 'y');
}

CASE(an_untouched_private_mapping_sees_later_writes_to_the_file)
{
    write_file("f", "old");
    int fd = OK(open("f", O_RDWR));
    char *map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK_EQ(map[0], 'o');
    CHECK_EQ(pwrite(fd, "new", 3, 0), 3);
    CHECK_EQ(map[0], 'n');
}

CASE(a_mapping_at_an_offset)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, (off_t)(4 * PAGE)));
    CHECK_EQ(pwrite(fd, "third", 5, (off_t)(2 * PAGE)), 5);
    char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)(2 * PAGE));
    CHECK(memcmp(map, "third", 5) == 0);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 512), EINVAL);
}

CASE(the_rest_of_the_last_page_reads_as_zero)
{
    write_file("f", "12345");
    int fd = OK(open("f", O_RDWR));
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (size_t i = 5; i < PAGE; i++) CHECK_EQ(map[i], 0);
    map[100] = 'x';
    struct stat status;
    OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 5);
}

CASE(a_mapping_outlives_the_name_of_its_file)
{
    write_file("f", "still here");
    int fd = OK(open("f", O_RDWR));
    char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    OK(unlink("f"));
    close(fd);
    CHECK(memcmp(map, "still here", 10) == 0);
}

CASE(a_zero_page_that_was_read_can_be_written)
{
    char *map = MAP(8 * PAGE);
    int sum = 0;
    for (size_t i = 0; i < 8; i++) sum += map[i * PAGE];
    CHECK_EQ(sum, 0);
    for (size_t i = 0; i < 8; i++) map[i * PAGE] = (char)(i + 1);
    for (size_t i = 0; i < 8; i++) CHECK_EQ(map[i * PAGE], i + 1);
}

CASE(mincore_tells_what_is_present)
{
    /* Neighbours of a touched page may be present as well. */
    char *map = MAP(512 * PAGE);
    unsigned char present[512];
    map[PAGE] = 1;
    OK(mincore(map, 512 * PAGE, present));
    CHECK_EQ(present[1] & 1, 1);
    if ((present[300] & 1) != 0 && (present[511] & 1) != 0) SKIP("all of it was made one huge page");
    CHECK_EQ(present[300] & 1, 0);
    CHECK_ERRNO(mincore(map + 1, PAGE, present), EINVAL);
    OK(munmap(map + 2 * PAGE, PAGE));
    CHECK_ERRNO(mincore(map, 4 * PAGE, present), ENOMEM);
    CHECK_ERRNO(mincore(map, PAGE, (unsigned char *)8), EFAULT);
}

CASE(msync_flags)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, (off_t)PAGE));
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map[0] = 1;
    OK(msync(map, PAGE, MS_SYNC));
    OK(msync(map, PAGE, MS_ASYNC));
    CHECK_ERRNO(msync(map, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERRNO(msync(map + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_ERRNO(msync(map, PAGE, 0x100), EINVAL);
    OK(munmap(map, 2 * PAGE));
    CHECK_ERRNO(msync(map, PAGE, MS_SYNC), ENOMEM);
}

CASE(mlock_and_munlock)
{
    char *map = MAP(4 * PAGE);
    OK(mlock(map, 2 * PAGE));
    unsigned char present[4];
    OK(mincore(map, 4 * PAGE, present));
    CHECK(present[0] & present[1] & 1);
    OK(munlock(map, 2 * PAGE));
    CHECK_ERRNO(mlock((void *)(1ul << 46), PAGE), ENOMEM);
}

CASE(system_calls_check_user_pointers)
{
    int fd = OK(open("/dev/zero", O_RDWR)), fds[2];
    char *map = MAP(2 * PAGE);
    OK(pipe(fds));
    OK(mprotect(map + PAGE, PAGE, PROT_NONE));
    CHECK_ERRNO(read(fd, (void *)8, 10), EFAULT);
    CHECK_ERRNO(read(fd, map + PAGE, 10), EFAULT);
    CHECK_ERRNO(write(fds[1], map + PAGE, 10), EFAULT);
    CHECK_ERRNO(read(fd, (void *)0xffffffff80000000, 10), EFAULT);
    CHECK_ERRNO(pipe((int *)8), EFAULT);
    CHECK_ERRNO(stat("/", (struct stat *)(map + PAGE)), EFAULT);
    CHECK_ERRNO(open((char *)(map + PAGE), O_RDONLY), EFAULT);
    OK(mprotect(map + PAGE, PAGE, PROT_READ));
    CHECK_ERRNO(read(fd, map + PAGE, 10), EFAULT);
}

CASE(a_string_may_end_at_the_end_of_a_mapping)
{
    char *map = MAP(2 * PAGE);
    OK(munmap(map + PAGE, PAGE));
    memcpy(map + PAGE - 2, "/", 2);
    struct stat status;
    OK(stat(map + PAGE - 2, &status));
    map[PAGE - 1] = 'x';
    CHECK_ERRNO(stat(map + PAGE - 2, &status), EFAULT);
}

CASE(a_transfer_that_hits_a_bad_page_is_partial)
{
    char *map = MAP(2 * PAGE);
    OK(munmap(map + PAGE, PAGE));
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, (off_t)(2 * PAGE)));
    ssize_t got = read(fd, map, 2 * PAGE);
    CHECK_EQ(got, PAGE);
}

CASE(many_small_mappings)
{
    enum { count = 300 };
    char *maps[count];
    for (int i = 0; i < count; i++) {
        maps[i] = map_anonymous(2 * PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
        if (i % 2 == 0) maps[i][0] = (char)i;
    }
    for (int i = 0; i < count; i += 3) OK(munmap(maps[i], 2 * PAGE));
    for (int i = 0; i < count; i++) if (i % 3 != 0 && i % 2 == 0) CHECK_EQ(maps[i][0], (char)i);
}

CASE(malloc_of_many_sizes)
{
    enum { count = 400 };
    static unsigned char *blocks[count];
    unsigned seed = 1;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < count; i++) {
            seed = seed * 1103515245 + 12345;
            size_t size = 16 + (seed >> 8) % (i % 20 == 0 ? 300000 : 3000);
            free(blocks[i]);
            blocks[i] = malloc(size);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], i, size);
        }
        for (int i = 0; i < count; i++) CHECK_EQ(blocks[i][7], i & 0xFF);
    }
}

CASE(process_vm_readv_reads_a_child)
{
    char *map = MAP(PAGE);
    strcpy(map, "parent");
    int fds[2], back[2];
    char byte;
    OK(pipe(fds));
    OK(pipe(back));
    pid_t pid;
    CHILD(pid) { strcpy(map, "child!"); CHECK_EQ(write(back[1], "x", 1), 1); CHECK_EQ(read(fds[0], &byte, 1), 1); CHECK_STR(map, "CHild!"); }
    CHECK_EQ(read(back[0], &byte, 1), 1);
    char text[16] = "";
    struct iovec local = { text, 6 }, remote = { map, 6 };
    CHECK_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), 6);
    CHECK_STR(text, "child!");
    local = (struct iovec) { "CH", 2 };
    remote.iov_len = 2;
    CHECK_EQ(process_vm_writev(pid, &local, 1, &remote, 1, 0), 2);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(wait_for(pid), 0);
    CHECK_ERRNO(process_vm_readv(0x3fffffff, &local, 1, &remote, 1, 0), ESRCH);
}

CASE(memfd_is_a_file_in_memory)
{
    int fd = OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    CHECK_EQ(write(fd, "hello", 5), 5);
    char text[6] = "";
    CHECK_EQ(pread(fd, text, 5, 0), 5);
    CHECK_STR(text, "hello");
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    map[0] = 'j';
    CHECK_EQ(pread(fd, text, 5, 0), 5);
    CHECK_STR(text, "jello");
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    char link[64], path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = OK(readlink(path, link, sizeof link - 1));
    link[length] = 0;
    CHECK_STR(link, "/memfd:name (deleted)");
    CHECK_ERRNO(memfd_create("x", 0x8000), EINVAL);
}

CASE(memfd_seals)
{
    int fd = OK(memfd_create("sealed", MFD_ALLOW_SEALING));
    OK(ftruncate(fd, 100));
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
    OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    CHECK_ERRNO(ftruncate(fd, 50), EPERM);
    CHECK_ERRNO(ftruncate(fd, 200), EPERM);
    CHECK_EQ(pwrite(fd, "x", 1, 5), 1);
    OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    CHECK_ERRNO(pwrite(fd, "x", 1, 5), EPERM);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    int plain = OK(memfd_create("plain", 0));
    CHECK_ERRNO(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}

CASE(dev_zero_can_be_mapped)
{
    int fd = OK(open("/dev/zero", O_RDWR));
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK_EQ(map[0], 0);
    map[0] = 1;
    CHECK_EQ(map[0], 1);
}

CASE(a_growing_mapping_stops_at_its_neighbour)
{
    char *area = MAP(1024 * PAGE);
    OK(munmap(area + PAGE, 1023 * PAGE));
    char *map = mmap(area + 600 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    CHECK(map != MAP_FAILED);
    map[-(long)(100 * PAGE)] = 1;
    CHECK_EQ(map[-(long)(100 * PAGE)], 1);
    /* 256 pages stay free above what lies below. */
    pid_t pid;
    CHILD(pid) area[200 * PAGE] = 1;
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
    int pipe_ends[2];
    OK(pipe(pipe_ends));
    CHECK_EQ(write(pipe_ends[1], "abc", 3), 3);
    /* The kernel's own accesses let it grow, too. */
    CHECK_EQ(read(pipe_ends[0], map - 200 * PAGE, 3), 3);
    CHECK(memcmp(map - 200 * PAGE, "abc", 3) == 0);
}

CASE(mprotect_from_the_start_of_a_growing_mapping)
{
    char *area = MAP(64 * PAGE);
    CHECK_ERRNO(mprotect(area, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
    OK(munmap(area, 64 * PAGE));
    char *map = mmap(area + 60 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    CHECK(map != MAP_FAILED);
    OK(mprotect(map + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
    pid_t pid;
    CHILD(pid) map[0] = 1;
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
    CHECK_ERRNO(mprotect(map, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
}

CASE(names_of_anonymous_memory)
{
    char *map = MAP(4 * PAGE);
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map + PAGE, 2 * PAGE, "pool one") != 0 && errno == EINVAL && !in_ramet()) return;
    char line[512], start[64];
    snprintf(start, sizeof start, "%lx-%lx ", (unsigned long)(map + PAGE), (unsigned long)(map + 3 * PAGE));
    FILE *maps = fopen("/proc/self/maps", "r");
    bool found = false;
    while (fgets(line, sizeof line, maps)) if (strncmp(line, start, strlen(start)) == 0) found = strstr(line, "[anon:pool one]") != NULL;
    fclose(maps);
    CHECK(found);
    CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map + 1, PAGE, "x"), EINVAL);
    CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map, PAGE, "a[b"), EINVAL);
    CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map, PAGE, 8), EFAULT);
    CHECK_ERRNO(prctl(PR_SET_VMA, 5, map, PAGE, "x"), EINVAL);
    char name[100];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map, PAGE, name), EINVAL);
    OK(munmap(map + 3 * PAGE, PAGE));
    CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map, 4 * PAGE, "all"), ENOMEM);
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, (off_t)PAGE));
    void *file = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED);
    CHECK_ERRNO(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, file, PAGE, "x"), EBADF);
    OK(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map, 2 * PAGE, NULL));
}

CASE(huge_and_empty_mappings_are_quick)
{
    /* Page by page it would take minutes: the time limit of a case is enough to tell. */
    const size_t size = 64UL << 40;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) SKIP("no mapping of this size here");
    map[0] = 1;
    map[size / 2] = 2;
    map[size - 1] = 3;
    for (int i = 0; i < 10; i++) IN_CHILD CHECK_EQ(map[0] + map[size / 2] + map[size - 1], 6);
    OK(mprotect(map, size, PROT_READ));
    CHECK_EQ(map[0] + map[size / 2] + map[size - 1], 6);
    OK(madvise(map, size, MADV_DONTNEED));
    CHECK_EQ(map[0] + map[size / 2] + map[size - 1], 0);
    OK(munmap(map, size));
}

CASE(a_private_mapping_shows_what_others_write_to_the_file_until_its_own_first_write)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    char page[PAGE];
    memset(page, 'a', PAGE);
    CHECK_EQ(write(fd, page, PAGE), (ssize_t)PAGE);
    CHECK_EQ(write(fd, page, PAGE), (ssize_t)PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK_EQ(map[0] + map[PAGE], 'a' + 'a');
    map[PAGE] = 'p';
    CHECK_EQ(pwrite(fd, "bb", 2, 0), 2);
    CHECK_EQ(pwrite(fd, "bb", 2, (off_t)PAGE), 2);
    CHECK_EQ(map[0], 'b');
    CHECK_EQ(map[PAGE], 'p');
    CHECK_EQ(map[PAGE + 1], 'a');
}
