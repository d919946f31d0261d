using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>An open regular file.</summary>
[Saved]
public sealed partial class RegularFileDescription : FileDescription
{
    private TmpfsFile _file = null!;

    private RegularFileDescription()
    {
    }

    /// <summary>Opens a file.</summary>
    internal RegularFileDescription(TmpfsFile file, OpenFlags flags)
    {
        Inode = _file = file;
        Flags = flags;
        file.AddUse();
        if (CanWrite) file.Writers++;
        else if (CanRead) file.Readers++;
    }

    /// <summary>The file.</summary>
    internal TmpfsFile File => _file;

    /// <inheritdoc/>
    public override string AnonymousName => Dentry?.Name ?? "anon_inode:[file]";

    /// <inheritdoc/>
    public override SyscallResult ReadAt(PosixThread thread, ref IoBuffer buffer, long offset)
    {
        if (offset < 0) return Errno.EINVAL;
        long done = _file.Pages.Read(ref buffer, offset);
        if (done == 0 && buffer.Faulted) return Errno.EFAULT;
        if (done > 0) thread.Kernel.Watches.OnFile(Dentry, _file, InotifyMask.IN_ACCESS);
        if ((Flags & OpenFlags.O_NOATIME) == 0 && Dentry?.Mount.IsReadOnly != true) _file.OnRead();
        return done;
    }

    /// <inheritdoc/>
    public override SyscallResult WriteAt(PosixThread thread, ref IoBuffer buffer, long offset)
    {
        if (offset < -1) return Errno.EINVAL;
        bool append = (Flags & OpenFlags.O_APPEND) != 0 || offset == -1;
        long position = append ? _file.Size : offset;
        if (buffer.Remaining == 0) return 0;
        var error = LimitWrite(thread, ref buffer, position);
        if (error != Errno.None) return error;

        _file.BeforeContentChange();
        _file.RemovePrivileges(thread);
        long done = _file.Pages.Write(ref buffer, position, out error);
        if (offset == -1 && done > 0) Offset = position + done;
        if (done > 0)
        {
            thread.Kernel.Watches.OnFile(Dentry, _file, InotifyMask.IN_MODIFY);
            return done;
        }

        return buffer.Faulted ? Errno.EFAULT : error;
    }

