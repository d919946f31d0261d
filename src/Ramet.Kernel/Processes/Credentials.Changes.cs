using System.Buffers.Binary;
using Ramet.Kernel.Files;

namespace Ramet.Kernel.Processes;

/// <summary>How capabilities follow changes of users and programs (capabilities(7)).</summary>
public sealed partial class Credentials
{
    /// <summary>CAP_* that go with the file system user: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD, MAC_OVERRIDE.</summary>
    private const ulong FileSystemCapabilities = 0x1F | (1UL << 9) | (1UL << 27) | (1UL << 32);

    /// <summary>Whether a user or group id is one of the real, effective and saved ones.</summary>
    internal static bool IsOneOf(uint id, uint real, uint effective, uint saved) => id == real || id == effective || id == saved;

    /// <summary>User ids have changed from those of <paramref name="old"/>: capabilities are lost or come back ("Effect of user ID changes on capabilities").</summary>
    internal void FixUpAfterUserChange(Credentials old, uint secureBits)
    {
        if ((secureBits & SecureBit.NoSetUidFixup) != 0) return;
        bool wasRoot = old.Uid == 0 || old.EffectiveUid == 0 || old.SavedUid == 0;
        if (wasRoot && Uid != 0 && EffectiveUid != 0 && SavedUid != 0)
        {
            if ((secureBits & SecureBit.KeepCapabilities) == 0) Permitted = Effective = 0;
            Ambient = 0;
        }

        if (old.EffectiveUid == 0 && EffectiveUid != 0) Effective = 0;
        if (old.EffectiveUid != 0 && EffectiveUid == 0) Effective = Permitted;
    }

    /// <summary>The file system user alone has changed.</summary>
    internal void FixUpAfterFileSystemUserChange(uint old)
    {
        if (old == 0 && FileSystemUid != 0) Effective &= ~FileSystemCapabilities;
        if (old != 0 && FileSystemUid == 0) Effective |= FileSystemCapabilities & Permitted;
    }

    /// <summary>What a new program has ("Transformation of capabilities during execve()"). EPERM: its capabilities cannot all be had.</summary>
    /// <param name="secureBits">Of the thread.</param>
    /// <param name="program">The file; of a script, the interpreter.</param>
    /// <param name="ignoresPrivileges">Whether the file's set-user-ID and set-group-ID bits and capabilities do not count (nosuid).</param>
    /// <param name="result">The credentials.</param>
    /// <param name="secure">Whether the program has more rights than its caller (AT_SECURE).</param>
    internal Errno ForExecute(uint secureBits, Inode program, bool ignoresPrivileges, out Credentials result, out bool secure)
    {
        const InodeMode GroupExecute = InodeMode.S_ISGID | InodeMode.S_IXGRP;
        var changed = Clone();
        if (!ignoresPrivileges && !NoNewPrivileges)
        {
            if ((program.Mode & InodeMode.S_ISUID) != 0) changed.EffectiveUid = program.Uid;
            if ((program.Mode & GroupExecute) == GroupExecute) changed.EffectiveGid = program.Gid;
        }

        result = changed;
        secure = false;
        bool root = (secureBits & SecureBit.NoRoot) == 0;
        var file = ignoresPrivileges ? default : FileCapabilities.Of(program);
        bool hasCapabilities = file.Permitted != 0 || file.Inheritable != 0;
        bool effective = file.Effective;
        // A set-user-ID root program with capabilities of its own has just these, unless root calls it.
        if (root && !(hasCapabilities && Uid != 0 && changed.EffectiveUid == 0))
        {
            if (Uid == 0 || changed.EffectiveUid == 0) file = new FileCapabilities(AllCapabilities, AllCapabilities, effective);
            if (changed.EffectiveUid == 0) effective = true;
        }

        if (changed.EffectiveUid != EffectiveUid || changed.EffectiveGid != EffectiveGid || hasCapabilities) changed.Ambient = 0;
        changed.Permitted = (Inheritable & file.Inheritable) | (file.Permitted & Bounding) | changed.Ambient;
        if (hasCapabilities && effective && Uid != 0 && changed.EffectiveUid != 0 && (file.Permitted & ~changed.Permitted) != 0) return Errno.EPERM;
        if (NoNewPrivileges) changed.Permitted &= Permitted;
        changed.Effective = effective ? changed.Permitted : changed.Ambient;
        changed.SavedUid = changed.FileSystemUid = changed.EffectiveUid;
        changed.SavedGid = changed.FileSystemGid = changed.EffectiveGid;
        secure = changed.EffectiveUid != Uid || changed.EffectiveGid != Gid || (Uid != 0 && (effective || (changed.Permitted & ~changed.Ambient) != 0) && changed.Permitted != 0);
        return Errno.None;
    }
}

/// <summary>Capabilities of a file (capabilities(7), "File capabilities"): the extended attribute security.capability.</summary>
/// <param name="Permitted">What the program gets, within the bounding set.</param>
/// <param name="Inheritable">What it may inherit.</param>
/// <param name="Effective">Whether what it gets is in effect from the start.</param>
internal readonly record struct FileCapabilities(ulong Permitted, ulong Inheritable, bool Effective)
{
    /// <summary>The attribute's name.</summary>
    public const string Attribute = "security.capability";

    private const uint RevisionMask = 0xFF000000;

    /// <summary>Whether these bytes may be stored (VFS_CAP_REVISION_2 and _3).</summary>
    public static bool IsValid(ReadOnlySpan<byte> value) => value.Length >= 4 && (BinaryPrimitives.ReadUInt32LittleEndian(value) & RevisionMask) switch
    {
        0x02000000 => value.Length == 20,
        0x03000000 => value.Length == 24,
        _ => false,
    };

    /// <summary>Those of a file; none if it has none that count here.</summary>
    public static FileCapabilities Of(Inode inode)
    {
        if (inode.ExtendedAttributes is not { } attributes || !attributes.TryGetValue(Attribute, out byte[]? value) || !IsValid(value)) return default;
        // Those of another user namespace's root are none of ours.
        if (value.Length == 24 && BinaryPrimitives.ReadUInt32LittleEndian(value.AsSpan(20)) != 0) return default;
        ulong permitted = Word(value, 4) | (Word(value, 12) << 32);
        ulong inheritable = Word(value, 8) | (Word(value, 16) << 32);
        return new FileCapabilities(permitted & Credentials.AllCapabilities, inheritable & Credentials.AllCapabilities, (value[0] & 1) != 0);
    }

    private static ulong Word(byte[] value, int at) => BinaryPrimitives.ReadUInt32LittleEndian(value.AsSpan(at));
}
