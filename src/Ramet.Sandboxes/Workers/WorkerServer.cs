using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ramet.Host;
using Ramet.Kvm;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>
/// A worker: a process that runs sandboxes of one tenant for a server. Hundreds of machines in one process slow each other down, and what brings a process down brings down
/// what lives in it; so there are several. It lives for as long as its pipe from the server does.
/// </summary>
public sealed partial class WorkerServer : IDisposable
{
    private const string Tenant = "";

    private readonly SandboxEngine _engine;
    private readonly FrameChannel _channel;
    private readonly InProcessSandboxHost _host;
    private readonly ConcurrentDictionary<uint, OpenCall> _calls = new();

    private WorkerServer(SandboxEngine engine, FrameChannel channel, SandboxPoolOptions pool)
    {
        _engine = engine;
        _channel = channel;
        _host = new InProcessSandboxHost(engine, new TenantPoolOptions { Pool = pool, KeepsSpare = false, IdleTime = TimeSpan.FromDays(1) });
    }

    /// <summary>Serves calls until the server closes its end.</summary>
    public static void Run(SandboxEngine engine, SandboxPoolOptions pool, Stream input, Stream output)
    {
        using var worker = new WorkerServer(engine, new FrameChannel(input, output), pool);
        worker.Loop();
    }

    /// <inheritdoc/>
    public void Dispose() => _host.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private void Loop()
    {
        while (_channel.Receive() is { } frame)
        {
            switch (frame.Kind)
            {
                case FrameKind.Call:
                    var call = _calls[frame.Call] = new OpenCall();
                    // A guest runs on the thread that serves its exec, which is to be one of the engine's. What is asked of live sandboxes waits without a thread.
                    if (frame.Method is WorkerMethod.Load or WorkerMethod.Unload or WorkerMethod.Exec or WorkerMethod.Statistics) _engine.Threads.Run(() => Answer(frame, call));
                    else _ = Task.Run(() => AnswerAsync(frame, call));
                    break;
                case FrameKind.Cancel:
                    // What it sets off is not for this thread, which everybody waits for.
                    if (_calls.TryGetValue(frame.Call, out var unwanted)) _ = unwanted.Cancellation.CancelAsync();
                    break;
                case FrameKind.Credit:
                    if (frame.Json.Length != 4) throw new FrameException("a credit without a number");
                    if (_calls.TryGetValue(frame.Call, out var open)) open.Window.Give(BinaryPrimitives.ReadUInt32LittleEndian(frame.Json.Span));
                    break;
            }
        }
    }

    private void Answer(Frame call, OpenCall state)
    {
        Frame answer;
        try
        {
            answer = Do(call, state.Cancellation.Token);
        }
#pragma warning disable CA1031 // The server's caller gets it.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            answer = ToFrame(call, exception);
        }

