using System.Numerics;
using System.Runtime.InteropServices;

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
}
