using System.Globalization;
using Ramet.Kernel.Files;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Sockets;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.MessageQueues;

/// <summary>A POSIX message queue (mq_overview(7)): a file of the file system mqueue.</summary>
[Saved]
internal sealed partial class MessageQueue : TmpfsInode
{
    /// <summary>About what a message costs the host beside its bytes.</summary>
    private const int Overhead = 64;

    private List<QueuedMessage> _messages = [];
    private long _charged;
    private int _uses;
    private bool _isGone;

    private MessageQueue()
    {
    }

    public MessageQueue(MessageQueueFileSystem fileSystem, ulong number, InodeMode mode, uint uid, uint gid, long maximumMessages, long maximumSize)
        : base(fileSystem, number, mode, uid, gid)
    {
        MaximumMessages = maximumMessages;
        MaximumSize = maximumSize;
        Creator = uid;
    }

    /// <summary>mq_maxmsg.</summary>
    public long MaximumMessages { get; private set; }

    /// <summary>mq_msgsize.</summary>
    public long MaximumSize { get; private set; }

    /// <summary>The user on whose RLIMIT_MSGQUEUE it counts.</summary>
    public uint Creator { get; private set; }

    /// <summary>mq_curmsgs.</summary>
    public int Count => _messages.Count;

    /// <summary>Threads in mq_timedreceive(2).</summary>
    public WaitQueue Receivers { get; private set; } = new();

    /// <summary>Threads in mq_timedsend(2).</summary>
    public WaitQueue Senders { get; private set; } = new();

    /// <summary>Who polls.</summary>
    public WaitQueue Polling { get; private set; } = new();

    /// <summary>Who is told of a message that comes to the empty queue; null: nobody.</summary>
    public QueueNotification? Notification { get; private set; }

    public bool IsFull => _messages.Count >= MaximumMessages;

    /// <inheritdoc/>
    public override long Size => 80;

    /// <summary>What reading the file says.</summary>
    public string Text => string.Create(
        CultureInfo.InvariantCulture,
        $"QSIZE:{_messages.Sum(message => (long)message.Data.Length),-10} NOTIFY:{Notification?.Method ?? 0,-5} SIGNO:{Notification?.SignalToSend ?? 0,-5} NOTIFY_PID:{Notification?.Process.Pid ?? 0,-6}\n");

    /// <summary>Bytes that a queue with these attributes counts for (getrlimit(2), RLIMIT_MSGQUEUE).</summary>
    public static long CostOf(long maximumMessages, long maximumSize)
    {
        const long MessageHeader = 48, TreeNode = 48, MaximumPriorities = 32768;
        return (maximumMessages * MessageHeader) + (Math.Min(maximumMessages, MaximumPriorities) * TreeNode) + (maximumMessages * maximumSize);
    }

    /// <inheritdoc/>
    public override SyscallResult Open(PosixThread thread, OpenFlags flags, out FileDescription? description)
    {
        description = new MessageQueueDescription(this, flags);
        _uses++;
        return 0;
    }

    /// <inheritdoc/>
    public override Errno Truncate(PosixThread thread, long length) => Errno.None;

    /// <summary>Adds a message behind those of its priority. False: the sandbox's budget for buffers is spent.</summary>
    public bool TryAdd(PosixThread sender, uint priority, byte[] data)
    {
        if (!Kernel.Buffers.TryCharge(data.Length + Overhead)) return false;
        _charged += data.Length + Overhead;
        int index = _messages.Count;
        while (index > 0 && _messages[index - 1].Priority < priority) index--;
        _messages.Insert(index, new QueuedMessage { Priority = priority, Data = data });
        ModifyTime = ChangeTime = Kernel.RealtimeNow;
        bool taken = !Receivers.IsEmpty;
        Receivers.Wake();
        if (!taken && _messages.Count == 1) Notify(sender);
        Polling.Wake(Readiness.In);
        return true;
    }

    /// <summary>Takes the oldest message of the highest priority.</summary>
    public QueuedMessage Take()
    {
        var message = _messages[0];
        _messages.RemoveAt(0);
        Kernel.Buffers.Release(message.Data.Length + Overhead);
        _charged -= message.Data.Length + Overhead;
        AccessTime = Kernel.RealtimeNow;
        Senders.Wake();
        Polling.Wake(Readiness.Out);
        return message;
    }

    /// <summary>mq_notify(3). EBUSY.</summary>
    public Errno Register(QueueNotification notification)
    {
        if (Notification is not null) return Errno.EBUSY;
        Notification = notification;
        return Errno.None;
    }

    /// <summary>A process no longer wants to be told, or has closed its descriptor.</summary>
    public void Unregister(Process process)
    {
        if (Notification?.Process != process) return;
        Notification.Deliver(Kernel, woken: false);
        Notification.Release(Kernel);
        Notification = null;
    }

    /// <summary>The last name is gone; the queue lives until nobody has it open.</summary>
    private protected override void OnLastNameGone()
    {
        if (_uses == 0) Destroy();
    }

    internal void DropUse()
    {
        if (--_uses == 0 && LinkCount == 0) Destroy();
    }

    private void Destroy()
    {
        if (_isGone) return;
        _isGone = true;
        Kernel.Buffers.Release(_charged);
        _messages.Clear();
        _charged = 0;
        ((MessageQueueFileSystem)FileSystem).OnGone(this);
        GiveBack();
    }

    private void Notify(PosixThread sender)
    {
        if (Notification is not { } notification) return;
        Notification = null;
        if (notification.SignalToSend != 0 && !notification.Process.IsZombie)
        {
            notification.Process.SendSignal(new SignalInfo
            {
                Signal = notification.SignalToSend,
                Code = SignalInfo.SI_MESGQ,
                Pid = sender.Process.Pid,
                Uid = (int)sender.Credentials.Uid,
                Value = notification.Value,
            });
        }

        notification.Deliver(Kernel, woken: true);
        notification.Release(Kernel);
    }
}

/// <summary>A message.</summary>
[Saved]
internal sealed partial class QueuedMessage
{
    public uint Priority { get; set; }

    public byte[] Data { get; set; } = [];
}

/// <summary>A registration of mq_notify(3).</summary>
[Saved]
internal sealed partial class QueueNotification
{
    private const int CookieSize = 32;
    private const byte NOTIFY_WOKENUP = 1;
    private const byte NOTIFY_REMOVED = 2;

    public Process Process { get; set; } = null!;

    /// <summary>SIGEV_*.</summary>
    public int Method { get; set; }

    /// <summary>The signal; 0: none.</summary>
    public int SignalToSend { get; set; }

    /// <summary>si_value.</summary>
    public ulong Value { get; set; }

    /// <summary>SIGEV_THREAD: the C library's netlink socket, with a reference, and what is sent to it.</summary>
    public FileDescription? Socket { get; set; }

    public byte[] Cookie { get; set; } = [];

    public void Deliver(Kernel kernel, bool woken)
    {
        if (Socket is not NetlinkSocket socket) return;
        byte[] cookie = [.. Cookie];
        cookie[CookieSize - 1] = woken ? NOTIFY_WOKENUP : NOTIFY_REMOVED;
        socket.Deliver(kernel, cookie);
    }

    public void Release(Kernel kernel)
    {
        var socket = Socket;
        Socket = null;
        socket?.Release(kernel);
    }
}
