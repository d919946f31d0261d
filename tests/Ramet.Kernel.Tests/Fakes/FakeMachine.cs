using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Tests.Fakes;

/// <summary>A machine without a CPU: memory in an array.</summary>
internal sealed class FakeMachine(ulong limit) : IMachine
{
    public FakeMemory FakeMemory { get; } = new(limit);

    public GuestMemory Memory => FakeMemory;

    public CpuFeatures Features { get; } = new(0, 0, 832, 7, "GenuineRamet", "Fake CPU", "fpu sse2 avx", 2_000_000);

    public ulong KernelPml4Entry => 0x1003;

    public int MaxVcpus => 1;

    public IVirtualCpu GetVcpu(int index) => throw new NotSupportedException("This machine runs no code.");

    public TscClock? ReadTscClock() => null;

    public void Dispose() => FakeMemory.Dispose();
}

/// <summary>RAM in an array; an image's data above <see cref="GuestMemory.ImageBase"/>.</summary>
internal sealed class FakeMemory(ulong limit) : GuestMemory
{
    private readonly byte[] _bytes = new byte[limit];
    private ulong _size = 64 * PageSize;

    public FakeImage? Image { get; set; }

    public override ulong Size => _size;

    public override ulong Limit => (ulong)_bytes.Length;

    public override ulong ReservedSize => 16 * PageSize;

    public override bool TryGrow(ulong size)
    {
        if (size > Limit) return false;
        _size = Math.Max(_size, (size + PageSize - 1) & ~(ulong)(PageSize - 1));
        return true;
    }

    public override bool TryGetSpan(ulong address, int length, out Span<byte> span)
    {
        span = default;
        if (length < 0 || address > _size || (ulong)length > _size - address) return false;
        span = _bytes.AsSpan((int)address, length);
        return true;
    }

    public override bool TryGetReadOnlySpan(ulong address, int length, out ReadOnlySpan<byte> span)
    {
        if (TryGetSpan(address, length, out var writable))
        {
            span = writable;
            return true;
        }

        span = default;
        if (address < ImageBase || Image is null) return false;
        span = Image.ReadData((long)(address - ImageBase), length);
        return span.Length == length;
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

internal sealed class FakeClock : IHostClock
{
    public long MonotonicNanoseconds { get; set; } = 1_000_000_000;

    public long RealtimeNanoseconds { get; set; } = 1_700_000_000_000_000_000;
}

internal sealed class FakeRandom : IHostRandom
{
    private readonly Random _random = new(1);

    public void Fill(Span<byte> destination) => _random.NextBytes(destination);
}

internal sealed class FakeHost : IKernelHost
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