        End(call, answer);
    }

    private async Task AnswerAsync(Frame call, OpenCall state)
    {
        Frame answer;
        try
        {
            answer = await DoLiveAsync(call, state).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // The server's caller gets it.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            answer = ToFrame(call, exception);
        }

        End(call, answer);
    }

    private void End(Frame call, Frame answer)
    {
        _calls.TryRemove(call.Call, out _);
        try
        {
            _channel.Send(answer);
        }
        catch (FrameException exception)
        {
            // Longer than what goes at once: that the caller can be told.
            End(call, ToFrame(call, exception));
        }
        catch (IOException)
        {
            // The server is gone; Loop ends.
        }
    }

    private static Frame ToFrame(Frame call, Exception exception)
    {
        string kind = exception switch
        {
            // What derives from it too: the caller looks at no more than this.
            OperationCanceledException => nameof(OperationCanceledException),
            HostedFileException or SandboxGoneException or ProcessGoneException or TemplateNotFoundException or SandboxConflictException or CheckpointGoneException => exception.GetType().Name,
            SandboxException => nameof(SandboxException),
            _ => exception.GetType().Name,
        };
        var error = new ErrorAnswer(
            exception.Message, kind, (exception as SandboxException)?.Error ?? default, (exception as HostedFileException)?.Path, (exception as SandboxGoneException)?.Reason);
        return new Frame(call.Call, FrameKind.Error, "", JsonSerializer.SerializeToUtf8Bytes(error, WorkerJson.Default.ErrorAnswer), []);
    }

    private Frame Do(Frame call, CancellationToken cancellationToken)
    {
        switch (call.Method)
        {
            case WorkerMethod.Load:
                Load(Read(call, WorkerJson.Default.LoadArguments));
                return Result(call, "{}"u8.ToArray());
            case WorkerMethod.Unload:
                _host.RemoveTemplate(Tenant, Read(call, WorkerJson.Default.UnloadArguments).Name);
                // Its memory is in the hands of the collector now, to which it looks like a few bytes.
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Optimized, blocking: false);
                return Result(call, "{}"u8.ToArray());
            case WorkerMethod.Exec:
                return Execute(call, cancellationToken);
            case WorkerMethod.Statistics:
                return Result(call, JsonSerializer.SerializeToUtf8Bytes(_host.Statistics with { Workers = 1, WorkerResidentBytes = Environment.WorkingSet }, WorkerJson.Default.HostStatistics));
            default:
                throw new FrameException($"no method '{call.Method}'");
        }
    }

    private Frame Execute(Frame call, CancellationToken cancellationToken)
    {
        var arguments = Read(call, WorkerJson.Default.ExecArguments);
        int first = arguments.HasInput ? 1 : 0;
        if (call.Blobs.Count != first + arguments.FilePaths.Count) throw new FrameException("files without contents");
        var exec = arguments.Exec with
        {
            Input = arguments.HasInput ? call.Blobs[0].ToArray() : null,
            Files = [.. arguments.FilePaths.Select((path, i) => new HostedFile(path, call.Blobs[first + i]))],
        };
        var result = _host.Execute(Tenant, exec, cancellationToken);
        var answer = new ExecAnswer(result.End, result.ExitCode, result.Message, result.ForkNanoseconds, result.ExecNanoseconds);
        return Result(call, JsonSerializer.SerializeToUtf8Bytes(answer, WorkerJson.Default.ExecAnswer), result.Stdout, result.Stderr);
    }

    private void Load(LoadArguments arguments)
    {
        var manifest = TemplateManifestReader.Read(System.Text.Encoding.UTF8.GetBytes(arguments.Manifest));
        var image = _engine.OpenImageAsync(manifest.Image).GetAwaiter().GetResult();
        if (arguments.LargePagesPath is { } path)
        {
            using var copy = FileDescriptor.OpenRead(path);
            image.UseLargePages(copy, manifest.LargeImagePages);
        }

        var memory = new MemoryTemplate(FileDescriptor.OpenRead(arguments.MemoryPath));
        using var state = MappedFile.Open(arguments.StatePath);
        _host.Add(new Template(manifest, memory, state.GetSpan(0, (int)state.Length).ToArray(), image), Tenant, arguments.Machines);
    }

    private static T Read<T>(Frame call, JsonTypeInfo<T> type) => JsonSerializer.Deserialize(call.Json.Span, type) ?? throw new FrameException("no arguments");

    private static Frame Result(Frame call, byte[] json, params ReadOnlySpan<byte[]> blobs)
    {
        var all = new ReadOnlyMemory<byte>[blobs.Length];
        for (int i = 0; i < blobs.Length; i++) all[i] = blobs[i];
        return new Frame(call.Call, FrameKind.Result, "", json, all);
    }

    /// <summary>A call that was not answered yet.</summary>
    private sealed class OpenCall
    {
        /// <summary>Has no timer and so nothing to dispose of; a cancellation may come late.</summary>
        public CancellationTokenSource Cancellation { get; } = new();

        public FlowWindow Window { get; } = new();
    }
}
