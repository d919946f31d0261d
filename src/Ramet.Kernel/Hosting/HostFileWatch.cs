using System.Runtime.InteropServices;
using Ramet.Kernel.Files;

namespace Ramet.Kernel.Hosting;

/// <summary>A change of a file that its host watches.</summary>
/// <param name="Kind">created, modified, removed, moved_from, moved_to, attributes; overflow: some were lost.</param>
/// <param name="Path">The file: the watched path and the names below it.</param>
/// <param name="IsDirectory">Whether it is a directory.</param>
public sealed record HostFileChange(string Kind, string Path, bool IsDirectory);

/// <summary>What happens to the entries of a directory, as inotify(7) has it, and of directories below it if that was asked for. Take what has come with <see cref="Read"/>.</summary>
public sealed class HostFileWatch : IDisposable
{
    private const InotifyMask Wanted = InotifyMask.IN_CREATE | InotifyMask.IN_MODIFY | InotifyMask.IN_DELETE | InotifyMask.IN_MOVED_FROM | InotifyMask.IN_MOVED_TO | InotifyMask.IN_ATTRIB;
    private const int MostDirectories = 4096;

    private readonly Kernel _kernel;
    private readonly Inotify _inotify;
    private readonly bool _recursive;
    private readonly Dictionary<int, (string Path, Dentry Directory)> _watched = [];
    private bool _disposed;

    private HostFileWatch(Kernel kernel, bool recursive)
    {
        _kernel = kernel;
        _recursive = recursive;
        _inotify = new Inotify(kernel.HostThread, nonBlocking: true);
    }

    /// <summary>Begins to watch. Under the kernel lock. ENOTDIR; ENOSPC: too much is watched already.</summary>
    internal static Errno Begin(Kernel kernel, string path, Dentry directory, bool recursive, out HostFileWatch? watch)
    {
        watch = null;
        if (!directory.Inode.IsDirectory) return Errno.ENOTDIR;
        var begun = new HostFileWatch(kernel, recursive);
        var error = begun.Add(path.Length > 1 ? path.TrimEnd('/') : path, directory);
        if (error == Errno.None) watch = begun;
        else begun.Dispose();
        return error;
    }

    /// <summary>What has happened since the last call, in order.</summary>
    public IReadOnlyList<HostFileChange> Read()
    {
        int headerSize = Marshal.SizeOf<InotifyEvent>();
        var changes = new List<HostFileChange>();
        Span<byte> bytes = stackalloc byte[4096];
        lock (_kernel.Lock)
        {
            while (!_disposed && !_kernel.HasExited)
            {
                var buffer = new IoBuffer(bytes);
                var result = _inotify.Read(_kernel.HostThread, ref buffer);
                if (result.IsError || result.IsBlocked || result.Value == 0) break;
                var rest = bytes[..(int)result.Value];
                while (rest.Length >= headerSize)
                {
                    var header = MemoryMarshal.Read<InotifyEvent>(rest);
                    var name = rest.Slice(headerSize, (int)header.len);
                    int end = name.IndexOf((byte)0);
                    Take(header, System.Text.Encoding.Latin1.GetString(end < 0 ? name : name[..end]), changes);
                    rest = rest[(headerSize + (int)header.len)..];
                }
            }
        }

        return changes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_kernel.Lock)
        {
            if (_disposed) return;
            _disposed = true;
            if (!_kernel.HasExited) _inotify.Release(_kernel);
        }
    }

    private void Take(InotifyEvent header, string name, List<HostFileChange> changes)
    {
        if ((header.mask & InotifyMask.IN_Q_OVERFLOW) != 0) changes.Add(new HostFileChange("overflow", "", false));
        if ((header.mask & InotifyMask.IN_IGNORED) != 0) _watched.Remove(header.wd);
        if (!_watched.TryGetValue(header.wd, out var at) || name.Length == 0) return;
        bool isDirectory = (header.mask & InotifyMask.IN_ISDIR) != 0;
        string kind = (header.mask & InotifyMask.IN_ALL_EVENTS) switch
        {
            InotifyMask.IN_CREATE => "created",
            InotifyMask.IN_DELETE => "removed",
            InotifyMask.IN_MOVED_FROM => "moved_from",
            InotifyMask.IN_MOVED_TO => "moved_to",
            InotifyMask.IN_ATTRIB => "attributes",
            _ => "modified",
        };
        string path = (at.Path.EndsWith('/') ? at.Path : at.Path + "/") + HostFiles.FromKernel(name);
        changes.Add(new HostFileChange(kind, path, isDirectory));
        if (!_recursive || !isDirectory || kind is not ("created" or "moved_to")) return;
        var walk = new PathWalk(_kernel.HostThread, at.Directory);
        if (walk.Lookup(name, out var child) != Errno.None) return;
        // What was made in it before it was watched would be missed.
        Add(path, child!, changes);
    }

    private Errno Add(string path, Dentry directory, List<HostFileChange>? found = null)
    {
        if (!directory.Inode.IsDirectory) return Errno.None;
        if (_watched.Count >= MostDirectories) return Errno.ENOSPC;
        var result = _inotify.AddWatch(directory.Inode, Wanted);
        if (result.IsError) return result.Error;
        _watched[(int)result.Value] = (path, directory);
        if (!_recursive) return Errno.None;
        var thread = _kernel.HostThread;
        var entries = new List<DirectoryEntry>();
        if (directory.Inode.List(thread, entries) != Errno.None) return Errno.None;
        foreach (var entry in entries)
        {
            string below = (path.EndsWith('/') ? path : path + "/") + HostFiles.FromKernel(entry.Name);
            bool isDirectory = entry.Type == DirectoryEntryType.DT_DIR;
            found?.Add(new HostFileChange("created", below, isDirectory));
            var walk = new PathWalk(thread, directory);
            // Other file systems that are mounted below (proc, sys) are not what is meant.
            if (!isDirectory || walk.Lookup(entry.Name, out var child) != Errno.None || child!.Mount != directory.Mount) continue;
            var error = Add(below, child, found);
            if (error != Errno.None) return error;
        }

        return Errno.None;
    }
}
