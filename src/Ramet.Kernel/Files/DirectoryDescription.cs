using System.Buffers.Binary;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>
/// An open directory. The names are taken at the first read and again after a seek to the start, so that a program may remove them while it reads
/// (readdir(3) leaves open whether it sees changes). Offsets are positions in that list.
/// </summary>
[Saved]
public sealed partial class DirectoryDescription : FileDescription
{
    private string[]? _names;
    private ulong[] _numbers = [];
    private byte[] _types = [];
    private long _charged;

    // All has been read and the list is forgotten; it would be taken anew after a seek.
    private bool _ended;

    private DirectoryDescription()
    {
    }

    /// <summary>Opens a directory.</summary>
    public DirectoryDescription(Inode directory, OpenFlags flags)
    {
        Inode = directory;
        Flags = flags;
    }

    /// <inheritdoc/>
    public override SyscallResult ReadAt(PosixThread thread, ref IoBuffer buffer, long offset) => Errno.EISDIR;

    /// <inheritdoc/>
    public override SyscallResult Seek(PosixThread thread, long offset, int whence)
    {
        long start = (SeekWhence)whence switch
        {
            SeekWhence.SEEK_SET => 0,
            SeekWhence.SEEK_CUR => Offset,
            _ => -1,
        };
        if (start < 0 || (offset > 0 && start > long.MaxValue - offset) || start + offset < 0) return Errno.EINVAL;
        long target = start + offset;
        if (target == 0 || (_ended && target != Offset))
        {
            Forget(thread.Kernel);
            _ended = false;
        }

        return Offset = target;
    }

    /// <inheritdoc/>
    public override SyscallResult ReadDirectory(PosixThread thread, ref IoBuffer buffer) => ReadEntries(thread, ref buffer, legacy: false);

    /// <summary>getdents64(2), or getdents(2) with its other layout.</summary>
    internal SyscallResult ReadEntries(PosixThread thread, ref IoBuffer buffer, bool legacy)
    {
        if (_ended) return 0;
        var error = TakeNames(thread);
        if (error != Errno.None) return error;
        Span<byte> entry = stackalloc byte[24 + PathWalk.NameMax + 16];
        while (Offset < _names!.Length)
        {
            int i = (int)Offset;
            int length = Format(entry, i, legacy);
            if (length > buffer.Remaining) return buffer.Consumed == 0 ? Errno.EINVAL : buffer.Consumed;
            long before = buffer.Consumed;
            if (buffer.CopyFrom(entry[..length]) < length) return before == 0 ? Errno.EFAULT : before;
            Offset++;
        }

        if (Dentry is not null) thread.Kernel.Watches.OnFile(Dentry, Inode, InotifyMask.IN_ACCESS);
        if (buffer.Consumed == 0)
        {
            Forget(thread.Kernel);
            _ended = true;
        }

        return buffer.Consumed;
    }

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel) => Forget(kernel);

    /// <inheritdoc/>
    public override Errno Synchronize() => Errno.None;

    // struct linux_dirent64 (getdents(2)): d_ino, d_off, d_reclen (2 bytes), d_type (1), d_name. struct linux_dirent has d_type in the last byte.
    private int Format(Span<byte> entry, int index, bool legacy)
    {
        string name = _names![index];
        int nameAt = legacy ? 18 : 19;
        int length = (nameAt + name.Length + (legacy ? 2 : 1) + 7) & ~7;
        entry[..length].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(entry, _numbers[index]);
        BinaryPrimitives.WriteInt64LittleEndian(entry[8..], index + 1);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[16..], (ushort)length);
        entry[legacy ? length - 1 : 18] = _types[index];
        System.Text.Encoding.Latin1.GetBytes(name, entry[nameAt..]);
        return length;
    }

    private void Forget(Kernel kernel)
    {
        kernel.Listings.Release(_charged);
        _charged = 0;
        _names = null;
        _numbers = [];
        _types = [];
    }

    private Errno TakeNames(PosixThread thread)
    {
        if (_names is not null) return Errno.None;
        if (Inode.LinkCount == 0) return Errno.ENOENT;
        var parent = Dentry?.Up.Inode ?? Inode;
        List<DirectoryEntry> entries =
        [
            new(".", Inode.Number, DirectoryEntryType.DT_DIR),
            new("..", parent.Number, DirectoryEntryType.DT_DIR),
        ];
        var error = Inode.List(thread, entries);
        if (error != Errno.None) return error;
        // The names may outlive their files, so they are counted as if they were the list's own.
        const int Overhead = 64;
        long cost = Overhead;
        foreach (var entry in entries) cost += Overhead + (entry.Name.Length * 2L);
        if (!thread.Kernel.Listings.TryCharge(cost)) return Errno.ENOMEM;
        _charged = cost;
        _names = new string[entries.Count];
        _numbers = new ulong[entries.Count];
        _types = new byte[entries.Count];
        for (int i = 0; i < entries.Count; i++)
            (_names[i], _numbers[i], _types[i]) = (entries[i].Name, entries[i].Number, (byte)entries[i].Type);
        return Errno.None;
    }
}

/// <summary>A file opened with O_PATH: a place, not a content.</summary>
[Saved]
public sealed partial class PathDescription : FileDescription
{
    private PathDescription()
    {
    }

    /// <summary>Opens a place.</summary>
    public PathDescription(Inode inode, OpenFlags flags)
    {
        Inode = inode;
        Flags = flags;
    }
}
