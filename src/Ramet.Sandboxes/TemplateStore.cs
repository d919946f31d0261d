using System.Buffers.Binary;
using System.Collections.Concurrent;
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
/// into place when it is complete and durable, so what is there is whole or absent; one that is replaced is there until the new one is.
/// </summary>
public sealed class TemplateStore
{
    private const string SnapshotName = "snapshot.bin";
    private const string ManifestName = "template.json";
    private const string ScriptName = "script";

    private readonly SandboxEngine? _engine;
    private readonly string _directory;
    private readonly ConcurrentDictionary<string, Template> _loaded = new(StringComparer.Ordinal);

    internal TemplateStore(SandboxEngine engine)
        : this(engine.DataDirectory) => _engine = engine;

    /// <summary>Templates of a data directory, to look at and to remove; KVM is not needed for that.</summary>
    public TemplateStore(string dataDirectory) => _directory = Path.Combine(dataDirectory, "templates");

    /// <summary>Names of templates on disk.</summary>
    public IReadOnlyList<TemplateManifest> List()
    {
        if (!Directory.Exists(_directory)) return [];
        foreach (string path in WholeDirectory.ListHalfReplaced(_directory)) TryRecover(Path.GetFileName(path));
        var found = new List<TemplateManifest>();
        foreach (string path in Directory.EnumerateDirectories(_directory).Order(StringComparer.Ordinal))
        {
            if (Path.GetFileName(path)[0] != '.' && TryReadManifest(Path.GetFileName(path)) is { } manifest) found.Add(manifest);
        }

        return found;
    }

    /// <summary>What is known of a template.</summary>
    /// <exception cref="SandboxException">There is none of this name.</exception>
    public TemplateManifest ReadManifest(string name) => TryReadManifest(name) ?? throw NotFound(name, List().Select(known => known.Name));

    /// <summary>What is known of a template that is on disk; null: there is none of this name.</summary>
    public TemplateManifest? Find(string name) => TryReadManifest(name);

    /// <summary>Removes a template. False when there was none.</summary>
    public bool Remove(string name)
    {
        if (!IsValidName(name) || !Directory.Exists(DirectoryOf(name))) return false;
        Discard(name);
        return true;
    }

