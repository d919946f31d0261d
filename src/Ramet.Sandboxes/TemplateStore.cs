using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Ramet.Host;
using Ramet.Images;
using Ramet.Images.Store;
using Ramet.Kernel.State;
using Ramet.Kvm;

namespace Ramet.Sandboxes;

/// <summary>
/// Templates on disk, under DATA/templates/NAME: memory and state in one checksummed file, and a manifest. A build happens in a directory of its own and is moved
/// into place when it is complete and durable, so what is there is whole or absent.
/// </summary>
public sealed class TemplateStore
{
    private const string SnapshotName = "snapshot.bin";
    private const string ManifestName = "template.json";

    private readonly SandboxEngine? _engine;
    private readonly string _directory;
    private readonly Dictionary<string, Template> _loaded = new(StringComparer.Ordinal);

    internal TemplateStore(SandboxEngine engine)
        : this(engine.DataDirectory) => _engine = engine;

    /// <summary>Templates of a data directory, to look at and to remove; KVM is not needed for that.</summary>
    public TemplateStore(string dataDirectory) => _directory = Path.Combine(dataDirectory, "templates");

    /// <summary>Names of templates on disk.</summary>
    public IReadOnlyList<TemplateManifest> List()
    {
        if (!Directory.Exists(_directory)) return [];
        var found = new List<TemplateManifest>();
        foreach (string path in Directory.EnumerateDirectories(_directory).Order(StringComparer.Ordinal))
        {
            if (Path.GetFileName(path)[0] != '.' && TryReadManifest(Path.GetFileName(path)) is { } manifest) found.Add(manifest);
        }

        return found;
    }

    /// <summary>What is known of a template.</summary>
    /// <exception cref="SandboxException">There is none of this name.</exception>
    public TemplateManifest ReadManifest(string name) => TryReadManifest(name) ?? throw NotFound(name);

    /// <summary>Removes a template. False when there was none.</summary>
    public bool Remove(string name)
    {
        if (!IsValidName(name) || !Directory.Exists(DirectoryOf(name))) return false;
        Discard(name);
        return true;
    }

