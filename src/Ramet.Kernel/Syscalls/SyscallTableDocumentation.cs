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
            text.Append($"| {call.Number} | {call.Name} | {Word(call.Support)} | {call.Missing?.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        return text.ToString();
    }

    private static string Word(SyscallSupport support) => support switch
    {
        SyscallSupport.Full => "full",
        SyscallSupport.Partial => "partial",
        _ => "absent",
    };
}
