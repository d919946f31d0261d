using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Sockets;

/// <summary>Where a connection is.</summary>
internal enum ConnectionState : byte
{
    /// <summary>Neither connected nor listening.</summary>
    Closed,

    /// <summary>Accepts connections.</summary>
    Listening,

    /// <summary>Waits for a listener to have room.</summary>
    Connecting,

    /// <summary>Connected, or was.</summary>
    Connected,
}

/// <summary>
/// A socket that is connected to another one of this sandbox, whose bytes go straight into the other's receive queue: Unix stream and seqpacket sockets and
/// TCP over loopback. Flow control is the sender's: it stops when the other's queue holds as much as its buffer, and is told to go on when a quarter is left.
/// </summary>
[Saved]
internal abstract partial class ConnectionSocket : Socket
{
    /// <summary>Smallest array for a piece of a stream: following small writes go into the same.</summary>
    private const int MinimumPiece = 1024;

    private const int MaximumPiece = 65536;

    /// <summary>What was sent to this socket.</summary>
    internal SegmentQueue Received { get; private set; } = new();

    /// <inheritdoc/>
    internal override SegmentQueue? Messages => Received;

    /// <summary>The other side; null: none yet, or it is closed.</summary>
    internal ConnectionSocket? Peer { get; set; }

    internal ConnectionState State { get; set; }

    /// <summary>Nothing more comes (SHUT_RD here or SHUT_WR there).</summary>
    internal bool ReceiveShutdown { get; set; }

    /// <summary>Nothing more can be sent.</summary>
    internal bool SendShutdown { get; set; }

    /// <summary>Connections that wait for accept(2).</summary>
    internal Queue<ConnectionSocket> AcceptQueue { get; private set; } = [];

    internal int Backlog { get; set; }

    public override bool IsListening => State == ConnectionState.Listening;

    /// <summary>Whether messages keep their boundaries.</summary>
    private protected bool KeepsBoundaries => Type == SocketType.SOCK_SEQPACKET;

    /// <summary>Bytes that may wait at the other side.</summary>
    private protected virtual long SendLimit => Settings.SendBuffer;

    /// <summary>The error of a receive on a socket that was never connected.</summary>
    private protected virtual Errno ReceiveUnconnected => KeepsBoundaries ? Errno.ENOTCONN : Errno.EINVAL;

    private protected bool Writable => Peer is not { } peer || peer.Received.Bytes * 4 <= SendLimit;

    /// <inheritdoc/>
    internal override SyscallResult Receive(PosixThread thread, ref IoBuffer buffer, ref IncomingMessage message)
    {
        if ((message.Flags & MessageFlags.MSG_OOB) != 0) return ReceiveUrgent(ref buffer, ref message);
        if (State is ConnectionState.Closed or ConnectionState.Listening && PendingError == Errno.None && !ReceiveShutdown) return ReceiveUnconnected;
        return KeepsBoundaries ? ReceiveMessage(thread, ref buffer, ref message) : ReceiveStream(thread, ref buffer, ref message);
    }

    private SyscallResult ReceiveStream(PosixThread thread, ref IoBuffer buffer, ref IncomingMessage message)
    {
        long total = buffer.Length;
        if (total == 0) return 0;
        bool peek = message.Peek;
        long peeked = 0;
        if (peek)
        {
            peeked = PeekStream(thread.Kernel, ref buffer, ref message);
            if (peeked > 0) return peeked;
        }
        else
        {
            buffer.Skip(thread.Progress);
            thread.Progress += TakeStream(thread.Kernel, ref buffer, ref message, thread.Progress > 0);
        }

        if (buffer.Faulted) return thread.Progress > 0 ? thread.Progress : Errno.EFAULT;
        bool all = (message.Flags & MessageFlags.MSG_WAITALL) != 0 && !peek;
        if (thread.Progress > 0 && (!all || thread.Progress == total || message.Rights is not null)) return thread.Progress;
        if (thread.Progress == 0 && PendingError != Errno.None) return TakeError();
        if (ReceiveShutdown || PendingError != Errno.None) return thread.Progress;
        return Wait(thread, _queue, PollEvents.POLLIN | PollEvents.POLLRDHUP, MustNotWait(message.Flags), Settings.ReceiveTimeout);
    }

    private int TakeStream(Kernel kernel, ref IoBuffer buffer, ref IncomingMessage message, bool hasTaken)
    {
        int done = 0;
        while (buffer.Remaining > 0 && Received.First is { } first)
        {
            if (!MatchSender(first, ref message)) break;
            var piece = first.Unread;
            if (Urgent is { } urgent)
            {
                if (urgent.Offset == 0)
                {
                    if (done > 0 || hasTaken) break;
                    if (!ReadsUrgentInline)
                    {
                        Received.Consume(kernel, 1);
                        Urgent = null;
                        continue;
                    }
                }
                else if (urgent.Offset < piece.Length)
                {
                    piece = piece[..(int)urgent.Offset];
                }
            }

            int copied = buffer.CopyFrom(piece);
            if (copied == 0) break;
            done += copied;
            OnStreamTaken(copied);
            if (first.Rights is not null)
            {
                message.Rights = first.Rights;
                kernel.Sockets.OnRightsTaken(first.Rights.Count);
                first.Rights = null;
            }

            Received.Consume(kernel, copied);
            if (message.Rights is not null) break;
        }

        if (done > 0) OnConsumed();
        return done;
    }

