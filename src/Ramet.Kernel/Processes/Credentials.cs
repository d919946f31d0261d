using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>Users, groups and capabilities of a thread (credentials(7)). Immutable once shared: a change makes a copy.</summary>
[Saved]
public sealed partial class Credentials
{
    public uint Uid { get; set; }
    public uint EffectiveUid { get; set; }
    public uint SavedUid { get; set; }
    public uint FileSystemUid { get; set; }
    public uint Gid { get; set; }
    public uint EffectiveGid { get; set; }
    public uint SavedGid { get; set; }
    public uint FileSystemGid { get; set; }

    /// <summary>Supplementary groups.</summary>
    public uint[] Groups { get; set; } = [];

    /// <summary>Capability sets (capabilities(7)), a bit per CAP_*.</summary>
    public ulong Permitted { get; set; } = AllCapabilities;

    /// <inheritdoc cref="Permitted"/>
    public ulong Effective { get; set; } = AllCapabilities;

    /// <inheritdoc cref="Permitted"/>
    public ulong Inheritable { get; set; }

    /// <inheritdoc cref="Permitted"/>
    public ulong Bounding { get; set; } = AllCapabilities;

    /// <inheritdoc cref="Permitted"/>
    public ulong Ambient { get; set; }

    /// <summary>no_new_privs.</summary>
    public bool NoNewPrivileges { get; set; }

    /// <summary>CAP_CHOWN to CAP_CHECKPOINT_RESTORE.</summary>
    public const ulong AllCapabilities = (1UL << 41) - 1;

    /// <summary>What a program has that this user starts: root all capabilities, others none.</summary>
    public static Credentials OfUser(uint uid, uint gid, uint[] groups)
    {
        ulong capabilities = uid == 0 ? AllCapabilities : 0;
        return new Credentials
        {
            Uid = uid,
            EffectiveUid = uid,
            SavedUid = uid,
            FileSystemUid = uid,
            Gid = gid,
            EffectiveGid = gid,
            SavedGid = gid,
            FileSystemGid = gid,
            Groups = groups,
            Permitted = capabilities,
            Effective = capabilities,
        };
    }

    /// <summary>Whether a capability is effective.</summary>
    public bool HasCapability(Capability capability) => (Effective >> (int)capability & 1) != 0;

    /// <summary>Whether the group is the file system group or a supplementary one.</summary>
    public bool IsInGroup(uint gid) => FileSystemGid == gid || Array.IndexOf(Groups, gid) >= 0;

    /// <summary>A copy to change.</summary>
    public Credentials Clone() => (Credentials)MemberwiseClone();
}

/// <summary>CAP_* (include/uapi/linux/capability.h).</summary>
public enum Capability
{
    CAP_CHOWN = 0,
    CAP_DAC_OVERRIDE = 1,
    CAP_DAC_READ_SEARCH = 2,
    CAP_FOWNER = 3,
    CAP_FSETID = 4,
    CAP_KILL = 5,
    CAP_SETGID = 6,
    CAP_SETUID = 7,
    CAP_SETPCAP = 8,
    CAP_NET_BIND_SERVICE = 10,
    CAP_NET_ADMIN = 12,
    CAP_NET_RAW = 13,
    CAP_IPC_LOCK = 14,
    CAP_IPC_OWNER = 15,
    CAP_SYS_CHROOT = 18,
    CAP_SYS_PTRACE = 19,
    CAP_SYS_ADMIN = 21,
    CAP_SYS_BOOT = 22,
    CAP_SYS_NICE = 23,
    CAP_SYS_RESOURCE = 24,
    CAP_SYS_TIME = 25,
    CAP_SYS_TTY_CONFIG = 26,
    CAP_MKNOD = 27,
    CAP_LEASE = 28,
    CAP_SETFCAP = 31,
}
