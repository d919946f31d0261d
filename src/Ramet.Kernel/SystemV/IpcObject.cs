using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.SystemV;

/// <summary>What shared memory segments, semaphore sets and message queues have in common (sysvipc(7)).</summary>
[Saved]
internal abstract partial class IpcObject
{
    /// <summary>IPC_PRIVATE; also the key of a segment that is about to go.</summary>
    public const int PrivateKey = 0;

    private protected IpcObject()
    {
    }

    public int Key { get; set; }

    public int Id { get; set; }

    public uint Uid { get; private set; }

    public uint Gid { get; private set; }

    public uint CreatorUid { get; private set; }

    public uint CreatorGid { get; private set; }

    /// <summary>Permission bits, and SHM_DEST, SHM_LOCKED.</summary>
    public uint Mode { get; set; }

    /// <summary>Seconds since 1970.</summary>
    public long ChangeTime { get; set; }

    /// <summary>IPC_RMID was called: who still waits gets EIDRM.</summary>
    public bool IsRemoved { get; set; }

    public void SetCreator(PosixThread thread, uint mode)
    {
        Uid = CreatorUid = thread.Credentials.EffectiveUid;
        Gid = CreatorGid = thread.Credentials.EffectiveGid;
        Mode = mode & 0x1FF;
        ChangeTime = Now(thread);
    }

    /// <summary>Seconds since 1970.</summary>
    public static long Now(PosixThread thread) => thread.Kernel.RealtimeNow / 1_000_000_000;

    /// <summary>Whether a thread may do this (read 4, write 2, in any of the three places). EACCES.</summary>
    public Errno Check(PosixThread thread, uint wanted)
    {
        var credentials = thread.Credentials;
        uint requested = ((wanted >> 6) | (wanted >> 3) | wanted) & 7;
        uint granted = Mode;
        if (credentials.EffectiveUid == CreatorUid || credentials.EffectiveUid == Uid) granted >>= 6;
        else if (IsInGroup(credentials, CreatorGid) || IsInGroup(credentials, Gid)) granted >>= 3;
        return (requested & ~granted) == 0 || credentials.HasCapability(Capability.CAP_IPC_OWNER) ? Errno.None : Errno.EACCES;
    }

    /// <summary>Whether a thread may remove or change this. EPERM.</summary>
    public Errno CheckOwner(PosixThread thread)
    {
        uint uid = thread.Credentials.EffectiveUid;
        return uid == Uid || uid == CreatorUid || thread.Credentials.HasCapability(Capability.CAP_SYS_ADMIN) ? Errno.None : Errno.EPERM;
    }

    /// <summary>IPC_SET.</summary>
    public void SetOwner(PosixThread thread, in IpcPerm wanted)
    {
        Uid = wanted.uid;
        Gid = wanted.gid;
        Mode = (Mode & ~0x1FFu) | (wanted.mode & 0x1FF);
        ChangeTime = Now(thread);
    }

    public IpcPerm Permissions => new()
    {
        __key = Key,
        uid = Uid,
        gid = Gid,
        cuid = CreatorUid,
        cgid = CreatorGid,
        mode = Mode,
        __seq = (ushort)(Id / IpcTable.MaximumObjects),
    };

    private static bool IsInGroup(Credentials credentials, uint gid) => credentials.EffectiveGid == gid || Array.IndexOf(credentials.Groups, gid) >= 0;
}

/// <summary>The objects of one kind. An id is a slot and how often it has been used.</summary>
[Saved]
internal sealed partial class IpcTable
{
    /// <summary>IPCMNI: slots that an id can name.</summary>
    public const int MaximumObjects = 32768;

    private List<IpcObject?> _slots = [];
    private int _sequence;

    /// <summary>Objects there are.</summary>
    public int Count { get; private set; }

    /// <summary>All, by slot.</summary>
    public IEnumerable<IpcObject> All => _slots.OfType<IpcObject>();

    /// <summary>Highest slot in use (what *_INFO returns); 0 when there is none.</summary>
    public int HighestIndex => Math.Max(0, _slots.FindLastIndex(slot => slot is not null));

    public IpcObject? FindKey(int key) => key == IpcObject.PrivateKey ? null : _slots.Find(slot => slot is not null && slot.Key == key);

    public IpcObject? FindId(int id) => id >= 0 && id % MaximumObjects < _slots.Count && _slots[id % MaximumObjects] is { } found && found.Id == id ? found : null;

    public IpcObject? FindIndex(int index) => (uint)index < (uint)_slots.Count ? _slots[index] : null;

    /// <summary>Adds an object and gives it an id.</summary>
    public void Add(IpcObject added, int key)
    {
        int index = _slots.IndexOf(null);
        if (index < 0)
        {
            index = _slots.Count;
            _slots.Add(null);
        }

        added.Key = key;
        added.Id = (_sequence * MaximumObjects) + index;
        _slots[index] = added;
        Count++;
    }

    public void Remove(IpcObject removed)
    {
        if (removed.IsRemoved) return;
        removed.IsRemoved = true;
        _slots[removed.Id % MaximumObjects] = null;
        _sequence = (_sequence + 1) & 0x7FFF;
        Count--;
    }

    /// <summary>What the three *get calls do with key and flags. ENOENT, EEXIST; null and no error: make one.</summary>
    public Errno Find(PosixThread thread, int key, IpcFlags flags, int maximum, out IpcObject? found)
    {
        found = FindKey(key);
        if (found is null)
        {
            if (key != IpcObject.PrivateKey && (flags & IpcFlags.IPC_CREAT) == 0) return Errno.ENOENT;
            return Count >= maximum ? Errno.ENOSPC : Errno.None;
        }

        const IpcFlags Exclusive = IpcFlags.IPC_CREAT | IpcFlags.IPC_EXCL;
        return (flags & Exclusive) == Exclusive ? Errno.EEXIST : found.Check(thread, (uint)flags & 0x1FF);
    }
}

/// <summary>System V IPC of a sandbox.</summary>
[Saved]
internal sealed partial class SystemVIpc
{
    public IpcTable Segments { get; private set; } = new();

    public IpcTable Semaphores { get; private set; } = new();

    public IpcTable Queues { get; private set; } = new();

    /// <summary>Semaphores of all sets.</summary>
    public int SemaphoreCount { get; set; }

    /// <summary>Sets in which some process has adjustments for its end (SEM_UNDO).</summary>
    public int SetsWithUndo { get; set; }

    /// <summary>Adjustments that processes have made with SEM_UNDO.</summary>
    public int Adjustments { get; set; }

    /// <summary>A process has ended: what it did with SEM_UNDO is undone.</summary>
    public void OnProcessEnded(Process process)
    {
        if (SetsWithUndo == 0) return;
        foreach (var set in Semaphores.All.OfType<SemaphoreSet>()) set.Undo(process, this);
    }

    /// <summary>Forgets segments that were removed and that nobody has attached any more.</summary>
    public void PurgeSegments()
    {
        foreach (var segment in Segments.All.OfType<SharedSegment>().Where(segment => segment.IsDoomed && segment.Attached == 0).ToArray()) Segments.Remove(segment);
    }
}
