using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>Locks of one file: POSIX and open-file-description record locks, and flock locks.</summary>
[Saved]
public sealed partial class FileLockList
{
    private List<FileLock> _locks = [];

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

    /// <summary>Sets a lock that conflicts with none: it replaces what its owner holds in that range.</summary>
    internal void Set(FileLock added)
    {
        Clear(added.Owner, added.IsFlock, added.Start, added.End);

        // Neighbours of the same kind become one lock.
        foreach (var held in _locks.ToArray())
        {
            if (held.Owner != added.Owner || held.IsFlock != added.IsFlock || held.IsExclusive != added.IsExclusive) continue;
            bool adjacent = (held.End != long.MaxValue && held.End + 1 == added.Start) || (added.End != long.MaxValue && added.End + 1 == held.Start);
            if (!adjacent) continue;
            added.Start = Math.Min(added.Start, held.Start);
            added.End = Math.Max(added.End, held.End);
            _locks.Remove(held);
        }

        int at = _locks.FindIndex(held => held.Start > added.Start);
        _locks.Insert(at < 0 ? _locks.Count : at, added);
    }

    /// <summary>Takes an owner's locks off a range; a lock that reaches beyond it keeps the rest.</summary>
    internal bool Clear(object owner, bool isFlock, long start, long end)
    {
        bool changed = false;
        foreach (var held in _locks.ToArray())
        {
            if (held.Owner != owner || held.IsFlock != isFlock || held.End < start || held.Start > end) continue;
            changed = true;
            bool before = held.Start < start;
            bool after = held.End > end;
            if (before && after) _locks.Insert(_locks.IndexOf(held) + 1, held.CopyWith(end + 1, held.End));
            if (before) held.End = start - 1;
            else if (after) held.Start = end + 1;
            else _locks.Remove(held);
        }

        if (changed) Waiters.Wake();
        return changed;
    }

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
