using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;
using Ramet.Server.Keys;

namespace Ramet.Server.Api;

/// <summary>Points of sandboxes: pausing, forks, checkpoints; and what is known of them as they run.</summary>
internal sealed class PointEndpoints(IDurableSandboxHost host, Admission admission)
{
    private const int MostChildren = 64;
    private const string Base = "/v1/sandboxes/{id}";

    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        const string Tag = "Sandboxes";
        routes.Post(Base + "/pause", PauseAsync, new Operation(
            "pauseSandbox", "Pause a sandbox", "It is written to disk with all that runs in it, and its machine is given up. Paused sandboxes outlive the server. One that is paused stays so.")
        {
            Answer = typeof(SandboxAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/resume", ResumeAsync, new Operation("resumeSandbox", "Resume a sandbox", "It goes on where it was paused. One that runs goes on.")
        {
            Answer = typeof(SandboxAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/fork", ForkAsync, new Operation(
            "forkSandbox", "Fork a sandbox", "Makes children that go on from this very point, with all processes, open files and variables. The parent goes on. Each has randomness of its own.")
        {
            Body = typeof(ForkBody), Answer = typeof(ForkAnswer), Status = StatusCodes.Status201Created, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/checkpoints", CheckpointAsync, new Operation("createCheckpoint", "Keep this point of a sandbox", "To come back to with rewind. It is kept for as long as the sandbox, also while that is paused.")
        {
            Body = typeof(CheckpointBody), Answer = typeof(CheckpointAnswer), Status = StatusCodes.Status201Created, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get(Base + "/checkpoints", ListAsync, new Operation("listCheckpoints", "List checkpoints", "The oldest first.")
        {
            Answer = typeof(CheckpointList), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Delete(Base + "/checkpoints/{checkpoint}", DeleteAsync, new Operation("deleteCheckpoint", "Forget a checkpoint", "Its memory is given back.")
        {
            Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/rewind", RewindAsync, new Operation("rewindSandbox", "Go back to a checkpoint", "Files, processes and variables are as they were. Checkpoints stay, later ones too.")
        {
            Body = typeof(RewindBody), Answer = typeof(SandboxAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get(Base + "/diff", DiffAsync, new Operation("diffSandbox", "What differs between two points", "Files with their contents, processes and memory.")
        {
            Answer = typeof(DiffAnswer), Scope = Scope.Sandboxes, Tag = Tag,
            Query =
            [
                new("from", "string", "A checkpoint.", Required: true), new("to", "string", "A checkpoint, or now. Default: now."),
                new("content", "boolean", "true: with contents of files, up to a MiB each and 16 MiB in all."),
            ],
        });
        routes.Get(Base + "/metrics", MetricsAsync, new Operation("sandboxMetrics", "What a sandbox has used", "Since it was made; of a paused one: until it was paused.")
        {
            Answer = typeof(SandboxMetrics), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get(Base + "/logs", LogsAsync, new Operation("sandboxLogs", "What happened to a sandbox", "The last things that happened to it and ran in it, and the last output of its interpreter. With Accept: text/plain: that output alone.")
        {
            Answer = typeof(SandboxLogs), Scope = Scope.Sandboxes, Tag = Tag,
        });
    }

    private static string Id(HttpContext context) => SandboxEndpoints.IdOf(context);

    private async Task PauseAsync(HttpContext context)
    {
        string tenant = Caller.Of(context).Id;
        HostedSandbox paused;
        using (admission.EnterPaused(tenant)) paused = await host.PauseAsync(tenant, Id(context), context.RequestAborted).ConfigureAwait(false);
        await AnswerAsync(context, paused).ConfigureAwait(false);
    }

    private async Task ResumeAsync(HttpContext context)
    {
        string tenant = Caller.Of(context).Id;
        var sandbox = await host.GetAsync(tenant, Id(context), context.RequestAborted).ConfigureAwait(false);
        using (sandbox is { IsPaused: true, IsPausedAutomatically: false } ? admission.EnterSandboxes(tenant, 1) : null)
            sandbox = await host.ResumeAsync(tenant, Id(context), context.RequestAborted).ConfigureAwait(false);
        await AnswerAsync(context, sandbox).ConfigureAwait(false);
    }

    private async Task ForkAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.ForkBody, new ForkBody()).ConfigureAwait(false);
        int count = body.Count ?? 1;
        if (count is < 1 or > MostChildren) throw ProblemException.BadRequest($"'count' is a number from 1 to {MostChildren}, not {count}.");
        TimeSpan? timeout = body.TimeoutSeconds is { } seconds ? SandboxSpecs.Lifetime(seconds) : null;
        var metadata = body.Metadata is null ? null : SandboxSpecs.Metadata(body.Metadata);
        string tenant = Caller.Of(context).Id;
        IReadOnlyList<HostedSandbox> made;
        using (admission.EnterSandboxes(tenant, count)) made = await host.ForkAsync(tenant, Id(context), count, timeout, metadata, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status201Created;
        await Json.WriteAsync(context, new ForkAnswer { Sandboxes = [.. made.Select(SandboxEndpoints.Answer)] }, Json.Contracts.ForkAnswer).ConfigureAwait(false);
    }

    private async Task CheckpointAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.CheckpointBody, new CheckpointBody()).ConfigureAwait(false);
        var made = await host.CheckpointAsync(Caller.Of(context).Id, Id(context), SandboxSpecs.Name(body.Name), context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status201Created;
        await Json.WriteAsync(context, Answer(made), Json.Contracts.CheckpointAnswer).ConfigureAwait(false);
    }

    private async Task ListAsync(HttpContext context)
    {
        var all = await host.ListCheckpointsAsync(Caller.Of(context).Id, Id(context), context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, new CheckpointList { Checkpoints = [.. all.Select(Answer)] }, Json.Contracts.CheckpointList).ConfigureAwait(false);
    }

    private async Task DeleteAsync(HttpContext context)
    {
        await host.DeleteCheckpointAsync(Caller.Of(context).Id, Id(context), (string)context.Request.RouteValues["checkpoint"]!, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task RewindAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.RewindBody).ConfigureAwait(false);
        await AnswerAsync(context, await host.RewindAsync(Caller.Of(context).Id, Id(context), body.Checkpoint, context.RequestAborted).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task DiffAsync(HttpContext context)
    {
        string? from = null, to = null;
        bool content = false;
        foreach (var (name, values) in context.Request.Query)
        {
            string value = values.ToString();
            if (name == "from") from = value;
            else if (name == "to") to = value is "now" or "" ? null : value;
            else if (name != "content") throw ProblemException.BadRequest($"The query knows from, to and content, not '{Json.Shorten(name)}'.");
            else if (value is "true" or "false") content = value == "true";
            else throw ProblemException.BadRequest("'content' is true or false.");
        }

        if (string.IsNullOrEmpty(from)) throw ProblemException.BadRequest("'from' is missing: name a checkpoint, such as ?from=cp_...&to=now");
        var diff = await host.DiffAsync(Caller.Of(context).Id, Id(context), from, to, content, context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, new DiffAnswer
        {
            Files = [.. diff.Files.Select(file => new FileDifference
            {
                Path = file.Path,
                Change = file.Change,
                Kind = file.Kind,
                SizeBefore = file.SizeBefore,
                SizeAfter = file.SizeAfter,
                ContentBefore = file.ContentBefore,
                ContentAfter = file.ContentAfter,
            })],
            Truncated = diff.IsCutOff,
            Processes = new ProcessDifference { Started = [.. diff.Started.Select(Answer)], Ended = [.. diff.Ended.Select(Answer)] },
            Memory = new MemoryDifference { PagesChanged = diff.PagesChanged, BytesBefore = (long)diff.BytesBefore, BytesAfter = (long)diff.BytesAfter },
        }, Json.Contracts.DiffAnswer).ConfigureAwait(false);
    }

    private async Task MetricsAsync(HttpContext context)
    {
        var metrics = await host.MetricsAsync(Caller.Of(context).Id, Id(context), context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, new SandboxMetrics
        {
            CpuMs = metrics.CpuMilliseconds,
            MemoryBytes = (long)metrics.MemoryBytes,
            MemoryLimitBytes = (long)metrics.MemoryLimitBytes,
            PagesWritten = metrics.PagesWritten,
            SystemCalls = metrics.SystemCalls,
            PageFaults = metrics.PageFaults,
            Processes = metrics.Processes,
            Threads = metrics.Threads,
            OpenFiles = metrics.OpenFiles,
            OutputBytes = metrics.OutputBytes,
            Runs = metrics.Runs,
        }, Json.Contracts.SandboxMetrics).ConfigureAwait(false);
    }

    private async Task LogsAsync(HttpContext context)
    {
        string tenant = Caller.Of(context).Id;
        if (context.Request.Headers.Accept.Any(value => value?.StartsWith("text/plain", StringComparison.OrdinalIgnoreCase) == true))
        {
            byte[] text = await host.LogAsync(tenant, Id(context), context.RequestAborted).ConfigureAwait(false);
            context.Response.ContentType = "text/plain; charset=utf-8";
            context.Response.ContentLength = text.Length;
            await context.Response.Body.WriteAsync(text, context.RequestAborted).ConfigureAwait(false);
            return;
        }

        var history = await host.HistoryAsync(tenant, Id(context), context.RequestAborted).ConfigureAwait(false);
        byte[] output = await host.LogAsync(tenant, Id(context), context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, new SandboxLogs
        {
            Events = [.. history.Select(entry => new LogEntry { Time = entry.Time, Event = entry.Event, Text = entry.Text })],
            Output = Encoding.UTF8.GetString(output),
        }, Json.Contracts.SandboxLogs).ConfigureAwait(false);
    }

    private static Task AnswerAsync(HttpContext context, HostedSandbox sandbox) => Json.WriteAsync(context, SandboxEndpoints.Answer(sandbox), Json.Contracts.SandboxAnswer);

    private static ProcessName Answer(HostedProcessName process) => new() { Pid = process.Pid, Command = process.Command };

    private static CheckpointAnswer Answer(HostedCheckpoint checkpoint) => new()
    {
        Id = checkpoint.Id,
        Name = checkpoint.Name,
        Created = checkpoint.Created,
        MemoryBytes = checkpoint.MemoryBytes,
        Automatic = checkpoint.IsAutomatic,
    };
}
