using System.Text;
using System.Text.Json;
using Ramet.Kernel.State;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Durable;

/// <summary>Templates that tenants have made of their sandboxes. Inside they go by the id of their record, so that names are free for each tenant and can be given anew.</summary>
public sealed partial class DurableSandboxHost
{
    private const string ManifestName = "template.json";
    private readonly SemaphoreSlim _loading = new(1, 1);
    private readonly HashSet<string> _loaded = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public async Task<HostedOwnTemplate> CreateTemplateAsync(string tenant, string name, string sandbox, CancellationToken cancellationToken)
    {
        if (_inner.FindTemplate(name) is not null || TemplateStore.KnownNames.Contains(name, StringComparer.Ordinal))
            throw new SandboxConflictException($"'{name}' is the name of a template of the server: choose another.");
        using var held = await UseAsync(tenant, sandbox, cancellationToken).ConfigureAwait(false);
        long started = Environment.TickCount64;
        var made = await _inner.GetAsync(tenant, sandbox, cancellationToken).ConfigureAwait(false);
        var now = TimeProvider.System.GetUtcNow();
        var old = _templates.List(tenant).Where(record => record.Name == name).ToList();
        var record = new ArchiveRecord
        {
            Tenant = tenant, Id = TimeOrderedId.New("tpl_"), Name = name, Created = now, Archived = now, Parent = sandbox,
            Spec = new HostedSandboxSpec(Named(made).Template, made.MemoryBytes, TimeSpan.FromMinutes(5), made.Metadata),
            Schema = SavedTypes.Instance.SchemaHash,
        };
        record = await _templates.AddAsync(record, async write =>
        {
            var frozen = await _inner.FreezeAsync(tenant, sandbox, record.Id, cancellationToken).ConfigureAwait(false);
            await using var disposal = frozen.Content.ConfigureAwait(false);
            await write(SandboxArchive.StateName, frozen.Content).ConfigureAwait(false);
            using var manifest = new MemoryStream(Encoding.UTF8.GetBytes(frozen.Manifest));
            await write(ManifestName, manifest).ConfigureAwait(false);
        }).ConfigureAwait(false);
        foreach (var replaced in old) Forget(replaced);
        await _inner.NoteAsync(tenant, sandbox, "template", name, CancellationToken.None).ConfigureAwait(false);
        return ToTemplate(record) with { BuildMilliseconds = Environment.TickCount64 - started };
    }

    /// <inheritdoc/>
    public IReadOnlyList<HostedOwnTemplate> ListTemplates(string tenant) => [.. _templates.List(tenant).Where(record => record.Name is not null).Select(ToTemplate)];

    /// <inheritdoc/>
    public bool DeleteTemplate(string tenant, string name)
    {
        if (_templates.List(tenant).FirstOrDefault(record => record.Name == name) is not { } record) return false;
        Forget(record);
        return true;
    }

    /// <summary>A template that has no name any more goes with the last that lies over it.</summary>
    private void Forget(ArchiveRecord record)
    {
        bool isNeeded = _uses.Values.Any(use => use.Spec.Template == record.Id) || _snapshots.List(record.Tenant).Any(snapshot => snapshot.Spec.Template == record.Id);
        if (isNeeded) _templates.Update(record with { Name = null });
        else if (_templates.Remove(record.Tenant, record.Id)) Unload(record);
    }

    private void Unload(ArchiveRecord record)
    {
        lock (_loaded) _loaded.Remove(record.Id);
        _inner.RemoveTemplate(record.Tenant, record.Id);
    }

    /// <summary>Removes templates without a name that nothing lies over any more.</summary>
    private void ForgetUnneededTemplates()
    {
        foreach (var record in _templates.List(null).Where(record => record.Name is null)) Forget(record);
    }

    /// <summary>What the inner host calls a template; it has it then.</summary>
    private async ValueTask<string> ResolveTemplateAsync(string tenant, string name, CancellationToken cancellationToken)
    {
        if (name.Length == 0 || _inner.FindTemplate(name) is not null) return name;
        var record = _templates.List(tenant).FirstOrDefault(one => one.Id == name || one.Name == name);
        if (record is null) return name;
        if (record.Schema != SavedTypes.Instance.SchemaHash)
            throw new SandboxConflictException($"Template '{record.Name}' was made by another version of Ramet: make it again of a sandbox of this version.");
        await _loading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            lock (_loaded)
            {
                if (_loaded.Contains(record.Id)) return record.Id;
            }

            _inner.AddTemplate(tenant, await LoadTemplateAsync(record, cancellationToken).ConfigureAwait(false));
            lock (_loaded) _loaded.Add(record.Id);
            // It may have been removed meanwhile.
            if (_templates.Find(tenant, record.Id) is null) Unload(record);
            return record.Id;
        }
        finally
        {
            _loading.Release();
        }
    }

    private async Task<Template> LoadTemplateAsync(ArchiveRecord record, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = TemplateManifestReader.Read(await File.ReadAllBytesAsync(_templates.FileOf(record.Id, ManifestName), cancellationToken).ConfigureAwait(false)) with { Name = record.Id };
            var image = await _engine.OpenImageAsync(manifest.Image, null, cancellationToken).ConfigureAwait(false);
            if (image.Id != manifest.ImageId) throw new SandboxConflictException($"Template '{record.Name}' was made on another build of image '{manifest.Image}': make it again.");
            var (memory, state) = SnapshotFile.Read(_templates.FileOf(record.Id, SandboxArchive.StateName));
            return new Template(manifest, memory, state, image);
        }
        catch (Exception exception) when (exception is SnapshotDamagedException or IOException or JsonException or Host.HostException)
        {
            throw new SandboxException($"Template '{record.Name}' cannot be read: {exception.Message}");
        }
    }

    /// <summary>A template's name as its tenant knows it.</summary>
    private HostedSandbox Named(HostedSandbox sandbox) =>
        sandbox.Template.StartsWith("tpl_", StringComparison.Ordinal) && _templates.Find(sandbox.Tenant, sandbox.Template) is { Name: { } name } ? sandbox with { Template = name } : sandbox;

    private static HostedOwnTemplate ToTemplate(ArchiveRecord record) => new(record.Name ?? record.Id, record.Spec.Template, record.Created, record.SizeBytes, record.Parent, 0);
}
