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
public sealed class WorkerServer : IDisposable
{
    private const string Tenant = "";

    private readonly SandboxEngine _engine;
    private readonly FrameChannel _channel;
    private readonly InProcessSandboxHost _host;
    private readonly ConcurrentDictionary<uint, CancellationTokenSource> _calls = new();

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
            if (frame.Kind == FrameKind.Cancel)
            {
                if (_calls.TryGetValue(frame.Call, out var call)) call.Cancel();
            }
            else if (frame.Kind == FrameKind.Call)
            {
                _calls[frame.Call] = new CancellationTokenSource();
                // The guest runs on this thread of the engine's.
                _engine.Threads.Run(() => Answer(frame));
            }
        }
    }

    private void Answer(Frame call)
    {
        Frame answer;
        try
        {
            answer = Do(call, _calls[call.Call].Token);
        }
#pragma warning disable CA1031 // The server's caller gets it.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            var error = new ErrorAnswer(exception.Message, exception.GetType().Name, (exception as SandboxException)?.Error ?? default, (exception as HostedFileException)?.Path);
            answer = new Frame(call.Call, FrameKind.Error, "", JsonSerializer.SerializeToUtf8Bytes(error, WorkerJson.Default.ErrorAnswer), []);
        }

        if (_calls.TryRemove(call.Call, out var source)) source.Dispose();
        try
        {
            _channel.Send(answer);
        }
        catch (IOException)
        {
            // The server is gone; Loop ends.
        }
    }

    private Frame Do(Frame call, CancellationToken cancellationToken)
    {
        switch (call.Method)
        {
            case WorkerMethod.Load:
                Load(Read(call, WorkerJson.Default.LoadArguments));
                return Result(call, "{}"u8.ToArray());
            case WorkerMethod.Exec:
                return Execute(call, cancellationToken);
            case WorkerMethod.Statistics:
                return Result(call, JsonSerializer.SerializeToUtf8Bytes(_host.Statistics, WorkerJson.Default.HostStatistics));
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
        var memory = new MemoryTemplate(FileDescriptor.OpenRead(arguments.MemoryPath));
        using var state = MappedFile.Open(arguments.StatePath);
        _host.Add(new Template(manifest, memory, state.GetSpan(0, (int)state.Length).ToArray(), image), Tenant);
    }

    private static T Read<T>(Frame call, JsonTypeInfo<T> type) => JsonSerializer.Deserialize(call.Json.Span, type) ?? throw new FrameException("no arguments");

    private static Frame Result(Frame call, byte[] json, params ReadOnlySpan<byte[]> blobs)
    {
        var all = new ReadOnlyMemory<byte>[blobs.Length];
        for (int i = 0; i < blobs.Length; i++) all[i] = blobs[i];
        return new Frame(call.Call, FrameKind.Result, "", json, all);
    }
}
