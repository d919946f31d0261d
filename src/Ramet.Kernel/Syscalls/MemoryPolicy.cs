using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>NUMA policies (numa(7)) of a machine with one node: they are checked, and change nothing.</summary>
internal static class MemoryPolicy
{
    private const int MPOL_DEFAULT = 0;
    private const int MPOL_PREFERRED = 1;
    private const int MPOL_BIND = 2;
    private const int MPOL_INTERLEAVE = 3;
    private const int MPOL_LOCAL = 4;
    private const int MPOL_PREFERRED_MANY = 5;
    private const int ModeFlags = (1 << 15) | (1 << 14) | (1 << 13);
    private const int MPOL_F_NODE = 1;
    private const int MPOL_F_ADDR = 2;
    private const int MPOL_F_MEMS_ALLOWED = 4;
    private const ulong MostNodes = 1024;

    [Syscall(SyscallNumber.set_mempolicy, Missing = "checked, but there is one node only: the policy is always the default")]
    internal static SyscallResult SetMemPolicy(PosixThread thread, int mode, UserAddress nodes, ulong maxNode) => Check(thread, mode, nodes, maxNode);

    [Syscall(SyscallNumber.mbind, Missing = "checked, but there is one node only: the policy is always the default")]
    internal static SyscallResult MBind(PosixThread thread, UserAddress address, ulong length, int mode, UserAddress nodes, ulong maxNode, uint flags)
    {
        const uint Known = 7;
        if ((flags & ~Known) != 0 || (address.Value & 4095) != 0) return Errno.EINVAL;
        var error = Check(thread, mode, nodes, maxNode);
        if (error != Errno.None || length == 0) return error;
        ulong end = address.Value + ((length + 4095) & ~4095UL);
        if (end < address.Value) return Errno.EINVAL;
        return thread.Memory.IsMapped(address.Value, end) ? 0 : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.get_mempolicy)]
    internal static SyscallResult GetMemPolicy(PosixThread thread, UserAddress mode, UserAddress nodes, ulong maxNode, UserAddress address, ulong flags)
    {
        if ((flags & ~7UL) != 0) return Errno.EINVAL;
        bool allowed = (flags & MPOL_F_MEMS_ALLOWED) != 0;
        if (allowed && (flags & (MPOL_F_NODE | MPOL_F_ADDR)) != 0) return Errno.EINVAL;
        if (!nodes.IsNull && maxNode < 1) return Errno.EINVAL;
        if ((flags & MPOL_F_ADDR) != 0)
        {
            if (thread.Memory.FindArea(address.Value) is null) return Errno.EFAULT;
        }
        else if (!address.IsNull || ((flags & MPOL_F_NODE) != 0))
        {
            // A node is that of an address, or of a policy that interleaves.
            return Errno.EINVAL;
        }

        if (!mode.IsNull && !thread.Memory.User.TryWrite(mode, MPOL_DEFAULT)) return Errno.EFAULT;
        if (nodes.IsNull) return 0;
        int words = (int)Math.Min((maxNode + 63) / 64, MostNodes / 64);
        for (int i = 0; i < words; i++)
        {
            if (!thread.Memory.User.TryWrite(nodes + (i * 8), i == 0 && allowed ? 1UL : 0UL)) return Errno.EFAULT;
        }

        return 0;
    }

    /// <summary>Whether a policy may be set: node 0 is the only one. EINVAL, EFAULT.</summary>
    private static Errno Check(PosixThread thread, int mode, UserAddress nodes, ulong maxNode)
    {
        int kind = mode & ~ModeFlags;
        if (kind is < MPOL_DEFAULT or > MPOL_PREFERRED_MANY) return Errno.EINVAL;
        ulong count = maxNode == 0 ? 0 : maxNode - 1;
        if (count > MostNodes * 32) return Errno.EINVAL;
        ulong mask = 0;
        if (!nodes.IsNull)
        {
            for (ulong at = 0; at < count; at += 64)
            {
                if (!thread.Memory.User.TryRead(nodes + (long)(at / 8), out ulong word)) return Errno.EFAULT;
                if (count - at < 64) word &= (1UL << (int)(count - at)) - 1;
                if (at == 0) mask = word;
                else if (word != 0) return Errno.EINVAL;
            }
        }

        bool needsNodes = kind is MPOL_BIND or MPOL_INTERLEAVE or MPOL_PREFERRED_MANY;
        if (kind is MPOL_DEFAULT or MPOL_LOCAL) return mask == 0 ? Errno.None : Errno.EINVAL;
        if (needsNodes || mask != 0) return (mask & 1) != 0 && (mask & ~1UL) == 0 ? Errno.None : Errno.EINVAL;
        return kind == MPOL_PREFERRED ? Errno.None : Errno.EINVAL;
    }
}
