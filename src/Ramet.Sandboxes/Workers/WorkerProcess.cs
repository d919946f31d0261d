using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>A worker as its server sees it: a child process and the calls that wait for it.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private readonly Process _process;
    private readonly FrameChannel _channel;
    private readonly ConcurrentDictionary<uint, PendingCall> _calls = new();
    private readonly Action<WorkerProcess> _ended;
    private uint _nextCall;
    private int _asking;
    private volatile bool _gone;

    /// <summary>Starts one. It ends when its standard input does, so also when this process is killed.</summary>
    /// <param name="start">The command.</param>
    /// <param name="ended">Called once when it is gone, however that came.</param>
    /// <exception cref="SandboxException">It cannot be started.</exception>
    public WorkerProcess(ProcessStartInfo start, Action<WorkerProcess> ended)
    {
        _ended = ended;
        try
        {
            _process = Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            throw new SandboxException($"A worker process cannot be started: {exception.Message}");
        }

        Id = _process.Id;
        _channel = new FrameChannel(_process.StandardOutput.BaseStream, _process.StandardInput.BaseStream);
    }

    /// <summary>Its process id.</summary>
    public int Id { get; }

    /// <summary>Whose sandboxes it runs; null: nobody's yet.</summary>
    public string? Tenant { get; set; }

    /// <summary>Templates that it has or is about to have.</summary>
    public ConcurrentDictionary<string, Lazy<Task>> Templates { get; } = new(StringComparer.Ordinal);

    /// <summary>Sandboxes that run or live in it. Under the host's lock.</summary>
    public int Places { get; set; }

    /// <summary>When it was last used (ms of <see cref="Environment.TickCount64"/>).</summary>
    public long LastUsed { get; private set; } = Environment.TickCount64;

    /// <summary>Its counts when they were last asked for.</summary>
    public HostStatistics LastStatistics { get; set; } = new(0, 0, 0, 0, 0);

    /// <summary>Whether it has ended, or is about to.</summary>
    public bool IsGone => _gone;

    /// <summary>Whether its process has ended, which is known a little earlier than that its pipe has.</summary>
    public bool HasExited
    {
        get
        {
            try
            {
                return _process.HasExited;
            }
            catch (InvalidOperationException)
            {
                return true; // It was disposed, which comes last.
            }
        }
    }

    /// <summary>It is used now.</summary>
    public void Touch() => LastUsed = Environment.TickCount64;

    /// <summary>Begins to hear what it says. Called once.</summary>
    public void Listen() => new Thread(Receive, 256 << 10) { IsBackground = true, Name = "ramet worker" }.Start();

    /// <summary>False: it was asked for its counts already and has not answered.</summary>
    public bool BeginAsking() => Interlocked.Exchange(ref _asking, 1) == 0;

    /// <summary>It has answered, or never will.</summary>
    public void EndAsking() => Volatile.Write(ref _asking, 0);

    /// <summary>Has it do something.</summary>
    /// <exception cref="SandboxException">It cannot, or the worker has ended meanwhile.</exception>
    public async Task<(TResult Result, IReadOnlyList<ReadOnlyMemory<byte>> Blobs)> CallAsync<TArguments, TResult>(
        string method, TArguments arguments, JsonTypeInfo<TArguments> argumentsType, JsonTypeInfo<TResult> resultType, IReadOnlyList<ReadOnlyMemory<byte>> blobs, CancellationToken cancellationToken,
        LiveArguments? about = null)
    {
        var call = new PendingCall(Interlocked.Increment(ref _nextCall), events: null);
        _calls[call.Id] = call;
        try
        {
            Send(new Frame(call.Id, FrameKind.Call, method, JsonSerializer.SerializeToUtf8Bytes(arguments, argumentsType), blobs));
            using var cancelling = cancellationToken.UnsafeRegister(_ => Cancel(call.Id), null);
            var frame = await call.Answer.Task.ConfigureAwait(false);
            if (frame.Kind == FrameKind.Error) throw ToException(frame, about, cancellationToken);
            return (Read(frame, resultType), frame.Blobs);
        }
        finally
        {
            _calls.TryRemove(call.Id, out _);
        }
    }

    /// <summary>Has it do something with a live sandbox. Gives the answer and the bytes that came with it.</summary>
    /// <exception cref="SandboxException">It cannot, or the worker has ended meanwhile.</exception>
    public async Task<(LiveAnswer Answer, ReadOnlyMemory<byte> Bytes)> LiveAsync(string method, LiveArguments arguments, ReadOnlyMemory<byte>? bytes, CancellationToken cancellationToken)
    {
        Touch();
        var (answer, blobs) = await CallAsync(
            method, arguments, WorkerJson.Default.LiveArguments, WorkerJson.Default.LiveAnswer, bytes is { } given ? [given] : [], cancellationToken, arguments).ConfigureAwait(false);
        return (answer, blobs.Count > 0 ? blobs[0] : default);
    }

    /// <summary>Has it do something that gives events. Ends, also when cancelled or left early, when the worker has let go of it.</summary>
    /// <exception cref="SandboxException">It cannot, or the worker has ended meanwhile.</exception>
    public async IAsyncEnumerable<HostedEvent> StreamAsync(string method, LiveArguments arguments, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var events = new EventQueue();
        var call = new PendingCall(Interlocked.Increment(ref _nextCall), events);
        _calls[call.Id] = call;
        bool sent = false;
        try
        {
            Send(new Frame(call.Id, FrameKind.Call, method, JsonSerializer.SerializeToUtf8Bytes(arguments, WorkerJson.Default.LiveArguments), []));
            sent = true;
            using var cancelling = cancellationToken.UnsafeRegister(_ => Cancel(call.Id), null);
            while (await events.WaitAsync().ConfigureAwait(false))
            {
                while (events.TryTake(out var frame, out uint credit))
                {
                    if (credit > 0) Give(call.Id, credit);
                    cancellationToken.ThrowIfCancellationRequested();
                    var message = Read(frame, WorkerJson.Default.EventMessage);
                    yield return new HostedEvent(message.Kind, frame.Blobs.Count > 0 ? frame.Blobs[0] : default, message.ExitCode, message.Details, message.TimedOut);
                }
            }

            var answer = await call.Answer.Task.ConfigureAwait(false);
            if (answer.Kind == FrameKind.Error) throw ToException(answer, arguments, cancellationToken);
        }
        finally
        {
            if (sent && !call.Answer.Task.IsCompleted)
            {
                Cancel(call.Id);
                await Task.WhenAny(call.Answer.Task).ConfigureAwait(false);
            }

            _calls.TryRemove(call.Id, out _);
        }
    }

    /// <summary>What a worker must have said.</summary>
    public T Need<T>(T? value) where T : class => value ?? throw Distrust();

    /// <summary>It has said what it must not: it ends, and this is what the caller is told.</summary>
    public WorkerLostException Distrust()
    {
        Dispose();
        return new WorkerLostException();
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

    private void Send(Frame frame)
    {
        try
        {
            // Checked after the call is on the list: whoever ends the worker sees it there, or this sees the end.
            if (_gone) throw new WorkerLostException();
            _channel.Send(frame);
        }
        catch (FrameException exception)
        {
            throw new SandboxException(exception.Message);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            throw new WorkerLostException();
        }
    }

    private void Cancel(uint id) => SendQuietly(new Frame(id, FrameKind.Cancel, "", default, []));

    private void Give(uint id, uint credit)
    {
        byte[] number = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(number, credit);
        SendQuietly(new Frame(id, FrameKind.Credit, "", number, []));
    }

    private void SendQuietly(Frame frame)
    {
        try
        {
            Send(frame);
        }
        catch (WorkerLostException)
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
                if (!_calls.TryGetValue(frame.Call, out var call)) continue;
                if (frame.Kind is FrameKind.Result or FrameKind.Error) call.End(frame);
                else if (frame.Kind == FrameKind.Event && call.Events is not null) call.Events.Add(frame);
                else throw new FrameException("a frame that nobody asked for");
            }
        }
        catch (IOException)
        {
            // It sends nonsense, or its pipe broke: it is of no use any more.
        }

        Dispose();
        _process.WaitForExit();
        foreach (var call in _calls.Values) call.Lose(new WorkerLostException());
        _process.Dispose();
        _ended(this);
    }

    private T Read<T>(Frame frame, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(frame.Json.Span, type) ?? throw Distrust();
        }
        catch (JsonException)
        {
            throw Distrust();
        }
    }

    private Exception ToException(Frame frame, LiveArguments? about, CancellationToken cancellationToken)
    {
        var error = Read(frame, WorkerJson.Default.ErrorAnswer);
        return error.Kind switch
        {
            nameof(OperationCanceledException) => new OperationCanceledException(cancellationToken),
            nameof(HostedFileException) => new HostedFileException(error.Path ?? about?.Path ?? "", error.Error),
            nameof(TemplateNotFoundException) => new TemplateNotFoundException(error.Message),
            nameof(SandboxGoneException) => new SandboxGoneException(about?.Id ?? "", error.Reason),
            nameof(ProcessGoneException) => new ProcessGoneException(about?.Pid ?? 0),
            nameof(SandboxConflictException) => new SandboxConflictException(error.Message),
            nameof(CheckpointGoneException) => new CheckpointGoneException(about?.Path is { Length: > 0 } name ? name : "?"),
            nameof(SandboxException) => new SandboxException(error.Message, error.Error),
            _ => new InvalidOperationException($"A worker has failed: {error.Kind}: {error.Message}"),
        };
    }

    /// <summary>A call that waits for its answer.</summary>
    private sealed class PendingCall(uint id, EventQueue? events)
    {
        public uint Id => id;

        public EventQueue? Events => events;

        public TaskCompletionSource<Frame> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void End(Frame frame)
        {
            Answer.TrySetResult(frame);
            events?.Complete();
        }

        public void Lose(Exception exception)
        {
            Answer.TrySetException(exception);
            events?.Complete();
        }
    }
}

/// <summary>The process that ran a sandbox has ended, and the sandbox with it.</summary>
public sealed class WorkerLostException() : SandboxException("The worker process that ran this sandbox has ended, and the sandbox with it. Others are not affected: try again.");
