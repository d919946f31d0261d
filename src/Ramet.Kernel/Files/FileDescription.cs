using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>
/// An open file description (open(2)): what descriptors refer to, shared by dup and fork. Handlers run under the kernel lock and never wait: they
/// return what <see cref="PosixThread.BlockOn"/> gives and run again when woken.
/// </summary>
[Saved]
public abstract partial class FileDescription
{
    private int _references = 1;
    private bool _counted;

    /// <summary>Access mode and status flags (O_APPEND, O_NONBLOCK, ...), without creation flags and O_CLOEXEC.</summary>
    public OpenFlags Flags { get; set; }

    /// <summary>File offset in bytes.</summary>
    public long Offset { get; set; }

    /// <summary>What is open: for fstat and /proc/self/fd. Anonymous objects (pipes, epoll) have inodes as well.</summary>
    public Inode Inode { get; protected set; } = null!;

    /// <summary>The name it was opened by; null for anonymous objects.</summary>
    public Dentry? Dentry { get; internal set; }

    /// <summary>Whether O_NONBLOCK is set.</summary>
    public bool NonBlocking => (Flags & OpenFlags.O_NONBLOCK) != 0;

    /// <summary>Whether reading is allowed.</summary>
    public bool CanRead => (Flags & OpenFlags.O_ACCMODE) != OpenFlags.O_WRONLY && (Flags & OpenFlags.O_PATH) == 0;

    /// <summary>Whether writing is allowed.</summary>
    public bool CanWrite => (Flags & OpenFlags.O_ACCMODE) != OpenFlags.O_RDONLY && (Flags & OpenFlags.O_PATH) == 0;

    /// <summary>Who refers to this: descriptors, and messages in flight.</summary>
    internal int References => _references;

    /// <summary>One more descriptor (or mapping, or message in flight) refers to this.</summary>
    public FileDescription AddReference()
    {
        _references++;
        return this;
    }

    /// <summary>One less; the last one closes.</summary>
    public void Release(Kernel kernel)
    {
        if (--_references != 0) return;
        LeaveEpollSets(kernel);
        if (Signals is not null)
        {
            Signals.Detach();
            DirectoryNotification.Find(this)?.End();
        }

        if (Dentry is not null && (Flags & OpenFlags.O_PATH) == 0) kernel.Watches.OnFile(Dentry, Inode!, CanWrite ? InotifyMask.IN_CLOSE_WRITE : InotifyMask.IN_CLOSE_NOWRITE);
        if (_counted) kernel.Mounts.OpenFiles--;
        Inode?.Locks?.ReleaseOwnedBy(this);
        OnClose(kernel);
    }

    /// <summary>Counts it against the sandbox's limit of open files, once. False over the limit.</summary>
    internal bool TryCount(Kernel kernel)
    {
        if (_counted) return true;
        if (kernel.Mounts.OpenFiles >= kernel.Mounts.MaxOpenFiles) return false;
        kernel.Mounts.OpenFiles++;
        return _counted = true;
    }

    /// <summary>What /proc/self/fd shows for an object without a name.</summary>
    public virtual string AnonymousName => Inode is AnonymousInode anonymous ? anonymous.LinkName : "anon_inode:[unknown]";

    /// <summary>The last reference is gone.</summary>
    protected virtual void OnClose(Kernel kernel)
    {
    }

    /// <summary>A descriptor of this process was closed, though not the last (POSIX locks, flush).</summary>
    public virtual void OnDescriptorClosed(Process process)
    {
    }

    /// <summary>read(2) at the current offset. The base class reads through <see cref="ReadAt"/> and moves the offset.</summary>
    public virtual SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        var result = ReadAt(thread, ref buffer, Offset);
        if (!result.IsBlocked && result.Value > 0) Offset += result.Value;
        return result;
    }

    /// <summary>write(2) at the current offset, or at the end with O_APPEND (which <see cref="WriteAt"/> sees to by taking offset -1 and the file to set <see cref="Offset"/>).</summary>
    public virtual SyscallResult Write(PosixThread thread, ref IoBuffer buffer)
    {
        bool append = (Flags & OpenFlags.O_APPEND) != 0;
        var result = WriteAt(thread, ref buffer, append ? -1 : Offset);
        if (!append && !result.IsBlocked && result.Value > 0) Offset += result.Value;
        return result;
    }

    /// <summary>pread(2). ESPIPE where there are no offsets.</summary>
    public virtual SyscallResult ReadAt(PosixThread thread, ref IoBuffer buffer, long offset) => Errno.ESPIPE;

    /// <summary>pwrite(2). Offset -1: append, and move <see cref="Offset"/> to the end.</summary>
    public virtual SyscallResult WriteAt(PosixThread thread, ref IoBuffer buffer, long offset) => Errno.ESPIPE;

    /// <summary>lseek(2).</summary>
    public virtual SyscallResult Seek(PosixThread thread, long offset, int whence) => Errno.ESPIPE;

    /// <summary>getdents64(2): fills the buffer with struct linux_dirent64.</summary>
    public virtual SyscallResult ReadDirectory(PosixThread thread, ref IoBuffer buffer) => Errno.ENOTDIR;

    /// <summary>ioctl(2). ENOTTY when the request means nothing here.</summary>
    public virtual SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) => Errno.ENOTTY;

    /// <summary>What is ready now (poll(2)). Files that are always ready say POLLIN and POLLOUT.</summary>
    public virtual PollEvents Poll() => PollEvents.POLLIN | PollEvents.POLLOUT | PollEvents.POLLRDNORM | PollEvents.POLLWRNORM;

    /// <summary>Where to wait for <see cref="Poll"/> to change; null when it never does (epoll refuses such files with EPERM).</summary>
    public virtual WaitQueue? PollQueue => null;

    /// <summary>What mmap(2) maps; null: ENODEV.</summary>
    public virtual MemoryObject? GetMemoryObject() => null;

    /// <summary>Whether mmap(2) of it gives anonymous memory, as of /dev/zero.</summary>
    public virtual bool MapsAsAnonymousMemory => false;

    /// <summary>ftruncate(2).</summary>
    public virtual Errno Truncate(PosixThread thread, long length) => Errno.EINVAL;

    /// <summary>fallocate(2).</summary>
    public virtual Errno Allocate(PosixThread thread, int mode, long offset, long length) => Errno.EOPNOTSUPP;

    /// <summary>fsync(2), fdatasync(2). EINVAL where there is nothing to synchronize (pipes, sockets).</summary>
    public virtual Errno Synchronize() => Errno.EINVAL;

    /// <summary>fcntl(2) F_GETPIPE_SZ: bytes that fit. EBADF where there is no such thing.</summary>
    public virtual SyscallResult GetPipeSize() => Errno.EBADF;

    /// <summary>fcntl(2) F_SETPIPE_SZ. EBADF, EPERM, EBUSY.</summary>
    public virtual SyscallResult SetPipeSize(PosixThread thread, long size) => Errno.EBADF;

    /// <summary>fcntl(2) F_GET_SEALS. EINVAL where there are none.</summary>
    public virtual SyscallResult GetSeals() => Errno.EINVAL;

    /// <summary>fcntl(2) F_ADD_SEALS. EINVAL, EPERM, EBUSY.</summary>
    public virtual SyscallResult AddSeals(FileSeals seals) => Errno.EINVAL;

    /// <summary>Lines of /proc/self/fdinfo after pos, flags, mnt_id and ino.</summary>
    public virtual string InfoText => "";
}
