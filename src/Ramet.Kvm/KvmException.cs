using System.Runtime.InteropServices;
using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>KVM is missing, unusable, or refused something. The message says what to do.</summary>
public sealed class KvmException : HostException
{
    /// <summary>Makes an exception with a complete message.</summary>
    public KvmException(string message, int errno = 0)
        : base(message, errno) { }

    internal static KvmException FromLastError(string what)
    {
        var errno = Marshal.GetLastPInvokeError();
        return new KvmException(HostException.FromErrno(what, errno).Message, errno);
    }
}
