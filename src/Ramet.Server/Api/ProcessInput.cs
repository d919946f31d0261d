using System.Collections.Concurrent;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>What processes are given to read. What one was started with comes first, and is given in the background when it is more than is taken at once: who has started it is to learn its number.</summary>
internal sealed class ProcessInput(ILiveSandboxHost host)
{
    /// <summary>Bytes that a sandbox takes for a program that does not read yet; of a terminal less than the smallest of its buffers.</summary>
    private const int TakenAtOnce = 1 << 20, TakenAtOnceByTerminal = 1024;

    /// <summary>Bytes of a key that may wait for programs to read them.</summary>
    private const long MostWaiting = 64 << 20;

    private readonly ConcurrentDictionary<(string Id, int Pid), Task> _beginnings = [];
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _waiting = new(StringComparer.Ordinal);

    /// <summary>Room for what a process is to be started with, to be asked for before it is started.</summary>
    /// <param name="tenant">Whose process.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="toTerminal">It will read from a terminal.</param>
    /// <returns>Null: none is needed, as all of it is taken at once.</returns>
    /// <exception cref="ProblemException">Too much waits already.</exception>
    public IDisposable? Reserve(string tenant, int length, bool toTerminal)
    {
        if (length <= (toTerminal ? TakenAtOnceByTerminal : TakenAtOnce)) return null;
        lock (_lock)
        {
            long waiting = _waiting.GetValueOrDefault(tenant);
            // A single one may be as large as a body.
            if (waiting > 0 && waiting + length > MostWaiting)
                throw new ProblemException(429, "Too much input waits", $"Programs of this key have {waiting >> 20} MiB of input yet to read, and may have {MostWaiting >> 20}; end those that do not read, or give input later, in pieces (.../stdin).", 1);
            _waiting[tenant] = waiting + length;
        }

        return new Room(this, tenant, length);
    }

    /// <summary>Gives a process what it was started with. With room for it this returns at once; it goes on until all is read or the process has ended.</summary>
    public Task BeginAsync(string tenant, string id, int pid, ReadOnlyMemory<byte> bytes, bool close, IDisposable? room, CancellationToken cancellationToken)
    {
        if (room is null) return host.WriteInputAsync(tenant, id, pid, bytes, close, cancellationToken);
        var given = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _beginnings[(id, pid)] = given.Task;
        _ = GiveAsync(tenant, id, pid, bytes, close, room, given);
        return Task.CompletedTask;
    }

    /// <summary>Gives a process more. Waits while it reads slowly.</summary>
    public async Task WriteAsync(string tenant, string id, int pid, ReadOnlyMemory<byte> bytes, bool close, CancellationToken cancellationToken)
    {
        if (_beginnings.TryGetValue((id, pid), out var beginning)) await beginning.WaitAsync(cancellationToken).ConfigureAwait(false);
        await host.WriteInputAsync(tenant, id, pid, bytes, close, cancellationToken).ConfigureAwait(false);
    }

    private async Task GiveAsync(string tenant, string id, int pid, ReadOnlyMemory<byte> bytes, bool close, IDisposable room, TaskCompletionSource given)
    {
        try
        {
            await host.WriteInputAsync(tenant, id, pid, bytes, close, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SandboxException or IOException or ObjectDisposedException or OperationCanceledException)
        {
            // Process, sandbox or worker has gone.
        }
        finally
        {
            room.Dispose();
            _beginnings.TryRemove(KeyValuePair.Create((id, pid), given.Task));
            given.SetResult();
        }
    }

    private sealed class Room(ProcessInput input, string tenant, int length) : IDisposable
    {
        private int _left = length;

        public void Dispose()
        {
            lock (input._lock)
            {
                if (_left == 0) return;
                if ((input._waiting[tenant] -= _left) == 0) input._waiting.Remove(tenant);
                _left = 0;
            }
        }
    }
}
