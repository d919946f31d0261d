// Loads the vDSO behind a vvar page that a file holds, as a program's C library would, and calls its functions.
// Usage: vdso-test VDSO VVAR; prints one line per fact for the test to check.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct timespec) == 16 && offsetof(struct timespec, tv_nsec) == 8, "LP64");
_Static_assert(sizeof(struct timeval) == 16 && offsetof(struct timeval, tv_usec) == 8, "LP64");
_Static_assert(sizeof(time_t) == 8 && sizeof(struct timezone) == 8, "LP64");

static char *base;

// Looks a symbol up by the System V hash, as musl does.
static void *symbol(const char *name) {
    Elf64_Ehdr *header = (void *)base;
    Elf64_Phdr *segment = (void *)(base + header->e_phoff);
    Elf64_Dyn *dynamic = 0;
    for (int i = 0; i < header->e_phnum; i++) if (segment[i].p_type == PT_DYNAMIC) dynamic = (void *)(base + segment[i].p_vaddr);
    Elf64_Sym *symbols = 0; char *strings = 0; uint32_t *hash = 0;
    for (; dynamic->d_tag; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB) symbols = (void *)(base + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) strings = base + dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_HASH) hash = (void *)(base + dynamic->d_un.d_ptr);
    }
    for (uint32_t i = 0; i < hash[1]; i++) if (!strcmp(strings + symbols[i].st_name, name)) return base + symbols[i].st_value;
    fprintf(stderr, "no symbol %s\n", name);
    exit(2);
}

static volatile uint32_t *sequence;

static void *release(void *unused) {
    usleep(50000);
    __sync_synchronize();
    *sequence += 1;
    return unused;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    base = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int vvar = open(argv[2], O_RDONLY), vdso = open(argv[1], O_RDONLY);
    if (read(vvar, base, 4096) != 4096 || read(vdso, base + 4096, 4096) <= 0) return 2;
    sequence = (void *)base;
    base += 4096;
    if (mprotect(base, 4096, PROT_READ | PROT_EXEC)) return 2;

    int (*gettime)(clockid_t, struct timespec *) = symbol("__vdso_clock_gettime");
    int (*getres)(clockid_t, struct timespec *) = symbol("__vdso_clock_getres");
    int (*timeofday)(struct timeval *, struct timezone *) = symbol("__vdso_gettimeofday");
    time_t (*seconds)(time_t *) = symbol("__vdso_time");
    int (*cpu)(unsigned *, unsigned *, void *) = symbol("__vdso_getcpu");

    for (int clock = -6; clock < 13; clock++) {
        struct timespec t = {-1, -1}, k = {-1, -1}, r = {-1, -1};
        int e = gettime(clock, &t);
        long ke = syscall(SYS_clock_gettime, clock, &k);
        int re = getres(clock, &r);
        if (ke < 0 && e >= 0) ke = 0;
        printf("clock %d %d %ld.%09ld %d %ld.%09ld kernel %d %ld.%09ld\n", clock, e < 0 ? -1 : e, t.tv_sec, t.tv_nsec, re < 0 ? -1 : re, r.tv_sec, r.tv_nsec, (int)ke, k.tv_sec, k.tv_nsec);
    }
    struct timeval v = {-1, -1}; struct timezone z = {-1, -1};
    printf("timeofday %d", timeofday(&v, &z));
    printf(" %ld.%06ld %d %d %d\n", (long)v.tv_sec, (long)v.tv_usec, z.tz_minuteswest, z.tz_dsttime, timeofday(0, 0));
    time_t t = -1, u = seconds(&t);
    printf("time %ld %ld %ld\n", (long)t, (long)u, (long)seconds(0));
    unsigned c = -1, n = -1;
    int e = cpu(&c, &n, 0);
    printf("cpu %d %d\n", e, c < 4096 && n < 4096);

    struct timespec last = {0, 0}, now;
    int back = 0;
    for (int i = 0; i < 1000000; i++) {
        gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec)) back++;
        last = now;
    }
    printf("back %d\n", back);

    // The same sum, with the compiler's own arithmetic, around the call.
    uint64_t tsc = *(uint64_t *)((char *)sequence + 8);
    unsigned multiplier = sequence[4], shift = sequence[5];
    uint64_t low = __builtin_ia32_rdtsc();
    gettime(CLOCK_MONOTONIC, &now);
    uint64_t high = __builtin_ia32_rdtsc(), got = now.tv_sec * 1000000000ull + now.tv_nsec, monotonic = *(uint64_t *)((char *)sequence + 24);
    low = low < tsc ? 0 : (uint64_t)((unsigned __int128)(low - tsc) * multiplier >> shift);
    high = high < tsc ? 0 : (uint64_t)((unsigned __int128)(high - tsc) * multiplier >> shift);
    printf("scaled %d\n", got >= monotonic + low && got <= monotonic + high);

    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC_RAW, &a); gettime(CLOCK_MONOTONIC, &last);
    usleep(200000);
    clock_gettime(CLOCK_MONOTONIC_RAW, &b); gettime(CLOCK_MONOTONIC, &now);
    printf("pace %.6f\n", ((now.tv_sec - last.tv_sec) * 1e9 + now.tv_nsec - last.tv_nsec) / ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec));

    // A writer is at work: the reader waits for it.
    *sequence += 1;
    pthread_t thread;
    pthread_create(&thread, 0, release, 0);
    clock_gettime(CLOCK_MONOTONIC, &a);
    gettime(CLOCK_MONOTONIC, &now);
    clock_gettime(CLOCK_MONOTONIC, &b);
    pthread_join(thread, 0);
    printf("waited %ld\n", (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);

    // The dynamic linker accepts it, versions included.
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    printf("dlvsym %d %d\n", library && dlvsym(library, "__vdso_time", "LINUX_2.6"), library && dlvsym(library, "__vdso_time", "LINUX_2.7"));
    return 0;
}
