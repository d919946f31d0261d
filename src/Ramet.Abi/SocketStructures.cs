using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct msghdr as the system calls see it (struct user_msghdr).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MsgHdr
{
    public ulong msg_name;
    public int msg_namelen;
    public int __pad1;
    public ulong msg_iov;
    public ulong msg_iovlen;
    public ulong msg_control;
    public ulong msg_controllen;
    public MessageFlags msg_flags;
    public int __pad2;
}

/// <summary>struct mmsghdr of sendmmsg(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MMsgHdr
{
    public MsgHdr msg_hdr;
    public uint msg_len;
    public int __pad;
}

/// <summary>struct cmsghdr of cmsg(3).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CMsgHdr
{
    public ulong cmsg_len;
    public int cmsg_level;
    public int cmsg_type;
}

/// <summary>struct ucred of unix(7).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct UCred
{
    public int pid;
    public uint uid;
    public uint gid;
}

/// <summary>struct linger of socket(7).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Linger
{
    public int l_onoff;
    public int l_linger;
}
