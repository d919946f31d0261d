namespace Ramet.Sandboxes.Hosting;

/// <summary>Where sandboxes live, also while nothing of them runs: paused ones and snapshots are on disk, and are there again after a restart.</summary>
public interface IDurableSandboxHost : ISandboxHost
{
    /// <summary>Pauses a sandbox: it is written to disk, and its machine given up. One that is paused stays so.</summary>
    Task<HostedSandbox> PauseAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>Has a paused sandbox go on. One that runs goes on.</summary>
    Task<HostedSandbox> ResumeAsync(string tenant, string id, CancellationToken cancellationToken);

    /// <summary>Keeps this moment of a sandbox on disk. It goes on.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The sandbox.</param>
    /// <param name="name">What the snapshot is called; null: nothing.</param>
    /// <param name="whole">With all of its memory: it does not need this build of its template any more.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<HostedSnapshot> SnapshotAsync(string tenant, string id, string? name, bool whole, CancellationToken cancellationToken);

    /// <summary>Keeps a sandbox that was saved to a file elsewhere.</summary>
    /// <param name="tenant">Whose it will be.</param>
    /// <param name="name">What it is called.</param>
    /// <param name="spec">Limits; the template is what the file says.</param>
    /// <param name="mostMemory">The most memory that it may be given, bytes.</param>
    /// <param name="content">The file.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SandboxException">It cannot be used here; the message says why.</exception>
    Task<HostedSnapshot> ImportAsync(string tenant, string? name, HostedSandboxSpec spec, ulong mostMemory, Stream content, CancellationToken cancellationToken);

    /// <summary>Snapshots of a tenant, the oldest first.</summary>
    IReadOnlyList<HostedSnapshot> ListSnapshots(string tenant);

    /// <summary>One of them.</summary>
    /// <exception cref="SnapshotGoneException">There is none.</exception>
    HostedSnapshot GetSnapshot(string tenant, string id);

    /// <summary>The file of one, as <see cref="SandboxEngine.Save"/> writes it.</summary>
    /// <exception cref="SnapshotGoneException">There is none.</exception>
    Stream OpenSnapshot(string tenant, string id);

    /// <summary>Removes one.</summary>
    /// <exception cref="SnapshotGoneException">There is none.</exception>
    void DeleteSnapshot(string tenant, string id);

    /// <summary>Makes a template of a sandbox whose interpreter waits for code; one of the same name is replaced. It is the tenant's own.</summary>
    /// <exception cref="SandboxConflictException">The name is taken, or the sandbox is busy.</exception>
    Task<HostedOwnTemplate> CreateTemplateAsync(string tenant, string name, string sandbox, CancellationToken cancellationToken);

    /// <summary>Templates of a tenant's own.</summary>
    IReadOnlyList<HostedOwnTemplate> ListTemplates(string tenant);

    /// <summary>Removes one. False: there is none.</summary>
    bool DeleteTemplate(string tenant, string name);
}

/// <summary>A sandbox's state on disk, from which any number of sandboxes can go on.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">What its maker called it.</param>
/// <param name="Template">The template below it.</param>
/// <param name="Image">Its image, when it has no interpreter.</param>
/// <param name="Created">When.</param>
/// <param name="SizeBytes">Bytes on disk.</param>
/// <param name="Metadata">What was noted with the sandbox.</param>
/// <param name="Sandbox">The sandbox that it is of; null: it came from elsewhere.</param>
public sealed record HostedSnapshot(
    string Id, string? Name, string Template, string? Image, DateTimeOffset Created, long SizeBytes, IReadOnlyDictionary<string, string> Metadata, string? Sandbox);

/// <summary>A template that was made of a sandbox.</summary>
/// <param name="Name">Its name.</param>
/// <param name="From">The template that the sandbox came from.</param>
/// <param name="Created">When.</param>
/// <param name="SizeBytes">Bytes on disk.</param>
/// <param name="Sandbox">The sandbox.</param>
/// <param name="BuildMilliseconds">How long it took; 0: not known any more.</param>
public sealed record HostedOwnTemplate(string Name, string From, DateTimeOffset Created, long SizeBytes, string? Sandbox, long BuildMilliseconds);

/// <summary>The tenant has no such snapshot.</summary>
/// <param name="id">What was asked for.</param>
public sealed class SnapshotGoneException(string id) : SandboxException($"There is no snapshot '{id}'.");
