using System.Runtime.InteropServices;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.MessageQueues;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.Sockets;

namespace Ramet.Kernel.Syscalls;

/// <summary>POSIX message queues: what mq_open(3) and its family call (mq_overview(7)).</summary>
internal static class MessageQueueCalls
{
    private const uint PriorityLimit = 32768;
    private const int CookieSize = 32;
    private const int SIGEV_SIGNAL = 0;
    private const int SIGEV_NONE = 1;
    private const int SIGEV_THREAD = 2;

    [Syscall(SyscallNumber.mq_open)]
    internal static SyscallResult MqOpen(PosixThread thread, UserPath name, OpenFlags flags, uint mode, UserAddress attributes)
    {
        var access = flags & OpenFlags.O_ACCMODE;
        if (access == OpenFlags.O_ACCMODE) return Errno.EINVAL;
        var wanted = default(QueueAttributes);
        bool creates = (flags & OpenFlags.O_CREAT) != 0;
        if (creates && !attributes.IsNull && !thread.Memory.User.TryRead(attributes, out wanted)) return Errno.EFAULT;
        var error = ReadName(thread, name, out string text);
        if (error == Errno.None) error = thread.Files.CheckSpace();
        if (error != Errno.None) return error;
        var root = thread.Kernel.MessageQueues.Root;
        error = root.Lookup(thread, text, out var inode);
        if (error == Errno.ENOENT && creates)
        {
            error = Create(thread, text, mode, attributes.IsNull ? null : wanted, out inode);
        }
        else if (error == Errno.None)
        {
            if (creates && (flags & OpenFlags.O_EXCL) != 0) return Errno.EEXIST;
            var mask = access switch
            {
                OpenFlags.O_RDONLY => AccessMode.R_OK,
                OpenFlags.O_WRONLY => AccessMode.W_OK,
                _ => AccessMode.R_OK | AccessMode.W_OK,
            };
            error = Permissions.Check(thread, inode!, mask);
        }

        if (error != Errno.None) return error;
        inode!.Open(thread, access | (flags & OpenFlags.O_NONBLOCK), out var description);
        if (description is null) return Errno.EACCES;
        description.Dentry = thread.Kernel.MessageQueueMount.Root.GetChild(text, inode);
        return DescriptorPair.InstallOne(thread, description, closeOnExec: true);
    }

    [Syscall(SyscallNumber.mq_unlink)]
    internal static SyscallResult MqUnlink(PosixThread thread, UserPath name)
    {
        var error = ReadName(thread, name, out string text);
        if (error != Errno.None) return error;
        var root = thread.Kernel.MessageQueues.Root;
        error = root.Lookup(thread, text, out var inode);
        if (error == Errno.None) error = Permissions.CheckDelete(thread, root, inode!);
        if (error != Errno.None) return error;
        error = root.Unlink(thread, text, inode!);
        if (error == Errno.None) thread.Kernel.MessageQueueMount.Root.FindChild(text)?.MarkDeleted();
        return error;
    }

    [Syscall(SyscallNumber.mq_timedsend)]
    internal static SyscallResult MqTimedSend(PosixThread thread, int mqdes, UserAddress message, ulong length, uint priority, UserAddress timeout)
    {
        var error = PrepareWait(thread, timeout);
        if (error != Errno.None) return error;
        if (priority >= PriorityLimit) return Errno.EINVAL;
        if (thread.Files.Get(mqdes) is not MessageQueueDescription { CanWrite: true } description) return Errno.EBADF;
        var queue = description.Queue;
        if (length > (ulong)queue.MaximumSize) return Errno.EMSGSIZE;
        byte[] data = new byte[length];
        if (thread.Memory.User.Read(message, data) != data.Length) return Errno.EFAULT;
        if (!queue.IsFull) return queue.TryAdd(thread, priority, data) ? 0 : Errno.ENOMEM;
        return Wait(thread, description, queue.Senders);
    }

