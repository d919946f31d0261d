using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Configuration;
using Ramet.Server.Http;
using Ramet.Server.Keys;

namespace Ramet.Server.Api;

/// <summary>Sandboxes that live on between requests, and code in their warm interpreters.</summary>
internal sealed class SandboxEndpoints(IDurableSandboxHost host, Admission admission, Executor executor, ServerSettings settings)
{
    private const int LargestOutput = 16 << 20;
    private const int LargestPage = 1000;

    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        const string Tag = "Sandboxes";
        routes.Post("/v1/sandboxes", CreateAsync, new Operation("createSandbox", "Make a sandbox", "A fork of a template that lives on between requests, until it is deleted or its time is over.")
        {
            Body = typeof(SandboxBody), Answer = typeof(SandboxAnswer), Status = StatusCodes.Status201Created, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get("/v1/sandboxes", ListAsync, new Operation("listSandboxes", "List sandboxes", "Those of the key, the oldest first. metadata.NAME=VALUE in the query shows only those that have it noted.")
        {
            Answer = typeof(SandboxList), Scope = Scope.Sandboxes, Tag = Tag,
            Query = [new("limit", "integer", "Most on a page: 1 to 1000, else 100."), new("cursor", "string", "next_cursor of the page before.")],
        });
        routes.Get("/v1/sandboxes/{id}", GetAsync, new Operation("getSandbox", "What is known of a sandbox", "Its limits, its memory in use, and when it ends.")
        {
            Answer = typeof(SandboxAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Patch("/v1/sandboxes/{id}", UpdateAsync, new Operation("updateSandbox", "Extend a sandbox", "Sets anew when it ends by itself, and what is noted with it.")
        {
            Body = typeof(SandboxPatch), Answer = typeof(SandboxAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Delete("/v1/sandboxes/{id}", DeleteAsync, new Operation("deleteSandbox", "End a sandbox", "Nothing is left of it.")
        {
            Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post("/v1/sandboxes/{id}/run", RunAsync, new Operation(
            "runInSandbox", "Run code in the warm interpreter",
            "Names stay defined from run to run; one run at a time. With Accept: text/event-stream the output comes as it is printed (events stdout and stderr with text, then end; or error, a problem, when the sandbox is paused or rewound meanwhile).")
        {
            Body = typeof(RunBody), Answer = typeof(RunAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
    }

    /// <summary>The id in the path.</summary>
    internal static string IdOf(HttpContext context) => (string)context.Request.RouteValues["id"]!;

    private async Task CreateAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.SandboxBody).ConfigureAwait(false);
        string tenant = Caller.Of(context).Id;
        var spec = SandboxSpecs.Read(tenant, body, executor, settings);
        var directories = new HostDirectories(host, settings);
        var mounts = directories.Check(body.Mounts);
        HostedSandbox made;
        using (admission.EnterSandboxes(tenant, 1)) made = await host.CreateAsync(tenant, spec, context.RequestAborted).ConfigureAwait(false);
        try
        {
            await directories.CopyAsync(tenant, made.Id, mounts, context.RequestAborted).ConfigureAwait(false);
        }
        catch
        {
            await host.DeleteAsync(tenant, made.Id, CancellationToken.None).ConfigureAwait(false);
            throw;
        }

        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.Headers.Location = $"/v1/sandboxes/{made.Id}";
        await Json.WriteAsync(context, Answer(made), Json.Contracts.SandboxAnswer).ConfigureAwait(false);
    }

    private async Task ListAsync(HttpContext context)
    {
        const string Filter = "metadata.";
        int limit = 100;
        string? cursor = null;
        var filters = new List<(string Name, string Value)>();
        foreach (var (name, values) in context.Request.Query)
        {
            string value = values.ToString();
            if (name == "cursor") cursor = value;
            else if (name.StartsWith(Filter, StringComparison.Ordinal)) filters.Add((name[Filter.Length..], value));
            else if (name != "limit") throw ProblemException.BadRequest($"The query knows limit, cursor and metadata.NAME, not '{Json.Shorten(name)}'.");
            else if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > LargestPage) throw ProblemException.BadRequest($"'limit' is a number from 1 to {LargestPage}.");
        }

        var all = await host.ListAsync(Caller.Of(context).Id, context.RequestAborted).ConfigureAwait(false);
        var found = all.Where(sandbox => (cursor is null || string.CompareOrdinal(sandbox.Id, cursor) > 0)
            && filters.TrueForAll(filter => sandbox.Metadata.TryGetValue(filter.Name, out string? value) && value == filter.Value)).Take(limit + 1).ToList();
        await Json.WriteAsync(context, new SandboxList
        {
            Sandboxes = [.. found.Take(limit).Select(Answer)],
            NextCursor = found.Count > limit ? found[limit - 1].Id : null,
        }, Json.Contracts.SandboxList).ConfigureAwait(false);
    }

    private async Task GetAsync(HttpContext context)
    {
        var sandbox = await host.GetAsync(Caller.Of(context).Id, IdOf(context), context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, Answer(sandbox), Json.Contracts.SandboxAnswer).ConfigureAwait(false);
    }

    private async Task UpdateAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.SandboxPatch).ConfigureAwait(false);
        var sandbox = await host.UpdateAsync(
            Caller.Of(context).Id, IdOf(context), body.TimeoutSeconds is { } seconds ? SandboxSpecs.Lifetime(seconds) : null, body.Metadata is null ? null : SandboxSpecs.Metadata(body.Metadata), context.RequestAborted)
            .ConfigureAwait(false);
        await Json.WriteAsync(context, Answer(sandbox), Json.Contracts.SandboxAnswer).ConfigureAwait(false);
    }

    private async Task DeleteAsync(HttpContext context)
    {
        await host.DeleteAsync(Caller.Of(context).Id, IdOf(context), context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task RunAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.RunBody).ConfigureAwait(false);
        long started = Stopwatch.GetTimestamp();
        var run = new HostedRun(body.Code, TimeSpan.FromSeconds(executor.Seconds(body.TimeoutSeconds, "")), body.Env, body.Cwd);
        string tenant = Caller.Of(context).Id;
        // Found out before it waits for its turn, and before a stream begins: whoever names a sandbox that cannot run code is told at once.
        var sandbox = await host.GetAsync(tenant, IdOf(context), context.RequestAborted).ConfigureAwait(false);
        if (sandbox is { IsPaused: true, IsPausedAutomatically: false }) throw new SandboxConflictException($"The sandbox is paused. Resume it first: POST /v1/sandboxes/{sandbox.Id}/resume");
        if (sandbox.Image is { } image) throw new SandboxConflictException($"The sandbox was made from image '{image}', in which no interpreter waits for code. Start a program in it as a process, or make a sandbox from a template.");
        using var turn = await executor.EnterAsync(tenant, context.RequestAborted).ConfigureAwait(false);
        var events = host.RunAsync(tenant, IdOf(context), run, context.RequestAborted).GetAsyncEnumerator(context.RequestAborted);
        await using var disposal = events.ConfigureAwait(false);
        if (EventStream.IsWanted(context.Request))
        {
            var stream = await EventStream.BeginAsync(context).ConfigureAwait(false);
            try
            {
                var end = await stream.PumpAsync(events).ConfigureAwait(false);
                await stream.WriteAsync("end", End(end, started), Json.Contracts.RunEnd).ConfigureAwait(false);
            }
            catch (SandboxConflictException e)
            {
                // It was paused or rewound meanwhile: the answer has begun, so it is told in it.
                var problem = new Problem { Type = "about:blank", Title = "Not in this state", Status = 409, Detail = e.Message, Error = e.Message, RequestId = RequestId.Of(context) };
                await stream.WriteAsync("error", problem, Json.Contracts.Problem).ConfigureAwait(false);
            }

            return;
        }

        using MemoryStream stdout = new(), stderr = new();
        while (await events.MoveNextAsync().ConfigureAwait(false))
        {
            var current = events.Current;
            if (current.Kind == HostedEventKind.End)
            {
                await Json.WriteAsync(context, Collect(End(current, started), stdout, stderr), Json.Contracts.RunAnswer).ConfigureAwait(false);
                return;
            }

            var target = current.Kind == HostedEventKind.Stderr ? stderr : stdout;
            // What is beyond is in no answer; streams have all of it.
            if (stdout.Length + stderr.Length < LargestOutput) target.Write(current.Data.Span);
        }
    }

    private static RunAnswer Collect(RunEnd end, MemoryStream stdout, MemoryStream stderr) => new()
    {
        Stdout = Encoding.UTF8.GetString(stdout.GetBuffer(), 0, (int)stdout.Length),
        Stderr = Encoding.UTF8.GetString(stderr.GetBuffer(), 0, (int)stderr.Length),
        ExitCode = end.ExitCode,
        TimedOut = end.TimedOut,
        Value = end.Value,
        Results = end.Results,
        Exception = end.Exception,
        DurationMs = end.DurationMs,
    };

    private static RunEnd End(HostedEvent end, long started)
    {
        RunDetails? details = null;
        try
        {
            // The sandbox has written this: it is data of the guest, and may be anything.
            if (end.Details is { } json) details = JsonSerializer.Deserialize(json, Json.Contracts.RunDetails);
        }
        catch (JsonException)
        {
        }

        return new RunEnd
        {
            ExitCode = end.ExitCode,
            TimedOut = end.TimedOut,
            Value = details?.Value,
            Results = details?.Results ?? [],
            Exception = details?.Exception ?? (details?.Error is { } error ? new RunException { Type = "RequestError", Text = error } : null),
            DurationMs = Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 3),
        };
    }

    /// <summary>A sandbox, for a client.</summary>
    internal static SandboxAnswer Answer(HostedSandbox sandbox) => new()
    {
        Id = sandbox.Id,
        Template = sandbox.Image is null ? sandbox.Template : "",
        Image = sandbox.Image,
        State = sandbox.IsPaused ? "paused" : "running",
        Generation = sandbox.Generation,
        Parent = sandbox.Parent,
        Created = sandbox.Created,
        Expires = sandbox.Expires,
        MemoryMb = sandbox.MemoryBytes >> 20,
        MemoryUsedMb = Math.Round(sandbox.UsedBytes / 1048576.0, 2),
        Metadata = sandbox.Metadata,
    };
}
