using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Tests.Polling;

/// <summary>A clock that moves when the test says so.</summary>
internal sealed class ManualClock : IHostClock
{
    public long MonotonicNanoseconds { get; set; } = 1_000_000_000;

    public long RealtimeNanoseconds => 1_700_000_000_000_000_000 + MonotonicNanoseconds;
}

/// <summary>RAM in an array.</summary>
internal sealed class ArrayMemory(int bytes) : GuestMemory
{
    private readonly byte[] _bytes = new byte[bytes];

    public override ulong Size => (ulong)_bytes.Length;

    public override ulong Limit => (ulong)_bytes.Length;

    public override ulong ReservedSize => 1 << 16;

    public override bool TryGrow(ulong size) => size <= Limit;

    public override bool TryGetSpan(ulong address, int length, out Span<byte> span)
    {
        span = default;
        if (address > Size || (ulong)length > Size - address) return false;
        span = _bytes.AsSpan((int)address, length);
        return true;
    }

    public override bool TryGetReadOnlySpan(ulong address, int length, out ReadOnlySpan<byte> span)
    {
        bool there = TryGetSpan(address, length, out var writable);
        span = writable;
        return there;
    }

    public override void Discard(ulong address, ulong length)
    {
    }

    public override void Populate(ulong address, ulong length)
    {
    }

    public override void Dispose()
    {
    }
}

/// <summary>A machine that has memory and never runs anything: tests make the system calls.</summary>
internal sealed class MemoryOnlyMachine : IMachine
{
    public GuestMemory Memory { get; } = new ArrayMemory(64 << 20);

    public CpuFeatures Features { get; } = new(0, 0, 576, 3, "GenuineTests", "Test CPU", "fpu", 1_000_000);

    public ulong KernelPml4Entry => 0;

    public int MaxVcpus => 1;

    public IVirtualCpu GetVcpu(int index) => throw new NotSupportedException("Tests run no guest code here.");

    public TscClock? ReadTscClock() => null;

    public void Dispose() => Memory.Dispose();
}

internal sealed class ZeroRandom : IHostRandom
{
    public void Fill(Span<byte> destination) => destination.Fill(0x5A);
}

internal sealed class QuietHost : IKernelHost
{
    public void RequestVcpu(int index)
    {
    }

    public void SetAlarm(long hostMonotonicNanoseconds)
    {
    }

    public void OnExited()
    {
    }
}

/// <summary>An image that holds nothing but its root.</summary>
internal sealed class EmptyImage : IReadOnlyImage
{
    public string Id => "empty";

    public int Root => 0;

    public int NodeCount => 1;

    public ImageNode GetNode(int node) => new(0x41ED, 0, 0, 2, 0, 0, 0, 0);

    public bool TryLookup(int directory, string name, out int node)
    {
        node = 0;
        return false;
    }

    public IEnumerable<KeyValuePair<string, int>> EnumerateDirectory(int directory) => [];

    public string GetLinkTarget(int node) => "";

    public ReadOnlySpan<byte> ReadData(long offset, int length) => [];
}
