/* What programs do beside calls: random machine code, instructions that only a kernel may use, strange registers at calls and faults. */
#include "fuzz.h"

static void on_signal(int number, siginfo_t *info, void *context)
{
    /* Goes on behind the instruction, more or less. */
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    registers[REG_RIP] += 1 + number % 3;
    __sync_fetch_and_add(&totals->calls, 1);
}

static void random_code(uint64_t *state)
{
    static const unsigned char special[][8] = {
        { 2, 0x0F, 0x05 }, { 2, 0x0F, 0x34 }, { 2, 0xCD, 0x80 }, { 1, 0xF4 }, { 1, 0xCC }, { 1, 0xF1 }, { 2, 0x0F, 0x0B }, { 1, 0xCF }, { 2, 0x48, 0xCF }, { 3, 0x48, 0x0F, 0x07 },
        { 1, 0xFA }, { 1, 0xFB }, { 2, 0xE6, 0x20 }, { 2, 0xE6, 0x21 }, { 2, 0xE6, 0x0E }, { 1, 0xEE }, { 1, 0xEC }, { 1, 0x6E }, { 1, 0x6C }, { 2, 0x0F, 0x30 }, { 2, 0x0F, 0x32 },
        { 2, 0x0F, 0xA2 }, { 2, 0x0F, 0x31 }, { 3, 0x0F, 0x01, 0xF8 }, { 3, 0x0F, 0x01, 0xD9 }, { 3, 0x0F, 0x01, 0xC1 }, { 3, 0x0F, 0x20, 0xC0 }, { 3, 0x0F, 0x22, 0xD8 },
        { 2, 0x0F, 0x06 }, { 2, 0x0F, 0x09 }, { 1, 0x9D }, { 1, 0x9C }, { 2, 0x8E, 0xD8 }, { 2, 0x8E, 0xE0 }, { 2, 0x8E, 0xD0 }, { 3, 0x0F, 0x00, 0xD8 }, { 3, 0x0F, 0x01, 0x18 },
        { 2, 0x0F, 0xC7 }, { 4, 0xF3, 0x0F, 0xC7, 0xF8 }, { 5, 0xF3, 0x48, 0x0F, 0xAE, 0xD0 }, { 3, 0x0F, 0xAE, 0x28 }, { 3, 0x0F, 0xC7, 0x20 }, { 2, 0xFF, 0xE0 }, { 1, 0xC3 },
        { 2, 0x48, 0xCB }, { 3, 0x0F, 0x01, 0xD1 }, { 3, 0x0F, 0x01, 0xEE }, { 3, 0x0F, 0x01, 0xEF }, { 4, 0x66, 0x0F, 0xAE, 0x38 }, { 2, 0xF0, 0x0F }, { 3, 0xF0, 0x48, 0x87 },
        { 4, 0xFD, 0x0F, 0x05, 0xFC }, { 2, 0x54, 0x5C }, { 3, 0x48, 0x89, 0xC4 }, { 3, 0x0F, 0x0D, 0x00 }, { 3, 0xC4, 0xE2, 0x7D }, { 4, 0x62, 0xF1, 0x7C, 0x48 },
    };
    unsigned char *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) return;
    size_t length = 0;
    while (length < 4000) {
        if (one_in(state, 3)) {
            code[length++] = (unsigned char)next_random(state);
            continue;
        }
        const unsigned char *piece = special[below(state, COUNT(special))];
        memcpy(code + length, piece + 1, piece[0]);
        length += piece[0];
    }
    ((void (*)(void))(uintptr_t)(code + below(state, 64)))();
}

/* Jumps, calls and reads at addresses where nothing of a program's is. */
static void strange_address(uint64_t *state)
{
    uint64_t address = boundary_value(state);
    switch (below(state, 5)) {
    case 0: ((void (*)(void))(uintptr_t)address)(); break;
    case 1: *(volatile char *)(uintptr_t)address; break;
    case 2: *(volatile char *)(uintptr_t)address = 1; break;
    case 3: __asm__ volatile("mov %0, %%rsp; push %%rax; pop %%rax" : : "r"(address) : "memory"); break;
    default: __asm__ volatile("mov %0, %%rsp; xor %%eax, %%eax; mov $39, %%eax; syscall; mov $15, %%eax; syscall" : : "r"(address) : "memory"); break;
    }
}

/* Single steps through a call, and returns from a signal frame that never was. */
static void strange_flags(uint64_t *state)
{
    switch (below(state, 4)) {
    case 0: __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; mov $39, %%eax; syscall; nop; nop" : : : "rax", "rcx", "r11", "memory", "cc"); break;
    case 1: __asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq; mov $39, %%eax; syscall; movl 1(%%rsp), %%eax" : : : "rax", "rcx", "r11", "memory", "cc"); break;
    case 2: {
        uint64_t *frame = (uint64_t *)world.arenas[0];
        for (int i = 0; frame != NULL && i < 128; i++) frame[i] = one_in(state, 2) ? boundary_value(state) : (uint64_t)(uintptr_t)(frame + below(state, 128));
        __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall" : : "r"(frame) : "memory");
        break;
    }
    default:
        __asm__ volatile("pushq %0; popfq; mov $39, %%eax; syscall" : : "r"(next_random(state)) : "rax", "rcx", "r11", "memory", "cc");
        break;
    }
}

void run_instructions(uint64_t *state)
{
    world.arenas[0] = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 12; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
            static const int faults[] = { SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP };
            stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
            sigaltstack(&stack, NULL);
            if (one_in(state, 2)) for (size_t i = 0; i < COUNT(faults); i++) sigaction(faults[i], &action, NULL);
            switch (round % 3) {
            case 0: random_code(state); break;
            case 1: strange_address(state); break;
            default: strange_flags(state); break;
            }
            _exit(0);
        }
        next_random(state);
        struct timespec pause = { 0, 2000000 };
        for (int waited = 0; pid > 0 && waited < 100; waited += 2) {
            if (waitpid(pid, NULL, WNOHANG) == pid) pid = 0;
            else nanosleep(&pause, NULL);
        }
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
    }
}