    /// <summary>The template, loaded; built first when it is missing, damaged, or its inputs have changed.</summary>
    /// <exception cref="SandboxException">There is no such template, or it cannot be built.</exception>
    public async Task<Template> EnsureAsync(string name, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        if (_loaded.TryGetValue(name, out var loaded)) return loaded;
        var runtime = TemplateRuntime.Find(name) ?? throw NotFound(name);
        var image = await Engine.OpenImageAsync(runtime.Image, progress, cancellationToken).ConfigureAwait(false);
        if (TryLoad(name, runtime, image) is { } found) return _loaded[name] = found;
        return _loaded[name] = await BuildAsync(name, runtime, image, always: false, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Builds a template anew.</summary>
    public async Task<Template> BuildAsync(string name, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        var runtime = TemplateRuntime.Find(name) ?? throw NotFound(name);
        var image = await Engine.OpenImageAsync(runtime.Image, progress, cancellationToken).ConfigureAwait(false);
        return _loaded[name] = await BuildAsync(name, runtime, image, always: true, progress, cancellationToken).ConfigureAwait(false);
    }

    private SandboxEngine Engine => _engine ?? throw new InvalidOperationException("This store was opened to look only.");

    private async Task<Template> BuildAsync(
        string name, TemplateRuntime runtime, ImageLayer image, bool always, IProgress<BuildStep>? progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_directory);
        using var held = await FileLock.AcquireAsync(
            Path.Combine(_directory, ".lock-" + name), () => progress?.Report(new BuildStep(BuildStage.Waiting, $"Waiting for another build of template '{name}'")), cancellationToken)
            .ConfigureAwait(false);
        Sweep(name);
        if (!always && TryLoad(name, runtime, image) is { } made) return made;
        progress?.Report(new BuildStep(BuildStage.Waiting, $"Building template '{name}'"));
        string temporary = Path.Combine(_directory, $".tmp-{name}-{Guid.NewGuid():n}");
        try
        {
            Directory.CreateDirectory(temporary);
            var started = HostClock.MonotonicNanoseconds;
            var built = TemplateBuilder.Build(Engine, runtime, image, cancellationToken);
            long used = SnapshotFile.Write(Path.Combine(temporary, SnapshotName), built.Memory, built.State.Span);
            var manifest = built.Manifest with
            {
                Name = name,
                Fingerprint = FingerprintOf(runtime, image),
                UsedBytes = used,
                BuildMilliseconds = (HostClock.MonotonicNanoseconds - started) / 1_000_000,
            };
            await File.WriteAllBytesAsync(
                Path.Combine(temporary, ManifestName), JsonSerializer.SerializeToUtf8Bytes(manifest, TemplateJson.Default.TemplateManifest), cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            Discard(name);
            Directory.Move(temporary, DirectoryOf(name));
            return Loaded(new Template(manifest, built.Memory, built.State, image));
        }
        catch (IOException exception)
        {
            throw new SandboxException($"Template '{name}' could not be written to {_directory}: {exception.Message} Free some space, or choose another data directory (--data-dir).");
        }
        catch (HostException exception)
        {
            string advice = exception.Errno is 28 or 122 ? " Or choose another data directory (--data-dir)." : "";
            throw new SandboxException($"Template '{name}' could not be built: {exception.Message}{advice}");
        }
        finally
        {
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
        }
    }

    private Template Loaded(Template template)
    {
        if (Engine.UsesLargePages) template.Image.UseLargePages(template.Manifest.LargeImagePages);
        return template;
    }

    private Template? TryLoad(string name, TemplateRuntime runtime, ImageLayer image)
    {
        try
        {
            if (TryReadManifest(name) is not { } manifest || manifest.Fingerprint != FingerprintOf(runtime, image)) return null;
            var (memory, state) = SnapshotFile.Read(Path.Combine(DirectoryOf(name), SnapshotName));
            return Loaded(new Template(manifest, memory, state, image));
        }
        catch (Exception exception) when (exception is SnapshotDamagedException or HostException or IOException)
        {
            return null;
        }
    }

    private TemplateManifest? TryReadManifest(string name)
    {
        try
        {
            if (!IsValidName(name)) return null;
            string path = Path.Combine(DirectoryOf(name), ManifestName);
            return File.Exists(path) ? TemplateManifestReader.Read(File.ReadAllBytes(path)) : null;
        }
        catch (Exception exception) when (exception is JsonException or IOException)
        {
            return null;
        }
    }

    /// <summary>Digest of all that a template is made of. FNV-1a, 64 bits: it tells versions apart, and is no protection (the checksum is).</summary>
    private static string FingerprintOf(TemplateRuntime runtime, ImageLayer image)
    {
        ulong hash = 14695981039346656037;
        Add(Encoding.UTF8.GetBytes(image.Id));
        Add(runtime.RunnerSource.Span);
        Add(Encoding.UTF8.GetBytes(string.Join('\0', runtime.Command)));
        Add(Encoding.UTF8.GetBytes(string.Join('\0', runtime.Environment)));
        Span<byte> schema = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(schema, SavedTypes.Instance.SchemaHash);
        Add(schema);
        Add(Encoding.UTF8.GetBytes(typeof(TemplateStore).Assembly.ManifestModule.ModuleVersionId.ToString()));
        Add(Encoding.UTF8.GetBytes(typeof(VirtualMachine).Assembly.ManifestModule.ModuleVersionId.ToString()));
        Add(Encoding.UTF8.GetBytes(typeof(Kernel.Kernel).Assembly.ManifestModule.ModuleVersionId.ToString()));
        return hash.ToString("x16", CultureInfo.InvariantCulture);

        void Add(ReadOnlySpan<byte> bytes)
        {
            foreach (byte value in bytes) hash = (hash ^ value) * 1099511628211;
        }
    }

    private static bool IsValidName(string name) => name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && name[0] is not ('.' or '-');

    /// <summary>Names of the templates that can be built.</summary>
    public static IEnumerable<string> KnownNames => TemplateRuntime.All.Select(runtime => runtime.Name);

    private static TemplateNotFoundException NotFound(string name) =>
        new(KnownNames.Contains(name, StringComparer.Ordinal)
            ? $"template '{name}' is not built yet. Build it: ramet template build {name}"
            : $"no template '{name}'.{Images.Specs.NearestName.Suggest(name, KnownNames)} Templates: {string.Join(", ", KnownNames)}.");

    private string DirectoryOf(string name) => Path.Combine(_directory, name);

    private void Discard(string name)
    {
        if (!Directory.Exists(DirectoryOf(name))) return;
        string grave = Path.Combine(_directory, $".tmp-{name}-{Guid.NewGuid():n}");
        Directory.Move(DirectoryOf(name), grave);
        Directory.Delete(grave, recursive: true);
    }

    /// <summary>Removes what killed builds of this name left (its lock is held).</summary>
    private void Sweep(string name)
    {
        foreach (string path in Directory.EnumerateDirectories(_directory, $".tmp-{name}-*")) Directory.Delete(path, recursive: true);
    }
}
