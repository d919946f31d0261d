using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>The ports of one protocol, and who is bound to them.</summary>
[Saved]
internal sealed partial class PortTable
{
    /// <summary>Ports below this need CAP_NET_BIND_SERVICE.</summary>
    public const int FirstUnprivileged = 1024;

    // net.ipv4.ip_local_port_range.
    private const int FirstEphemeral = 32768;
    private const int LastEphemeral = 60999;

    // The latest binding of each port; they are lists through the bindings themselves, since all accepted connections of a server are on one.
    private Dictionary<int, InetBinding> _byPort = [];
    private int _nextEphemeral = FirstEphemeral;

    /// <summary>Binds; port 0 takes a free one. EADDRINUSE.</summary>
    public Errno Bind(InetBinding binding, InetEndpoint endpoint)
    {
        if (endpoint.Port != 0)
        {
            binding.Local = endpoint;
            if (HasConflict(binding, ignoreReuse: false)) return Errno.EADDRINUSE;
            Add(binding);
            return Errno.None;
        }

        for (int tries = FirstEphemeral; tries <= LastEphemeral; tries++)
        {
            int port = _nextEphemeral++;
            if (_nextEphemeral > LastEphemeral) _nextEphemeral = FirstEphemeral;
            binding.Local = endpoint with { Port = (ushort)port };
            if (HasConflict(binding, ignoreReuse: true)) continue;
            Add(binding);
            return Errno.None;
        }

        binding.Local = default;
        return Errno.EADDRINUSE;
    }

    /// <summary>Puts in a binding whose end is known: that of an accepted connection.</summary>
    public void Add(InetBinding binding)
    {
        if (_byPort.TryGetValue(binding.Local.Port, out var latest))
        {
            binding.Next = latest;
            latest.Previous = binding;
        }

        _byPort[binding.Local.Port] = binding;
        binding.IsBound = true;
    }

    /// <summary>Takes a binding out.</summary>
    public void Release(InetBinding binding)
    {
        if (!binding.IsBound) return;
        binding.IsBound = false;
        if (binding.Next is { } next) next.Previous = binding.Previous;
        if (binding.Previous is { } previous) previous.Next = binding.Next;
        else if (binding.Next is null) _byPort.Remove(binding.Local.Port);
        else _byPort[binding.Local.Port] = binding.Next;
        binding.Next = binding.Previous = null;
    }

    /// <summary>Who is bound to a port, the latest first.</summary>
    public IEnumerable<InetBinding> At(int port)
    {
        for (var binding = _byPort.GetValueOrDefault(port); binding is not null; binding = binding.Next) yield return binding;
    }

    /// <summary>Whether another socket listens where this one would.</summary>
    public bool HasOtherListener(InetBinding binding) =>
        At(binding.Local.Port).Any(other => other != binding && other.Owner.IsListening && other.Overlaps(binding) && !SharePort(other, binding));

    private static bool SharePort(InetBinding a, InetBinding b) => a.Owner.Settings.ReusePort && b.Owner.Settings.ReusePort;

    private bool HasConflict(InetBinding binding, bool ignoreReuse)
    {
        foreach (var other in At(binding.Local.Port))
        {
            if (other == binding || !other.Overlaps(binding)) continue;
            if (ignoreReuse) return true;
            bool reuse = other.Owner.Settings.ReuseAddress && binding.Owner.Settings.ReuseAddress && !other.Owner.IsListening;
            if (!reuse && !SharePort(other, binding)) return true;
        }

        return false;
    }
}
