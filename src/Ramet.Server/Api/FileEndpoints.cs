using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;
using Ramet.Server.Keys;

namespace Ramet.Server.Api;

/// <summary>Files of a sandbox, small and large: contents are streamed and never held.</summary>
/// <param name="host">Where sandboxes live.</param>
/// <param name="stopping">Set when the server drains: who only looks on does not hold it up.</param>
internal sealed class FileEndpoints(ILiveSandboxHost host, CancellationToken stopping)
{
    private const string Base = "/v1/sandboxes/{id}/files";
    private const int Piece = 64 << 10;

    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        const string Tag = "Files";
        var path = new QueryParameter("path", "string", "Where in the sandbox. A relative path begins in the interpreter's working directory.", Required: true);
        routes.Get(Base, ListAsync, new Operation("listFiles", "List a directory", "Its entries, ordered by name.") { Answer = typeof(FileList), Scope = Scope.Sandboxes, Tag = Tag, Query = [path] });
        routes.Get(Base + "/stat", StatAsync, new Operation("statFile", "What is known of a file", "Type, size, mode, owner, time.")
        {
            Answer = typeof(FileAnswer), Scope = Scope.Sandboxes, Tag = Tag, Query = [path, new("follow", "boolean", "false: says what a symbolic link itself is. Default: true.")],
        });
        routes.Get(Base + "/content", ReadAsync, new Operation("readFile", "Read a file", "Its bytes.") { AnswerMediaType = "application/octet-stream", Scope = Scope.Sandboxes, Tag = Tag, Query = [path] });
        routes.Put(Base + "/content", WriteAsync, new Operation("writeFile", "Write a file", "The body, whatever its type, becomes the content. Directories that are missing are made.")
        {
            BodyMediaType = "application/octet-stream", Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
            Query = [path, new("mode", "string", "Permission bits in octal, such as 755. Default: 644 for a new file.")],
        });
        routes.Get(Base + "/archive", DownloadAsync, new Operation("downloadFiles", "Download a directory", "As a tar archive (pax) of what is in it; of a file: of it alone.")
        {
            AnswerMediaType = "application/x-tar", Scope = Scope.Sandboxes, Tag = Tag, Query = [path],
        });
        routes.Put(Base + "/archive", UploadAsync, new Operation("uploadFiles", "Upload a directory", "Unpacks a tar archive into the directory, which is made if it is missing.")
        {
            BodyMediaType = "application/x-tar", Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag, Query = [path],
        });
        routes.Get(Base + "/watch", WatchAsync, new Operation("watchFiles", "Watch a directory", "Server-sent events named change, with kind (created, modified, removed, moved_from, moved_to, attributes, overflow), path and is_directory.")
        {
            AnswerMediaType = EventStream.ContentType, Scope = Scope.Sandboxes, Tag = Tag, Query = [path, new("recursive", "boolean", "true: also what is below directories in it.")],
        });
        routes.Post(Base + "/mkdir", MakeDirectoryAsync, new Operation("makeDirectory", "Make a directory", "")
        {
            Body = typeof(MakeDirectoryBody), Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Post(Base + "/move", MoveAsync, new Operation("moveFile", "Move or rename", "As rename(2) does: within one file system.")
        {
            Body = typeof(MoveBody), Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Delete(Base, RemoveAsync, new Operation("removeFile", "Remove a file or directory", "")
        {
            Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag, Query = [path, new("recursive", "boolean", "true: also a directory that is not empty, with all below it.")],
        });
    }

    private static string Id(HttpContext context) => SandboxEndpoints.IdOf(context);

    private static string Tenant(HttpContext context) => Caller.Of(context).Id;

    private static string PathOf(HttpContext context)
    {
        string path = context.Request.Query["path"].ToString();
        if (path.Length == 0) throw ProblemException.BadRequest("'path' is missing in the query: ?path=/root/data.csv");
        return Check(path);
    }

    private static string Check(string path) => path.Length <= 4096 && !path.Contains('\0', StringComparison.Ordinal)
        ? path
        : throw ProblemException.BadRequest($"'{Json.Shorten(path.Replace("\0", "\\0", StringComparison.Ordinal))}' cannot be a path: it holds a NUL, or is longer than 4096.");

    private static bool Flag(HttpContext context, string name, bool otherwise) => context.Request.Query[name].ToString() switch
    {
        "" => otherwise,
        "true" => true,
        "false" => false,
        _ => throw ProblemException.BadRequest($"'{name}' is true or false."),
    };

    private async Task ListAsync(HttpContext context)
    {
        var entries = await host.ListFilesAsync(Tenant(context), Id(context), PathOf(context), context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, new FileList { Entries = [.. entries.Select(Answer)] }, Json.Contracts.FileList).ConfigureAwait(false);
    }

    private async Task StatAsync(HttpContext context)
    {
        var file = await host.StatFileAsync(Tenant(context), Id(context), PathOf(context), Flag(context, "follow", otherwise: true), context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, Answer(file), Json.Contracts.FileAnswer).ConfigureAwait(false);
    }

    private async Task ReadAsync(HttpContext context)
    {
        var stream = await host.OpenReadAsync(Tenant(context), Id(context), PathOf(context), context.RequestAborted).ConfigureAwait(false);
        await using var disposal = stream.ConfigureAwait(false);
        context.Response.ContentType = "application/octet-stream";
        // What a sandbox holds is nobody's web page.
        context.Response.Headers.ContentDisposition = "attachment";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        await stream.CopyToAsync(context.Response.Body, Piece, context.RequestAborted).ConfigureAwait(false);
    }

    private async Task WriteAsync(HttpContext context)
    {
        uint? mode = null;
        if (context.Request.Query["mode"].ToString() is { Length: > 0 } text)
        {
            if (text.Length > 4 || text.Any(digit => digit is < '0' or > '7')) throw ProblemException.BadRequest("'mode' is octal, such as 644 or 755.");
            mode = Convert.ToUInt32(text, 8);
        }

        var stream = await host.OpenWriteAsync(Tenant(context), Id(context), PathOf(context), mode, context.RequestAborted).ConfigureAwait(false);
        await using var disposal = stream.ConfigureAwait(false);
        await RequestBody.UseAsync(context, body => body.CopyToAsync(stream, Piece, context.RequestAborted)).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task DownloadAsync(HttpContext context)
    {
        string path = PathOf(context);
        var file = await host.StatFileAsync(Tenant(context), Id(context), path, followLinks: true, context.RequestAborted).ConfigureAwait(false);
        context.Response.ContentType = "application/x-tar";
        context.Response.Headers.ContentDisposition = "attachment";
        await new FileArchive(host, Tenant(context), Id(context)).WriteAsync(file with { Path = path }, context.Response.Body, context.RequestAborted).ConfigureAwait(false);
    }

    private async Task UploadAsync(HttpContext context)
    {
        string path = PathOf(context);
        await RequestBody.UseAsync(context, body => new FileArchive(host, Tenant(context), Id(context)).ReadAsync(path, body, context.RequestAborted)).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task WatchAsync(HttpContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var changes = host.WatchFilesAsync(Tenant(context), Id(context), PathOf(context), Flag(context, "recursive", otherwise: false), end.Token).GetAsyncEnumerator(end.Token);
        await using var disposal = changes.ConfigureAwait(false);
        // The first comes at once: what is wrong with the path is known before the answer begins.
        bool isThere = await changes.MoveNextAsync().ConfigureAwait(false);
        var stream = await EventStream.BeginAsync(context).ConfigureAwait(false);
        for (; isThere; isThere = await changes.MoveNextAsync().ConfigureAwait(false))
        {
            var change = changes.Current;
            if (change.Kind.Length == 0) await stream.WaitAsync().ConfigureAwait(false);
            else await stream.WriteAsync("change", new FileChange { Kind = change.Kind, Path = change.Path, IsDirectory = change.IsDirectory }, Json.Contracts.FileChange).ConfigureAwait(false);
        }
    }

    private async Task MakeDirectoryAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.MakeDirectoryBody).ConfigureAwait(false);
        await host.MakeDirectoryAsync(Tenant(context), Id(context), Check(body.Path), body.Parents, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task MoveAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.MoveBody).ConfigureAwait(false);
        await host.MoveFileAsync(Tenant(context), Id(context), Check(body.From), Check(body.To), context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task RemoveAsync(HttpContext context)
    {
        await host.RemoveFileAsync(Tenant(context), Id(context), PathOf(context), Flag(context, "recursive", otherwise: false), context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static FileAnswer Answer(HostedFileInfo file) => new()
    {
        Path = file.Path,
        Name = file.Path.TrimEnd('/') is { Length: > 0 } trimmed ? trimmed[(trimmed.LastIndexOf('/') + 1)..] : "/",
        Type = file.Type,
        Size = file.Size,
        Mode = Convert.ToString(file.Mode, 8),
        Uid = file.Uid,
        Gid = file.Gid,
        Modified = file.Modified,
        Target = file.Target,
    };
}
