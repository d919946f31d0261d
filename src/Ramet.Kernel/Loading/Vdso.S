# The vDSO: functions that programs call instead of making a system call, because a system call leaves the virtual machine. The C library finds them through
# AT_SYSINFO_EHDR and the symbol version LINUX_2.6 (vdso(7)). Built by build-vdso.sh into Vdso.so, which is checked in and embedded.
#
# There is no data and there are no relocations. The page in front of the image (vvar) is written by VvarPage.cs:
#
#    0  u32  sequence    odd while it is being written; a reader that saw it change starts over
#    4  u32  mode        1: the time-stamp counter is usable; else: make the system call
#    8  u64  tsc         the counter at the last reading
#   16  u32  multiplier  ns = base + ((counter - tsc) * multiplier >> shift), with a product of 128 bits
#   20  u32  shift       0 to 63
#   24  s64  monotonic   CLOCK_MONOTONIC at the reading, ns
#   32  s64  realtime    CLOCK_REALTIME at the reading, ns since 1970
#   40  u64  generation  number of forks and restores that the sandbox came through; for programs that want to watch it

        .set    SEQUENCE, 0
        .set    MODE, 4
        .set    TSC, 8
        .set    MULTIPLIER, 16
        .set    SHIFT, 20
        .set    MONOTONIC, 24
        .set    REALTIME, 32

        .set    SYS_gettimeofday, 96
        .set    SYS_time, 201
        .set    SYS_clock_gettime, 228
        .set    SYS_clock_getres, 229
        .set    SYS_getcpu, 309

        .set    REALTIME_CLOCKS, 1 << 0 | 1 << 5                     # CLOCK_REALTIME, _COARSE
        .set    MONOTONIC_CLOCKS, 1 << 1 | 1 << 4 | 1 << 6 | 1 << 7  # CLOCK_MONOTONIC, _RAW, _COARSE, CLOCK_BOOTTIME
        .set    LAST_CLOCK, 7

        .text

# Reads a clock. In: R9D, which base (MONOTONIC, REALTIME). Out: RAX, ns; CF set when the counter is not usable. Clobbers RCX, RDX, R8, R10.
        .type   read_clock, @function
read_clock:
        .cfi_startproc
        lea     vvar(%rip), %r8
.Lagain:
        mov     SEQUENCE(%r8), %r10d
        test    $1, %r10b
        jnz     .Lbusy
        cmpl    $1, MODE(%r8)
        jne     .Lunusable
        lfence                                  # the counter is not read ahead of what came before
        rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        sub     TSC(%r8), %rax
        jae     .Lscale
        xor     %eax, %eax                      # a counter that is a little behind: time stands, it does not go back
.Lscale:
        mov     MULTIPLIER(%r8), %edx
        mov     SHIFT(%r8), %ecx
        mul     %rdx
        shrd    %cl, %rdx, %rax
        add     (%r8, %r9), %rax
        cmp     SEQUENCE(%r8), %r10d            # loads are not reordered with loads on x86
        jne     .Lagain
        clc
        ret
.Lbusy:
        pause
        jmp     .Lagain
.Lunusable:
        stc
        ret
        .cfi_endproc
        .size   read_clock, . - read_clock

# int clock_gettime(clockid_t, struct timespec *)
        .globl  __vdso_clock_gettime
        .type   __vdso_clock_gettime, @function
        .balign 16
__vdso_clock_gettime:
        .cfi_startproc
        cmp     $LAST_CLOCK, %edi               # unsigned: CPU clocks are negative
        ja      .Lgettime_syscall
        mov     $MONOTONIC, %r9d
        mov     $MONOTONIC_CLOCKS, %eax
        bt      %edi, %eax
        jc      .Lgettime_read
        mov     $REALTIME, %r9d
        mov     $REALTIME_CLOCKS, %eax
        bt      %edi, %eax
        jnc     .Lgettime_syscall
.Lgettime_read:
        call    read_clock
        jc      .Lgettime_syscall
        mov     $1000000000, %ecx
        xor     %edx, %edx
        div     %rcx
        mov     %rax, (%rsi)
        mov     %rdx, 8(%rsi)
        xor     %eax, %eax
        ret
.Lgettime_syscall:
        mov     $SYS_clock_gettime, %eax
        syscall
        ret
        .cfi_endproc
        .size   __vdso_clock_gettime, . - __vdso_clock_gettime

# int gettimeofday(struct timeval *, struct timezone *); either may be NULL
        .globl  __vdso_gettimeofday
        .type   __vdso_gettimeofday, @function
        .balign 16
__vdso_gettimeofday:
        .cfi_startproc
        mov     $REALTIME, %r9d
        call    read_clock
        jc      .Ltimeofday_syscall
        test    %rdi, %rdi
        jz      .Ltimeofday_zone
        mov     $1000000000, %ecx
        xor     %edx, %edx
        div     %rcx
        mov     %rax, (%rdi)
        mov     %edx, %eax                      # below 10^9
        mov     $1000, %ecx
        xor     %edx, %edx
        div     %ecx
        mov     %rax, 8(%rdi)
.Ltimeofday_zone:
        test    %rsi, %rsi
        jz      .Ltimeofday_done
        movq    $0, (%rsi)
.Ltimeofday_done:
        xor     %eax, %eax
        ret
.Ltimeofday_syscall:
        mov     $SYS_gettimeofday, %eax
        syscall
        ret
        .cfi_endproc
        .size   __vdso_gettimeofday, . - __vdso_gettimeofday

# time_t time(time_t *)
        .globl  __vdso_time
        .type   __vdso_time, @function
        .balign 16
__vdso_time:
        .cfi_startproc
        mov     $REALTIME, %r9d
        call    read_clock
        jc      .Ltime_syscall
        mov     $1000000000, %ecx
        xor     %edx, %edx
        div     %rcx
        test    %rdi, %rdi
        jz      .Ltime_done
        mov     %rax, (%rdi)
.Ltime_done:
        ret
.Ltime_syscall:
        mov     $SYS_time, %eax
        syscall
        ret
        .cfi_endproc
        .size   __vdso_time, . - __vdso_time

# int clock_getres(clockid_t, struct timespec *): 1 ns for the clocks above; the pointer may be NULL
        .globl  __vdso_clock_getres
        .type   __vdso_clock_getres, @function
        .balign 16
__vdso_clock_getres:
        .cfi_startproc
        cmp     $LAST_CLOCK, %edi
        ja      .Lgetres_syscall
        mov     $(MONOTONIC_CLOCKS | REALTIME_CLOCKS), %eax
        bt      %edi, %eax
        jnc     .Lgetres_syscall
        test    %rsi, %rsi
        jz      .Lgetres_done
        movq    $0, (%rsi)
        movq    $1, 8(%rsi)
.Lgetres_done:
        xor     %eax, %eax
        ret
.Lgetres_syscall:
        mov     $SYS_clock_getres, %eax
        syscall
        ret
        .cfi_endproc
        .size   __vdso_clock_getres, . - __vdso_clock_getres

# int getcpu(unsigned *cpu, unsigned *node, void *). RDPID is absent on some CPUs and TSC_AUX is not set on all platforms: a system call.
        .globl  __vdso_getcpu
        .type   __vdso_getcpu, @function
        .balign 16
__vdso_getcpu:
        .cfi_startproc
        mov     $SYS_getcpu, %eax
        syscall
        ret
        .cfi_endproc
        .size   __vdso_getcpu, . - __vdso_getcpu

        .section .note.GNU-stack, "", @progbits