    private int PeekStream(Kernel kernel, ref IoBuffer buffer, ref IncomingMessage message)
    {
        int done = 0;
        int skipped = Urgent is { Offset: 0 } && !ReadsUrgentInline ? 1 : 0;
        if (Urgent is { Offset: > 0 } urgent) buffer.Limit(urgent.Offset);
        foreach (var segment in Received.All)
        {
            if (buffer.Remaining == 0 || !MatchSender(segment, ref message)) break;
            done += buffer.CopyFrom(segment.Unread[skipped..]);
            skipped = 0;
            if (segment.Rights is null) continue;
            message.Rights = Duplicate(segment.Rights);
            break;
        }

        return done;
    }

    /// <summary>With SO_PASSCRED, bytes of different senders are never received together.</summary>
    private bool MatchSender(Segment segment, ref IncomingMessage message)
    {
        if (!Settings.PassCredentials) return true;
        if (message.Credentials is { } known) return SegmentQueue.AreEqual(known, segment.Credentials);
        message.Credentials = segment.Credentials;
        return true;
    }

    private SyscallResult ReceiveMessage(PosixThread thread, ref IoBuffer buffer, ref IncomingMessage message)
    {
        if (Received.First is not { } first)
        {
            if (PendingError != Errno.None) return TakeError();
            if (ReceiveShutdown) return 0;
            return Wait(thread, _queue, PollEvents.POLLIN | PollEvents.POLLRDHUP, MustNotWait(message.Flags), Settings.ReceiveTimeout);
        }

        var result = TakeDatagram(thread.Kernel, Received, first, ref buffer, ref message, Settings.PassCredentials);
        if (!result.IsError) message.ResultFlags |= MessageFlags.MSG_EOR;
        if (!message.Peek) OnConsumed();
        return result;
    }

    /// <summary>Receives one datagram: what does not fit is lost, and MSG_TRUNC tells.</summary>
    internal static SyscallResult TakeDatagram(
        Kernel kernel, SegmentQueue queue, Segment first, ref IoBuffer buffer, ref IncomingMessage message, bool passCredentials)
    {
        int length = first.Count;
        int copied = buffer.CopyFrom(first.Unread);
        bool faulted = buffer.Faulted;
        if (!faulted)
        {
            if (copied < length) message.ResultFlags |= MessageFlags.MSG_TRUNC;
            message.Address = first.Source;
            if (passCredentials) message.Credentials = first.Credentials;
            if (first.Rights is not null)
            {
                message.Rights = Duplicate(first.Rights);
            }
        }

        if (!message.Peek) queue.RemoveFirst(kernel);
        if (faulted) return Errno.EFAULT;
        return (message.Flags & MessageFlags.MSG_TRUNC) != 0 ? length : copied;
    }

    private static List<FileDescription> Duplicate(List<FileDescription> rights)
    {
        var copies = new List<FileDescription>(rights.Count);
        foreach (var description in rights) copies.Add(description.AddReference());
        return copies;
    }

    /// <summary>There is more room: senders that found none go on.</summary>
    private void OnConsumed()
    {
        if (!Received.Congested || Peer is not { } peer || !peer.Writable) return;
        Received.Congested = false;
        peer._queue.Wake(Readiness.Out);
    }

    /// <summary>Sends to the peer; the connection has been checked.</summary>
    private protected SyscallResult SendToPeer(PosixThread thread, ConnectionSocket peer, ref IoBuffer buffer, ref OutgoingMessage message)
    {
        var kernel = thread.Kernel;
        long total = buffer.Length;
        var credentials = message.Credentials ?? CredentialsOf(thread);
        if (KeepsBoundaries && total > Settings.SendBuffer - 32) return Errno.EMSGSIZE;
        if (total == 0 && !KeepsBoundaries) return 0;
        buffer.Skip(thread.Progress);
        while (thread.Progress < total || KeepsBoundaries)
        {
            long room = SendLimit - peer.Received.Bytes;
            if (KeepsBoundaries ? peer.Received.Bytes > 0 && room < total : room <= 0) break;
            int wanted = KeepsBoundaries ? (int)total : (int)Math.Min(Math.Min(room, MaximumPiece), total - thread.Progress);
            var error = Append(kernel, peer, ref buffer, wanted, credentials, ref message, out int appended);
            if (error == Errno.ENOBUFS) return error;
            if (error != Errno.None) break;
            if (buffer.Faulted && (appended == 0 || KeepsBoundaries)) return thread.Progress > 0 ? thread.Progress : Errno.EFAULT;
            thread.Progress += appended;
            if (thread.Progress == total && (message.Flags & MessageFlags.MSG_OOB) != 0) peer.OnUrgent(kernel);
            peer._queue.Wake(Readiness.In);
            if (thread.Progress == total) return total;
            if (buffer.Faulted) return thread.Progress;
        }

        peer.Received.Congested = true;
        return Wait(thread, _queue, PollEvents.POLLOUT, MustNotWait(message.Flags), Settings.SendTimeout);
    }

