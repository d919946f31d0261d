using System.Numerics;
using System.Runtime.InteropServices;
using Ramet.Host;

namespace Ramet.Sandboxes;

/// <summary>CRC-32C (Castagnoli), by the CPU's own instruction: finds damage, and is no protection against forgery.</summary>
internal static class Crc32C
{
    /// <summary>Begin with all ones.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(bytes)) crc = BitOperations.Crc32C(crc, word);
        foreach (byte rest in bytes[(bytes.Length & ~7)..]) crc = BitOperations.Crc32C(crc, rest);
        return crc;
    }

    /// <summary>Copies bytes from one file to another, in pieces, and appends them.</summary>
    /// <exception cref="HostException">There is no room for them.</exception>
    public static uint AppendCopy(uint crc, MappedFile from, long offset, long length, FileDescriptor to, long target)
    {
        const int PieceSize = 1 << 20;
        for (long done = 0; done < length; done += PieceSize)
        {
            var piece = from.GetSpan(offset + done, (int)Math.Min(PieceSize, length - done));
            crc = Append(crc, piece);
            to.WriteAllAt(piece, target + done);
        }

        return crc;
    }
}
