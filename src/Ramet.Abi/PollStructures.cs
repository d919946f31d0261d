using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct pollfd of poll(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PollFd
{
    public int fd;
    public ushort events;
    public ushort revents;
}

/// <summary>The sixth argument of pselect6(2): a signal mask and its size.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PselectMask
{
    public ulong ss;
    public ulong ss_len;
}

/// <summary>struct epoll_event, which x86-64 packs (include/uapi/linux/eventpoll.h).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct EpollEvent
{
    public uint events;
    public ulong data;
}

/// <summary>op of epoll_ctl(2).</summary>
public enum EpollOperation
{
    EPOLL_CTL_ADD = 1,
    EPOLL_CTL_DEL = 2,
    EPOLL_CTL_MOD = 3,
}
