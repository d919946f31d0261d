namespace Ramet.Sandboxes.Hosting;

/// <summary>A host whose sandboxes can be written down as bytes and made again from them: what <see cref="DurableSandboxHost"/> keeps them with.</summary>
public interface ICapturingSandboxHost : ISandboxHost
{
    /// <summary>Whether there is such a sandbox, as far as is known here, without asking whoever runs it.</summary>
    bool Knows(string tenant, string id);

    /// <summary>A sandbox at this moment, or at one of its checkpoints.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The sandbox.</param>
    /// <param name="capture">What of it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Bytes of a file as <see cref="SandboxEngine.Save"/> writes it; dispose it.</returns>
    Task<Stream> CaptureAsync(string tenant, string id, HostedCapture capture, CancellationToken cancellationToken);

    /// <summary>After a capture that holds it: it goes on, or is given up here since it is kept elsewhere.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The sandbox.</param>
    /// <param name="leaveFor">What those are told who wait for it; null: it goes on.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task ReleaseAsync(string tenant, string id, string? leaveFor, CancellationToken cancellationToken);

    /// <summary>Makes a sandbox of what <see cref="CaptureAsync"/> gave.</summary>
    /// <param name="tenant">Whose it will be.</param>
    /// <param name="restore">What it is to be.</param>
    /// <param name="content">The bytes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<HostedSandbox> RestoreAsync(string tenant, HostedRestore restore, Stream content, CancellationToken cancellationToken);

    /// <summary>Gives a sandbox back a checkpoint that was captured of it.</summary>
    Task AddCheckpointAsync(string tenant, string id, HostedCheckpoint checkpoint, Stream content, CancellationToken cancellationToken);

    /// <summary>A sandbox, whose interpreter waits for code, as a template.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The sandbox.</param>
    /// <param name="name">Name of the template.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<HostedFrozen> FreezeAsync(string tenant, string id, string name, CancellationToken cancellationToken);

    /// <summary>Takes over a template that is a tenant's own, by its manifest's name.</summary>
    void AddTemplate(string tenant, Template template);

    /// <summary>Lets go of a template that was added: nothing lies over it any more.</summary>
    void RemoveTemplate(string tenant, string name);

    /// <summary>Notes something in its history.</summary>
    Task NoteAsync(string tenant, string id, string what, string text, CancellationToken cancellationToken);
}

/// <summary>What is to be captured of a sandbox.</summary>
/// <param name="Checkpoint">A checkpoint; null: this moment.</param>
/// <param name="Hold">Nothing of it runs from then on, until <see cref="ICapturingSandboxHost.ReleaseAsync"/>.</param>
/// <param name="Whole">With all of its memory: it does not need its template any more.</param>
public sealed record HostedCapture(string? Checkpoint = null, bool Hold = false, bool Whole = false);

/// <summary>What is to become of what was captured.</summary>
/// <param name="Spec">Its limits and surroundings.</param>
/// <param name="Id">Its id, if it goes on under the one that it had; null: it is another.</param>
/// <param name="Parent">What it was made of.</param>
/// <param name="Created">When it was made.</param>
/// <param name="Reason">For its history.</param>
/// <param name="Left">After what time it ends by itself; null: as the specification says.</param>
public sealed record HostedRestore(HostedSandboxSpec Spec, string? Id, string? Parent, DateTimeOffset? Created, string Reason, TimeSpan? Left = null);

/// <summary>A template that was made of a sandbox.</summary>
/// <param name="Manifest">Its manifest, as JSON.</param>
/// <param name="Content">Its memory and state, as a template's file; dispose it.</param>
public sealed record HostedFrozen(string Manifest, Stream Content);
