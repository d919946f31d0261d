using System.CommandLine;
using Ramet.Cli.Output;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet docs</c>: pages of documentation that are made from the code. For contributors.</summary>
internal static class DocsCommand
{
    /// <summary>Defines the command.</summary>
    public static Command Create()
    {
        var group = new TaughtCommand("docs", "Prints documentation that is made from the code.") { Hidden = true };
        var calls = new TaughtCommand("syscalls", "The system calls: docs/syscalls.md.");
        calls.SetAction(_ =>
        {
            StandardStream.Write(1, Kernel.Syscalls.SyscallDocumentation.ToMarkdown());
            return 0;
        });
        group.Subcommands.Add(calls);
        return group;
    }
}