    [Syscall(SyscallNumber.mq_timedreceive)]
    internal static SyscallResult MqTimedReceive(PosixThread thread, int mqdes, UserAddress message, ulong length, UserAddress priority, UserAddress timeout)
    {
        var error = PrepareWait(thread, timeout);
        if (error != Errno.None) return error;
        if (thread.Files.Get(mqdes) is not MessageQueueDescription { CanRead: true } description) return Errno.EBADF;
        var queue = description.Queue;
        if (length < (ulong)queue.MaximumSize) return Errno.EMSGSIZE;
        if (queue.Count == 0) return Wait(thread, description, queue.Receivers);

        // As on Linux, the message is gone even if it then cannot be stored.
        var taken = queue.Take();
        if (!priority.IsNull && !thread.Memory.User.TryWrite(priority, taken.Priority)) return Errno.EFAULT;
        return thread.Memory.User.Write(message, taken.Data) == taken.Data.Length ? taken.Data.Length : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.mq_notify)]
    internal static SyscallResult MqNotify(PosixThread thread, int mqdes, UserAddress notification)
    {
        var wanted = default(QueueEvent);
        byte[] cookie = [];
        if (!notification.IsNull)
        {
            if (!thread.Memory.User.TryRead(notification, out wanted)) return Errno.EFAULT;
            if (wanted.Method is not (SIGEV_NONE or SIGEV_SIGNAL or SIGEV_THREAD)) return Errno.EINVAL;
            if (wanted.Method == SIGEV_SIGNAL && !Signal.IsValid(wanted.SignalOrSocket)) return Errno.EINVAL;
            cookie = new byte[CookieSize];
            if (wanted.Method == SIGEV_THREAD && thread.Memory.User.Read(new UserAddress(wanted.Value), cookie) != CookieSize) return Errno.EFAULT;
        }

        FileDescription? socket = null;
        if (!notification.IsNull && wanted.Method == SIGEV_THREAD)
        {
            if (thread.Files.Get(wanted.SignalOrSocket) is not { } open) return Errno.EBADF;
            if (open is not NetlinkSocket) return Errno.EINVAL;
            socket = open;
        }

        if (thread.Files.Get(mqdes) is not MessageQueueDescription description) return Errno.EBADF;
        if (notification.IsNull)
        {
            description.Queue.Unregister(thread.Process);
            return 0;
        }

        if (description.Queue.Notification is not null) return Errno.EBUSY;
        return description.Queue.Register(new QueueNotification
        {
            Process = thread.Process,
            Method = wanted.Method,
            SignalToSend = wanted.Method == SIGEV_SIGNAL ? wanted.SignalOrSocket : 0,
            Value = wanted.Value,
            Socket = socket?.AddReference(),
            Cookie = cookie,
        });
    }

    [Syscall(SyscallNumber.mq_getsetattr)]
    internal static SyscallResult MqGetSetAttr(PosixThread thread, int mqdes, UserAddress attributes, UserAddress oldAttributes)
    {
        var wanted = default(QueueAttributes);
        if (!attributes.IsNull)
        {
            if (!thread.Memory.User.TryRead(attributes, out wanted)) return Errno.EFAULT;
            if ((wanted.Flags & ~(long)OpenFlags.O_NONBLOCK) != 0) return Errno.EINVAL;
        }

        if (thread.Files.Get(mqdes) is not MessageQueueDescription description) return Errno.EBADF;
        var old = new QueueAttributes
        {
            Flags = (long)(description.Flags & OpenFlags.O_NONBLOCK),
            MaximumMessages = description.Queue.MaximumMessages,
            MaximumSize = description.Queue.MaximumSize,
            Messages = description.Queue.Count,
        };
        if (!attributes.IsNull) description.Flags = (description.Flags & ~OpenFlags.O_NONBLOCK) | (OpenFlags)wanted.Flags;
        return oldAttributes.IsNull || thread.Memory.User.TryWrite(oldAttributes, old) ? 0 : Errno.EFAULT;
    }

    private static Errno Create(PosixThread thread, string name, uint mode, QueueAttributes? wanted, out Inode? inode)
    {
        inode = null;
        var fileSystem = thread.Kernel.MessageQueues;
        if (wanted is { } attributes)
        {
            var invalid = MessageQueueFileSystem.CheckAttributes(thread, attributes.MaximumMessages, attributes.MaximumSize);
            if (invalid != Errno.None) return invalid;
            fileSystem.Wanted = (attributes.MaximumMessages, attributes.MaximumSize);
        }

        var error = Permissions.Check(thread, fileSystem.Root, AccessMode.W_OK | AccessMode.X_OK);
        if (error == Errno.None) error = fileSystem.Root.Create(thread, name, InodeMode.S_IFREG | (PathArguments.ModeOf(thread, mode) & (InodeMode)0x1FF), 0, out inode);
        fileSystem.Wanted = null;
        return error;
    }

    /// <summary>The C library takes the slash off: what is left is one component.</summary>
    private static Errno ReadName(PosixThread thread, UserPath name, out string text)
    {
        var error = thread.Memory.User.ReadPath(name, out text);
        if (error != Errno.None) return error;
        if (text.Length == 0) return Errno.ENOENT;
        if (text.Length > PathWalk.NameMax) return Errno.ENAMETOOLONG;
        return text is "." or ".." || text.Contains('/', StringComparison.Ordinal) ? Errno.EACCES : Errno.None;
    }

    private static Errno PrepareWait(PosixThread thread, UserAddress timeout)
    {
        if (timeout.IsNull) return Errno.None;
        if (!thread.Memory.User.TryRead(timeout, out Timespec time)) return Errno.EFAULT;
        if (!PollingTimeout.TryConvert(time, out long until)) return Errno.EINVAL;
        // On CLOCK_REALTIME, and absolute.
        if (!thread.Resuming) thread.WaitUntil(PollingTimeout.DeadlineAfter(thread.Kernel, Math.Max(0, until - thread.Kernel.RealtimeNow)));
        return Errno.None;
    }

    private static SyscallResult Wait(PosixThread thread, FileDescription description, WaitQueue queue)
    {
        if (description.NonBlocking) return Errno.EAGAIN;
        if (thread.TimedOut) return Errno.ETIMEDOUT;
        thread.WaitOn(queue);
        return thread.Block();
    }

    /// <summary>struct mq_attr of the kernel.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct QueueAttributes
    {
        public long Flags;
        public long MaximumMessages;
        public long MaximumSize;
        public long Messages;
    }

    /// <summary>The first fields of struct sigevent.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct QueueEvent
    {
        public ulong Value;
        public int SignalOrSocket;
        public int Method;
    }
}
