using System.Runtime.InteropServices;
using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Loading;

/// <summary>Writes the data page that the vDSO's code reads (the layout is documented in Vdso.S). One page serves all processes of a sandbox.</summary>
public static class VvarPage
{
    private const uint ModeSystemCall = 0;
    private const uint ModeTsc = 1;

    /// <summary>Offset of the generation number, a u64, in the page.</summary>
    public const int GenerationOffset = 40;

    /// <summary>Writes the page while programs may be reading it.</summary>
    /// <param name="page">The page.</param>
    /// <param name="clock">How to read the counter; null: the vDSO makes system calls.</param>
    /// <param name="monotonicOffset">CLOCK_MONOTONIC of the sandbox minus that of the host, ns.</param>
    /// <param name="generation">Number of forks and restores.</param>
    public static void Write(Span<byte> page, TscClock? clock, long monotonicOffset, long generation)
    {
        ref var layout = ref MemoryMarshal.AsRef<Layout>(page);
        uint sequence = Volatile.Read(ref layout.Sequence) | 1;
        Volatile.Write(ref layout.Sequence, sequence);

        // Stores are not reordered with stores on x86; the barriers keep the compiler from doing it.
        Thread.MemoryBarrier();
        bool usable = clock is { Shift: >= 0 and < 64, Multiplier: > 0 };
        var reading = usable ? clock!.Value : default;
        layout.Mode = usable ? ModeTsc : ModeSystemCall;
        layout.Tsc = reading.Tsc;
        layout.Multiplier = reading.Multiplier;
        layout.Shift = (uint)reading.Shift;
        layout.Monotonic = reading.MonotonicNanoseconds + monotonicOffset;
        layout.Realtime = reading.RealtimeNanoseconds;
        layout.Generation = (ulong)generation;
        Thread.MemoryBarrier();
        Volatile.Write(ref layout.Sequence, sequence + 1);
    }

    /// <summary>What a program reads as CLOCK_MONOTONIC from the page at this count; 0 when it makes system calls instead.</summary>
    internal static long MonotonicAt(ReadOnlySpan<byte> page, ulong tsc)
    {
        var layout = MemoryMarshal.Read<Layout>(page);
        if (layout.Mode != ModeTsc || tsc < layout.Tsc || layout.Shift > 63) return 0;
        return layout.Monotonic + (long)(ulong)((UInt128)(tsc - layout.Tsc) * layout.Multiplier >> (int)layout.Shift);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Layout
    {
        public uint Sequence;
        public uint Mode;
        public ulong Tsc;
        public uint Multiplier;
        public uint Shift;
        public long Monotonic;
        public long Realtime;
        public ulong Generation;
    }
}
