using System.Text;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Syscalls;

/// <summary>prctl(2).</summary>
internal static class PrctlCalls
{
    private const int NameSize = 16;
    private const int LastCapability = 40;
    private const int PR_CAP_AMBIENT_IS_SET = 1;
    private const int PR_CAP_AMBIENT_RAISE = 2;
    private const int PR_CAP_AMBIENT_LOWER = 3;
    private const int PR_CAP_AMBIENT_CLEAR_ALL = 4;

    [Syscall(SyscallNumber.prctl, Missing = "PR_SET_MM (EPERM), tagged addresses, speculation and core scheduling")]
    internal static SyscallResult Prctl(PosixThread thread, PrctlOperation option, ulong arg2, ulong arg3, ulong arg4, ulong arg5)
    {
        var process = thread.Process;
        var own = thread.Credentials;
        var user = thread.Memory.User;
        switch (option)
        {
            case PrctlOperation.PR_SET_NAME:
                return SetName(thread, new UserAddress(arg2));
            case PrctlOperation.PR_GET_NAME:
                return GetName(thread, new UserAddress(arg2));
            case PrctlOperation.PR_SET_PDEATHSIG:
                if (arg2 > Signal.SIGRTMAX) return Errno.EINVAL;
                thread.ParentDeathSignal = (int)arg2;
                return 0;
            case PrctlOperation.PR_GET_PDEATHSIG:
                return user.TryWrite(new UserAddress(arg2), thread.ParentDeathSignal) ? 0 : Errno.EFAULT;
            case PrctlOperation.PR_GET_DUMPABLE:
                return process.Dumpable;
            case PrctlOperation.PR_SET_DUMPABLE:
                if (arg2 > 1) return Errno.EINVAL;
                process.Dumpable = (int)arg2;
                return 0;
            case PrctlOperation.PR_SET_CHILD_SUBREAPER:
                process.IsSubreaper = arg2 != 0;
                return 0;
            case PrctlOperation.PR_GET_CHILD_SUBREAPER:
                return user.TryWrite(new UserAddress(arg2), process.IsSubreaper ? 1 : 0) ? 0 : Errno.EFAULT;
            case PrctlOperation.PR_SET_NO_NEW_PRIVS:
                if (arg2 != 1 || (arg3 | arg4 | arg5) != 0) return Errno.EINVAL;
                Change(thread, changed => changed.NoNewPrivileges = true);
                return 0;
            case PrctlOperation.PR_GET_NO_NEW_PRIVS:
                return (arg2 | arg3 | arg4 | arg5) != 0 ? Errno.EINVAL : own.NoNewPrivileges ? 1 : 0;
            case PrctlOperation.PR_GET_SECCOMP:
                return thread.SeccompMode;
            case PrctlOperation.PR_SET_SECCOMP:
                return SeccompCalls.SetMode(thread, arg2, new UserAddress(arg3));
            case PrctlOperation.PR_SET_TIMERSLACK:
                thread.TimerSlack = (long)arg2 <= 0 ? 50_000 : (long)arg2;
                return 0;
            case PrctlOperation.PR_GET_TIMERSLACK:
                return thread.TimerSlack;
            case PrctlOperation.PR_SET_THP_DISABLE:
                if ((arg3 | arg4 | arg5) != 0) return Errno.EINVAL;
                process.HugePagesDisabled = arg2 != 0;
                return 0;
            case PrctlOperation.PR_GET_THP_DISABLE:
                return (arg2 | arg3 | arg4 | arg5) != 0 ? Errno.EINVAL : process.HugePagesDisabled ? 1 : 0;
            case PrctlOperation.PR_GET_TID_ADDRESS:
                return user.TryWrite(new UserAddress(arg2), thread.ClearChildTid) ? 0 : Errno.EFAULT;
            case PrctlOperation.PR_GET_TIMING:
                return 0;
            case PrctlOperation.PR_SET_TIMING:
                return arg2 == 0 ? 0 : Errno.EINVAL;
            case PrctlOperation.PR_GET_TSC:
                // PR_TSC_ENABLE.
                return user.TryWrite(new UserAddress(arg2), 1) ? 0 : Errno.EFAULT;
            case PrctlOperation.PR_SET_VMA:
                return arg2 == 0 ? NameMemory(thread, arg3, arg4, new UserAddress(arg5)) : Errno.EINVAL;
            case PrctlOperation.PR_SET_MM:
                return Errno.EPERM;
            default:
                return Capabilities(thread, option, arg2, arg3, arg4, arg5);
        }
    }

