using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Ramet.Host;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// Frozen memory and kernel state in one file: a header, the list of memory extents that are not zero, the state, and the extents' bytes from a page boundary on. A CRC-32C in the header covers
/// everything behind it, so that damage is found before anything runs. A template that was built on another holds only the pages that differ from that one's.
/// </summary>
internal static class SnapshotFile
{
    private const ulong Magic = 0x32_54_45_4D_41_52_00_7F; // "\x7F\0RAMET2"
    private const int HeaderSize = 64;
    private const int PageSize = 4096;

    private static readonly byte[] s_zeros = new byte[PageSize];

    /// <summary>Writes a snapshot and makes it durable. Returns the bytes of memory in it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="memory">The memory.</param>
    /// <param name="state">The kernel's state.</param>
    /// <param name="below">Memory that will be there when it is read: only what differs from it is written. Null: all that is not zero.</param>
    public static long Write(string path, MemoryTemplate memory, ReadOnlySpan<byte> state, MemoryTemplate? below = null)
    {
        using var mapped = new MappedFile(memory.File);
        var extents = FindExtents(memory, mapped, below);
        byte[] table = MemoryMarshal.AsBytes<long>(extents.SelectMany(extent => new[] { extent.Offset, extent.Length }).ToArray()).ToArray();
        long dataStart = (HeaderSize + table.Length + state.Length + PageSize - 1) & ~(long)(PageSize - 1);
        byte[] padding = new byte[dataStart - HeaderSize - table.Length - state.Length];
        using var file = FileDescriptor.Create(path);
        uint checksum = Crc32C.Append(~0u, table);
        checksum = Crc32C.Append(checksum, state);
        checksum = Crc32C.Append(checksum, padding);
        file.WriteAllAt(table, HeaderSize);
        file.WriteAllAt(state, HeaderSize + table.Length);
        long at = dataStart;
        foreach (var (offset, length) in extents)
        {
            checksum = Crc32C.AppendCopy(checksum, mapped, offset, length, file, at);
            at += length;
        }

        byte[] header = new byte[HeaderSize];
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), checksum);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), extents.Count);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), (long)memory.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), state.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), at);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(40), below is null ? 0 : 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(44), Crc32C.Append(~0u, header.AsSpan(0, 44)));
        file.WriteAllAt(header, 0);
        file.Synchronize();
        return at - dataStart;
    }

    /// <summary>Loads a snapshot into a sealed memory file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="below">The memory that it was written over, if there was one.</param>
    /// <exception cref="SnapshotDamagedException">The file is not what was written.</exception>
    public static (MemoryTemplate Memory, byte[] State) Read(string path, MemoryTemplate? below = null)
    {
        using var mapped = MappedFile.Open(path);
        var header = mapped.Length >= HeaderSize ? mapped.GetSpan(0, HeaderSize) : throw new SnapshotDamagedException(path);
        int count = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        long memoryLength = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
        long stateLength = BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
        bool plausible = BinaryPrimitives.ReadUInt64LittleEndian(header) == Magic
            && BinaryPrimitives.ReadUInt32LittleEndian(header[44..]) == Crc32C.Append(~0u, header[..44])
            && (BinaryPrimitives.ReadInt32LittleEndian(header[40..]) == 0 || below is not null)
            && BinaryPrimitives.ReadInt64LittleEndian(header[32..]) == mapped.Length;
        if (!plausible) throw new SnapshotDamagedException(path);
        int tableLength = count * 16;
        uint checksum = Crc32C.Append(~0u, mapped.GetSpan(HeaderSize, tableLength));
        byte[] state = mapped.GetSpan(HeaderSize + tableLength, (int)stateLength).ToArray();
        checksum = Crc32C.Append(checksum, state);
        long at = (HeaderSize + tableLength + stateLength + PageSize - 1) & ~(long)(PageSize - 1);
        checksum = Crc32C.Append(checksum, mapped.GetSpan(HeaderSize + tableLength + stateLength, (int)(at - HeaderSize - tableLength - stateLength)));
        var memory = MemoryFile.Create("ramet-template");
        try
        {
            memory.SetLength(memoryLength);
            if (BinaryPrimitives.ReadInt32LittleEndian(header[40..]) != 0) below!.CopyTo(memory);
            var table = MemoryMarshal.Cast<byte, long>(mapped.GetSpan(HeaderSize, tableLength));
            for (int i = 0; i < count; i++)
            {
                long offset = table[2 * i];
                long length = table[(2 * i) + 1];
                checksum = Crc32C.AppendCopy(checksum, mapped, at, length, memory, offset);
                at += length;
            }

            if (checksum != BinaryPrimitives.ReadUInt32LittleEndian(header[8..])) throw new SnapshotDamagedException(path);
            MemoryFile.Seal(memory);
            return (new MemoryTemplate(memory), state);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    private static List<(long Offset, long Length)> FindExtents(MemoryTemplate memory, MappedFile mapped, MemoryTemplate? below)
    {
        var extents = new List<(long Offset, long Length)>();
        long done = 0;
        foreach (var (start, end) in memory.DataRanges())
        {
            Add(done, start, isHole: true);
            Add(start, end, isHole: false);
            done = end;
        }

        Add(done, mapped.Length, isHole: true);
        return extents;

        void Add(long from, long to, bool isHole)
        {
            // Holes are not looked into, which would fill them; what the memory below has there has to become zero, though.
            if (isHole && below is null) return;
            for (long at = from; at < to; at += PageSize)
            {
                var page = isHole ? s_zeros : mapped.GetSpan(at, PageSize);
                if ((ulong)at < (below?.Length ?? 0) ? below!.Equals((ulong)at, page) : !page.ContainsAnyExcept((byte)0)) continue;
                if (extents.Count > 0 && extents[^1].Offset + extents[^1].Length == at) extents[^1] = (extents[^1].Offset, extents[^1].Length + PageSize);
                else extents.Add((at, PageSize));
            }
        }
    }
}

/// <summary>A snapshot file is not what was written.</summary>
/// <param name="path">The file.</param>
public sealed class SnapshotDamagedException(string path) : Exception($"{path} is damaged: its checksum does not match.");
