using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Files;

/// <summary>A file that the host puts into a sandbox's writable layer before its first program starts.</summary>
/// <param name="Path">Absolute path; directories that are missing are made.</param>
/// <param name="Content">Its bytes.</param>
/// <param name="Mode">Permission bits, such as 0x1ED (octal 755).</param>
public sealed record InjectedFile(string Path, ReadOnlyMemory<byte> Content, InodeMode Mode = (InodeMode)0x1A4)
{
    private const InodeMode DirectoryMode = (InodeMode)0x1ED;

    /// <summary>Writes the file as root. Replaces one of the same name.</summary>
    internal Errno Write(PosixThread thread)
    {
        string[] names = Path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (Path is not ['/', ..] || names.Length == 0) return Errno.EINVAL;
        string at = "/";
        var directory = thread.FileSystem.Root;
        foreach (string name in names[..^1])
        {
            at += name + "/";
            var walk = new PathWalk(thread, thread.FileSystem.Root);
            var error = walk.Walk(at, WalkFlags.Privileged);
            if (error == Errno.ENOENT)
            {
                error = directory.Inode.MakeDirectory(thread, name, DirectoryMode, out _);
                if (error != Errno.None) return error;
                walk = new PathWalk(thread, thread.FileSystem.Root);
                error = walk.Walk(at, WalkFlags.Privileged);
            }

            if (error != Errno.None) return error;
            directory = walk.Current;
        }

        var created = directory.Inode.Create(thread, names[^1], InodeMode.S_IFREG | Mode, 0, out var inode);
        if (created == Errno.EEXIST)
        {
            created = directory.Inode.Lookup(thread, names[^1], out inode);
            if (created == Errno.None) created = inode!.Truncate(thread, 0);
        }

        if (created != Errno.None) return created;
        return Fill(thread, inode!);
    }

    private Errno Fill(PosixThread thread, Inode inode)
    {
        var opened = inode.Open(thread, OpenFlags.O_WRONLY, out var description);
        if (description is null) return opened.Error;
        try
        {
            byte[] content = Content.ToArray();
            for (int done = 0; done < content.Length;)
            {
                var buffer = new IoBuffer(content.AsSpan(done));
                var result = description.WriteAt(thread, ref buffer, done);
                if (result.IsError) return result.Error;
                if (result.Value == 0) return Errno.EIO;
                done += (int)result.Value;
            }

            return Errno.None;
        }
        finally
        {
            description.Release(thread.Kernel);
        }
    }
}
