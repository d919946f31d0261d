using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Ramet.Sandboxes.Hosting;

/// <summary>
/// Ids that sort as they were made: UUIDs of version 7 whose 12 bits behind the milliseconds are the fraction of the millisecond (RFC 9562, section 6.2, method 3), and which never go
/// back within a process, even if the clock does.
/// </summary>
internal static class TimeOrderedId
{
    private static long s_last;

    /// <summary>A new one: the prefix, and 32 hexadecimal digits.</summary>
    public static string New(string prefix)
    {
        // In 1/4096 ms.
        long ticks = TimeProvider.System.GetUtcNow().UtcTicks - DateTime.UnixEpoch.Ticks;
        long now = (long)((Int128)ticks * 4096 / TimeSpan.TicksPerMillisecond), last, next;
        do
        {
            last = Volatile.Read(ref s_last);
            next = Math.Max(now, last + 1);
        }
        while (Interlocked.CompareExchange(ref s_last, next, last) != last);

        Span<byte> id = stackalloc byte[16];
        RandomNumberGenerator.Fill(id[8..]);
        BinaryPrimitives.WriteUInt64BigEndian(id, ((ulong)(next >> 12) << 16) | 0x7000 | (ulong)(next & 0xFFF));
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return prefix + Convert.ToHexStringLower(id);
    }
}
