using Ramet.Kernel.Files;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems;

/// <summary>A file of a <see cref="TmpfsFileSystem"/>, which may be a changed or unchanged file of the image below.</summary>
[Saved]
public abstract partial class TmpfsInode : Inode
{
    private Dictionary<string, byte[]>? _attributes;
    private bool _released;

    /// <summary>For the state reader.</summary>
    private protected TmpfsInode()
    {
    }

    private protected TmpfsInode(TmpfsFileSystem fileSystem, ulong number, InodeMode mode, uint uid, uint gid)
    {
        FileSystem = fileSystem;
        Number = number;
        Mode = mode;
        Uid = uid;
        Gid = gid;
        AccessTime = ModifyTime = ChangeTime = fileSystem.Kernel.RealtimeNow;
    }

    private protected TmpfsInode(OverlayFileSystem fileSystem, int node, in ImageNode from)
    {
        FileSystem = fileSystem;
        Node = node;
        Number = OverlayFileSystem.NumberOf(node);
        Mode = (InodeMode)from.Mode;
        Uid = from.Uid;
        Gid = from.Gid;
        LinkCount = Math.Max(from.LinkCount, 1);
        Device = from.Device;
        AccessTime = ModifyTime = ChangeTime = from.ModifiedNanoseconds;
    }

    /// <summary>The node of the image that this was or is; -1 for a new file.</summary>
    internal int Node { get; private set; } = -1;

    /// <inheritdoc/>
    public override IDictionary<string, byte[]>? ExtendedAttributes => _attributes ??= [];

    /// <summary>Whether there may be extended attributes, without making room for them.</summary>
    private protected bool HasAttributes => _attributes is { Count: > 0 };

    /// <inheritdoc/>
    public override bool TryChargeAttributes(long bytes)
    {
        if (bytes > 0 && !Owner.TryCharge(bytes)) return false;
        if (bytes < 0) Owner.Uncharge(-bytes);
        return true;
    }

    /// <inheritdoc/>
    public override Errno BeforeChange()
    {
        Owner.Keep(this);
        return Errno.None;
    }

    private protected TmpfsFileSystem Owner => (TmpfsFileSystem)FileSystem;

    private protected Kernel Kernel => FileSystem.Kernel;

    /// <summary>A name was added.</summary>
    internal void OnLinked()
    {
        LinkCount++;
        ChangeTime = Kernel.RealtimeNow;
        BeforeChange();
    }

    /// <summary>A name was removed.</summary>
    internal void OnUnlinked()
    {
        LinkCount -= Math.Min(LinkCount, IsDirectory ? 2u : 1u);
        if (IsDirectory) LinkCount = 0;
        ChangeTime = Kernel.RealtimeNow;
        if (LinkCount > 0)
        {
            BeforeChange();
            return;
        }

        Owner.Forget(this);
        OnLastNameGone();
    }

    /// <summary>Neither names nor users are left, or, for all but regular files, no names: what the file cost is given back, once.</summary>
    private protected void GiveBack(long bytes = 0)
    {
        if (_released) return;
        _released = true;
        Kernel.Watches.OnGone(this);
        if (Node < 0) Owner.FreeNumber();
        if (_attributes is not null) bytes += _attributes.Sum(attribute => attribute.Key.Length + attribute.Value.Length + 64L);
        Owner.Uncharge(bytes);
    }

    /// <summary>The last name is gone; the content may be, too, unless somebody has it open.</summary>
    private protected virtual void OnLastNameGone() => GiveBack();

    private void OnLoaded(StateReader reader) => Owner.OnInodeLoaded(this);
}

/// <summary>A symbolic link.</summary>
[Saved]
public sealed partial class TmpfsSymbolicLink : TmpfsInode
{
    private string? _target;

    private TmpfsSymbolicLink()
    {
    }

    internal TmpfsSymbolicLink(TmpfsFileSystem fileSystem, ulong number, uint uid, uint gid, string target)
        : base(fileSystem, number, InodeMode.S_IFLNK | (InodeMode)0x1FF, uid, gid) =>
        _target = target;

    internal TmpfsSymbolicLink(OverlayFileSystem fileSystem, int node, in ImageNode from)
        : base(fileSystem, node, from)
    {
    }

    /// <inheritdoc/>
    public override long Size => Target.Length;

    /// <inheritdoc/>
    public override long Blocks => 0;

    /// <inheritdoc/>
    private protected override void OnLastNameGone() => GiveBack(_target?.Length * 2L ?? 0);

    private string Target => _target ?? Kernel.Image.GetLinkTarget(Node);

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        return Errno.ELOOP;
    }

    /// <inheritdoc/>
    public override Errno ReadLink(PosixThread thread, out string target)
    {
        target = Target;
        return Errno.None;
    }
}

/// <summary>A device node, FIFO or socket.</summary>
[Saved]
public sealed partial class TmpfsSpecialFile : TmpfsInode
{
    private TmpfsSpecialFile()
    {
    }

    internal TmpfsSpecialFile(TmpfsFileSystem fileSystem, ulong number, InodeMode mode, uint uid, uint gid, ulong device)
        : base(fileSystem, number, mode, uid, gid) =>
        Device = device;

    internal TmpfsSpecialFile(OverlayFileSystem fileSystem, int node, in ImageNode from)
        : base(fileSystem, node, from)
    {
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = null;
        return (Mode & InodeMode.S_IFMT) switch
        {
            InodeMode.S_IFCHR => Kernel.Mounts.Devices.Open(thread, this, flags, out description),
            // Kept, so that all who open it meet.
            InodeMode.S_IFIFO when BeforeChange() == Errno.None => SpecialFiles.OpenFifo(thread, this, flags, out description),
            _ => Errno.ENXIO,
        };
    }

    /// <inheritdoc/>
    private protected override void OnLastNameGone()
    {
        GiveBack();

        // A listening socket goes on living through its descriptors only.
        if ((Mode & InodeMode.S_IFMT) == InodeMode.S_IFSOCK) Attachment = null;
    }
}