    /// <summary>The template, loaded; built first when it is missing, damaged, or its inputs have changed. Different ones can be asked for at the same time.</summary>
    /// <exception cref="SandboxException">There is no such template, or it cannot be built.</exception>
    public async Task<Template> EnsureAsync(string name, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        if (_loaded.TryGetValue(name, out var loaded)) return loaded;
        var recipe = await RecipeOfAsync(name, progress, cancellationToken).ConfigureAwait(false);
        if (TryLoad(name, recipe) is { } found) return _loaded[name] = found;
        return _loaded[name] = await BuildAsync(name, recipe, always: false, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Builds a template anew.</summary>
    public async Task<Template> BuildAsync(string name, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        var recipe = await RecipeOfAsync(name, progress, cancellationToken).ConfigureAwait(false);
        return _loaded[name] = await BuildAsync(name, recipe, always: true, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Builds a template on another: a fork of that runs a script, where names stay defined, and is frozen. The script is kept, so that the template is built again when what is below it has changed.
    /// </summary>
    /// <param name="name">Its name.</param>
    /// <param name="from">The template below it.</param>
    /// <param name="script">Code in the language of that.</param>
    /// <param name="image">Another image than that template's, in which its runtime is started first; null: that template's.</param>
    /// <param name="progress">Told of what is built.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SandboxException">The name cannot be used, or the script failed.</exception>
    public async Task<Template> ExtendAsync(string name, string from, string script, string? image = null, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        if (!IsValidName(name)) throw new SandboxException($"'{name}' cannot be the name of a template: up to 64 letters, digits, '-', '_' and '.'.");
        if (TemplateRuntime.Find(name) is not null) throw new SandboxException($"'{name}' is the name of a built-in template: choose another.");
        if (name == from) throw new SandboxException("A template cannot be built on itself: choose another name.");
        var below = await RecipeOfAsync(from, progress, cancellationToken).ConfigureAwait(false);
        if (image is not null && below.Script is not null) throw new SandboxException($"Template '{from}' has a script of its own, so its image cannot be exchanged: build on one of {string.Join(", ", KnownNames)}.");
        var layer = image is null ? below.Image : await Engine.OpenImageAsync(image, progress, cancellationToken).ConfigureAwait(false);
        var recipe = Recipe.On(from, below, layer, script);
        return _loaded[name] = await BuildAsync(name, recipe, always: true, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>How a template is made.</summary>
    private async Task<Recipe> RecipeOfAsync(string name, IProgress<BuildStep>? progress, CancellationToken cancellationToken, int depth = 0)
    {
        if (TemplateRuntime.Find(name) is { } runtime)
        {
            var image = await Engine.OpenImageAsync(runtime.Image, progress, cancellationToken).ConfigureAwait(false);
            return new Recipe(runtime, image, FingerprintOf(runtime, image), null, null, null);
        }

        if (TryReadManifest(name) is not { From: { } from } manifest || depth > 32) throw NotFound(name, List().Select(known => known.Name));
        string script;
        try
        {
            script = await File.ReadAllTextAsync(Path.Combine(DirectoryOf(name), ScriptName), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SandboxException($"Template '{name}' lacks its script: {exception.Message} Build it again: ramet template build {name} --from {from} --script FILE");
        }

        var below = await RecipeOfAsync(from, progress, cancellationToken, depth + 1).ConfigureAwait(false);
        var layer = manifest.Image == below.Image.Manifest.Name ? below.Image : await Engine.OpenImageAsync(manifest.Image, progress, cancellationToken).ConfigureAwait(false);
        return Recipe.On(from, below, layer, script);
    }

    /// <summary>Makes it, in memory.</summary>
    private async Task<Template> MakeAsync(Recipe recipe, IProgress<BuildStep>? progress, CancellationToken cancellationToken)
    {
        if (recipe.Script is null) return TemplateBuilder.Build(Engine, recipe.Runtime, recipe.Image, cancellationToken);
        if (recipe.IsOnWhatIsBelow)
            return TemplateBuilder.Extend(Engine, await EnsureAsync(recipe.From!, progress, cancellationToken).ConfigureAwait(false), recipe.Runtime, recipe.Script, cancellationToken);
        using var other = TemplateBuilder.Build(Engine, recipe.Runtime with { Image = recipe.Image.Manifest.Name }, recipe.Image, cancellationToken);
        return TemplateBuilder.Extend(Engine, other, recipe.Runtime, recipe.Script, cancellationToken);
    }

    /// <summary>All that a template is made of.</summary>
    /// <param name="Runtime">What runs in it.</param>
    /// <param name="Image">Its files.</param>
    /// <param name="Fingerprint">Digest of all of it.</param>
    /// <param name="From">The template below it; null: none.</param>
    /// <param name="Below">The recipe of that.</param>
    /// <param name="Script">What runs in a fork of that; null: nothing.</param>
    private sealed record Recipe(TemplateRuntime Runtime, ImageLayer Image, string Fingerprint, string? From, Recipe? Below, string? Script)
    {
        /// <summary>Whether it is made of a fork of the template below; with another image that one's runtime is started anew.</summary>
        public bool IsOnWhatIsBelow => Below is not null && Image == Below.Image;

        public static Recipe On(string from, Recipe below, ImageLayer image, string script) =>
            new(below.Runtime, image, Hash([Encoding.UTF8.GetBytes(below.Fingerprint), Encoding.UTF8.GetBytes(image.Id), Encoding.UTF8.GetBytes(script)]), from, below, script);
    }

    private SandboxEngine Engine => _engine ?? throw new InvalidOperationException("This store was opened to look only.");

    private async Task<Template> BuildAsync(
        string name, Recipe recipe, bool always, IProgress<BuildStep>? progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_directory);
        using var held = await FileLock.AcquireAsync(
            LockFile(name), () => progress?.Report(new BuildStep(BuildStage.Waiting, $"Waiting for another build of template '{name}'")), cancellationToken)
            .ConfigureAwait(false);
        Sweep(name);
        if (!always && TryLoad(name, recipe) is { } made) return made;
        progress?.Report(new BuildStep(BuildStage.Waiting, $"Building template '{name}'"));
        string temporary = WholeDirectory.NewTemporary(DirectoryOf(name));
        try
        {
            Directory.CreateDirectory(temporary);
            var started = HostClock.MonotonicNanoseconds;
            var built = await MakeAsync(recipe, progress, cancellationToken).ConfigureAwait(false);
            // Built on a template that is there already: only what the script has changed is written.
            var below = recipe.IsOnWhatIsBelow ? _loaded[recipe.From!] : null;
            long used = SnapshotFile.Write(Path.Combine(temporary, SnapshotName), built.Memory, built.State.Span, below?.Memory);
            var manifest = built.Manifest with
            {
                Name = name,
                Image = recipe.Image.Manifest.Name,
                From = recipe.From,
                FromId = below?.Manifest.Id,
                Fingerprint = recipe.Fingerprint,
                UsedBytes = used,
                BuildMilliseconds = (HostClock.MonotonicNanoseconds - started) / 1_000_000,
            };
            if (recipe.Script is { } script) await File.WriteAllTextAsync(Path.Combine(temporary, ScriptName), script, cancellationToken).ConfigureAwait(false);
            await File.WriteAllBytesAsync(
                Path.Combine(temporary, ManifestName), JsonSerializer.SerializeToUtf8Bytes(manifest, TemplateJson.Default.TemplateManifest), cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            WholeDirectory.Replace(temporary, DirectoryOf(name));
            return Loaded(new Template(manifest, built.Memory, built.State, recipe.Image));
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
            // What is half made, or what it has replaced.
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
        }
    }

    private Template Loaded(Template template)
    {
        if (Engine.UsesLargePages) template.Image.UseLargePages(template.Manifest.LargeImagePages);
        return template;
    }

    private Template? TryLoad(string name, Recipe recipe)
    {
        try
        {
            if (TryReadManifest(name) is not { } manifest || manifest.Fingerprint != recipe.Fingerprint) return null;
            Template? below = null;
            if (manifest.FromId is { } id)
            {
                // Another build of the same inputs has other memory: then this is built anew as well.
                below = _loaded.GetValueOrDefault(recipe.From!) ?? TryLoad(recipe.From!, recipe.Below!);
                if (below is null || below.Manifest.Id != id) return null;
                _loaded[recipe.From!] = below;
            }

            var (memory, state) = SnapshotFile.Read(Path.Combine(DirectoryOf(name), SnapshotName), below?.Memory);
            return Loaded(new Template(manifest, memory, state, recipe.Image));
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
            return File.Exists(path) || TryRecover(name) ? TemplateManifestReader.Read(File.ReadAllBytes(path)) : null;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Digest of all that a built-in template is made of.</summary>
    private static string FingerprintOf(TemplateRuntime runtime, ImageLayer image)
    {
        byte[] schema = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(schema, SavedTypes.Instance.SchemaHash);
        return Hash(
        [
            Encoding.UTF8.GetBytes(image.Id),
            .. runtime.Files.SelectMany(file => new ReadOnlyMemory<byte>[] { Encoding.UTF8.GetBytes(file.Path), file.Content }),
            Encoding.UTF8.GetBytes(string.Join('\0', runtime.Command)),
            Encoding.UTF8.GetBytes(string.Join('\0', runtime.Environment)),
            schema,
            Encoding.UTF8.GetBytes(typeof(TemplateStore).Assembly.ManifestModule.ModuleVersionId.ToString()),
            Encoding.UTF8.GetBytes(typeof(VirtualMachine).Assembly.ManifestModule.ModuleVersionId.ToString()),
            Encoding.UTF8.GetBytes(typeof(Kernel.Kernel).Assembly.ManifestModule.ModuleVersionId.ToString()),
        ]);
    }

    /// <summary>FNV-1a, 64 bits: it tells versions apart, and is no protection (the checksum is).</summary>
    private static string Hash(ReadOnlySpan<ReadOnlyMemory<byte>> parts)
    {
        ulong hash = 14695981039346656037;
        foreach (var part in parts)
        {
            foreach (byte value in part.Span) hash = (hash ^ value) * 1099511628211;
        }

        return hash.ToString("x16", CultureInfo.InvariantCulture);
    }

    private static bool IsValidName(string name) => name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && name[0] is not ('.' or '-');

    /// <summary>Names of the templates that can be built.</summary>
    public static IEnumerable<string> KnownNames => TemplateRuntime.All.Select(runtime => runtime.Name);

    private static TemplateNotFoundException NotFound(string name, IEnumerable<string> onDisk)
    {
        string[] all = [.. KnownNames.Union(onDisk, StringComparer.Ordinal)];
        return new(KnownNames.Contains(name, StringComparer.Ordinal)
            ? $"template '{name}' is not built yet. Build it: ramet template build {name}"
            : $"no template '{name}'.{Images.Specs.NearestName.Suggest(name, all)} Templates: {string.Join(", ", all)}.");
    }

    private string DirectoryOf(string name) => Path.Combine(_directory, name);

    private string LockFile(string name) => Path.Combine(_directory, ".lock-" + name);

    private void Discard(string name)
    {
        if (!Directory.Exists(DirectoryOf(name))) return;
        string grave = WholeDirectory.NewTemporary(DirectoryOf(name));
        Directory.Move(DirectoryOf(name), grave);
        Directory.Delete(grave, recursive: true);
    }

    /// <summary>Removes what killed builds of this name left (its lock is held).</summary>
    private void Sweep(string name)
    {
        WholeDirectory.Recover(DirectoryOf(name));
        foreach (string path in Directory.EnumerateDirectories(_directory, $".tmp-{name}-*"))
        {
            if (WholeDirectory.NameOfTemporary(path) == name) Directory.Delete(path, recursive: true);
        }
    }

    /// <summary>Puts a template back that a killed process was about to replace. True: it is there.</summary>
    private bool TryRecover(string name) => IsValidName(name) && ReplacedDirectory.TryRecover(DirectoryOf(name), LockFile(name));
}
