# The whole of Ramet's ring 0. GuestStub.cs carries the bytes; a test assembles this file and compares them.
#
# Ring 0 may be emulated an instruction at a time (about a microsecond each) and may not have SSE: plain integer
# instructions only, and as few as possible. No entry touches a register: the VMM sees the user's values, takes RIP,
# CS, RFLAGS, RSP and SS from the frame that the CPU pushed, and sets registers itself to go back.

        .intel_syntax noprefix
        .text

# --- the system-call page: LSTAR, user-executable ------------------------------------------------------------------
# On paravirtual KVM `syscall` arrives here still at CPL3, so the page has U=1 and the TSS bitmap opens this one port
# to user code. A program that jumps here makes a system call with RIP=RCX and RFLAGS=R11: nothing that it could not do.
syscall_page:
        out     0x20, al
        sysretq                         # resumed here at CPL0 when RCX is RIP and R11 is RFLAGS

# --- the fault page: supervisor only ------------------------------------------------------------------------------
        .org 0x1000, 0xcc
fault_page:
        .set    vector, 0
        .rept   32
        out     vector, al              # never resumed behind: the VMM sets RIP
        int3
        int3
        .set    vector, vector + 1
        .endr

# Forget translations: the stack holds RCX addresses of page-table pages (in the direct map), then the user's RCX and
# RAX, then an interrupt frame. The dummy write makes a shadowing hypervisor drop what it derived from the page; the
# CR3 load does it for the hardware's TLB.
        .org 0x1100, 0xcc
invalidate:
        pop     rax
        or      word ptr [rax], 0
        loop    invalidate
        mov     rax, cr3
        mov     cr3, rax
        pop     rcx
        pop     rax
        iretq

# More page-table pages than fit on the stack are done in several entries; all but the last return here.
        .org 0x1140, 0xcc
done:
        out     0x21, al
        int3
