/* Faults of the processor as signals: which one, si_code, si_addr, and going on afterwards. */
#include "conformance.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf jump;
static siginfo_t info;
static int number;
static int64_t trap_number, error_code, fault_address, fault_ip;

static void on_fault(int signal, siginfo_t *seen, void *context)
{
    ucontext_t *user = context;
    number = signal;
    info = *seen;
    trap_number = user->uc_mcontext.gregs[REG_TRAPNO];
    error_code = user->uc_mcontext.gregs[REG_ERR];
    fault_address = user->uc_mcontext.gregs[REG_CR2];
    fault_ip = user->uc_mcontext.gregs[REG_RIP];
    siglongjmp(jump, 1);
}

static void catch_faults(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) OK(sigaction(signals[i], &action, NULL));
}

/* Runs a statement that must fault. */
#define FAULT(...) do { \
    catch_faults(); number = 0; \
    if (sigsetjmp(jump, 1) == 0) { __VA_ARGS__; FAIL("no fault: %s", #__VA_ARGS__); } } while (0)

static volatile int sink;

CASE(read_of_an_unmapped_address)
{
    volatile int *bad = (int *)0x10;
    FAULT(sink = *bad);
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_MAPERR);
    CHECK(info.si_addr == (void *)0x10);
    CHECK_EQ(trap_number, 14);
    CHECK_EQ(error_code, 4);
    CHECK_EQ(fault_address, 0x10);
}

CASE(write_to_an_unmapped_address)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OK(munmap(page, 4096));
    FAULT(*(volatile char *)(page + 123) = 1);
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_MAPERR);
    CHECK(info.si_addr == page + 123);
    CHECK_EQ(error_code, 6);
}

CASE(write_to_a_read_only_page)
{
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sink = *(volatile char *)page;
    FAULT(*(volatile char *)(page + 5) = 1);
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_ACCERR);
    CHECK(info.si_addr == page + 5);
    CHECK_EQ(error_code, 7);
}

CASE(read_of_a_prot_none_page)
{
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FAULT(sink = *(volatile char *)(page + 9));
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_ACCERR);
    CHECK(info.si_addr == page + 9);
}

CASE(write_to_program_text)
{
    volatile char *text = (volatile char *)(uintptr_t)on_fault;
    FAULT(*text = 1);
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_ACCERR);
}

CASE(write_to_a_string_constant)
{
    static const char *const volatile text = "constant";
    FAULT(*(volatile char *)(uintptr_t)text = 1);
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_ACCERR);
}

CASE(jump_to_address_zero)
{
    void (*volatile function)(void) = NULL;
    FAULT(function());
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_MAPERR);
    CHECK(info.si_addr == NULL);
    CHECK_EQ(fault_ip, 0);
}

CASE(jump_into_data_that_is_not_executable)
{
    static unsigned char code[] = { 0xc3 };
    void (*volatile function)(void) = (void (*)(void))(uintptr_t)code;
    FAULT(function());
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SEGV_ACCERR);
    CHECK(info.si_addr == code);
    CHECK_EQ(error_code & 16, 16);
}

CASE(a_non_canonical_address_is_a_general_protection_fault)
{
    volatile char *bad = (char *)0x8000000000000000;
    FAULT(sink = *bad);
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SI_KERNEL);
    CHECK(info.si_addr == NULL);
    CHECK_EQ(trap_number, 13);
}

CASE(a_kernel_address_cannot_be_read)
{
    volatile char *bad = (char *)0xffffffff81000000;
    FAULT(sink = *bad);
    CHECK_EQ(number, SIGSEGV);
}

CASE(privileged_instructions)
{
    FAULT(__asm__ volatile("hlt"));
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SI_KERNEL);
    FAULT(__asm__ volatile("cli"));
    CHECK_EQ(number, SIGSEGV);
    FAULT(__asm__ volatile("mov %%cr3, %%rax" ::: "rax"));
    CHECK_EQ(number, SIGSEGV);
    FAULT(__asm__ volatile("outb %%al, $0x21" ::: "rax"));
    CHECK_EQ(number, SIGSEGV);
}

CASE(integer_division_by_zero)
{
    volatile int zero = 0, one = 1;
    FAULT(sink = one / zero);
    CHECK_EQ(number, SIGFPE);
    CHECK_EQ(info.si_code, FPE_INTDIV);
    CHECK((int64_t)(intptr_t)info.si_addr == fault_ip);
    CHECK_EQ(trap_number, 0);
}

CASE(integer_division_overflow)
{
    volatile int minimum = INT_MIN, minus = -1;
    FAULT(sink = minimum / minus);
    CHECK_EQ(number, SIGFPE);
    CHECK_EQ(info.si_code, FPE_INTDIV);
}

CASE(unmasked_sse_division_by_zero)
{
    volatile double zero = 0, one = 1;
    volatile double result;
    unsigned csr = 0x1f80 & ~0x200u;
    FAULT(__asm__ volatile("ldmxcsr %0" : : "m"(csr)); result = one / zero; (void)result);
    CHECK_EQ(number, SIGFPE);
    CHECK_EQ(info.si_code, FPE_FLTDIV);
    CHECK_EQ(trap_number, 19);
}

CASE(unmasked_x87_division_by_zero)
{
    unsigned short control = 0x37f & ~4;
    FAULT(__asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(control)));
    CHECK_EQ(number, SIGFPE);
    CHECK_EQ(info.si_code, FPE_FLTDIV);
    CHECK_EQ(trap_number, 16);
}

