using System.Buffers.Binary;
using System.Text.Json;
using Ramet.Host;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// A snapshot of a sandbox as a file: a header, its description as JSON, the kernel's state, and from a page boundary on the pages that differ from the template. A CRC-32C
/// covers all of it. Written under another name, made durable, and then given its name: what has the name is whole.
/// </summary>
internal static class SavedSandboxFile
{
    private const ulong Magic = 0x31_58_42_44_4E_41_53_7F; // "\x7FSANDBX1"
    private const int HeaderSize = 64;
    private const int PageSize = 4096;
    private const int PieceSize = 1 << 20;

    /// <summary>Writes a snapshot. Whatever happens meanwhile, the path holds either what it held before or all of the new file.</summary>
    /// <exception cref="HostException">The file cannot be written.</exception>
    public static void Write(string path, SavedSandbox description, MemoryDelta memory, ReadOnlyMemory<byte> state) =>
        WholeFile.Write(path, UnixFileMode.UserRead | UnixFileMode.UserWrite, file => WriteTo(file, description, memory, state.Span));

    /// <summary>The description of a saved sandbox.</summary>
    /// <exception cref="SnapshotDamagedException">The file is not what was written.</exception>
    public static SavedSandbox ReadDescription(string path, MappedFile mapped) => Parse(path, mapped).Description;

    /// <inheritdoc cref="ReadDescription(string, MappedFile)"/>
    public static SavedSandbox ReadDescription(string path)
    {
        using var mapped = MappedFile.Open(path);
        return ReadDescription(path, mapped);
    }

    /// <summary>Loads a saved sandbox: its description, memory in a sealed memory file, and kernel state.</summary>
    /// <exception cref="SnapshotDamagedException">The file is not what was written.</exception>
    public static (SavedSandbox Description, MemoryDelta Memory, byte[] State) Read(string path, MappedFile mapped)
    {
        var (description, stateOffset, stateLength, dataOffset, expected) = Parse(path, mapped);
        uint checksum = Crc32C.Append(~0u, mapped.GetSpan(HeaderSize, (int)(dataOffset - HeaderSize)));
        byte[] state = mapped.GetSpan(stateOffset, stateLength).ToArray();
        var file = MemoryFile.Create("ramet-saved");
        try
        {
            long length = mapped.Length - dataOffset;
            file.SetLength(length);
            checksum = Crc32C.AppendCopy(checksum, mapped, dataOffset, length, file, 0);
            if (checksum != expected) throw new SnapshotDamagedException(path);
            MemoryFile.Seal(file);
            ulong offset = 0;
            var ranges = new List<DeltaRange>();
            foreach (var range in description.Ranges)
            {
                ranges.Add(new DeltaRange(range.Address, range.Length, offset));
                offset += range.Length;
            }

            return (description, new MemoryDelta(file, ranges, description.MemorySize), state);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static void WriteTo(FileDescriptor file, SavedSandbox description, MemoryDelta memory, ReadOnlySpan<byte> state)
    {
        using var mapped = new MappedFile(memory.File, isSealed: true);
        byte[] head = MakeHead(description, mapped, state);
        file.WriteAllAt(head, 0);
        for (long done = 0; done < mapped.Length; done += PieceSize)
            file.WriteAllAt(mapped.GetSpan(done, (int)Math.Min(PieceSize, mapped.Length - done)), head.Length + done);
    }

    /// <summary>All of the file before the pages.</summary>
    public static byte[] MakeHead(SavedSandbox description, MappedFile mapped, ReadOnlySpan<byte> state)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(description, SavedSandboxJson.Default.SavedSandbox);
        long dataOffset = DataOffset(json.Length, state.Length);
        byte[] head = new byte[dataOffset];
        json.CopyTo(head, HeaderSize);
        state.CopyTo(head.AsSpan(HeaderSize + json.Length));
        uint checksum = Crc32C.Append(~0u, head.AsSpan(HeaderSize));
        for (long done = 0; done < mapped.Length; done += PieceSize)
            checksum = Crc32C.Append(checksum, mapped.GetSpan(done, (int)Math.Min(PieceSize, mapped.Length - done)));
        var header = head.AsSpan(0, HeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], checksum);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], json.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], state.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], dataOffset + mapped.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[32..], Crc32C.Append(~0u, header[..32]));
        return head;
    }

    private static long DataOffset(long jsonLength, long stateLength) => (HeaderSize + jsonLength + stateLength + PageSize - 1) & ~(long)(PageSize - 1);

    private static (SavedSandbox Description, long StateOffset, int StateLength, long DataOffset, uint Checksum) Parse(string path, MappedFile mapped)
    {
        var header = mapped.Length >= HeaderSize ? mapped.GetSpan(0, HeaderSize) : throw new SnapshotDamagedException(path);
        int jsonLength = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        int stateLength = BinaryPrimitives.ReadInt32LittleEndian(header[16..]);
        long dataOffset = DataOffset(jsonLength, stateLength);
        bool plausible = BinaryPrimitives.ReadUInt64LittleEndian(header) == Magic
            && BinaryPrimitives.ReadUInt32LittleEndian(header[32..]) == Crc32C.Append(~0u, header[..32])
            && BinaryPrimitives.ReadInt64LittleEndian(header[24..]) == mapped.Length
            && jsonLength > 0 && stateLength > 0 && dataOffset <= mapped.Length;
        if (!plausible) throw new SnapshotDamagedException(path);
        try
        {
            var description = JsonSerializer.Deserialize(mapped.GetSpan(HeaderSize, jsonLength), SavedSandboxJson.Default.SavedSandbox) ?? throw new SnapshotDamagedException(path);
            return (description, HeaderSize + jsonLength, stateLength, dataOffset, BinaryPrimitives.ReadUInt32LittleEndian(header[8..]));
        }
        catch (JsonException)
        {
            throw new SnapshotDamagedException(path);
        }
    }
}
