using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>Locks of one file: POSIX and open-file-description record locks, and flock locks.</summary>
[Saved]
public sealed partial class FileLockList
{
    /// <summary>Locks of one file, of all kinds: every operation looks at all of them.</summary>
    public const int MaximumPerFile = 4096;

    /// <summary>Locks of all files together.</summary>
    public const int MaximumPerSandbox = 65536;

    private Kernel _kernel = null!;
    private List<FileLock> _locks = [];

    private FileLockList()
    {
    }

    /// <summary>A file without locks.</summary>
    internal FileLockList(Kernel kernel) => _kernel = kernel;

    /// <summary>Those who wait for a lock to go.</summary>
    public WaitQueue Waiters { get; private set; } = new();

    /// <summary>Leases (fcntl(2) F_SETLEASE); null: there was never one.</summary>
    internal List<FileLease>? Leases { get; set; }

    /// <summary>Locks that are held.</summary>
    internal IReadOnlyList<FileLock> Held => _locks;

    /// <summary>The first lock of somebody else that keeps this one from being set.</summary>
    internal FileLock? FindConflict(FileLock wanted)
    {
        foreach (var held in _locks)
        {
            if (held.IsFlock != wanted.IsFlock || held.Owner == wanted.Owner) continue;
            if (!held.IsExclusive && !wanted.IsExclusive) continue;
            if (held.Start <= wanted.End && wanted.Start <= held.End) return held;
        }

        return null;
    }

    /// <summary>
    /// Sets a lock that conflicts with none: it replaces what its owner holds in that range. ENOLCK when there are too many; as on Linux, room is asked for before it is known
    /// whether neighbours will become one (fs/locks.c, posix_lock_inode).
    /// </summary>
    internal Errno Set(FileLock added)
    {
        if (!HasRoom(Splits(added.Owner, added.IsFlock, added.Start, added.End) ? 2 : 1)) return Errno.ENOLCK;
        Clear(added.Owner, added.IsFlock, added.Start, added.End);

        // Neighbours of the same kind become one lock.
        _kernel.FileLocks -= _locks.RemoveAll(held =>
        {
            if (held.Owner != added.Owner || held.IsFlock != added.IsFlock || held.IsExclusive != added.IsExclusive) return false;
            bool adjacent = (held.End != long.MaxValue && held.End + 1 == added.Start) || (added.End != long.MaxValue && added.End + 1 == held.Start);
            if (!adjacent) return false;
            added.Start = Math.Min(added.Start, held.Start);
            added.End = Math.Max(added.End, held.End);
            return true;
        });

        int at = _locks.FindIndex(held => held.Start > added.Start);
        _locks.Insert(at < 0 ? _locks.Count : at, added);
        _kernel.FileLocks++;
        return Errno.None;
    }

    /// <summary>F_UNLCK. ENOLCK when a lock would become two and there are too many.</summary>
    internal Errno Unlock(object owner, long start, long end)
    {
        if (Splits(owner, isFlock: false, start, end) && !HasRoom(1)) return Errno.ENOLCK;
        Clear(owner, isFlock: false, start, end);
        return Errno.None;
    }

    /// <summary>Takes an owner's locks off a range; a lock that reaches beyond it keeps the rest. One pass: a close runs this over all locks of the file.</summary>
    internal void Clear(object owner, bool isFlock, long start, long end)
    {
        FileLock? rest = null;
        int restAt = 0, kept = 0;
        bool changed = false;
        for (int i = 0; i < _locks.Count; i++)
        {
            var held = _locks[i];
            if (held.Owner != owner || held.IsFlock != isFlock || held.End < start || held.Start > end)
            {
                _locks[kept++] = held;
                continue;
            }

            changed = true;
            bool before = held.Start < start;
            bool after = held.End > end;
            if (!before && !after) continue;
            _locks[kept++] = held;
            if (before && after)
            {
                // Locks of one owner do not overlap, so this happens once.
                rest = held.CopyWith(end + 1, held.End);
                restAt = kept;
            }

            if (before) held.End = start - 1;
            else held.Start = end + 1;
        }

        if (!changed) return;
        _kernel.FileLocks -= _locks.Count - kept;
        _locks.RemoveRange(kept, _locks.Count - kept);
        if (rest is not null)
        {
            _locks.Insert(restAt, rest);
            _kernel.FileLocks++;
        }

        Waiters.Wake();
    }

    private bool Splits(object owner, bool isFlock, long start, long end)
    {
        foreach (var held in _locks)
            if (held.Start < start && held.End > end && held.Owner == owner && held.IsFlock == isFlock) return true;
        return false;
    }

    private bool HasRoom(int count) => _locks.Count + count <= MaximumPerFile && _kernel.FileLocks + count <= MaximumPerSandbox;

    internal void ReleasePosix(FileDescriptorTable owner) => Clear(owner, isFlock: false, 0, long.MaxValue);

    internal void ReleaseOwnedBy(FileDescription owner)
    {
        Clear(owner, isFlock: false, 0, long.MaxValue);
        Clear(owner, isFlock: true, 0, long.MaxValue);
        if (Leases?.RemoveAll(lease => lease.Holder == owner) > 0) Waiters.Wake();
    }
}

/// <summary>A lock on a range of a file.</summary>
[Saved]
internal sealed partial class FileLock
{
    private FileLock()
    {
    }

    public FileLock(object owner, bool isFlock, bool isExclusive, long start, long end, int processId)
    {
        Owner = owner;
        IsFlock = isFlock;
        IsExclusive = isExclusive;
        Start = start;
        End = end;
        ProcessId = processId;
    }

    /// <summary>Whose it is: a descriptor table (POSIX), or a file description (OFD, flock).</summary>
    public object Owner { get; private set; } = null!;

    public bool IsFlock { get; private set; }

    public bool IsExclusive { get; private set; }

    /// <summary>First byte.</summary>
    public long Start { get; internal set; }

    /// <summary>Last byte.</summary>
    public long End { get; internal set; }

    /// <summary>l_pid; -1 for locks of a description.</summary>
    public int ProcessId { get; private set; }

    public FileLock CopyWith(long start, long end) => new(Owner, IsFlock, IsExclusive, start, end, ProcessId);
}
