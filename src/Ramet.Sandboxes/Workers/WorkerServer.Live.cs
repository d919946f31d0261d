using System.Collections.Concurrent;
using System.Text.Json;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>Live sandboxes, their processes and files.</summary>
public sealed partial class WorkerServer
{
    private readonly ConcurrentDictionary<uint, Stream> _files = new();
    private uint _lastFile;

    private async Task<Frame> DoLiveAsync(Frame call, OpenCall state)
    {
        var a = Read(call, WorkerJson.Default.LiveArguments);
        var token = state.Cancellation.Token;
        switch (call.Method)
        {
            case LiveMethod.Create:
                return Result(call, new LiveAnswer { Sandbox = await _host.CreateAsync(Tenant, Given(a.Spec), token).ConfigureAwait(false) });
            case LiveMethod.List:
                return Result(call, new LiveAnswer { Sandboxes = await _host.ListAsync(Tenant, token).ConfigureAwait(false) });
            case LiveMethod.Get:
                return Result(call, new LiveAnswer { Sandbox = await _host.GetAsync(Tenant, a.Id, token).ConfigureAwait(false) });
            case LiveMethod.Update:
                return Result(call, new LiveAnswer { Sandbox = await _host.UpdateAsync(Tenant, a.Id, a.Timeout, a.Metadata, token).ConfigureAwait(false) });
            case LiveMethod.Delete:
                return await Done(call, _host.DeleteAsync(Tenant, a.Id, token)).ConfigureAwait(false);
            case LiveMethod.Log:
                return Result(call, new LiveAnswer(), await _host.LogAsync(Tenant, a.Id, token).ConfigureAwait(false));
            case LiveMethod.WaitEnd:
                return Result(call, new LiveAnswer { Reason = await _host.WaitEndAsync(a.Id, token).ConfigureAwait(false) });
            case LiveMethod.Run:
                return await StreamAsync(call, state, _host.RunAsync(Tenant, a.Id, Given(a.Run), token)).ConfigureAwait(false);
            case LiveMethod.ExecStream:
                return await StreamAsync(call, state, _host.ExecuteStreamAsync(Tenant, Given(a.Exec), token)).ConfigureAwait(false);
            case LiveMethod.StartProcess:
                return Result(call, new LiveAnswer { Process = await _host.StartProcessAsync(Tenant, a.Id, Given(a.Program), token).ConfigureAwait(false) });
            case LiveMethod.ListProcesses:
                return Result(call, new LiveAnswer { Processes = await _host.ListProcessesAsync(Tenant, a.Id, token).ConfigureAwait(false) });
            case LiveMethod.Attach:
                return await StreamAsync(call, state, _host.AttachAsync(Tenant, a.Id, a.Pid, token)).ConfigureAwait(false);
            case LiveMethod.WatchFiles:
                return await StreamAsync(call, state, ToEvents(_host.WatchFilesAsync(Tenant, a.Id, a.Path, a.Flag, token))).ConfigureAwait(false);
            case LiveMethod.WaitProcess:
                return await Done(call, _host.WaitProcessAsync(Tenant, a.Id, a.Pid, token)).ConfigureAwait(false);
            case LiveMethod.WriteInput:
                return await Done(call, _host.WriteInputAsync(Tenant, a.Id, a.Pid, BytesOf(call), a.Flag, token)).ConfigureAwait(false);
            case LiveMethod.Signal:
                return Result(call, new LiveAnswer { Flag = await _host.SignalAsync(Tenant, a.Id, a.Pid, a.Number, token).ConfigureAwait(false) });
            case LiveMethod.Resize:
                return await Done(call, _host.ResizeAsync(Tenant, a.Id, a.Pid, Given(a.Size), token)).ConfigureAwait(false);
            case LiveMethod.Fork:
                return Result(call, new LiveAnswer { Sandboxes = await _host.ForkAsync(Tenant, a.Id, Math.Clamp(a.Number, 1, 64), a.Timeout, a.Metadata, token).ConfigureAwait(false) });
            case LiveMethod.Checkpoint:
                return Result(call, new LiveAnswer { Checkpoint = await _host.CheckpointAsync(Tenant, a.Id, a.Path.Length > 0 ? a.Path : null, token).ConfigureAwait(false) });
            case LiveMethod.ListCheckpoints:
                return Result(call, new LiveAnswer { Checkpoints = await _host.ListCheckpointsAsync(Tenant, a.Id, token).ConfigureAwait(false) });
            case LiveMethod.DeleteCheckpoint:
                return await Done(call, _host.DeleteCheckpointAsync(Tenant, a.Id, a.Path, token)).ConfigureAwait(false);
            case LiveMethod.Rewind:
                return Result(call, new LiveAnswer { Sandbox = await _host.RewindAsync(Tenant, a.Id, a.Path, token).ConfigureAwait(false) });
            case LiveMethod.Diff:
                return Result(call, new LiveAnswer { Diff = await _host.DiffAsync(Tenant, a.Id, a.Path, a.Other.Length > 0 ? a.Other : null, a.Flag, token).ConfigureAwait(false) });
            case LiveMethod.Metrics:
                return Result(call, new LiveAnswer { Metrics = await _host.MetricsAsync(Tenant, a.Id, token).ConfigureAwait(false) });
            case LiveMethod.History:
                return Result(call, new LiveAnswer { History = await _host.HistoryAsync(Tenant, a.Id, token).ConfigureAwait(false) });
            case LiveMethod.Note:
                return await Done(call, _host.NoteAsync(Tenant, a.Id, a.Path, a.Other, token)).ConfigureAwait(false);
            default:
                return await DoCapturesAsync(call, a, token).ConfigureAwait(false) ?? await DoFilesAsync(call, a, token).ConfigureAwait(false);
        }
    }