    /// <summary>
    /// Puts bytes into a queue. When the sandbox's budget is spent: EAGAIN for a stream whose reader will make room (an empty queue takes a small piece in any
    /// case), ENOBUFS for a message.
    /// </summary>
    private Errno Append(
        Kernel kernel, ConnectionSocket receiver, ref IoBuffer buffer, int wanted, UCred credentials, ref OutgoingMessage message, out int appended)
    {
        var queue = receiver.Received;
        if (!KeepsBoundaries && message.Rights is null && queue.Extensible(credentials) is { } last)
        {
            appended = buffer.CopyTo(last.Data.AsSpan(last.End, Math.Min(wanted, last.Data.Length - last.End)));
            last.End += appended;
            queue.OnExtended(appended);
            return Errno.None;
        }

        appended = 0;
        var segment = Segment.TryCreate(kernel, KeepsBoundaries ? wanted : Math.Max(wanted, MinimumPiece));
        if (segment is null)
        {
            if (KeepsBoundaries) return Errno.ENOBUFS;
            if (queue.Count > 0) return Errno.EAGAIN;
            segment = Segment.CreateSmall(kernel, MinimumPiece);
        }

        appended = buffer.CopyTo(segment.Data.AsSpan(0, Math.Min(wanted, segment.Data.Length)));
        if (buffer.Faulted && (KeepsBoundaries || appended == 0))
        {
            kernel.Buffers.Release(segment.Cost);
            return Errno.None;
        }

        segment.End = appended;
        segment.Credentials = credentials;
        segment.Rights = message.Rights;
        message.Rights = null;
        if (segment.Rights is not null) kernel.Sockets.OnRightsQueued(receiver, segment.Rights.Count);
        queue.Add(segment);
        return Errno.None;
    }

    /// <inheritdoc/>
    internal override SyscallResult Accept(PosixThread thread, out Socket? accepted)
    {
        accepted = null;
        if (State != ConnectionState.Listening) return Errno.EINVAL;
        if (!AcceptQueue.TryDequeue(out var connection)) return Wait(thread, _queue, PollEvents.POLLIN, NonBlocking, Settings.ReceiveTimeout);
        accepted = connection;
        OnAccepted(thread.Kernel);
        return 0;
    }

    /// <summary>The accept queue has room again.</summary>
    private protected virtual void OnAccepted(Kernel kernel) => _queue.Wake(Readiness.Out);

    /// <inheritdoc/>
    public override PollEvents Poll()
    {
        var events = PollEvents.None;
        if (State == ConnectionState.Listening) return AcceptQueue.Count > 0 ? Readiness.In : PollEvents.None;
        if (PendingError != Errno.None) events |= PollEvents.POLLERR;
        if ((ReceiveShutdown && SendShutdown) || State == ConnectionState.Closed) events |= PollEvents.POLLHUP;
        if (ReceiveShutdown) events |= PollEvents.POLLRDHUP | Readiness.In;
        if (HasReadable) events |= Readiness.In;
        if (Urgent is { IsRead: false }) events |= PollEvents.POLLPRI;
        if (State != ConnectionState.Connecting)
        {
            if (Writable || SendShutdown) events |= Readiness.Out;
            else Peer!.Received.Congested = true;
        }

        return events;
    }

    /// <summary>Ends one or both directions; the other side sees it.</summary>
    private protected void ShutDown(bool receive, bool send)
    {
        ReceiveShutdown |= receive;
        SendShutdown |= send;
        if (Peer is { } peer)
        {
            peer.ReceiveShutdown |= send;
            peer.SendShutdown |= receive && ShutdownOfReceiveReachesPeer;
            peer._queue.Wake();
        }

        _queue.Wake();
    }

    /// <summary>Whether SHUT_RD makes the other side's writes fail (Unix) or not (TCP).</summary>
    private protected virtual bool ShutdownOfReceiveReachesPeer => true;

    /// <summary>Two sockets become a connection.</summary>
    internal static void Join(ConnectionSocket a, ConnectionSocket b)
    {
        a.Peer = b;
        b.Peer = a;
        a.State = b.State = ConnectionState.Connected;
    }

    /// <summary>Wakes whoever waits for this socket.</summary>
    internal void Notify(PollEvents events = PollEvents.All) => _queue.Wake(events);

    /// <inheritdoc/>
    public override SyscallResult Ioctl(PosixThread thread, uint request, ulong argument) => request switch
    {
        IoctlRequest.FIONREAD when State == ConnectionState.Listening => Errno.EINVAL,
        IoctlRequest.FIONREAD => IoctlRequest.PutInt32(thread, argument, (int)Math.Min(int.MaxValue, KeepsBoundaries ? Received.First?.Count ?? 0 : BytesBeforeMark)),
        IoctlRequest.TIOCOUTQ => IoctlRequest.PutInt32(thread, argument, (int)Math.Min(int.MaxValue, Peer?.Received.Bytes ?? 0)),
        _ => Errno.ENOTTY,
    };
}
