using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.SystemV;

/// <summary>A System V message queue (msgget(2)).</summary>
[Saved]
internal sealed partial class MessageSet : IpcObject
{
    /// <summary>MSGMNB.</summary>
    public const int DefaultCapacity = 16384;

    /// <summary>About what a message costs the host beside its bytes.</summary>
    private const int Overhead = 64;

    public List<SystemVMessage> Messages { get; private set; } = [];

    public long Capacity { get; set; } = DefaultCapacity;

    /// <summary>Bytes in all messages.</summary>
    public long Bytes { get; private set; }

    public long SendTime { get; set; }

    public long ReceiveTime { get; set; }

    public int LastSender { get; set; }

    public int LastReceiver { get; set; }

    /// <summary>Where receivers (POLLIN) and senders (POLLOUT) wait.</summary>
    public WaitQueue Queue { get; private set; } = new();

    public MsqIdDs Status => new()
    {
        msg_perm = Permissions,
        msg_stime = SendTime,
        msg_rtime = ReceiveTime,
        msg_ctime = ChangeTime,
        __msg_cbytes = (ulong)Bytes,
        msg_qnum = (ulong)Messages.Count,
        msg_qbytes = (ulong)Capacity,
        msg_lspid = LastSender,
        msg_lrpid = LastReceiver,
    };

    public bool HasRoom(int size) => Bytes + size <= Capacity && Messages.Count + 1 <= Capacity;

    /// <summary>Adds a message; false: the budget of the sandbox is spent.</summary>
    public bool TryAdd(Kernel kernel, long type, byte[] data)
    {
        if (!kernel.Buffers.TryCharge(data.Length + Overhead)) return false;
        Messages.Add(new SystemVMessage { Type = type, Data = data });
        Bytes += data.Length;
        Queue.Wake(PollEvents.POLLIN);
        return true;
    }

    public void Take(Kernel kernel, int index)
    {
        int size = Messages[index].Data.Length;
        Messages.RemoveAt(index);
        Bytes -= size;
        kernel.Buffers.Release(size + Overhead);
        Queue.Wake(PollEvents.POLLOUT);
    }

    /// <summary>The message that msgrcv(2) takes for this type; -1: none.</summary>
    public int Find(long type, bool except)
    {
        if (type == 0) return Messages.Count > 0 ? 0 : -1;
        if (type > 0) return Messages.FindIndex(message => (message.Type == type) != except);
        long limit = type == long.MinValue ? long.MaxValue : -type;
        int best = -1;
        for (int i = 0; i < Messages.Count; i++)
        {
            if (Messages[i].Type <= limit && (best < 0 || Messages[i].Type < Messages[best].Type)) best = i;
        }

        return best;
    }

    public void OnRemoved(Kernel kernel)
    {
        kernel.Buffers.Release(Bytes + ((long)Messages.Count * Overhead));
        Messages.Clear();
        Bytes = 0;
        Queue.Wake();
    }
}

/// <summary>A message of a queue.</summary>
[Saved]
internal sealed partial class SystemVMessage
{
    public long Type { get; set; }

    public byte[] Data { get; set; } = [];
}
