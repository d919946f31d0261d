using System.Text;

namespace Ramet.Kernel.Syscalls;

/// <summary>The text of docs/syscalls.md, from the table.</summary>
public static class SyscallDocumentation
{
    /// <summary>The page for the kernel's own table.</summary>
    public static string ToMarkdown() => ToMarkdown(SyscallTable.All);

    /// <summary>The page for a table.</summary>
    public static string ToMarkdown(IReadOnlyList<SyscallDescription> calls)
    {
        int Count(SyscallSupport support) => calls.Count(c => c.Support == support);
        var text = new StringBuilder();
        text.Append("# System calls\n\n");
        text.Append("Generated from the handlers' attributes; do not edit.\n\n");
        text.Append($"Of {calls.Count} system calls of Linux on x86-64, {Count(SyscallSupport.Full)} are full, {Count(SyscallSupport.Partial)} partial and ");
        text.Append($"{Count(SyscallSupport.Absent)} absent. *Full* means that nothing is known to be missing, *partial* that something is, as noted. An *absent* call\n");
        text.Append("returns ENOSYS; `--stats` names those that a program has made.\n\n");
        text.Append("| Number | Name | Support | Missing |\n|---:|---|---|---|\n");
        foreach (var call in calls)
            text.Append($"| {call.Number} | {call.Name} | {Word(call.Support)} | {(call.Missing ?? WhyAbsent(call)).Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        return text.ToString();
    }

    /// <summary>What programs that make an absent call do without it.</summary>
    private static string WhyAbsent(SyscallDescription call) => call.Support != SyscallSupport.Absent ? "" : call.Name switch
    {
        "io_setup" or "io_destroy" or "io_getevents" or "io_submit" or "io_cancel" or "io_pgetevents" or "io_uring_setup" or "io_uring_enter" or "io_uring_register" =>
            "asynchronous I/O; programs fall back to read, write and epoll",
        "rseq" => "restartable sequences; the C library goes without",
        "bpf" or "perf_event_open" or "fanotify_init" or "fanotify_mark" or "userfaultfd" or "landlock_create_ruleset" or "landlock_add_rule" or "landlock_restrict_self" =>
            "as on a kernel built without it",
        "init_module" or "finit_module" or "delete_module" or "create_module" or "query_module" or "get_kernel_syms" or "kexec_load" or "kexec_file_load" or "reboot" or "swapon"
            or "swapoff" or "acct" or "iopl" or "ioperm" => "there is no machine below the sandbox to change",
        "add_key" or "request_key" or "keyctl" => "the kernel's key rings",
        "open_tree" or "move_mount" or "fsopen" or "fsconfig" or "fsmount" or "fspick" or "mount_setattr" or "statmount" or "listmount" => "mount, umount2 and pivot_root are there",
        _ => "",
    };

    private static string Word(SyscallSupport support) => support switch
    {
        SyscallSupport.Full => "full",
        SyscallSupport.Partial => "partial",
        _ => "absent",
    };
}
