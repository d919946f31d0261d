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

# The same, without leaving the VM while a host thread polls this vCPU's mailbox, which is the page behind this one: LSTAR
# is here once a program has shown that it calls often (SyscallMailbox.cs). Here the page is seen at an address of the
# vCPU's own. The call's registers go into the mailbox and its state becomes 1 (posted); the host makes that 2 (taken),
# then 4 (answered) or 8 (leave the VM). Nobody takes it for a while: it is withdrawn, and made by leaving. RAX is the only
# register that is used, and only flags that a system call may not keep are lost until they come back out of R11.
        .org 0x40, 0xcc
        .set    mailbox, syscall_page + 0x1000
        .set    state, mailbox
        .set    number, mailbox + 0x08  # and the answer
        .set    polled, mailbox + 0x80
        .set    patience, mailbox + 0x84
doorbell:
        mov     [rip + number], rax
        mov     eax, [rip + polled]
        test    eax, eax
        jz      leave_vm
        mov     [rip + mailbox + 0x10], rdi
        mov     [rip + mailbox + 0x18], rsi
        mov     [rip + mailbox + 0x20], rdx
        mov     [rip + mailbox + 0x28], r10
        mov     [rip + mailbox + 0x30], r8
        mov     [rip + mailbox + 0x38], r9
        mov     [rip + mailbox + 0x40], rcx
        mov     [rip + mailbox + 0x48], r11
        mov     [rip + mailbox + 0x50], rsp
        mov     dword ptr [rip + patience], 2000
        mov     dword ptr [rip + state], 1
wait_answer:
        mov     eax, [rip + state]
        cmp     eax, 4
        je      answered
        pause
        cmp     eax, 2
        je      wait_answer
        cmp     eax, 1
        jne     leave_vm
        dec     dword ptr [rip + patience]
        jnz     wait_answer
        lock btr dword ptr [rip + state], 0
        jnc     wait_answer
leave_vm:
        mov     rax, [rip + number]
doorbell_out:
        out     0x20, al
        sysretq
answered:
        mov     dword ptr [rip + state], 0
        mov     eax, cs
        test    al, 3
        jz      answered_ring0
        mov     eax, r11d               # OF is bit 11: 1 + 0x7f overflows
        shr     eax, 11
        and     eax, 1
        add     al, 0x7f
        mov     eax, r11d
        mov     ah, al
        sahf                            # SF ZF AF PF CF
        mov     rax, [rip + number]
        jmp     rcx
answered_ring0:
        mov     rax, [rip + number]
        sysretq
doorbell_end:

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