    /// <inheritdoc/>
    public override SyscallResult Seek(PosixThread thread, long offset, int whence)
    {
        long size = _file.Size;
        long start = (SeekWhence)whence switch
        {
            SeekWhence.SEEK_CUR => Offset,
            SeekWhence.SEEK_END => size,
            _ => 0,
        };
        switch ((SeekWhence)whence)
        {
            case SeekWhence.SEEK_SET or SeekWhence.SEEK_CUR or SeekWhence.SEEK_END:
                if (offset > 0 && start > long.MaxValue - offset) return Errno.EOVERFLOW;
                if (start + offset < 0) return Errno.EINVAL;
                return Offset = start + offset;
            case SeekWhence.SEEK_DATA or SeekWhence.SEEK_HOLE:
                if (offset < 0 || offset >= size) return Errno.ENXIO;
                bool data = (SeekWhence)whence == SeekWhence.SEEK_DATA;
                long found = _file.Pages.SeekData(offset, data);
                if (data && found >= size) return Errno.ENXIO;
                return Offset = found;
            default:
                return Errno.EINVAL;
        }
    }

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument)
    {
        const uint FIONREAD = 0x541B;
        if (request != FIONREAD) return Errno.ENOTTY;
        int left = (int)Math.Clamp(_file.Size - Offset, 0, int.MaxValue);
        return thread.Memory.User.TryWrite(new UserAddress(argument), left) ? 0 : Errno.EFAULT;
    }

    /// <inheritdoc/>
    public override MemoryObject? GetMemoryObject() => _file.Pages;

    /// <inheritdoc/>
    public override Errno Truncate(PosixThread thread, long length) => _file.Truncate(thread, length);

    /// <inheritdoc/>
    public override Errno Allocate(PosixThread thread, int mode, long offset, long length)
    {
        const FallocateMode Known = FallocateMode.FALLOC_FL_KEEP_SIZE | FallocateMode.FALLOC_FL_PUNCH_HOLE | FallocateMode.FALLOC_FL_ZERO_RANGE
            | FallocateMode.FALLOC_FL_UNSHARE_RANGE;
        var how = (FallocateMode)mode;
        if (offset < 0 || length <= 0) return Errno.EINVAL;
        // Collapsing and inserting are for file systems of blocks: EOPNOTSUPP, as in tmpfs.
        if ((how & ~Known) != 0) return Errno.EOPNOTSUPP;
        if (offset > long.MaxValue - length) return Errno.EFBIG;
        bool keep = (how & FallocateMode.FALLOC_FL_KEEP_SIZE) != 0;
        bool punch = (how & FallocateMode.FALLOC_FL_PUNCH_HOLE) != 0;
        if (punch && !keep) return Errno.EOPNOTSUPP;
        if (punch && (_file.Seals & (FileSeals.F_SEAL_WRITE | FileSeals.F_SEAL_FUTURE_WRITE)) != 0) return Errno.EPERM;
        if (!keep && offset + length > _file.Size && (_file.Seals & FileSeals.F_SEAL_GROW) != 0) return Errno.EPERM;
        if (!keep && (ulong)(offset + length) > thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_FSIZE)) return FileSizeLimit.Exceeded(thread);

        _file.BeforeContentChange();
        if (punch) return _file.Pages.PunchHole(offset, length);
        var error = Errno.None;
        if ((how & FallocateMode.FALLOC_FL_ZERO_RANGE) != 0) error = _file.Pages.PunchHole(offset, length);
        if (error == Errno.None) error = _file.Pages.Allocate(offset, length);
        if (error == Errno.None && !keep && offset + length > _file.Size) error = _file.Pages.Resize(offset + length);
        return error;
    }

    /// <inheritdoc/>
    public override Errno Synchronize() => Errno.None;

    /// <inheritdoc/>
    public override SyscallResult GetSeals() => _file.IsMemfd || _file.FileSystem.TypeName == "tmpfs" ? (int)_file.Seals : Errno.EINVAL;

    /// <inheritdoc/>
    public override SyscallResult AddSeals(FileSeals seals)
    {
        const FileSeals Known = FileSeals.F_SEAL_SEAL | FileSeals.F_SEAL_SHRINK | FileSeals.F_SEAL_GROW | FileSeals.F_SEAL_WRITE
            | FileSeals.F_SEAL_FUTURE_WRITE | FileSeals.F_SEAL_EXEC;
        if (GetSeals().IsError) return Errno.EINVAL;
        if (!CanWrite) return Errno.EPERM;
        if ((seals & ~Known) != 0) return Errno.EINVAL;
        if ((_file.Seals & FileSeals.F_SEAL_SEAL) != 0) return Errno.EPERM;
        if ((seals & FileSeals.F_SEAL_WRITE) != 0 && MappingAccess.IsMappedWritable(_file.Pages)) return Errno.EBUSY;
        _file.Seals |= seals;
        return 0;
    }

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        if (CanWrite) _file.Writers--;
        else if (CanRead) _file.Readers--;
        _file.DropUse();
    }

    private Errno LimitWrite(PosixThread thread, ref IoBuffer buffer, long position)
    {
        if ((_file.Seals & (FileSeals.F_SEAL_WRITE | FileSeals.F_SEAL_FUTURE_WRITE)) != 0) return Errno.EPERM;
        ulong limit = Math.Min(thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_FSIZE), long.MaxValue);
        if (position >= (long)limit) return limit == long.MaxValue ? Errno.EFBIG : FileSizeLimit.Exceeded(thread);
        buffer.Limit((long)limit - position);
        if ((_file.Seals & FileSeals.F_SEAL_GROW) == 0 || position + buffer.Remaining <= _file.Size) return Errno.None;
        if (position >= _file.Size) return Errno.EPERM;
        buffer.Limit(_file.Size - position);
        return Errno.None;
    }
}