    private async Task<Frame?> DoCapturesAsync(Frame call, LiveArguments a, CancellationToken token)
    {
        switch (call.Method)
        {
            case LiveMethod.Capture:
                var content = await _host.CaptureAsync(Tenant, a.Id, Given(a.Capture), token).ConfigureAwait(false);
                return Opened(call, content, content.Length);
            case LiveMethod.Release:
                return await Done(call, _host.ReleaseAsync(Tenant, a.Id, a.Other.Length > 0 ? a.Other : null, token)).ConfigureAwait(false);
            case LiveMethod.Freeze:
                var frozen = await _host.FreezeAsync(Tenant, a.Id, a.Other, token).ConfigureAwait(false);
                return Opened(call, frozen.Content, frozen.Content.Length, frozen.Manifest);
            case LiveMethod.Receive:
                return Opened(call, new MemoryFileStream(), 0);
            case LiveMethod.Restore:
                using (var received = Received(a))
                    return Result(call, new LiveAnswer { Sandbox = await _host.RestoreAsync(Tenant, Given(a.Restore), received, token).ConfigureAwait(false) });
            case LiveMethod.AddCheckpoint:
                using (var received = Received(a))
                    return await Done(call, _host.AddCheckpointAsync(Tenant, a.Id, Given(a.Checkpoint), received, token)).ConfigureAwait(false);
            default:
                return null;
        }
    }

    private MemoryFileStream Received(LiveArguments arguments)
    {
        if (!_files.TryRemove(arguments.Handle, out var file) || file is not MemoryFileStream received) throw new FrameException($"nothing was received as {arguments.Handle}");
        received.Position = 0;
        return received;
    }

