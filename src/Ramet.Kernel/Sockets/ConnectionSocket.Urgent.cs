using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>Where the urgent byte of a stream is (tcp(7), MSG_OOB). It stays in the queue: reads stop in front of it and then pass over it.</summary>
[Saved]
internal sealed partial class UrgentMark
{
    /// <summary>Unread bytes before it.</summary>
    public long Offset { get; set; }

    /// <summary>The byte.</summary>
    public byte Value { get; set; }

    /// <summary>Received with MSG_OOB.</summary>
    public bool IsRead { get; set; }
}

/// <summary>Urgent data, which TCP has and Unix sockets do without.</summary>
internal abstract partial class ConnectionSocket
{
    /// <summary>The urgent byte that was sent last, until a read has passed it.</summary>
    internal UrgentMark? Urgent { get; private set; }

    /// <summary>SO_OOBINLINE.</summary>
    private bool ReadsUrgentInline => GetInert(SocketLevel.SOL_SOCKET, (int)SocketOption.SO_OOBINLINE) != 0;

    /// <summary>Whether a read would get something: the urgent byte alone is nothing.</summary>
    private bool HasReadable => Received.Count > 0 && (Received.Bytes != 1 || Urgent is not { Offset: 0 } || ReadsUrgentInline);

    /// <summary>FIONREAD.</summary>
    private long BytesBeforeMark => Urgent is { } urgent && !ReadsUrgentInline ? urgent.Offset : Received.Bytes;

    /// <summary>SIOCATMARK.</summary>
    private protected bool IsAtMark => Urgent is { Offset: 0 };

    /// <summary>The last byte in the queue is urgent. One that was before it becomes a byte like others, or is lost if it was next.</summary>
    private void OnUrgent(Kernel kernel)
    {
        if (Urgent is { Offset: 0 } && !ReadsUrgentInline && Received.Bytes > 1) Received.Consume(kernel, 1);
        Urgent = new UrgentMark { Offset = Received.Bytes - 1, Value = Received.LastByte };
        Signals?.SendUrgent();
        _queue.Wake(PollEvents.POLLPRI);
    }

    /// <summary>recv(2) with MSG_OOB. EINVAL: there is no urgent byte, or it comes with the others. EAGAIN.</summary>
    private protected virtual SyscallResult ReceiveUrgent(ref IoBuffer buffer, ref IncomingMessage message) => Errno.EOPNOTSUPP;

    private protected SyscallResult TakeUrgent(ref IoBuffer buffer, ref IncomingMessage message)
    {
        if (Urgent is not { IsRead: false } urgent || ReadsUrgentInline) return Errno.EINVAL;
        message.ResultFlags |= MessageFlags.MSG_OOB;
        if (buffer.Length == 0)
        {
            message.ResultFlags |= MessageFlags.MSG_TRUNC;
            return 0;
        }

        if (buffer.CopyFrom([urgent.Value]) == 0) return Errno.EFAULT;
        if (!message.Peek) urgent.IsRead = true;
        return 1;
    }

    private void OnStreamTaken(int count)
    {
        if (Urgent is not { } urgent) return;
        urgent.Offset -= count;
        if (urgent.Offset < 0) Urgent = null;
    }
}