CASE(undefined_instruction)
{
    FAULT(__asm__ volatile("ud2"));
    CHECK_EQ(number, SIGILL);
    CHECK_EQ(info.si_code, ILL_ILLOPN);
    CHECK((int64_t)(intptr_t)info.si_addr == fault_ip);
    CHECK_EQ(trap_number, 6);
}

CASE(breakpoint)
{
    FAULT(__asm__ volatile("int3"));
    CHECK_EQ(number, SIGTRAP);
    CHECK_EQ(info.si_code, SI_KERNEL);
    CHECK_EQ(trap_number, 3);
}

CASE(single_step_trap_flag)
{
    FAULT(__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop" ::: "memory", "cc"));
    CHECK_EQ(number, SIGTRAP);
    CHECK_EQ(info.si_code, TRAP_TRACE);
    CHECK_EQ(trap_number, 1);
}

CASE(file_mapping_beyond_the_end_is_sigbus)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, 100));
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    map[4095] = 1;
    FAULT(sink = *(volatile char *)(map + 4096 + 7));
    CHECK_EQ(number, SIGBUS);
    CHECK_EQ(info.si_code, BUS_ADRERR);
    CHECK(info.si_addr == map + 4096 + 7);
}

CASE(a_mapping_faults_after_the_file_was_truncated_and_works_after_it_grew)
{
    int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
    OK(ftruncate(fd, 8192));
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    map[4096] = 'x';
    OK(ftruncate(fd, 4096));
    FAULT(sink = *(volatile char *)(map + 4096));
    CHECK_EQ(number, SIGBUS);
    OK(ftruncate(fd, 8192));
    CHECK_EQ(map[4096], 0);
    map[4096] = 'y';
    CHECK_EQ(map[4096], 'y');
}

CASE(alignment_check)
{
    static char bytes[16] __attribute__((aligned(16)));
    FAULT(__asm__ volatile("movaps %0, %%xmm0" : : "m"(*(bytes + 1)) : "xmm0"));
    CHECK_EQ(number, SIGSEGV);
    CHECK_EQ(info.si_code, SI_KERNEL);
}

static void repair(int signal, siginfo_t *seen, void *context)
{
    (void)signal;
    (void)context;
    number++;
    char *page = (char *)((uintptr_t)seen->si_addr & ~4095ul);
    if (mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0) _exit(77);
}

CASE(a_handler_can_repair_the_mapping_and_the_instruction_is_tried_again)
{
    enum { pages = 8 };
    struct sigaction action = { .sa_sigaction = repair, .sa_flags = SA_SIGINFO };
    OK(sigaction(SIGSEGV, &action, NULL));
    char *map = mmap(NULL, pages * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    for (int i = 0; i < pages; i++) map[i * 4096 + i] = (char)(i + 1);
    for (int i = 0; i < pages; i++) CHECK_EQ(map[i * 4096 + i], i + 1);
    CHECK_EQ(number, pages);
}

static void skip_ud2(int signal, siginfo_t *seen, void *context)
{
    (void)signal;
    (void)seen;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
    number++;
}

CASE(a_handler_can_skip_the_instruction)
{
    struct sigaction action = { .sa_sigaction = skip_ud2, .sa_flags = SA_SIGINFO };
    OK(sigaction(SIGILL, &action, NULL));
    __asm__ volatile("ud2\n\tud2\n\tud2");
    CHECK_EQ(number, 3);
}

CASE(a_blocked_fault_kills)
{
    pid_t pid;
    CHILD(pid) {
        sigset_t set;
        sigfillset(&set);
        OK(sigprocmask(SIG_BLOCK, &set, NULL));
        catch_faults();
        sink = *(volatile int *)0x10;
    }
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
}

CASE(an_ignored_fault_kills)
{
    pid_t pid;
    CHILD(pid) {
        signal(SIGSEGV, SIG_IGN);
        sink = *(volatile int *)0x10;
    }
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
}

CASE(unhandled_faults_end_with_their_signal)
{
    pid_t pid;
    CHILD(pid) { sink = *(volatile int *)0x10; }
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
    CHILD(pid) { __asm__ volatile("ud2"); }
    CHECK_EQ(wait_for(pid), 128 + SIGILL);
    CHILD(pid) { volatile int zero = 0, one = 1; sink = one / zero; }
    CHECK_EQ(wait_for(pid), 128 + SIGFPE);
    CHILD(pid) { __asm__ volatile("int3"); }
    CHECK_EQ(wait_for(pid), 128 + SIGTRAP);
}

CASE(a_fault_inside_a_handler_for_the_same_fault_kills)
{
    pid_t pid;
    CHILD(pid) {
        signal(SIGSEGV, (void (*)(int))0x20);
        sink = *(volatile int *)0x10;
    }
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
}

CASE(int80_is_refused_or_a_system_call_but_never_fatal_to_others)
{
    /* 32-bit calls are an option of the kernel: a result or SIGSEGV are both fine, in a child. */
    pid_t pid;
    CHILD(pid) { long result = 20; __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11"); }
    int code = wait_for(pid);
    CHECK(code == 0 || code == 128 + SIGSEGV || code == 128 + SIGILL);
}

CASE(other_software_interrupts_are_refused)
{
    /* A general protection fault on bare machines; some hypervisors that emulate make it an undefined instruction. */
    FAULT(__asm__ volatile("int $0x21"));
    CHECK(number == SIGSEGV || number == SIGILL);
}
