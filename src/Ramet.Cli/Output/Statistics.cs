using System.Globalization;
using System.Text;
using Ramet.Abi;
using Ramet.Cli.Input;
using Ramet.Kernel;
using Ramet.Sandboxes;

namespace Ramet.Cli.Output;

/// <summary>What --stats prints on stderr.</summary>
internal static class Statistics
{
    /// <summary>Prints what a sandbox of <c>run</c> used.</summary>
    public static void Write(Sandbox sandbox, SandboxOptions options)
    {
        string first = sandbox.FirstOutputNanoseconds is { } time ? $", first output after {Milliseconds(time)}" : "";
        ulong used;
        lock (sandbox.Kernel.Lock) used = sandbox.Kernel.Frames.UsedBytes;
        Write($"{Milliseconds(sandbox.ElapsedNanoseconds)}{first}", used, options, sandbox.Kernel.Statistics);
    }

    /// <summary>Prints what <c>exec</c> used.</summary>
    public static void Write(ExecResult result, SandboxOptions options)
    {
        string first = result.FirstOutputNanoseconds is { } time ? $", first output after {Milliseconds(time)}" : "";
        Write(
            $"{Milliseconds(result.TotalNanoseconds)} (fork {Milliseconds(result.ForkNanoseconds)}, program {Milliseconds(result.ExecNanoseconds)}){first}",
            result.MemoryBytes, options, result.Statistics);
    }

    private static void Write(string times, ulong usedMemory, SandboxOptions options, KernelStatistics statistics)
    {
        var text = new StringBuilder("ramet: statistics\n");
        Line(text, "time", times);
        Line(text, "memory", $"{ByteSize.Format((long)usedMemory)} at the end, limit {ByteSize.Format((long)options.MemoryBytes)}");
        Line(text, "system calls", statistics.PostedSyscalls == 0 ? Number(statistics.Syscalls) : $"{Number(statistics.Syscalls)}, {Number(statistics.PostedSyscalls)} of them without an exit");
        Line(text, "page faults", Number(statistics.PageFaults));
        Line(text, "exits", Number(statistics.Exits));
        Line(text, "signals", Number(statistics.Signals));
        if (statistics.OutOfMemoryKills > 0) Line(text, "killed", $"{Number(statistics.OutOfMemoryKills)} processes over the memory limit");
        Line(text, "absent calls", statistics.Absent.Count == 0 ? "none" : string.Join(", ",
            statistics.Absent.OrderByDescending(call => call.Value).ThenBy(call => call.Key).Select(call => $"{Name(call.Key)} {Number(call.Value)}x")));
        StandardStream.Write(2, text.ToString());
    }

    private static void Line(StringBuilder text, string name, string value) => text.Append("  ").Append(name.PadRight(14)).Append(value).Append('\n');

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Milliseconds(long nanoseconds) => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:0.000} ms");

    private static string Name(int number) => Enum.GetName((SyscallNumber)number) ?? $"syscall_{number.ToString(CultureInfo.InvariantCulture)}";
}
