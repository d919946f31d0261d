using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>The descriptors of a process (files_struct).</summary>
[Saved]
public sealed partial class FileDescriptorTable
{
    private const int Smallest = 16;

    private Kernel _kernel = null!;
    private FileDescription?[] _descriptions = new FileDescription?[Smallest];
    private bool[] _closeOnExec = new bool[Smallest];
    private int _lowestFree;
    private int _users = 1;

    private FileDescriptorTable()
    {
    }

    /// <summary>An empty table, bound by RLIMIT_NOFILE of these limits.</summary>
    public FileDescriptorTable(Kernel kernel, ResourceLimitSet limits)
    {
        _kernel = kernel;
        Limits = limits;
    }

    /// <summary>The limits whose RLIMIT_NOFILE holds here: those of the process that owns the table.</summary>
    internal ResourceLimitSet Limits { get; set; } = null!;

    /// <summary>Whose POSIX lock a thread with this table waits for, to find deadlocks. One thread per process is tracked, the last one.</summary>
    internal FileDescriptorTable? WaitingForLock { get; set; }

    /// <summary>How many slots there are: descriptors are below this.</summary>
    public int Capacity => _descriptions.Length;

    /// <summary>The description behind a descriptor, or null (EBADF).</summary>
    public FileDescription? Get(int descriptor) => (uint)descriptor < (uint)_descriptions.Length ? _descriptions[descriptor] : null;

    /// <summary>
    /// Installs a description (taking over the caller's reference) at the lowest free descriptor from <paramref name="from"/> on. EMFILE over RLIMIT_NOFILE, ENFILE
    /// over the sandbox's limit (the description is not released).
    /// </summary>
    public Errno Install(FileDescription description, bool closeOnExec, out int descriptor, int from = 0)
    {
        descriptor = FindFree(from);
        if (descriptor >= MaxDescriptors) return Errno.EMFILE;
        if (!description.TryCount(_kernel)) return Errno.ENFILE;
        Put(descriptor, description, closeOnExec);
        return Errno.None;
    }

    /// <summary>Whether a descriptor is free: asked before something is created that would then have to be undone. EMFILE, ENFILE.</summary>
    public Errno CheckSpace()
    {
        if (FindFree(0) >= MaxDescriptors) return Errno.EMFILE;
        return _kernel.Mounts.OpenFiles >= _kernel.Mounts.MaxOpenFiles ? Errno.ENFILE : Errno.None;
    }

    /// <summary>Whether RLIMIT_NOFILE leaves a descriptor.</summary>
    internal bool HasFreeDescriptor => FindFree(0) < MaxDescriptors;

    /// <summary>dup2(2), dup3(2): makes this very descriptor refer to a description (taking over the caller's reference); what it referred to before is closed.</summary>
    public Errno InstallAt(Process process, FileDescription description, int descriptor, bool closeOnExec)
    {
        if (descriptor < 0 || descriptor >= MaxDescriptors) return Errno.EBADF;
        if (!description.TryCount(_kernel)) return Errno.ENFILE;
        var previous = Get(descriptor);
        Put(descriptor, description, closeOnExec);
        if (previous is not null) Drop(process, previous);
        return Errno.None;
    }

    /// <summary>Closes a descriptor. EBADF.</summary>
    public Errno Close(Process process, int descriptor)
    {
        if (Get(descriptor) is not { } description) return Errno.EBADF;
        _descriptions[descriptor] = null;
        _closeOnExec[descriptor] = false;
        if (descriptor < _lowestFree) _lowestFree = descriptor;
        Drop(process, description);
        return Errno.None;
    }

    /// <summary>Whether a descriptor is closed by execve.</summary>
    public bool IsCloseOnExec(int descriptor) => (uint)descriptor < (uint)_closeOnExec.Length && _closeOnExec[descriptor];

    /// <summary>Sets whether an open descriptor is closed by execve.</summary>
    public void SetCloseOnExec(int descriptor, bool value)
    {
        if (Get(descriptor) is not null) _closeOnExec[descriptor] = value;
    }

    /// <summary>Open descriptors in ascending order.</summary>
    public IEnumerable<int> Descriptors
    {
        get
        {
            for (int i = 0; i < _descriptions.Length; i++)
                if (_descriptions[i] is not null) yield return i;
        }
    }

    /// <summary>A copy, for fork; it is bound by <paramref name="limits"/>, or by those of this table.</summary>
    public FileDescriptorTable Clone(ResourceLimitSet? limits = null)
    {
        // Room for those that are open, as Linux does it (sane_fdtable_size in fs/file.c): one high descriptor that was closed again is not paid for by every child.
        int used = Array.FindLastIndex(_descriptions, static description => description is not null) + 1;
        int capacity = Smallest;
        while (capacity < used) capacity *= 2;
        capacity = Math.Min(capacity, _descriptions.Length);
        var copy = new FileDescriptorTable(_kernel, limits ?? Limits)
        {
            _descriptions = new FileDescription?[capacity],
            _closeOnExec = new bool[capacity],
            _lowestFree = _lowestFree,
        };
        Array.Copy(_descriptions, copy._descriptions, used);
        Array.Copy(_closeOnExec, copy._closeOnExec, used);
        foreach (var description in _descriptions.AsSpan(0, used)) description?.AddReference();
        return copy;
    }

    /// <summary>One more process or thread uses this very table (CLONE_FILES).</summary>
    public FileDescriptorTable Share()
    {
        _users++;
        return this;
    }

    /// <summary>Whether others use this very table.</summary>
    public bool IsShared => _users > 1;

    /// <summary>One user less; the last one closes all.</summary>
    public void Release(Process process)
    {
        if (--_users == 0) CloseAll(process);
    }

    /// <summary>Closes the descriptors that are marked close-on-exec.</summary>
    public void CloseOnExec(Process process)
    {
        for (int i = 0; i < _closeOnExec.Length; i++)
            if (_closeOnExec[i]) Close(process, i);
    }

    /// <summary>Closes all: the last user is gone.</summary>
    public void CloseAll(Process process)
    {
        for (int i = 0; i < _descriptions.Length; i++)
            if (_descriptions[i] is not null) Close(process, i);
    }

    // Root may raise its limit up to what Linux has (nr_open); a table is as large as its highest descriptor, and every process may have one.
    private int MaxDescriptors => (int)Math.Min(Limits.Soft(ResourceLimit.RLIMIT_NOFILE), (ulong)Math.Clamp(_kernel.Mounts.MaxOpenFiles, 1 << 16, 1 << 20));

    private int FindFree(int from)
    {
        int i = Math.Max(from, _lowestFree);
        while (i < _descriptions.Length && _descriptions[i] is not null) i++;
        if (from <= _lowestFree) _lowestFree = i;
        return i;
    }

    private void Put(int descriptor, FileDescription description, bool closeOnExec)
    {
        if (descriptor >= _descriptions.Length)
        {
            int capacity = _descriptions.Length;
            while (capacity <= descriptor) capacity *= 2;
            Array.Resize(ref _descriptions, capacity);
            Array.Resize(ref _closeOnExec, capacity);
        }

        _descriptions[descriptor] = description;
        _closeOnExec[descriptor] = closeOnExec;
    }

    private void Drop(Process process, FileDescription description)
    {
        // POSIX record locks of the process go with any of its descriptors for the file (fcntl(2)).
        description.Inode?.Locks?.ReleasePosix(this);
        description.OnDescriptorClosed(process);
        description.Release(_kernel);
    }
}
