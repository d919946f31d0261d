using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>An inotify instance (inotify(7)).</summary>
[Saved]
public sealed partial class Inotify : FileDescription
{
    /// <summary>/proc/sys/fs/inotify/max_queued_events.</summary>
    private const int MaximumQueue = 16384;

    /// <summary>What a queued event costs beside its name, for the budget.</summary>
    private const int Overhead = 96;

    private static readonly int HeaderSize = Marshal.SizeOf<InotifyEvent>();

    private Kernel _kernel = null!;
    private uint _user;
    private int _lastDescriptor;
    private Dictionary<int, InotifyWatch> _watches = [];
    private Queue<InotifyRecord> _events = new();
    private InotifyRecord? _last;
    private long _charged;
    private WaitQueue _queue = new();

    private Inotify()
    {
    }

    internal Inotify(PosixThread thread, bool nonBlocking)
    {
        _kernel = thread.Kernel;
        _user = thread.Credentials.Uid;
        _kernel.Watches.Instances[_user] = _kernel.Watches.Instances.GetValueOrDefault(_user) + 1;
        Flags = OpenFlags.O_RDONLY | (nonBlocking ? OpenFlags.O_NONBLOCK : 0);
        Inode = new AnonymousInode(_kernel, "inotify", InodeMode.S_IRUSR | InodeMode.S_IWUSR);
    }

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _queue;

    /// <inheritdoc/>
    internal override bool SupportsAsync => true;

    /// <inheritdoc/>
    public override PollEvents Poll() => _events.Count > 0 ? Readiness.In : PollEvents.None;

    /// <summary>inotify_add_watch(2) of an inode: its watch descriptor. EEXIST, ENOSPC.</summary>
    internal SyscallResult AddWatch(Inode inode, InotifyMask mask)
    {
        const InotifyMask Kept = InotifyMask.IN_ALL_EVENTS | InotifyMask.IN_ONESHOT | InotifyMask.IN_EXCL_UNLINK;
        foreach (var known in inode.Watches ?? [])
        {
            if (known.Owner != this) continue;
            if ((mask & InotifyMask.IN_MASK_CREATE) != 0) return Errno.EEXIST;
            known.Mask = (mask & InotifyMask.IN_MASK_ADD) != 0 ? known.Mask | (mask & Kept) : (mask & Kept) | InotifyMask.IN_UNMOUNT;
            return known.Descriptor;
        }

        if (_kernel.Watches.Count >= FileWatches.MaximumWatches) return Errno.ENOSPC;
        do _lastDescriptor = _lastDescriptor == int.MaxValue ? 1 : _lastDescriptor + 1;
        while (_watches.ContainsKey(_lastDescriptor));
        var watch = new InotifyWatch { Owner = this, Inode = inode, Descriptor = _lastDescriptor, Mask = (mask & Kept) | InotifyMask.IN_UNMOUNT };
        _watches.Add(watch.Descriptor, watch);
        _kernel.Watches.Add(watch);
        return watch.Descriptor;
    }

    /// <summary>inotify_rm_watch(2). EINVAL.</summary>
    internal Errno RemoveWatch(int descriptor)
    {
        if (!_watches.TryGetValue(descriptor, out var watch)) return Errno.EINVAL;
        Remove(watch);
        return Errno.None;
    }

    /// <summary>Ends a watch, and says so.</summary>
    internal void Remove(InotifyWatch watch)
    {
        _kernel.Watches.Remove(watch);
        _watches.Remove(watch.Descriptor);
        Add(watch.Descriptor, InotifyMask.IN_IGNORED, 0, "");
    }

