using Ramet.Kernel.Files;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>
/// Descriptors in flight (SCM_RIGHTS, unix(7)). Sockets that are held by nothing but messages which only they could receive are garbage: they are found and closed, as Linux
/// does (net/unix/garbage.c).
/// </summary>
public sealed partial class SocketTable
{
    private HashSet<Socket> _holders = [];
    private int _closesSinceCollection;

    [NotSaved]
    private Queue<FileDescription>? _releasing;

    /// <summary>Descriptions in messages that nobody has received yet.</summary>
    internal int RightsInFlight { get; private set; }

    /// <summary>A message with descriptions was queued at a socket.</summary>
    internal void OnRightsQueued(Socket receiver, int count)
    {
        RightsInFlight += count;
        _holders.Add(receiver);
    }

    /// <summary>A message's descriptions were received.</summary>
    internal void OnRightsTaken(int count) => RightsInFlight -= count;

    /// <summary>
    /// Drops descriptions of a message that nobody receives. Closing one may drop further messages: these are dealt with one after the other, since a program can make chains of them
    /// that no stack is deep enough for.
    /// </summary>
    internal void Drop(Kernel kernel, List<FileDescription> rights)
    {
        RightsInFlight -= rights.Count;
        bool outermost = _releasing is null;
        _releasing ??= new Queue<FileDescription>();
        foreach (var description in rights) _releasing.Enqueue(description);
        if (!outermost) return;
        try
        {
            while (_releasing.TryDequeue(out var description)) description.Release(kernel);
        }
        finally
        {
            _releasing = null;
        }
    }

    /// <summary>A Unix socket was closed: looks for garbage, less often the more there is to look at.</summary>
    internal void OnClosed(Kernel kernel, Socket socket)
    {
        _holders.Remove(socket);
        if (RightsInFlight > 0 && ++_closesSinceCollection > RightsInFlight / 16) Collect(kernel);
    }

    /// <summary>Closes sockets that nobody can reach any more.</summary>
    internal void Collect(Kernel kernel)
    {
        _closesSinceCollection = 0;
        if (_releasing is not null) return;
        var inFlight = new Dictionary<FileDescription, int>();
        _holders.RemoveWhere(holder => !RightsOf(holder).Any());
        foreach (var description in _holders.SelectMany(RightsOf)) inFlight[description] = inFlight.GetValueOrDefault(description) + 1;

        // Held by messages alone, so far. What others hold, and all that can be received from it, is alive.
        var garbage = new HashSet<Socket>();
        foreach (var (description, count) in inFlight)
            if (description is Socket { Family: AddressFamily.AF_UNIX } socket && socket.References == count) garbage.Add(socket);
        if (garbage.Count == 0) return;
        var alive = new Queue<Socket>(_holders.Where(holder => !garbage.Contains(holder)));
        while (alive.TryDequeue(out var socket))
        {
            foreach (var description in RightsOf(socket))
                if (description is Socket reached && garbage.Remove(reached)) alive.Enqueue(reached);
        }

        List<FileDescription> rights = [];
        foreach (var segment in garbage.SelectMany(socket => socket.Messages?.All ?? []))
        {
            if (segment.Rights is null) continue;
            rights.AddRange(segment.Rights);
            segment.Rights = null;
        }

        Drop(kernel, rights);
    }

    private static IEnumerable<FileDescription> RightsOf(Socket socket) => (socket.Messages?.All ?? []).SelectMany(segment => segment.Rights ?? []);
}
