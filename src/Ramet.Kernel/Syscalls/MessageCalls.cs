using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.SystemV;

namespace Ramet.Kernel.Syscalls;

/// <summary>System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).</summary>
internal static class MessageCalls
{
    private const int MaximumQueues = 32000;
    private const int MaximumMessage = 8192;
    private const int MSG_NOERROR = 0x1000;
    private const int MSG_EXCEPT = 0x2000;
    private const int MSG_COPY = 0x4000;
    private const int IPC_NOWAIT = 0x800;
    private const int IPC_RMID = 0;
    private const int IPC_SET = 1;
    private const int IPC_STAT = 2;
    private const int IPC_INFO = 3;
    private const int MSG_STAT = 11;
    private const int MSG_INFO = 12;
    private const int MSG_STAT_ANY = 13;

    [Syscall(SyscallNumber.msgget)]
    internal static SyscallResult MsgGet(PosixThread thread, int key, int flags)
    {
        var ipc = thread.Kernel.SystemV;
        var error = ipc.Queues.Find(thread, key, (IpcFlags)flags, MaximumQueues, out var known);
        if (error != Errno.None) return error;
        if (known is not null) return known.Id;
        var queue = new MessageSet();
        queue.SetCreator(thread, (uint)flags);
        ipc.Queues.Add(queue, key);
        return queue.Id;
    }

    [Syscall(SyscallNumber.msgsnd)]
    internal static SyscallResult MsgSnd(PosixThread thread, int msqid, UserAddress message, ulong size, int flags)
    {
        var user = thread.Memory.User;
        if (!user.TryRead(message, out long type)) return Errno.EFAULT;
        if (size > MaximumMessage || msqid < 0 || type < 1) return Errno.EINVAL;
        byte[] data = new byte[size];
        if (user.Read(message + sizeof(long), data) != data.Length) return Errno.EFAULT;
        if ((thread.ResumeState ?? thread.Kernel.SystemV.Queues.FindId(msqid)) is not MessageSet queue) return Errno.EINVAL;
        if (queue.IsRemoved) return Errno.EIDRM;
        var error = queue.Check(thread, 2);
        if (error != Errno.None) return error;
        if (!queue.HasRoom(data.Length))
        {
            if ((flags & IPC_NOWAIT) != 0) return Errno.EAGAIN;
            thread.ResumeState = queue;
            return thread.BlockOn(queue.Queue, PollEvents.POLLOUT, RestartKind.ERESTARTNOHAND);
        }

        if (!queue.TryAdd(thread.Kernel, type, data)) return Errno.ENOMEM;
        queue.SendTime = IpcObject.Now(thread);
        queue.LastSender = thread.Process.Pid;
        return 0;
    }

    [Syscall(SyscallNumber.msgrcv)]
    internal static SyscallResult MsgRcv(PosixThread thread, int msqid, UserAddress message, ulong size, long type, int flags)
    {
        if (msqid < 0 || (long)size < 0) return Errno.EINVAL;
        bool copy = (flags & MSG_COPY) != 0;
        if (copy && ((flags & MSG_EXCEPT) != 0 || (flags & IPC_NOWAIT) == 0)) return Errno.EINVAL;
        if ((thread.ResumeState ?? thread.Kernel.SystemV.Queues.FindId(msqid)) is not MessageSet queue) return Errno.EINVAL;
        if (queue.IsRemoved) return Errno.EIDRM;
        var error = queue.Check(thread, 4);
        if (error != Errno.None) return error;
        int index = copy ? (type >= 0 && type < queue.Messages.Count ? (int)type : -1) : queue.Find(type, (flags & MSG_EXCEPT) != 0);
        if (index < 0)
        {
            if ((flags & IPC_NOWAIT) != 0) return Errno.ENOMSG;
            thread.ResumeState = queue;
            return thread.BlockOn(queue.Queue, PollEvents.POLLIN, RestartKind.ERESTARTNOHAND);
        }

        var found = queue.Messages[index];
        if ((ulong)found.Data.Length > size && (flags & MSG_NOERROR) == 0) return Errno.E2BIG;
        int count = (int)Math.Min((ulong)found.Data.Length, size);
        if (!copy)
        {
            queue.Take(thread.Kernel, index);
            queue.ReceiveTime = IpcObject.Now(thread);
            queue.LastReceiver = thread.Process.Pid;
        }

        // As on Linux, the message is gone even if it then cannot be stored.
        var user = thread.Memory.User;
        return user.TryWrite(message, found.Type) && user.Write(message + sizeof(long), found.Data.AsSpan(0, count)) == count ? count : Errno.EFAULT;
    }

    [Syscall(SyscallNumber.msgctl)]
    internal static SyscallResult MsgCtl(PosixThread thread, int msqid, int command, UserAddress buffer)
    {
        var ipc = thread.Kernel.SystemV;
        var user = thread.Memory.User;
        switch (command)
        {
            case IPC_INFO or MSG_INFO:
                var info = new MsgInfo
                {
                    msgpool = command == MSG_INFO ? ipc.Queues.Count : MaximumQueues * MessageSet.DefaultCapacity / 1024,
                    msgmap = command == MSG_INFO ? ipc.Queues.All.Sum(each => ((MessageSet)each).Messages.Count) : MessageSet.DefaultCapacity,
                    msgtql = command == MSG_INFO ? (int)ipc.Queues.All.Sum(each => ((MessageSet)each).Bytes) : MessageSet.DefaultCapacity,
                    msgmax = MaximumMessage,
                    msgmnb = MessageSet.DefaultCapacity,
                    msgmni = MaximumQueues,
                    msgssz = 16,
                    msgseg = 0xFFFF,
                };
                return user.TryWrite(buffer, info) ? ipc.Queues.HighestIndex : Errno.EFAULT;
            case IPC_STAT or MSG_STAT or MSG_STAT_ANY:
                if ((command == IPC_STAT ? ipc.Queues.FindId(msqid) : ipc.Queues.FindIndex(msqid)) is not MessageSet known) return Errno.EINVAL;
                var allowed = command == MSG_STAT_ANY ? Errno.None : known.Check(thread, 4);
                if (allowed != Errno.None) return allowed;
                return !user.TryWrite(buffer, known.Status) ? Errno.EFAULT : command == IPC_STAT ? 0 : known.Id;
            case IPC_RMID or IPC_SET:
                return Change(thread, msqid, command, buffer);
            default:
                return Errno.EINVAL;
        }
    }

    private static SyscallResult Change(PosixThread thread, int msqid, int command, UserAddress buffer)
    {
        var ipc = thread.Kernel.SystemV;
        MsqIdDs wanted = default;
        if (command == IPC_SET && !thread.Memory.User.TryRead(buffer, out wanted)) return Errno.EFAULT;
        if (ipc.Queues.FindId(msqid) is not MessageSet queue) return Errno.EINVAL;
        var error = queue.CheckOwner(thread);
        if (error != Errno.None) return error;
        if (command == IPC_RMID)
        {
            ipc.Queues.Remove(queue);
            queue.OnRemoved(thread.Kernel);
            return 0;
        }

        if (wanted.msg_qbytes > MessageSet.DefaultCapacity && !thread.Credentials.HasCapability(Capability.CAP_SYS_RESOURCE)) return Errno.EPERM;
        queue.Capacity = (long)Math.Min(wanted.msg_qbytes, int.MaxValue);
        queue.SetOwner(thread, wanted.msg_perm);
        queue.Queue.Wake();
        return 0;
    }
}
