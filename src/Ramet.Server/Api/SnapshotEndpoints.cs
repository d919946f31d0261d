using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Configuration;
using Ramet.Server.Http;
using Ramet.Server.Keys;

namespace Ramet.Server.Api;

/// <summary>Snapshots: states of sandboxes on disk, from which others go on.</summary>
internal sealed class SnapshotEndpoints(IDurableSandboxHost host, Admission admission, Executor executor, ServerSettings settings)
{
    private const int LargestPage = 1000;
    private const string FileType = "application/octet-stream";

    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        const string Tag = "Snapshots";
        routes.Post("/v1/sandboxes/{id}/snapshots", CreateAsync, new Operation(
            "createSnapshot", "Keep a sandbox's state on disk", "Any number of sandboxes can be made of it: POST /v1/sandboxes with 'snapshot'. The sandbox goes on.")
        {
            Body = typeof(SnapshotBody), Answer = typeof(SnapshotAnswer), Status = StatusCodes.Status201Created, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get("/v1/snapshots", ListAsync, new Operation("listSnapshots", "List snapshots", "Those of the key, the oldest first.")
        {
            Answer = typeof(SnapshotList), Scope = Scope.Sandboxes, Tag = Tag,
            Query = [new("limit", "integer", "Most on a page: 1 to 1000, else 100."), new("cursor", "string", "next_cursor of the page before.")],
        });
        routes.Get("/v1/snapshots/{id}", GetAsync, new Operation("getSnapshot", "What is known of a snapshot", "Its template, size and metadata.")
        {
            Answer = typeof(SnapshotAnswer), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Delete("/v1/snapshots/{id}", DeleteAsync, new Operation("deleteSnapshot", "Remove a snapshot", "Sandboxes that were made of it go on.")
        {
            Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get("/v1/snapshots/{id}/file", DownloadAsync, new Operation("downloadSnapshot", "Download a snapshot", "The file that ramet sandbox save writes.")
        {
            AnswerMediaType = FileType, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post("/v1/snapshots", UploadAsync, new Operation("uploadSnapshot", "Upload a snapshot", "A file that was downloaded, or written by ramet sandbox save, on a machine like this.")
        {
            BodyMediaType = FileType, Answer = typeof(SnapshotAnswer), Status = StatusCodes.Status201Created, Scope = Scope.Sandboxes, Tag = Tag,
            Query = [new("name", "string", "What it is called.")],
        });
    }

    private static string Id(HttpContext context) => SandboxEndpoints.IdOf(context);

    private async Task CreateAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.SnapshotBody, new SnapshotBody()).ConfigureAwait(false);
        string tenant = Caller.Of(context).Id;
        HostedSnapshot snapshot;
        using (admission.EnterSnapshot(tenant)) snapshot = await host.SnapshotAsync(tenant, Id(context), SandboxSpecs.Name(body.Name), body.Whole, context.RequestAborted).ConfigureAwait(false);
        await WriteAsync(context, snapshot, created: true).ConfigureAwait(false);
    }

    private async Task UploadAsync(HttpContext context)
    {
        string tenant = Caller.Of(context).Id;
        string? name = SandboxSpecs.Name(context.Request.Query["name"].ToString() is { Length: > 0 } given ? given : null);
        // What is known of a sandbox beside its memory did not come along: the template is the file's own.
        var spec = new HostedSandboxSpec(executor.TemplateOf(tenant, null, null, ""), executor.Memory(null, ""), TimeSpan.FromMinutes(5), SandboxSpecs.Metadata(null))
        {
            MaxCheckpoints = settings.Checkpoints, MaxCheckpointBytes = (long)settings.CheckpointMb << 20,
        };
        HostedSnapshot snapshot = null!;
        // It is tried out: that takes a sandbox.
        using (admission.EnterSnapshot(tenant))
        using (admission.EnterSandboxes(tenant, 1))
        {
            await RequestBody.UseAsync(context, async body =>
            {
                var limited = new LimitedStream(body, (long)settings.SnapshotMb << 20);
                snapshot = await host.ImportAsync(tenant, name, spec, (ulong)settings.MaxMemoryMb << 20, limited, context.RequestAborted).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }

        await WriteAsync(context, snapshot, created: true).ConfigureAwait(false);
    }

    private async Task ListAsync(HttpContext context)
    {
        int limit = 100;
        string? cursor = null;
        foreach (var (name, values) in context.Request.Query)
        {
            string value = values.ToString();
            if (name == "cursor") cursor = value;
            else if (name != "limit") throw ProblemException.BadRequest($"The query knows limit and cursor, not '{Json.Shorten(name)}'.");
            else if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > LargestPage) throw ProblemException.BadRequest($"'limit' is a number from 1 to {LargestPage}.");
        }

        var found = host.ListSnapshots(Caller.Of(context).Id).Where(snapshot => cursor is null || string.CompareOrdinal(snapshot.Id, cursor) > 0).Take(limit + 1).ToList();
        await Json.WriteAsync(context, new SnapshotList
        {
            Snapshots = [.. found.Take(limit).Select(Answer)],
            NextCursor = found.Count > limit ? found[limit - 1].Id : null,
        }, Json.Contracts.SnapshotList).ConfigureAwait(false);
    }

    private Task GetAsync(HttpContext context) => WriteAsync(context, host.GetSnapshot(Caller.Of(context).Id, Id(context)), created: false);

    private Task DeleteAsync(HttpContext context)
    {
        host.DeleteSnapshot(Caller.Of(context).Id, Id(context));
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private async Task DownloadAsync(HttpContext context)
    {
        var file = host.OpenSnapshot(Caller.Of(context).Id, Id(context));
        await using var disposal = file.ConfigureAwait(false);
        context.Response.ContentType = FileType;
        context.Response.ContentLength = file.Length;
        await file.CopyToAsync(context.Response.Body, 256 << 10, context.RequestAborted).ConfigureAwait(false);
    }

    private static Task WriteAsync(HttpContext context, HostedSnapshot snapshot, bool created)
    {
        if (created)
        {
            context.Response.StatusCode = StatusCodes.Status201Created;
            context.Response.Headers.Location = $"/v1/snapshots/{snapshot.Id}";
        }

        return Json.WriteAsync(context, Answer(snapshot), Json.Contracts.SnapshotAnswer);
    }

    private static SnapshotAnswer Answer(HostedSnapshot snapshot) => new()
    {
        Id = snapshot.Id,
        Name = snapshot.Name,
        Template = snapshot.Image is null ? snapshot.Template : "",
        Image = snapshot.Image,
        Sandbox = snapshot.Sandbox,
        Created = snapshot.Created,
        SizeBytes = snapshot.SizeBytes,
        Metadata = snapshot.Metadata,
    };
}
