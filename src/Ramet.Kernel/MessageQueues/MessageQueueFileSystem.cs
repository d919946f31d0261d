using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.MessageQueues;

/// <summary>The file system that message queues are files of; mounted at /dev/mqueue, and used by mq_open(3) wherever it is mounted.</summary>
[Saved]
internal sealed partial class MessageQueueFileSystem : TmpfsFileSystem
{
    /// <summary>fs.mqueue.queues_max.</summary>
    public const int MaximumQueues = 256;

    /// <summary>fs.mqueue.msg_max, and msg_default.</summary>
    public const int MaximumMessages = 10;

    /// <summary>fs.mqueue.msgsize_max, and msgsize_default.</summary>
    public const int MaximumSize = 8192;

    private const int HardMessages = 65536;
    private const int HardSize = 16 << 20;
    private const long MqueueMagic = 0x19800202;

    private Dictionary<uint, long> _bytesOfUsers = [];
    private int _queues;

    private MessageQueueFileSystem()
    {
    }

    public MessageQueueFileSystem(Kernel kernel)
        : base(kernel, "mqueue")
    {
    }

    /// <inheritdoc/>
    public override StatFs GetStatistics() => base.GetStatistics() with { f_type = MqueueMagic };

    /// <inheritdoc/>
    internal override Errno CreateFile(PosixThread thread, ulong number, InodeMode mode, uint uid, uint gid, out TmpfsInode? file) =>
        CreateQueue(thread, number, mode, uid, gid, MaximumMessages, MaximumSize, out file);

    /// <summary>Whether a thread may make a queue like this. EINVAL.</summary>
    public static Errno CheckAttributes(PosixThread thread, long messages, long size)
    {
        bool privileged = thread.Credentials.HasCapability(Capability.CAP_SYS_RESOURCE);
        if (messages <= 0 || size <= 0) return Errno.EINVAL;
        if (messages > (privileged ? HardMessages : MaximumMessages) || size > (privileged ? HardSize : MaximumSize)) return Errno.EINVAL;
        return Errno.None;
    }

    /// <summary>The attributes that mq_open(3) asked for, while it creates a file.</summary>
    [NotSaved]
    internal (long Messages, long Size)? Wanted { get; set; }

    private Errno CreateQueue(PosixThread thread, ulong number, InodeMode mode, uint uid, uint gid, long messages, long size, out TmpfsInode? file)
    {
        file = null;
        if (Wanted is { } wanted) (messages, size) = wanted;
        if (_queues >= MaximumQueues && !thread.Credentials.HasCapability(Capability.CAP_SYS_RESOURCE)) return Errno.ENOSPC;
        long cost = MessageQueue.CostOf(messages, size);
        long used = _bytesOfUsers.GetValueOrDefault(uid);
        if ((ulong)(used + cost) > thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_MSGQUEUE)) return Errno.EMFILE;
        _bytesOfUsers[uid] = used + cost;
        _queues++;
        file = new MessageQueue(this, number, mode, uid, gid, messages, size);
        return Errno.None;
    }

    internal void OnGone(MessageQueue queue)
    {
        _queues--;
        long left = _bytesOfUsers.GetValueOrDefault(queue.Creator) - MessageQueue.CostOf(queue.MaximumMessages, queue.MaximumSize);
        if (left > 0) _bytesOfUsers[queue.Creator] = left;
        else _bytesOfUsers.Remove(queue.Creator);
    }
}

/// <summary>An open queue.</summary>
[Saved]
internal sealed partial class MessageQueueDescription : FileDescription
{
    private MessageQueue _queue = null!;

    private MessageQueueDescription()
    {
    }

    public MessageQueueDescription(MessageQueue queue, OpenFlags flags)
    {
        Inode = _queue = queue;
        Flags = flags;
    }

    public MessageQueue Queue => _queue;

    /// <inheritdoc/>
    public override WaitQueue? PollQueue => _queue.Polling;

    /// <inheritdoc/>
    public override PollEvents Poll() => (_queue.Count > 0 ? Readiness.In : PollEvents.None) | (_queue.IsFull ? PollEvents.None : Readiness.Out);

    /// <inheritdoc/>
    public override Syscalls.SyscallResult ReadAt(PosixThread thread, ref IoBuffer buffer, long offset)
    {
        byte[] text = System.Text.Encoding.ASCII.GetBytes(_queue.Text);
        if (offset < 0) return Errno.EINVAL;
        if (offset >= text.Length) return 0;
        int done = buffer.CopyFrom(text.AsSpan((int)offset));
        return done == 0 && buffer.Faulted ? Errno.EFAULT : done;
    }

    /// <inheritdoc/>
    public override Syscalls.SyscallResult WriteAt(PosixThread thread, ref IoBuffer buffer, long offset) => Errno.EINVAL;

    /// <inheritdoc/>
    public override void OnDescriptorClosed(Process process) => _queue.Unregister(process);

    /// <inheritdoc/>
    protected override void OnClose(Kernel kernel) => _queue.DropUse();
}
