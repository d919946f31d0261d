using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>A worker as its server sees it: a child process and the calls that wait for it.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private readonly Process _process;
    private readonly FrameChannel _channel;
    private readonly ConcurrentDictionary<uint, TaskCompletionSource<Frame>> _calls = new();
    private readonly Action<WorkerProcess> _ended;
    private uint _nextCall;
    private int _running;
    private volatile bool _gone;

    /// <summary>Starts one. It ends when its standard input does, so also when this process is killed.</summary>
    /// <param name="start">The command.</param>
    /// <param name="ended">Called once when it is gone, however that came.</param>
    public WorkerProcess(ProcessStartInfo start, Action<WorkerProcess> ended)
    {
        _ended = ended;
        _process = Process.Start(start) ?? throw new SandboxException("A worker process cannot be started.");
        _channel = new FrameChannel(_process.StandardOutput.BaseStream, _process.StandardInput.BaseStream);
        new Thread(Receive) { IsBackground = true, Name = "ramet worker" }.Start();
    }

    /// <summary>Its process id.</summary>
    public int Id => _process.Id;

    /// <summary>Whose sandboxes it runs; null: nobody's yet.</summary>
    public string? Tenant { get; set; }

    /// <summary>Templates that it has.</summary>
    public HashSet<string> Templates { get; } = new(StringComparer.Ordinal);

    /// <summary>Calls under way.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>When the last call came (ms of <see cref="Environment.TickCount64"/>).</summary>
    public long LastUsed { get; private set; } = Environment.TickCount64;

    /// <summary>A call that was not the tenant's does not count as use.</summary>
    public void Touch(long lastUsed) => LastUsed = lastUsed;

    /// <summary>Its counts when they were last asked for.</summary>
    public HostStatistics LastStatistics { get; set; } = new(0, 0, 0, 0, 0);

    /// <summary>Whether it has ended.</summary>
    public bool IsGone => _gone;

    /// <summary>Has it do something.</summary>
    /// <exception cref="SandboxException">It cannot, or the worker has ended meanwhile.</exception>
    public async Task<(TResult Result, IReadOnlyList<ReadOnlyMemory<byte>> Blobs)> CallAsync<TArguments, TResult>(
        string method, TArguments arguments, JsonTypeInfo<TArguments> argumentsType, JsonTypeInfo<TResult> resultType, IReadOnlyList<ReadOnlyMemory<byte>> blobs, CancellationToken cancellationToken)
    {
        uint id = Interlocked.Increment(ref _nextCall);
        var answer = new TaskCompletionSource<Frame>(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls[id] = answer;
        Interlocked.Increment(ref _running);
        LastUsed = Environment.TickCount64;
        try
        {
            byte[] json = JsonSerializer.SerializeToUtf8Bytes(arguments, argumentsType);
            try
            {
                // Checked after the call is on the list: whoever ends the worker sees it there, or this sees the end.
                if (_gone) throw Lost();
                _channel.Send(new Frame(id, FrameKind.Call, method, json, blobs));
            }
            catch (IOException exception) when (exception is not FrameException)
            {
                throw Lost();
            }

            using var cancelling = cancellationToken.UnsafeRegister(_ => Cancel(id), null);
            var frame = await answer.Task.ConfigureAwait(false);
            if (frame.Kind == FrameKind.Error) throw ToException(frame, cancellationToken);
            return (JsonSerializer.Deserialize(frame.Json.Span, resultType)!, frame.Blobs);
        }
        finally
        {
            _calls.TryRemove(id, out _);
            Interlocked.Decrement(ref _running);
            LastUsed = Environment.TickCount64;
        }
    }

    /// <summary>Ends it, at once.</summary>
    public void Dispose()
    {
        _gone = true;
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    private void Cancel(uint id)
    {
        try
        {
            _channel.Send(new Frame(id, FrameKind.Cancel, "", default, []));
        }
        catch (IOException)
        {
            // It is gone, and the call with it.
        }
    }

    private void Receive()
    {
        try
        {
            while (_channel.Receive() is { } frame)
            {
                if (_calls.TryGetValue(frame.Call, out var call)) call.TrySetResult(frame);
            }
        }
        catch (IOException)
        {
            // It sends nonsense, or its pipe broke: it is of no use any more.
        }

        Dispose();
        _process.WaitForExit();
        foreach (var call in _calls.Values) call.TrySetException(Lost());
        _process.Dispose();
        _ended(this);
    }

    private static WorkerLostException Lost() => new();

    private static Exception ToException(Frame frame, CancellationToken cancellationToken)
    {
        var error = JsonSerializer.Deserialize(frame.Json.Span, WorkerJson.Default.ErrorAnswer)!;
        return error.Kind switch
        {
            nameof(OperationCanceledException) => new OperationCanceledException(cancellationToken),
            nameof(HostedFileException) => new HostedFileException(error.Path ?? "", error.Error),
            nameof(TemplateNotFoundException) => new TemplateNotFoundException(error.Message),
            _ => new SandboxException(error.Message, error.Error),
        };
    }
}

/// <summary>The process that ran a sandbox has ended, and the sandbox with it.</summary>
public sealed class WorkerLostException() : SandboxException("The worker process that ran this sandbox has ended, and the sandbox with it. Others are not affected: try again.");