    /// <summary>Queues an event. One that is the same as the last one in the queue is not repeated.</summary>
    internal void Add(int descriptor, InotifyMask mask, uint cookie, string name)
    {
        var record = new InotifyRecord(descriptor, mask, cookie, name);
        if (_events.Count > 0 && _last!.IsSameAs(record) && mask != InotifyMask.IN_IGNORED) return;

        // Names live on in the queue after their files, so the queue is the host's memory: over the sandbox's budget it overflows.
        if (_events.Count >= MaximumQueue || !_kernel.Buffers.TryCharge(CostOf(record)))
        {
            record = new InotifyRecord(-1, InotifyMask.IN_Q_OVERFLOW, 0, "");
            if (_events.Count > 0 && _last!.IsSameAs(record)) return;
            _kernel.Buffers.Charge(CostOf(record));
        }

        _charged += CostOf(record);
        _events.Enqueue(record);
        _last = record;
        _queue.Wake(Readiness.In);
    }

    /// <inheritdoc/>
    public override SyscallResult Read(PosixThread thread, ref IoBuffer buffer)
    {
        if (_events.Count == 0) return NonBlocking ? Errno.EAGAIN : thread.BlockOn(_queue, PollEvents.POLLIN);
        Span<byte> bytes = stackalloc byte[HeaderSize + 256 + 16];
        while (_events.TryPeek(out var record))
        {
            int length = SizeOf(record);
            if (length > buffer.Remaining) return buffer.Consumed > 0 ? buffer.Consumed : Errno.EINVAL;
            var header = new InotifyEvent { wd = record.Descriptor, mask = record.Mask, cookie = record.Cookie, len = (uint)(length - HeaderSize) };
            bytes[..length].Clear();
            MemoryMarshal.Write(bytes, header);
            Encoding.Latin1.GetBytes(record.Name, bytes[HeaderSize..]);
            long before = buffer.Consumed;
            if (buffer.CopyFrom(bytes[..length]) < length) return before > 0 ? before : Errno.EFAULT;
            _events.Dequeue();
            _charged -= CostOf(record);
            _kernel.Buffers.Release(CostOf(record));
        }

        return buffer.Consumed;
    }

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) =>
        request == IoctlRequest.FIONREAD ? IoctlRequest.PutInt32(thread, argument, _events.Sum(SizeOf)) : Errno.ENOTTY;

    /// <inheritdoc/>
    public override string InfoText => string.Concat(_watches.Values.OrderBy(watch => watch.Descriptor).Select(watch => string.Create(
        CultureInfo.InvariantCulture,
        $"inotify wd:{watch.Descriptor:x} ino:{watch.Inode.Number:x} sdev:{watch.Inode.FileSystem.DeviceId:x} mask:{(uint)(watch.Mask & InotifyMask.IN_ALL_EVENTS):x} ignored_mask:0\n")));

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel)
    {
        foreach (var watch in _watches.Values) kernel.Watches.Remove(watch);
        _watches.Clear();
        _events.Clear();
        kernel.Buffers.Release(_charged);
        _charged = 0;
        if (--kernel.Watches.Instances[_user] == 0) kernel.Watches.Instances.Remove(_user);
    }

    private static int SizeOf(InotifyRecord record) =>
        HeaderSize + (record.Name.Length == 0 ? 0 : (record.Name.Length + HeaderSize) / HeaderSize * HeaderSize);

    private static long CostOf(InotifyRecord record) => Overhead + (record.Name.Length * 2L);
}

/// <summary>A queued event.</summary>
[Saved]
internal sealed partial class InotifyRecord
{
    private InotifyRecord()
    {
    }

    public InotifyRecord(int descriptor, InotifyMask mask, uint cookie, string name)
    {
        Descriptor = descriptor;
        Mask = mask;
        Cookie = cookie;
        Name = name;
    }

    public int Descriptor { get; private set; }

    public InotifyMask Mask { get; private set; }

    public uint Cookie { get; private set; }

    public string Name { get; private set; } = "";

    public bool IsSameAs(InotifyRecord other) => Descriptor == other.Descriptor && Mask == other.Mask && Cookie == other.Cookie && Name == other.Name;
}
