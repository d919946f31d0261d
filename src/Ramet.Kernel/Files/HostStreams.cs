using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>
/// What connects a sandbox to the process that hosts it: standard streams and the runner's channel. Descriptions refer to streams by number, so that the
/// host can bind its own ends anew after a fork. All members are used under the kernel lock.
/// </summary>
[Saved]
public sealed partial class HostStreams
{
    private HashSet<int> _full = [];

    // The host's ends of processes that it has started, by process id: a host that takes over after a restore finds them here.
    private Dictionary<int, HostInput> _inputs = [];
    private Dictionary<int, Terminals.HostTerminal> _terminals = [];

    [NotSaved]
    private IOutputSink? _sink;

    /// <summary>Where output goes; while there is none, writers wait.</summary>
    public IOutputSink? Sink
    {
        get => _sink;
        set
        {
            _sink = value;
            _full.Clear();
            OutputQueue.Wake(Readiness.Out);
        }
    }

    /// <summary>What the program reads as stdin.</summary>
    public HostInput Input { get; private set; } = new();

    /// <summary>Requests to the runner and its replies.</summary>
    public RunnerMailbox Runner { get; private set; } = new();

    /// <summary>Writers wait here while the sink is full.</summary>
    internal WaitQueue OutputQueue { get; private set; } = new();

    /// <summary>The host's ends of a process that <see cref="Kernel.Spawn"/> has started, perhaps before a restore; null when it has ended.</summary>
    public Hosting.SpawnedProcess? FindSpawned(int pid) =>
        _inputs.TryGetValue(pid, out var input) ? new Hosting.SpawnedProcess(pid, input, _terminals.GetValueOrDefault(pid)) : null;

    internal void AddSpawned(Hosting.SpawnedProcess process)
    {
        _inputs[process.Pid] = process.Input;
        if (process.Terminal is { } terminal) _terminals[process.Pid] = terminal;
    }

    internal void RemoveSpawned(int pid)
    {
        if (_inputs.Remove(pid)) _terminals.Remove(pid);
    }

    /// <summary>Whether a write to the stream would be tried at all.</summary>
    internal bool CanWrite(int stream) => _sink is not null && !_full.Contains(stream);

    internal OutputSinkResult Write(int stream, ReadOnlySpan<byte> bytes)
    {
        if (!CanWrite(stream)) return OutputSinkResult.Full;
        var result = _sink!.Write(stream, bytes);
        if (result == OutputSinkResult.Full) _full.Add(stream);
        return result;
    }

    internal void OnDrained(int stream)
    {
        if (_full.Remove(stream)) OutputQueue.Wake(Readiness.Out);
    }
}

/// <summary>The bytes that the host hands to the sandbox's stdin.</summary>
[Saved]
public sealed partial class HostInput
{
    private Queue<byte[]> _pieces = [];
    private int _offset;

    /// <summary>Bytes that the program has not read yet.</summary>
    public long Count { get; private set; }

    /// <summary>Whether the end has been reached once <see cref="Count"/> is 0.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Readers wait here.</summary>
    internal WaitQueue Queue { get; private set; } = new();

    /// <summary>More input. Call it under the kernel lock; what comes after <see cref="Close"/> is dropped.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty || IsClosed) return;
        _pieces.Enqueue(bytes.ToArray());
        Count += bytes.Length;
        Queue.Wake(Readiness.In);
    }

    /// <summary>No more input: the program reads the end of the file. Call it under the kernel lock.</summary>
    public void Close()
    {
        IsClosed = true;
        Queue.Wake();
    }

    internal int Take(ref IoBuffer buffer)
    {
        int done = 0;
        while (buffer.Remaining > 0 && _pieces.TryPeek(out var piece))
        {
            int copied = buffer.CopyFrom(piece.AsSpan(_offset));
            done += copied;
            _offset += copied;
            Count -= copied;
            if (_offset < piece.Length) break;
            _pieces.Dequeue();
            _offset = 0;
        }

        return done;
    }
}
