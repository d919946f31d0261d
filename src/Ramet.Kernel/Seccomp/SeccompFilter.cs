using System.Runtime.InteropServices;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Seccomp;

/// <summary>What a thread has confined itself to (seccomp(2)): the newest filter, and through it all older ones.</summary>
[Saved]
internal sealed partial class SeccompFilter
{
    /// <summary>BPF_MAXINSNS.</summary>
    public const int MaximumLength = 4096;

    /// <summary>Instructions of all filters of a thread (MAX_INSNS_PER_PATH), each filter counting 4 more.</summary>
    public const int MaximumTotal = 32768;

    private BpfInstruction[] _program = [];

    private SeccompFilter()
    {
    }

    public SeccompFilter(SeccompFilter? previous, BpfInstruction[] program)
    {
        Previous = previous;
        _program = program;
        TotalLength = program.Length + 4 + (previous?.TotalLength ?? 0);
        Depth = 1 + (previous?.Depth ?? 0);
    }

    public SeccompFilter? Previous { get; private set; }

    public int TotalLength { get; private set; }

    /// <summary>Number of filters.</summary>
    public int Depth { get; private set; }

    /// <summary>Whether this is <paramref name="other"/> or was built on it; null is the beginning of all.</summary>
    public static bool IsAncestor(SeccompFilter? ancestor, SeccompFilter? other)
    {
        if (ancestor is null) return true;
        for (; other is not null; other = other.Previous)
            if (other == ancestor) return true;
        return false;
    }

    /// <summary>The verdict of all filters: the most severe action counts, the newest filter first.</summary>
    public static uint Evaluate(SeccompFilter filter, ReadOnlySpan<byte> data)
    {
        uint verdict = SeccompAction.Allow;
        for (var each = filter; each is not null; each = each.Previous)
        {
            uint result = ClassicBpf.Run(each._program, data);
            if ((int)(result & SeccompAction.Mask) < (int)(verdict & SeccompAction.Mask)) verdict = result;
        }

        return verdict;
    }
}

/// <summary>SECCOMP_RET_*: severer is less, as a signed number.</summary>
internal static class SeccompAction
{
    public const uint KillProcess = 0x80000000;
    public const uint KillThread = 0;
    public const uint Trap = 0x00030000;
    public const uint Error = 0x00050000;
    public const uint UserNotification = 0x7FC00000;
    public const uint Trace = 0x7FF00000;
    public const uint Log = 0x7FFC0000;
    public const uint Allow = 0x7FFF0000;

    /// <summary>SECCOMP_RET_ACTION_FULL.</summary>
    public const uint Mask = 0xFFFF0000;
}

/// <summary>struct sock_filter.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfInstruction
{
    public ushort Code;
    public byte JumpTrue;
    public byte JumpFalse;
    public uint K;
}
