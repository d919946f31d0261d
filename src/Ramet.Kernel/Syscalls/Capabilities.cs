using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>capget(2) and capset(2).</summary>
internal static class CapabilityCalls
{
    private const uint Version1 = 0x19980330;
    private const uint Version2 = 0x20071026;
    private const uint Version3 = 0x20080522;

    [Syscall(SyscallNumber.capget)]
    internal static SyscallResult Capget(PosixThread thread, UserAddress hdrp, UserAddress datap)
    {
        var error = ReadHeader(thread, hdrp, out var header, out int words);
        if (error != Errno.None) return error == Errno.EINVAL && datap.IsNull ? 0 : error;
        if (header.pid < 0) return Errno.EINVAL;
        var target = header.pid == 0 ? thread : thread.Kernel.Processes.FindThread(header.pid);
        if (target is null) return Errno.ESRCH;
        if (datap.IsNull) return 0;
        for (int i = 0; i < words; i++)
        {
            var data = new CapabilityData
            {
                effective = (uint)(target.Credentials.Effective >> (32 * i)),
                permitted = (uint)(target.Credentials.Permitted >> (32 * i)),
                inheritable = (uint)(target.Credentials.Inheritable >> (32 * i)),
            };
            if (!thread.Memory.User.TryWrite(datap + (12 * i), data)) return Errno.EFAULT;
        }

        return 0;
    }

    [Syscall(SyscallNumber.capset)]
    internal static SyscallResult Capset(PosixThread thread, UserAddress hdrp, UserAddress datap)
    {
        var error = ReadHeader(thread, hdrp, out var header, out int words);
        if (error != Errno.None) return error;
        if (header.pid != 0 && header.pid != thread.Tid) return Errno.EPERM;
        ulong effective = 0;
        ulong permitted = 0;
        ulong inheritable = 0;
        for (int i = 0; i < words; i++)
        {
            if (!thread.Memory.User.TryRead(datap + (12 * i), out CapabilityData data)) return Errno.EFAULT;
            effective |= (ulong)data.effective << (32 * i);
            permitted |= (ulong)data.permitted << (32 * i);
            inheritable |= (ulong)data.inheritable << (32 * i);
        }

        effective &= Credentials.AllCapabilities;
        permitted &= Credentials.AllCapabilities;
        inheritable &= Credentials.AllCapabilities;
        var old = thread.Credentials;
        bool mayRaise = old.HasCapability(Capability.CAP_SETPCAP);
        if (!mayRaise && (inheritable & ~(old.Inheritable | old.Permitted)) != 0) return Errno.EPERM;
        if ((inheritable & ~(old.Inheritable | old.Bounding)) != 0) return Errno.EPERM;
        if ((permitted & ~old.Permitted) != 0 || (effective & ~permitted) != 0) return Errno.EPERM;
        var changed = old.Clone();
        changed.Effective = effective;
        changed.Permitted = permitted;
        changed.Inheritable = inheritable;
        changed.Ambient &= permitted & inheritable;
        thread.Credentials = changed;
        return 0;
    }

    private static Errno ReadHeader(PosixThread thread, UserAddress address, out CapabilityHeader header, out int words)
    {
        words = 0;
        if (!thread.Memory.User.TryRead(address, out header)) return Errno.EFAULT;
        words = header.version switch
        {
            Version1 => 1,
            Version2 or Version3 => 2,
            _ => 0,
        };
        if (words > 0) return Errno.None;
        header.version = Version3;
        return thread.Memory.User.TryWrite(address, header.version) ? Errno.EINVAL : Errno.EFAULT;
    }
}
