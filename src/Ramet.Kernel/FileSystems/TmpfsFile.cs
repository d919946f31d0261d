using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.FileSystems;

/// <summary>A regular file.</summary>
[Saved]
public sealed partial class TmpfsFile : TmpfsInode
{
    private PageStore _pages = null!;
    private int _uses;

    private TmpfsFile()
    {
    }

    internal TmpfsFile(TmpfsFileSystem fileSystem, ulong number, InodeMode mode, uint uid, uint gid)
        : base(fileSystem, number, mode, uid, gid) =>
        _pages = new PageStore(fileSystem.Kernel, this, 0, 0);

    internal TmpfsFile(OverlayFileSystem fileSystem, int node, in ImageNode from)
        : base(fileSystem, node, from) =>
        _pages = new PageStore(fileSystem.Kernel, this, from.DataOffset, from.Size);

    /// <summary>Its content.</summary>
    public PageStore Pages => _pages;

    /// <summary>F_SEAL_*; F_SEAL_SEAL from the start where sealing was not allowed.</summary>
    public FileSeals Seals { get; internal set; } = FileSeals.F_SEAL_SEAL;

    /// <summary>Whether it was made by memfd_create.</summary>
    public bool IsMemfd { get; internal set; }

    /// <summary>Open descriptions that may write: such a file cannot be executed.</summary>
    internal int Writers { get; set; }

    /// <summary>Open descriptions that only read.</summary>
    internal int Readers { get; set; }

    /// <summary>Address spaces that run it as their program: such a file cannot be opened for writing.</summary>
    internal int Executors { get; set; }

    /// <inheritdoc/>
    public override Errno CheckExecutable() => Writers > 0 || MappingAccess.IsMappedWritable(_pages) ? Errno.ETXTBSY : Errno.None;

    /// <inheritdoc/>
    public override Errno CheckWritable() => Executors > 0 ? Errno.ETXTBSY : Errno.None;

    /// <inheritdoc/>
    public override void OnExecuted(bool begins) => Executors += begins ? 1 : -1;

    /// <inheritdoc/>
    public override long Size => _pages.Size;

    /// <inheritdoc/>
    public override long Blocks => Node >= 0 && !_pages.IsChanged ? (Size + 511) / 512 : _pages.FrameCount * (PageStore.PageSize / 512);

    /// <inheritdoc/>
    public override MemoryObject GetMemoryObject() => _pages;

    /// <inheritdoc/>
    public override int ReadBytes(long offset, Span<byte> destination) => _pages.Read(offset, destination);

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = new RegularFileDescription(this, flags);
        return 0;
    }

    /// <inheritdoc/>
    public override Errno Truncate(PosixThread thread, long length)
    {
        if (length < 0) return Errno.EINVAL;
        if ((Seals & FileSeals.F_SEAL_SHRINK) != 0 && length < Size) return Errno.EPERM;
        if ((Seals & FileSeals.F_SEAL_GROW) != 0 && length > Size) return Errno.EPERM;
        BeforeContentChange();
        RemovePrivileges(thread);
        return _pages.Resize(length);
    }

    /// <summary>The content is about to change: times move, and an image file becomes one of the writable layer.</summary>
    internal void BeforeContentChange()
    {
        BeforeChange();
        ModifyTime = ChangeTime = Kernel.RealtimeNow;
    }

    /// <summary>A write by an ordinary user takes set-user-id and set-group-id away.</summary>
    internal void RemovePrivileges(PosixThread thread)
    {
        const InodeMode GroupExecute = InodeMode.S_ISGID | InodeMode.S_IXGRP;
        const string Capabilities = FileCapabilities.Attribute;
        if (HasAttributes && ExtendedAttributes!.TryGetValue(Capabilities, out byte[]? value))
        {
            ExtendedAttributes.Remove(Capabilities);
            TryChargeAttributes(-(Capabilities.Length + value.Length + 64L));
        }

        if ((Mode & (InodeMode.S_ISUID | InodeMode.S_ISGID)) == 0 || thread.Credentials.HasCapability(Capability.CAP_FSETID)) return;
        if ((Mode & GroupExecute) == GroupExecute) Mode &= ~InodeMode.S_ISGID;
        Mode &= ~InodeMode.S_ISUID;
    }

    /// <summary>The content was read: relatime, and only for files that are in the writable layer anyway.</summary>
    internal void OnRead()
    {
        if (Node >= 0) return;
        long now = Kernel.RealtimeNow;
        if (AccessTime <= ModifyTime || AccessTime <= ChangeTime || now - AccessTime > 86_400_000_000_000) AccessTime = now;
    }

    /// <summary>One more open description or mapping.</summary>
    internal void AddUse() => _uses++;

    /// <summary>One less. The content of a file without names goes with the last.</summary>
    internal void DropUse()
    {
        if (--_uses == 0 && LinkCount == 0) Destroy();
    }

    /// <inheritdoc/>
    private protected override void OnLastNameGone()
    {
        if (_uses == 0) Destroy();
    }

    private void Destroy()
    {
        _pages.Clear();
        GiveBack();
    }
}
