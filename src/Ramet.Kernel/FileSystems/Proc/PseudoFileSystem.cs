using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>A file system whose files are made up when they are looked at. Inodes are made anew by every lookup and are the same when their paths are.</summary>
[Saved]
public abstract partial class PseudoFileSystem : FileSystem
{
    /// <summary>For the state reader.</summary>
    private protected PseudoFileSystem()
    {
    }

    private protected PseudoFileSystem(Kernel kernel, string typeName)
        : base(kernel, typeName)
    {
    }

    /// <summary>f_type.</summary>
    private protected abstract long Magic { get; }

    /// <inheritdoc/>
    public override StatFs GetStatistics() => new() { f_type = Magic, f_bsize = 4096, f_frsize = 4096, f_namelen = PathWalk.NameMax };
}

/// <summary>A file of a <see cref="PseudoFileSystem"/>.</summary>
[Saved]
public abstract partial class PseudoInode : Inode
{
    /// <summary>For the state reader.</summary>
    private protected PseudoInode()
    {
    }

    private protected PseudoInode(PseudoFileSystem fileSystem, string path, InodeMode mode)
    {
        FileSystem = fileSystem;
        Path = path;
        Mode = mode;
        Number = NumberOf(path);
        AccessTime = ModifyTime = ChangeTime = fileSystem.Kernel.RealtimeNow;
        if (IsDirectory) LinkCount = 2;
    }

    /// <summary>Its path within the file system, "" for the root: its identity.</summary>
    internal string Path { get; private set; } = "";

    /// <inheritdoc/>
    public override bool IsSameAs(Inode other) => other is PseudoInode inode && inode.FileSystem == FileSystem && inode.Path == Path;

    /// <inheritdoc/>
    public override Errno BeforeChange() => Errno.EPERM;

    /// <inheritdoc/>
    public override long Blocks => 0;

    /// <inheritdoc/>
    public override int BlockSize => 1024;

    private protected Kernel Kernel => FileSystem.Kernel;

    /// <summary>st_ino of a path: 48 bits of FNV-1a, so that it is the same at every look.</summary>
    internal static ulong NumberOf(string path)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in path) hash = unchecked((hash ^ c) * 1099511628211);
        return path.Length == 0 ? 1 : (hash >> 16) | 0x1000;
    }

    private protected string Child(string name) => Path.Length == 0 ? name : Path + "/" + name;
}

/// <summary>A directory.</summary>
[Saved]
public abstract partial class PseudoDirectory : PseudoInode
{
    /// <summary>For the state reader.</summary>
    private protected PseudoDirectory()
    {
    }

    private protected PseudoDirectory(PseudoFileSystem fileSystem, string path, InodeMode permissions = (InodeMode)0x16D)
        : base(fileSystem, path, InodeMode.S_IFDIR | permissions)
    {
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = new DirectoryDescription(this, flags);
        return 0;
    }

    /// <inheritdoc/>
    public override Errno Create(PosixThread thread, string name, InodeMode mode, ulong device, out Inode? inode)
    {
        inode = null;
        return Errno.EACCES;
    }

    /// <inheritdoc/>
    public override Errno MakeDirectory(PosixThread thread, string name, InodeMode mode, out Inode? inode)
    {
        inode = null;
        return Errno.EPERM;
    }

    /// <inheritdoc/>
    public override Errno Unlink(PosixThread thread, string name, Inode target) => Errno.EPERM;

    /// <inheritdoc/>
    public override Errno RemoveDirectory(PosixThread thread, string name, Inode target) => Errno.EPERM;

    private protected static void Add(List<DirectoryEntry> entries, string path, string name, DirectoryEntryType type) =>
        entries.Add(new DirectoryEntry(name, PseudoInode.NumberOf(path), type));
}

/// <summary>A regular file whose text is made when it is read.</summary>
[Saved]
public abstract partial class PseudoFile : PseudoInode
{
    /// <summary>For the state reader.</summary>
    private protected PseudoFile()
    {
    }

    private protected PseudoFile(PseudoFileSystem fileSystem, string path, InodeMode permissions)
        : base(fileSystem, path, InodeMode.S_IFREG | permissions)
    {
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = new PseudoFileDescription(this, flags);
        return 0;
    }

