using Ramet.Kernel.Files;

namespace Ramet.Kernel.FileSystems;

/// <summary>How a file differs from the image.</summary>
public enum FileChange
{
    /// <summary>There is no such name in the image.</summary>
    Added,

    /// <summary>Contents, owner, mode or other metadata are not (or may not be) those of the image, or the name leads to another file.</summary>
    Modified,

    /// <summary>The name of the image is gone, with all below it.</summary>
    Removed,
}

/// <summary>A file of a sandbox that differs from its image.</summary>
/// <param name="Path">Absolute path, one char a byte.</param>
/// <param name="Change">How it differs.</param>
/// <param name="Inode">The file as it is now; null when it was removed.</param>
public sealed record ChangedFile(string Path, FileChange Change, Inode? Inode)
{
    /// <summary>The contents of a regular file. Take the kernel's lock for as long.</summary>
    /// <exception cref="InvalidOperationException">It is no regular file, or larger than an array can be.</exception>
    public byte[] ReadContent()
    {
        if (Inode is not { IsRegular: true, Size: <= int.MaxValue } file) throw new InvalidOperationException($"{Path} is not a regular file of up to 2 GiB.");
        byte[] content = new byte[file.Size];
        int done = 0;
        while (done < content.Length)
        {
            int read = file.ReadBytes(done, content.AsSpan(done));
            if (read <= 0) break;
            done += read;
        }

        return done == content.Length ? content : content[..done];
    }
}

/// <summary>
/// What differs between a sandbox's root file system and its image, in the order of a walk: a directory before what is in it. Other mounts (/tmp, /dev, /proc) are not looked at.
/// Directories of the image are all walked, since a change deep down leaves no trace above; files that are as they were are not touched.
/// </summary>
public static class ChangedFiles
{
    /// <summary>Lists them. Take the kernel's lock for as long as the result is used.</summary>
    /// <returns>Empty when the root is no overlay of an image.</returns>
    public static IReadOnlyList<ChangedFile> Find(Kernel kernel)
    {
        var found = new List<ChangedFile>();
        if (kernel.Mounts.Root.Inode is not TmpfsDirectory { FileSystem: OverlayFileSystem overlay }) return found;
        // A stack of its own rather than recursion: programs decide how deep directories go.
        var waiting = new Stack<(int Node, TmpfsDirectory? Directory, string Path, bool Added)>();
        waiting.Push((kernel.Image.Root, overlay.GetChanged(kernel.Image.Root) as TmpfsDirectory, "", false));
        while (waiting.TryPop(out var at))
        {
            var written = at.Directory?.WrittenEntries;
            if (written is not null)
            {
                foreach (var (name, inode) in written)
                {
                    bool replaced = !at.Added && at.Node >= 0 && kernel.Image.TryLookup(at.Node, name, out _);
                    Take(name, inode, replaced ? FileChange.Modified : FileChange.Added, added: true);
                }
            }

            if (at.Node < 0) continue;
            foreach (var (name, node) in kernel.Image.EnumerateDirectory(at.Node))
            {
                if (written?.ContainsKey(name) == true) continue;
                if (at.Directory?.IsWhiteout(name) == true)
                {
                    if (!at.Added) found.Add(new ChangedFile($"{at.Path}/{name}", FileChange.Removed, null));
                    continue;
                }

                var changed = overlay.GetChanged(node);
                if (at.Added) Take(name, changed ?? overlay.GetImageInode(node), FileChange.Added, added: true);
                else if (changed is TmpfsDirectory directory) TakeDirectory(name, node, directory);
                else if (changed is TmpfsFile file && kernel.HostNames.IsOnlyRefreshed(kernel, file)) continue;
                else if (changed is not null) found.Add(new ChangedFile($"{at.Path}/{name}", FileChange.Modified, changed));
                else if (IsDirectory(kernel.Image.GetNode(node).Mode)) waiting.Push((node, null, $"{at.Path}/{name}", false));
            }

            void Take(string name, TmpfsInode inode, FileChange change, bool added)
            {
                found.Add(new ChangedFile($"{at.Path}/{name}", change, inode));
                if (inode is TmpfsDirectory directory) waiting.Push((directory.Node, directory, $"{at.Path}/{name}", added));
            }

            // Names that come and go make a directory differ; that is said of the names. Of the directory, only owner and mode are.
            void TakeDirectory(string name, int node, TmpfsDirectory directory)
            {
                var from = kernel.Image.GetNode(node);
                if ((uint)directory.Mode != from.Mode || directory.Uid != from.Uid || directory.Gid != from.Gid)
                    found.Add(new ChangedFile($"{at.Path}/{name}", FileChange.Modified, directory));
                waiting.Push((node, directory, $"{at.Path}/{name}", false));
            }
        }

        return found;
    }

    private static bool IsDirectory(uint mode) => ((InodeMode)mode & InodeMode.S_IFMT) == InodeMode.S_IFDIR;
}
