using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Hosting;

/// <summary>What the host is told of a file in a sandbox.</summary>
/// <param name="Path">The path that was asked for, or the directory's and the name.</param>
/// <param name="Type">DT_* of the file itself.</param>
/// <param name="Mode">Permission bits, such as octal 755.</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="Size">Bytes.</param>
/// <param name="ModifyTime">Last change of the content, ns since 1970.</param>
/// <param name="LinkTarget">Where a symbolic link leads; null for other files.</param>
public sealed record HostFileInfo(string Path, DirectoryEntryType Type, uint Mode, uint Uid, uint Gid, long Size, long ModifyTime, string? LinkTarget);

/// <summary>
/// The files of a sandbox as its host uses them: as root, from outside, while its programs run. Paths are UTF-8; relative ones begin in the main program's working directory, and
/// "..", symbolic links and mounts mean what they mean inside: no path leads out of the sandbox. Each method takes the kernel's lock for its own time.
/// </summary>
/// <param name="kernel">The sandbox's kernel.</param>
public sealed class HostFiles(Kernel kernel)
{
    private const InodeMode NewDirectory = (InodeMode)0x1ED;
    private const InodeMode NewFile = (InodeMode)0x1A4;
    private const int MaxDepth = 256;

    /// <summary>What is known of a file. ENOENT, ENOTDIR, ELOOP.</summary>
    public Errno Stat(string path, bool followLinks, out HostFileInfo? info)
    {
        info = null;
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            var error = Walk(thread, path, followLinks ? WalkFlags.None : WalkFlags.NoFollow, out var dentry);
            if (error == Errno.None) info = Describe(thread, path, dentry.Inode);
            return error;
        }
    }

    /// <summary>The entries of a directory, ordered by name, without "." and "..". ENOTDIR.</summary>
    public Errno List(string path, out IReadOnlyList<HostFileInfo> entries)
    {
        entries = [];
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            var error = Walk(thread, path, WalkFlags.None, out var directory);
            if (error != Errno.None) return error;
            if (!directory.Inode.IsDirectory) return Errno.ENOTDIR;
            var names = new List<DirectoryEntry>();
            error = directory.Inode.List(thread, names);
            if (error != Errno.None) return error;
            var found = new List<HostFileInfo>(names.Count);
            foreach (var entry in names.OrderBy(entry => entry.Name, StringComparer.Ordinal))
            {
                var walk = new PathWalk(thread, directory);
                if (walk.Lookup(entry.Name, out var child) == Errno.None) found.Add(Describe(thread, Join(path, FromKernel(entry.Name)), child!.Inode));
            }

            entries = found;
            return Errno.None;
        }
    }

    /// <summary>Opens a regular file to read it. EISDIR for a directory, EINVAL for what is neither (reading it could wait).</summary>
    public Errno OpenRead(string path, out HostOpenFile? file)
    {
        file = null;
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            var error = Walk(thread, path, WalkFlags.None, out var dentry);
            return error != Errno.None ? error : Open(thread, dentry, OpenFlags.O_RDONLY, out file);
        }
    }

    /// <summary>Opens a regular file to write it from its start; makes it, and with <paramref name="makeParents"/> the directories above it, when they are missing.</summary>
    /// <param name="path">Where.</param>
    /// <param name="mode">Permission bits of a new file; null: 644.</param>
    /// <param name="makeParents">Whether to make directories that are missing.</param>
    /// <param name="file">The open file; null on an error.</param>
    public Errno OpenWrite(string path, uint? mode, bool makeParents, out HostOpenFile? file)
    {
        file = null;
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            if (makeParents && ParentOf(path) is { } parent)
            {
                var made = MakeDirectories(thread, parent);
                if (made != Errno.None) return made;
            }

            var error = Walk(thread, path, WalkFlags.None, out var dentry);
            if (error == Errno.ENOENT)
            {
                error = WalkToParent(thread, path, out var walk);
                if (error == Errno.None && (walk.LastIsSpecial || walk.TrailingSlash)) error = Errno.EISDIR;
                if (error == Errno.None && walk.Current.Mount.IsReadOnly) error = Errno.EROFS;
                Inode? created = null;
                if (error == Errno.None) error = walk.Current.Inode.Create(thread, walk.LastName, InodeMode.S_IFREG | (mode is { } bits ? (InodeMode)bits & InodeMode.Permissions : NewFile), 0, out created);
                // The name is that of a symbolic link to nowhere.
                if (error == Errno.EEXIST) error = Errno.ENOENT;
                if (error != Errno.None) return error;
                return Open(thread, walk.Current.GetChild(walk.LastName, created!), OpenFlags.O_WRONLY, out file);
            }

            if (error != Errno.None) return error;
            if (dentry.Inode.IsRegular)
            {
                if (dentry.Mount.IsReadOnly) return Errno.EROFS;
                error = dentry.Inode.Truncate(thread, 0);
                if (error != Errno.None) return error;
                if (mode is { } wanted && dentry.Inode.BeforeChange() == Errno.None) dentry.Inode.Mode = (dentry.Inode.Mode & InodeMode.S_IFMT) | ((InodeMode)wanted & InodeMode.Permissions);
            }

            return Open(thread, dentry, OpenFlags.O_WRONLY, out file);
        }
    }

    /// <summary>Writes a whole file; see <see cref="OpenWrite"/>.</summary>
    public Errno Write(string path, ReadOnlySpan<byte> content, uint? mode = null, bool makeParents = true)
    {
        var error = OpenWrite(path, mode, makeParents, out var file);
        if (error != Errno.None) return error;
        using (file) return file!.Write(content);
    }

    /// <summary>Makes a directory. EEXIST when there is something, unless it is a directory and <paramref name="parents"/> is set.</summary>
    public Errno MakeDirectory(string path, bool parents)
    {
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            if (parents) return MakeDirectories(thread, path);
            if (Walk(thread, path, WalkFlags.NoFollow, out _) == Errno.None) return Errno.EEXIST;
            return MakeOne(thread, path);
        }
    }

    /// <summary>Makes a symbolic link. EEXIST.</summary>
    public Errno MakeSymbolicLink(string path, string target)
    {
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            var error = WalkToParent(thread, path, out var walk);
            if (error != Errno.None) return error;
            if (walk.LastIsSpecial || walk.Lookup(walk.LastName, out _) == Errno.None) return Errno.EEXIST;
            if (!TryEncode(target, out string encoded)) return Errno.EINVAL;
            return walk.Current.Mount.IsReadOnly ? Errno.EROFS : walk.Current.Inode.MakeSymbolicLink(thread, walk.LastName, encoded, out _);
        }
    }

    /// <summary>Renames; what is at the new path is replaced as rename(2) does. EXDEV between file systems.</summary>
    public Errno Move(string from, string to)
    {
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            var error = WalkToParent(thread, from, out var source);
            if (error == Errno.None) error = WalkToParent(thread, to, out var unused);
            if (error != Errno.None) return error;
            WalkToParent(thread, to, out var target);
            if (source.LastIsSpecial || target.LastIsSpecial) return Errno.EBUSY;
            error = source.Lookup(source.LastName, out var moved);
            if (error != Errno.None) return error;
            var there = target.Lookup(target.LastName, out var replaced);
            if (there != Errno.None && there != Errno.ENOENT) return there;
            error = CheckMove(source, moved!, target, replaced);
            if (error != Errno.None || moved!.Inode == replaced?.Inode) return error;
            error = source.Current.Inode.Rename(thread, source.LastName, target.Current.Inode, target.LastName, 0);
            if (error != Errno.None) return error;
            replaced?.MarkDeleted();
            moved.Move(target.Current, target.LastName);
            return Errno.None;
        }
    }

    /// <summary>Removes a file, or a directory that is empty, or with <paramref name="recursive"/> all below it. EBUSY for a mount point.</summary>
    public Errno Remove(string path, bool recursive)
    {
        lock (kernel.Lock)
        {
            var thread = kernel.HostThread;
            var error = WalkToParent(thread, path, out var walk);
            if (error != Errno.None) return error;
            if (walk.LastIsSpecial) return Errno.EBUSY;
            error = walk.Lookup(walk.LastName, out var child);
            if (error != Errno.None) return error;
            if (walk.TrailingSlash && !child!.Inode.IsDirectory) return Errno.ENOTDIR;
            return RemoveChild(thread, walk.Current, child!, recursive, 0);
        }
    }

    /// <summary>Watches a directory, with <paramref name="recursive"/> all below it. ENOTDIR; ENOSPC: too much is watched.</summary>
    public Errno Watch(string path, bool recursive, out HostFileWatch? watch)
    {
        watch = null;
        lock (kernel.Lock)
        {
            var error = Walk(kernel.HostThread, path, WalkFlags.None, out var dentry);
            return error != Errno.None ? error : HostFileWatch.Begin(kernel, path, dentry, recursive, out watch);
        }
    }

    /// <summary>Bytes of the kernel's names (one char a byte) as text; what is not UTF-8 is replaced.</summary>
    public static string FromKernel(string name) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(name));

    /// <summary>Text as the kernel has names: one char a byte. False: it holds a NUL, which no name can.</summary>
    internal static bool TryEncode(string text, out string encoded)
    {
        encoded = "";
        if (text.Contains('\0', StringComparison.Ordinal) || text.Length > 65536) return false;
        encoded = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
        return true;
    }

    private static Errno CheckMove(PathWalk source, Dentry moved, PathWalk target, Dentry? replaced)
    {
        if (source.Current.Mount != target.Current.Mount) return Errno.EXDEV;
        if (source.Current.Mount.IsReadOnly) return Errno.EROFS;
        if (moved.Parent is null || replaced is { Parent: null }) return Errno.EBUSY;
        if (moved.IsAncestorOrSelf(target.Current)) return Errno.EINVAL;
        if (replaced?.IsAncestorOrSelf(source.Current) == true) return Errno.ENOTEMPTY;
        bool isDirectory = moved.Inode.IsDirectory;
        if (!isDirectory && (source.TrailingSlash || target.TrailingSlash)) return Errno.ENOTDIR;
        if (replaced is null || replaced.Inode == moved.Inode) return Errno.None;
        return isDirectory == replaced.Inode.IsDirectory ? Errno.None : isDirectory ? Errno.ENOTDIR : Errno.EISDIR;
    }

    private static Errno RemoveChild(PosixThread thread, Dentry directory, Dentry child, bool recursive, int depth)
    {
        if (child.Parent is null) return Errno.EBUSY;
        if (directory.Mount.IsReadOnly) return Errno.EROFS;
        if (depth > MaxDepth) return Errno.ENAMETOOLONG;
        Errno error;
        if (!child.Inode.IsDirectory)
        {
            error = directory.Inode.Unlink(thread, child.Name, child.Inode);
            if (error == Errno.None) child.MarkDeleted();
            return error;
        }

        if (recursive)
        {
            var entries = new List<DirectoryEntry>();
            error = child.Inode.List(thread, entries);
            if (error != Errno.None) return error;
            foreach (var entry in entries)
            {
                var walk = new PathWalk(thread, child);
                if (walk.Lookup(entry.Name, out var below) != Errno.None) continue;
                error = RemoveChild(thread, child, below!, recursive, depth + 1);
                if (error != Errno.None) return error;
            }
        }

        error = directory.Inode.RemoveDirectory(thread, child.Name, child.Inode);
        if (error == Errno.None) child.MarkDeleted();
        return error;
    }

    private Errno Open(PosixThread thread, Dentry dentry, OpenFlags flags, out HostOpenFile? file)
    {
        file = null;
        if (dentry.Inode.IsDirectory) return Errno.EISDIR;
        // A FIFO or a device could make the host wait; what /proc and /sys have is made when it is opened.
        if (!dentry.Inode.IsRegular) return Errno.EINVAL;
        var result = dentry.Inode.Open(thread, flags | OpenFlags.O_LARGEFILE, out var description);
        if (description is null) return result.IsBlocked ? Errno.EINVAL : result.Error;
        description.Dentry ??= dentry;
        file = new HostOpenFile(kernel, description);
        return Errno.None;
    }

    private static Errno MakeDirectories(PosixThread thread, string path)
    {
        if (Walk(thread, path, WalkFlags.None, out var found) == Errno.None) return found.Inode.IsDirectory ? Errno.None : Errno.ENOTDIR;
        if (ParentOf(path) is { } parent)
        {
            var error = MakeDirectories(thread, parent);
            if (error != Errno.None) return error;
        }

        var made = MakeOne(thread, path);
        // "a/../b": the first step has made what the last asks for.
        return made == Errno.EEXIST ? Errno.None : made;
    }

    private static Errno MakeOne(PosixThread thread, string path)
    {
        var error = WalkToParent(thread, path, out var walk);
        if (error != Errno.None) return error;
        if (walk.LastIsSpecial) return Errno.EEXIST;
        return walk.Current.Mount.IsReadOnly ? Errno.EROFS : walk.Current.Inode.MakeDirectory(thread, walk.LastName, NewDirectory, out _);
    }

    /// <summary>The path without its last component; null when there is none before it.</summary>
    private static string? ParentOf(string path)
    {
        int slash = path.AsSpan().TrimEnd('/').LastIndexOf('/');
        return slash <= 0 ? null : path[..slash];
    }

    private static string Join(string directory, string name) => directory.EndsWith('/') ? directory + name : $"{directory}/{name}";

    private static Errno Walk(PosixThread thread, string path, WalkFlags flags, out Dentry dentry)
    {
        dentry = null!;
        if (!TryEncode(path, out string encoded)) return Errno.EINVAL;
        var walk = new PathWalk(thread, thread.FileSystem.WorkingDirectory);
        var error = walk.Walk(encoded, flags | WalkFlags.Privileged);
        dentry = walk.Current;
        return error;
    }

    private static Errno WalkToParent(PosixThread thread, string path, out PathWalk walk)
    {
        walk = new PathWalk(thread, thread.FileSystem.WorkingDirectory);
        return TryEncode(path, out string encoded) ? walk.Walk(encoded, WalkFlags.Parent | WalkFlags.Privileged) : Errno.EINVAL;
    }

    private static HostFileInfo Describe(PosixThread thread, string path, Inode inode)
    {
        string? target = null;
        if (inode.IsSymbolicLink && inode.ReadLink(thread, out string text) == Errno.None) target = FromKernel(text);
        return new HostFileInfo(path, inode.EntryType, (uint)(inode.Mode & InodeMode.Permissions), inode.Uid, inode.Gid, inode.Size, inode.ModifyTime, target);
    }
}
