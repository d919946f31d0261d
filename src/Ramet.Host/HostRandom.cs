using System.Runtime.InteropServices;

namespace Ramet.Host;

/// <summary>The host kernel's random number generator. getrandom(2).</summary>
public static class HostRandom
{
    /// <summary>Fills a buffer with random bytes fit for keys.</summary>
    public static unsafe void Fill(Span<byte> buffer)
    {
        // SAFETY: the pointer stays inside the pinned span.
        fixed (byte* p = buffer)
        {
            for (var done = 0; done < buffer.Length;)
            {
                var n = Libc.GetRandom(p + done, (nuint)(buffer.Length - done), 0);
                if (n >= 0)
                    done += (int)n;
                else if (Marshal.GetLastPInvokeError() != Libc.EINTR)
                    throw HostException.FromErrno("getrandom");
            }
        }
    }
}
