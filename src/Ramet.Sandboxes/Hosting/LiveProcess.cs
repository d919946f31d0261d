using Ramet.Kernel.Files;
using Ramet.Kernel.Hosting;
using Ramet.Kernel.Terminals;

namespace Ramet.Sandboxes.Hosting;

/// <summary>A process that was started by a caller.</summary>
internal sealed class LiveProcess(LiveSandbox sandbox, HostedProgram program, OutputBuffer output)
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _printed;

    public HostedProgram Program { get; } = program;

    /// <summary>Its command as lists tell it: of a long one the beginning. Lists are made often, and go through pipes.</summary>
    public IReadOnlyList<string> Description { get; } = Shorten(program.Command);

    public OutputBuffer Output { get; } = output;

    public required int OutputStream { get; init; }

    /// <summary>The host's ends of it; null: it does not run (yet, or any more).</summary>
    public SpawnedProcess? Spawned { get; set; }

    /// <summary>Whether it is about to be started, and has no id yet.</summary>
    public bool IsStarting { get; set; }

    public int Pid { get; set; }

    public DateTimeOffset Started { get; init; } = TimeProvider.System.GetUtcNow();

    public int? ExitCode => Output.End?.ExitCode;

    public Task Ended => _ended.Task;

    public void OnEnded(int exitCode)
    {
        Output.Complete(new HostedEvent(HostedEventKind.End, default, exitCode));
        _ended.TrySetResult();
    }

    /// <summary>Takes what it prints, up to its limit. Under the kernel lock.</summary>
    public OutputSinkResult Print(int stream, ReadOnlySpan<byte> bytes, long limit)
    {
        if (_printed + bytes.Length > limit)
        {
            // What fits is kept, to the byte.
            if (_printed < limit && Output.Write(stream, KindOf(stream), bytes[..(int)(limit - _printed)]) == OutputSinkResult.Accepted) _printed = limit;
            return OutputSinkResult.Closed;
        }

        var result = Output.Write(stream, KindOf(stream), bytes);
        if (result == OutputSinkResult.Accepted) _printed += bytes.Length;
        return result;
    }

    /// <summary>Gives it bytes to read. Says how many it took: fewer than there are when it takes no more for now.</summary>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        const int MostWaiting = 1 << 20;
        lock (sandbox.Kernel.Lock)
        {
            if (Spawned is not { } spawned) return bytes.Length;
            if (spawned.Terminal is { } terminal) return terminal.Write(bytes);
            long room = MostWaiting - spawned.Input.Count;
            if (spawned.Input.IsClosed) return bytes.Length;
            int taken = (int)Math.Clamp(room, 0, bytes.Length);
            spawned.Input.Append(bytes[..taken]);
            return taken;
        }
    }

    /// <summary>No more input; on a terminal: end-of-file at the start of a line.</summary>
    public void CloseInput()
    {
        lock (sandbox.Kernel.Lock)
        {
            if (Spawned?.Terminal is { } terminal) terminal.Write([4]);
            else Spawned?.Input.Close();
        }
    }

    public void Resize(HostedTerminalSize size)
    {
        lock (sandbox.Kernel.Lock) Spawned?.Terminal?.Resize(new WindowSize((ushort)size.Rows, (ushort)size.Columns, 0, 0));
    }

    public LiveProcessState Save() => new(Pid, Program, OutputStream, Started, ExitCode, Output.Save());

    private static IReadOnlyList<string> Shorten(IReadOnlyList<string> command)
    {
        const int Most = 4096, MostOfLast = 64;
        int left = Most;
        var words = command.TakeWhile(word => (left -= word.Length + 1) >= 0).ToList();
        if (words.Count == command.Count) return command;
        string next = command[words.Count];
        return [.. words, string.Concat(next.AsSpan(0, Math.Min(next.Length, MostOfLast)), "...")];
    }

    private HostedEventKind KindOf(int stream) => stream == OutputStream ? HostedEventKind.Stdout : HostedEventKind.Stderr;
}
