using Ramet.Abi;
using Ramet.Kernel.Loading;
using Ramet.Kernel.Platform;
using Xunit;

namespace Ramet.Kernel.Tests.Loading;

/// <summary>An address space of pages in a dictionary.</summary>
internal sealed class FakeMapper : IProgramMapper
{
    private readonly Dictionary<ulong, (byte[] Bytes, SegmentProtection Protection)> _pages = [];

    public ulong Break { get; private set; }

    public ulong MmapBase { get; private set; }

    public (ulong Start, ulong End) Stack { get; private set; }

    public ulong Vdso { get; private set; }

    public Errno MapFile(ulong address, ulong length, SegmentProtection protection, IProgramFile file, long offset)
    {
        CheckRange(address, length);
        Assert.Equal(0, offset & 4095);
        for (ulong page = 0; page < length; page += 4096)
        {
            byte[] bytes = new byte[4096];
            file.ReadBytes(offset + (long)page, bytes);
            _pages[address + page] = (bytes, protection);
        }

        return Errno.None;
    }

    public Errno MapAnonymous(ulong address, ulong length, SegmentProtection protection)
    {
        CheckRange(address, length);
        if (length > 64 << 20) return Errno.ENOMEM;
        for (ulong page = 0; page < length; page += 4096) _pages[address + page] = (new byte[4096], protection);
        return Errno.None;
    }

    public Errno MapStack(ulong top, ulong length, SegmentProtection protection)
    {
        CheckRange(top - length, length);
        Stack = (top - length, top);
        for (ulong page = top - Math.Min(length, 8 << 20); page < top; page += 4096) _pages.Add(page, (new byte[4096], protection));
        return Errno.None;
    }

    public Errno MapVdso(ulong address)
    {
        CheckRange(address, 3 * 4096);
        Vdso = address;
        return Errno.None;
    }

    public Errno Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++) _pages[(address + (ulong)i) & ~4095UL].Bytes[(address + (ulong)i) & 4095] = bytes[i];
        return Errno.None;
    }

    public void SetBreak(ulong start) => Break = start;

    public void SetMmapBase(ulong address) => MmapBase = address;

    public SegmentProtection? ProtectionAt(ulong address) => _pages.TryGetValue(address & ~4095UL, out var page) ? page.Protection : null;

    public byte[] Read(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = _pages[(address + (ulong)i) & ~4095UL].Bytes[(address + (ulong)i) & 4095];
        return bytes;
    }

    public ulong Word(ulong address) => BitConverter.ToUInt64(Read(address, 8));

    public string Text(ulong address)
    {
        var text = new System.Text.StringBuilder();
        for (byte next; (next = Read(address++, 1)[0]) != 0;) text.Append((char)next);
        return text.ToString();
    }

    private static void CheckRange(ulong address, ulong length)
    {
        Assert.Equal(0UL, address & 4095);
        Assert.Equal(0UL, length & 4095);
        Assert.InRange(address, AddressLayout.LowestAddress, AddressLayout.TaskSize);
        Assert.InRange(length, 1UL, AddressLayout.TaskSize - address);
    }
}

/// <summary>Files of the host, or bytes.</summary>
internal sealed class FakeFile(byte[] bytes) : IProgramFile
{
    public FakeFile(string path)
        : this(File.ReadAllBytes(path))
    {
    }

    public byte[] Bytes => bytes;

    public long Size => bytes.Length;

    public int ReadBytes(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset >= bytes.Length) return 0;
        int count = (int)Math.Min(destination.Length, bytes.Length - offset);
        bytes.AsSpan((int)offset, count).CopyTo(destination);
        return count;
    }
}

/// <summary>Opens files of the host, and made-up ones.</summary>
internal sealed class FakeOpener : IProgramOpener
{
    public Dictionary<string, IProgramFile> Files { get; } = [];

    public Errno OpenExecutable(string path, out IProgramFile? file)
    {
        if (Files.TryGetValue(path, out file)) return Errno.None;
        file = File.Exists(path) ? new FakeFile(path) : null;
        return file is null ? Errno.ENOENT : Errno.None;
    }
}

/// <summary>Repeatable randomness.</summary>
internal sealed class FakeRandom(int seed) : IHostRandom
{
    private readonly Random _random = new(seed);

    public void Fill(Span<byte> destination) => _random.NextBytes(destination);
}
