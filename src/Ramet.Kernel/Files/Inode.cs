using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>
/// A file, whatever its names. Names are bytes held as Latin-1 characters (one byte, one char), so that none is lost.
/// Permission checks are done by the path walk and the system calls, not here. All operations run under the kernel lock.
/// </summary>
[Saved]
public abstract partial class Inode
{
    /// <summary>The file system that it belongs to.</summary>
    public FileSystem FileSystem { get; protected set; } = null!;

    /// <summary>st_ino.</summary>
    public ulong Number { get; protected set; }

    /// <summary>Type and permissions (st_mode).</summary>
    public InodeMode Mode { get; set; }

    /// <summary>Owner.</summary>
    public uint Uid { get; set; }

    /// <summary>Group.</summary>
    public uint Gid { get; set; }

    /// <summary>Hard links.</summary>
    public uint LinkCount { get; set; } = 1;

    /// <summary>st_rdev.</summary>
    public ulong Device { get; protected set; }

    /// <summary>Last access, ns since 1970.</summary>
    public long AccessTime { get; set; }

    /// <summary>Last change of the content, ns since 1970.</summary>
    public long ModifyTime { get; set; }

    /// <summary>Last change of the inode, ns since 1970.</summary>
    public long ChangeTime { get; set; }

    /// <summary>Size in bytes.</summary>
    public virtual long Size => 0;

    /// <summary>st_blocks: 512-byte units in use.</summary>
    public virtual long Blocks => (Size + 511) / 512;

    /// <summary>Whether this is a directory.</summary>
    public bool IsDirectory => (Mode & InodeMode.S_IFMT) == InodeMode.S_IFDIR;

    /// <summary>Whether this is a symbolic link.</summary>
    public bool IsSymbolicLink => (Mode & InodeMode.S_IFMT) == InodeMode.S_IFLNK;

    /// <summary>Whether this is a regular file.</summary>
    public bool IsRegular => (Mode & InodeMode.S_IFMT) == InodeMode.S_IFREG;

    /// <summary>Opens it. The thread is the opener (blocking FIFOs block it).</summary>
    public abstract SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description);

    /// <summary>Directory: looks a name up. The path walk handles "." and "..". ENOENT, ENOTDIR.</summary>
    public virtual Errno Lookup(PosixThread thread, string name, out Inode? inode)
    {
        inode = null;
        return Errno.ENOTDIR;
    }

    /// <summary>Directory: creates a file of this mode (regular, FIFO, socket or device node). EEXIST when the name is taken.</summary>
    public virtual Errno Create(PosixThread thread, string name, InodeMode mode, ulong device, out Inode? inode)
    {
        inode = null;
        return Errno.EROFS;
    }

    /// <summary>Directory: makes a directory.</summary>
    public virtual Errno MakeDirectory(PosixThread thread, string name, InodeMode mode, out Inode? inode)
    {
        inode = null;
        return Errno.EROFS;
    }

    /// <summary>Directory: makes a symbolic link.</summary>
    public virtual Errno MakeSymbolicLink(PosixThread thread, string name, string target, out Inode? inode)
    {
        inode = null;
        return Errno.EROFS;
    }

    /// <summary>Directory: adds a name for an existing file of the same file system.</summary>
    public virtual Errno Link(PosixThread thread, string name, Inode target) => Errno.EROFS;

    /// <summary>Directory: removes a name that is not a directory.</summary>
    public virtual Errno Unlink(PosixThread thread, string name, Inode target) => Errno.EROFS;

    /// <summary>Directory: removes an empty directory. ENOTEMPTY.</summary>
    public virtual Errno RemoveDirectory(PosixThread thread, string name, Inode target) => Errno.EROFS;

    /// <summary>Directory: renames; both directories are of the same file system. Flags are those of renameat2(2).</summary>
    public virtual Errno Rename(PosixThread thread, string name, Inode newDirectory, string newName, uint flags) => Errno.EROFS;

    /// <summary>Symbolic link: the target.</summary>
    public virtual Errno ReadLink(PosixThread thread, out string target)
    {
        target = "";
        return Errno.EINVAL;
    }

    /// <summary>
    /// A magic link (/proc/self/fd/3, /proc/self/exe): what it leads to without walking a path; null for ordinary links.
    /// </summary>
    public virtual Dentry? FollowMagicLink(PosixThread thread) => null;

    /// <summary>Regular file: truncates or extends. EISDIR, EINVAL, EFBIG.</summary>
    public virtual Errno Truncate(PosixThread thread, long length) => Errno.EINVAL;

    /// <summary>Whether it can be executed now: ETXTBSY while somebody has it open for writing.</summary>
    public virtual Errno CheckExecutable() => Errno.None;

    /// <summary>Whether it can be opened for writing now: ETXTBSY while it is executed.</summary>
    public virtual Errno CheckWritable() => Errno.None;

    /// <summary>An address space has it as its program from now on, or no more.</summary>
    public virtual void OnExecuted(bool begins)
    {
    }

    /// <summary>Regular file: its pages, for execve and mmap; null when it has none.</summary>
    public virtual MemoryObject? GetMemoryObject() => null;

    /// <summary>Reads bytes for the kernel itself (execve). Returns how many there were.</summary>
    public virtual int ReadBytes(long offset, Span<byte> destination) => 0;

    /// <summary>Extended attributes by name; null when the file system has none.</summary>
    public virtual IDictionary<string, byte[]>? ExtendedAttributes => null;

    /// <summary>Accounts for bytes of extended attributes that are about to be added (or, negative, removed). False: ENOSPC.</summary>
    public virtual bool TryChargeAttributes(long bytes) => true;

    /// <summary>Sets mode, owner or times was called: the inode's change time is to move (and, in a layered file system, the node is to be copied up).</summary>
    public virtual Errno BeforeChange() => Errno.None;

    /// <summary>Directory: makes a regular file that has no name yet (O_TMPFILE).</summary>
    public virtual Errno CreateUnnamed(PosixThread thread, InodeMode mode, out Inode? inode)
    {
        inode = null;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>Directory: adds its entries to a list, without "." and "..".</summary>
    public virtual Errno List(PosixThread thread, List<DirectoryEntry> entries) => Errno.ENOTDIR;

    /// <summary>Whether two objects stand for the same file. File systems that make inodes anew at every lookup (proc) say so by content.</summary>
    public virtual bool IsSameAs(Inode other) => ReferenceEquals(this, other);

    /// <summary>st_blksize.</summary>
    public virtual int BlockSize => 4096;

    /// <summary>Whether st_size of this symbolic link, and its target, are known without a thread; see <see cref="ReadLink"/>.</summary>
    public virtual bool IsMagicLink => false;

    /// <summary>Record locks and flock locks; null until there is one.</summary>
    internal FileLockList? Locks { get; set; }

    /// <summary>What another part of the kernel keeps with the file: the pipe of a FIFO, the socket bound to a name. An object that is saved.</summary>
    internal object? Attachment { get; set; }

    /// <summary>Who watches it (inotify); null: nobody.</summary>
    internal List<InotifyWatch>? Watches { get; set; }

    /// <summary>Type bits of the mode as DT_*.</summary>
    public DirectoryEntryType EntryType => (DirectoryEntryType)((uint)(Mode & InodeMode.S_IFMT) >> 12);
}

/// <summary>One name of a directory.</summary>
/// <param name="Name">The name.</param>
/// <param name="Number">Inode number.</param>
/// <param name="Type">DT_*.</param>
public readonly record struct DirectoryEntry(string Name, ulong Number, DirectoryEntryType Type);