    private static SyscallResult Capabilities(PosixThread thread, PrctlOperation option, ulong arg2, ulong arg3, ulong arg4, ulong arg5)
    {
        var own = thread.Credentials;
        switch (option)
        {
            case PrctlOperation.PR_CAPBSET_READ:
                return arg2 > LastCapability ? Errno.EINVAL : (long)(own.Bounding >> (int)arg2 & 1);
            case PrctlOperation.PR_CAPBSET_DROP:
                if (!own.HasCapability(Capability.CAP_SETPCAP)) return Errno.EPERM;
                if (arg2 > LastCapability) return Errno.EINVAL;
                Change(thread, changed => changed.Bounding &= ~(1UL << (int)arg2));
                return 0;
            case PrctlOperation.PR_GET_KEEPCAPS:
                return (thread.SecureBits & SecureBit.KeepCapabilities) != 0 ? 1 : 0;
            case PrctlOperation.PR_SET_KEEPCAPS:
                if (arg2 > 1) return Errno.EINVAL;
                if ((thread.SecureBits & (SecureBit.KeepCapabilities << 1)) != 0) return Errno.EPERM;
                thread.SecureBits = arg2 == 0 ? thread.SecureBits & ~SecureBit.KeepCapabilities : thread.SecureBits | SecureBit.KeepCapabilities;
                return 0;
            case PrctlOperation.PR_GET_SECUREBITS:
                return (long)thread.SecureBits;
            case PrctlOperation.PR_SET_SECUREBITS:
                return SetSecureBits(thread, arg2);
            case PrctlOperation.PR_CAP_AMBIENT:
                return Ambient(thread, arg2, arg3, arg4, arg5);
            default:
                return Errno.EINVAL;
        }
    }

    private static SyscallResult SetSecureBits(PosixThread thread, ulong bits)
    {
        // Every second bit locks the one below it; neither a lock nor what it locks changes any more.
        const uint Locks = 0xAA;
        if ((bits & ~(ulong)SecureBit.All) != 0 || !thread.Credentials.HasCapability(Capability.CAP_SETPCAP)) return Errno.EPERM;
        uint locked = thread.SecureBits & Locks;
        uint changed = thread.SecureBits ^ (uint)bits;
        if ((changed & (locked | (locked >> 1))) != 0) return Errno.EPERM;
        thread.SecureBits = (uint)bits;
        return 0;
    }

    private static SyscallResult Ambient(PosixThread thread, ulong operation, ulong capability, ulong arg4, ulong arg5)
    {
        if ((arg4 | arg5) != 0) return Errno.EINVAL;
        if (operation == PR_CAP_AMBIENT_CLEAR_ALL)
        {
            if (capability != 0) return Errno.EINVAL;
            Change(thread, changed => changed.Ambient = 0);
            return 0;
        }

        if (capability > LastCapability) return Errno.EINVAL;
        ulong bit = 1UL << (int)capability;
        var own = thread.Credentials;
        switch (operation)
        {
            case PR_CAP_AMBIENT_IS_SET:
                return (own.Ambient & bit) != 0 ? 1 : 0;
            case PR_CAP_AMBIENT_RAISE:
                if ((own.Permitted & own.Inheritable & bit) == 0) return Errno.EPERM;
                Change(thread, changed => changed.Ambient |= bit);
                return 0;
            case PR_CAP_AMBIENT_LOWER:
                Change(thread, changed => changed.Ambient &= ~bit);
                return 0;
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>PR_SET_VMA_ANON_NAME: at most 79 printable characters, without \ ` $ [ ].</summary>
    private static SyscallResult NameMemory(PosixThread thread, ulong address, ulong length, UserAddress name)
    {
        const int MaxName = 80;
        string? text = null;
        if (!name.IsNull)
        {
            var error = thread.Memory.User.ReadString(name, out text, MaxName);
            if (error != Errno.None) return error == Errno.ENAMETOOLONG ? Errno.EINVAL : error;
            foreach (char c in text)
                if (c is < ' ' or > '~' or '\\' or '`' or '$' or '[' or ']') return Errno.EINVAL;
        }

        return thread.Memory.NameRange(address, length, text);
    }

    private static SyscallResult SetName(PosixThread thread, UserAddress address)
    {
        // At most 15 bytes count, and there need be no NUL: byte by byte, as the next page may not be there.
        var name = new StringBuilder(NameSize);
        for (int i = 0; i < NameSize - 1; i++)
        {
            if (!thread.Memory.User.TryRead(address + i, out byte next)) return Errno.EFAULT;
            if (next == 0) break;
            name.Append((char)next);
        }

        thread.Name = name.ToString();
        return 0;
    }

    private static SyscallResult GetName(PosixThread thread, UserAddress address)
    {
        Span<byte> bytes = stackalloc byte[NameSize];
        bytes.Clear();
        Encoding.Latin1.GetBytes(thread.Name.AsSpan(0, Math.Min(thread.Name.Length, NameSize - 1)), bytes);
        return thread.Memory.User.Write(address, bytes) == NameSize ? 0 : Errno.EFAULT;
    }

    private static void Change(PosixThread thread, Action<Credentials> change)
    {
        var changed = thread.Credentials.Clone();
        change(changed);
        thread.Credentials = changed;
    }
}