    /// <inheritdoc/>
    public override Errno Truncate(PosixThread thread, long length) => Errno.None;

    /// <summary>Makes the content. ESRCH when the process is gone.</summary>
    internal abstract Errno Generate(PosixThread thread, out byte[] content);

    /// <summary>Takes what a program wrote. EINVAL, EPERM.</summary>
    internal virtual Errno Accept(PosixThread thread, string text) => Errno.EACCES;

    /// <inheritdoc/>
    public override int ReadBytes(long offset, Span<byte> destination) => 0;
}

/// <summary>
/// An open <see cref="PseudoFile"/>. Its content is made by the first read, and by any from the start, and kept until it has been read to its end: a program may open thousands of files
/// whose text takes megabytes. What is kept is charged.
/// </summary>
[Saved]
internal sealed partial class PseudoFileDescription : FileDescription
{
    /// <summary>Longest content that can be read, bytes; more is ENOMEM.</summary>
    internal const int MaxContent = 48 << 20;

    private const int MaxWrite = 4096;

    // So little is there for everybody, whatever buffers are full.
    private const int AlwaysGranted = 512;

    private PseudoFile _file = null!;
    private byte[]? _content;
    private long _end = -1;

    private PseudoFileDescription()
    {
    }

    public PseudoFileDescription(PseudoFile file, OpenFlags flags)
    {
        Inode = _file = file;
        Flags = flags;
    }

    /// <inheritdoc/>
    public override SyscallResult ReadAt(PosixThread thread, ref IoBuffer buffer, long offset)
    {
        if (offset == 0 || (_content is null && (_end < 0 || offset < _end)))
        {
            var error = Generate(thread);
            if (error != Errno.None) return error;
        }

        if (_content is not { } content) return 0;
        int done = offset >= content.Length ? 0 : buffer.CopyFrom(content.AsSpan((int)offset));
        if (done == 0 && buffer.Faulted) return Errno.EFAULT;
        if (offset + done < content.Length) return done;
        // All has been read: what follows is the end, as long as it is not read from an earlier place again.
        _end = content.Length;
        Drop(thread.Kernel);
        return done;
    }

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel) => Drop(kernel);

    private Errno Generate(PosixThread thread)
    {
        Drop(thread.Kernel);
        _end = -1;
        var error = _file.Generate(thread, out byte[] content);
        if (error != Errno.None) return error;
        var budget = thread.Kernel.Buffers;
        if (content.Length <= AlwaysGranted) budget.Charge(content.Length);
        else if (content.Length > MaxContent || !budget.TryCharge(content.Length)) return Errno.ENOMEM;
        _content = content;
        return Errno.None;
    }

    private void Drop(Kernel kernel)
    {
        if (_content is null) return;
        kernel.Buffers.Release(_content.Length);
        _content = null;
    }

    /// <inheritdoc/>
    public override SyscallResult WriteAt(PosixThread thread, ref IoBuffer buffer, long offset)
    {
        Span<byte> bytes = stackalloc byte[(int)Math.Min(buffer.Remaining, MaxWrite)];
        int count = buffer.CopyTo(bytes);
        if (count == 0 && buffer.Faulted) return Errno.EFAULT;
        var error = _file.Accept(thread, Encoding.Latin1.GetString(bytes[..count]));
        return error == Errno.None ? count : error;
    }

    /// <inheritdoc/>
    public override SyscallResult Seek(PosixThread thread, long offset, int whence)
    {
        long start = (SeekWhence)whence switch
        {
            SeekWhence.SEEK_SET => 0,
            SeekWhence.SEEK_CUR => Offset,
            _ => long.MinValue,
        };
        if (start == long.MinValue || (offset > 0 && start > long.MaxValue - offset) || start + offset < 0) return Errno.EINVAL;
        return Offset = start + offset;
    }
}

/// <summary>A symbolic link with a fixed target, or one that depends on who asks.</summary>
[Saved]
public abstract partial class PseudoLink : PseudoInode
{
    /// <summary>For the state reader.</summary>
    private protected PseudoLink()
    {
    }

    private protected PseudoLink(PseudoFileSystem fileSystem, string path)
        : base(fileSystem, path, InodeMode.S_IFLNK | (InodeMode)0x1FF)
    {
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        return Errno.ELOOP;
    }
}
