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

    /// <summary>What a new program has ("Transformation of capabilities during execve()"). Files carry neither capabilities nor set-user-ID bits here.</summary>
    internal Credentials ForExecute(uint secureBits)
    {
        bool root = (secureBits & SecureBit.NoRoot) == 0;
        ulong fromFile = root && (Uid == 0 || EffectiveUid == 0) ? AllCapabilities : 0;
        ulong permitted = (Inheritable & fromFile) | (fromFile & Bounding) | Ambient;
        ulong effective = root && EffectiveUid == 0 ? permitted : Ambient;
        if (permitted == Permitted && effective == Effective && SavedUid == EffectiveUid && SavedGid == EffectiveGid) return this;
        var changed = Clone();
        changed.Permitted = permitted;
        changed.Effective = effective;
        changed.SavedUid = changed.FileSystemUid = EffectiveUid;
        changed.SavedGid = changed.FileSystemGid = EffectiveGid;
        return changed;
    }
}