    private async Task<Frame> DoFilesAsync(Frame call, LiveArguments a, CancellationToken token)
    {
        switch (call.Method)
        {
            case LiveMethod.Stat:
                return Result(call, new LiveAnswer { File = await _host.StatFileAsync(Tenant, a.Id, a.Path, a.Flag, token).ConfigureAwait(false) });
            case LiveMethod.ListFiles:
                return Result(call, new LiveAnswer { Files = await _host.ListFilesAsync(Tenant, a.Id, a.Path, token).ConfigureAwait(false) });
            case LiveMethod.MakeDirectory:
                return await Done(call, _host.MakeDirectoryAsync(Tenant, a.Id, a.Path, a.Flag, token)).ConfigureAwait(false);
            case LiveMethod.MakeSymbolicLink:
                return await Done(call, _host.MakeSymbolicLinkAsync(Tenant, a.Id, a.Path, a.Other, token)).ConfigureAwait(false);
            case LiveMethod.Move:
                return await Done(call, _host.MoveFileAsync(Tenant, a.Id, a.Path, a.Other, token)).ConfigureAwait(false);
            case LiveMethod.Remove:
                return await Done(call, _host.RemoveFileAsync(Tenant, a.Id, a.Path, a.Flag, token)).ConfigureAwait(false);
            case LiveMethod.OpenRead:
                var source = await _host.OpenReadAsync(Tenant, a.Id, a.Path, token).ConfigureAwait(false);
                return Opened(call, source, source.Length);
            case LiveMethod.OpenWrite:
                return Opened(call, await _host.OpenWriteAsync(Tenant, a.Id, a.Path, a.Mode, token).ConfigureAwait(false), 0);
            case LiveMethod.Read:
                byte[] buffer = new byte[Math.Clamp(a.Number, 1, WorkerFileStream.Piece)];
                int count = await FileOf(a).ReadAsync(buffer, token).ConfigureAwait(false);
                return Result(call, new LiveAnswer(), buffer.AsMemory(0, count));
            case LiveMethod.Write:
                await FileOf(a).WriteAsync(BytesOf(call), token).ConfigureAwait(false);
                return Result(call, new LiveAnswer());
            case LiveMethod.Close:
                if (_files.TryRemove(a.Handle, out var closed)) await closed.DisposeAsync().ConfigureAwait(false);
                return Result(call, new LiveAnswer());
            default:
                throw new FrameException($"no method '{call.Method}'");
        }
    }

    /// <summary>Sends events as fast as they are taken. The token of the call ends it.</summary>
    private async Task<Frame> StreamAsync(Frame call, OpenCall state, IAsyncEnumerable<HostedEvent> events)
    {
        await foreach (var next in events.ConfigureAwait(false))
        {
            var data = next.Data;
            byte[] json = JsonSerializer.SerializeToUtf8Bytes(new EventMessage(next.Kind, next.ExitCode, next.Details, next.TimedOut), WorkerJson.Default.EventMessage);
            do
            {
                await state.Window.WaitAsync(state.Cancellation.Token).ConfigureAwait(false);
                var piece = data[..Math.Min(data.Length, FlowWindow.LongestEvent)];
                data = data[piece.Length..];
                var frame = new Frame(call.Call, FrameKind.Event, "", json, [piece]);
                state.Window.Take(FlowWindow.CostOf(frame));
                _channel.Send(frame);
            }
            while (!data.IsEmpty);
        }

        return Result(call, new LiveAnswer());
    }

    private static async IAsyncEnumerable<HostedEvent> ToEvents(IAsyncEnumerable<HostedFileChange> changes)
    {
        await foreach (var change in changes.ConfigureAwait(false))
            yield return new HostedEvent(HostedEventKind.Stdout, System.Text.Encoding.UTF8.GetBytes(change.Path), change.IsDirectory ? 1 : 0, change.Kind);
    }

    private Frame Opened(Frame call, Stream file, long length, string? reason = null)
    {
        uint handle = Interlocked.Increment(ref _lastFile);
        _files[handle] = file;
        return Result(call, new LiveAnswer { Handle = handle, Length = length, Reason = reason });
    }

    private Stream FileOf(LiveArguments arguments) => _files.TryGetValue(arguments.Handle, out var file) ? file : throw new FrameException($"no open file {arguments.Handle}");

    private static ReadOnlyMemory<byte> BytesOf(Frame call) => call.Blobs is [var bytes] ? bytes : throw new FrameException("a call without its bytes");

    private static T Given<T>(T? argument) where T : class => argument ?? throw new FrameException("an argument is missing");

    private static async Task<Frame> Done(Frame call, Task task)
    {
        await task.ConfigureAwait(false);
        return Result(call, new LiveAnswer());
    }

    private static Frame Result(Frame call, LiveAnswer answer, params ReadOnlySpan<ReadOnlyMemory<byte>> blobs) =>
        new(call.Call, FrameKind.Result, "", JsonSerializer.SerializeToUtf8Bytes(answer, WorkerJson.Default.LiveAnswer), blobs.ToArray());
}
