using Ramet.Host;
using Ramet.Images.Building;
using Ramet.Images.Specs;
using Ramet.Images.Store;

namespace Ramet.Images;

/// <summary>
/// The images of one data directory: DATA/images/NAME/. Processes may use one directory at the same time: builds of one
/// image wait for each other, and an image appears and goes in one rename.
/// </summary>
public sealed class ImageStore
{
    private readonly string _dataDirectory;
    private readonly string _images;
    private readonly ImageStoreOptions _options;

    /// <summary>Uses a data directory; it is made at the first build.</summary>
    public ImageStore(string dataDirectory, ImageStoreOptions? options = null)
    {
        _dataDirectory = Path.GetFullPath(dataDirectory);
        _images = Path.Combine(_dataDirectory, "images");
        _options = options ?? new ImageStoreOptions();
    }

    /// <summary>Where an image is, or would be.</summary>
    /// <exception cref="ImageNotFoundException">The name is none that an image can have.</exception>
    public string DirectoryOf(string name) => ImageSpecParser.IsValidImageName(name)
        ? Path.Combine(_images, name)
        : throw new ImageNotFoundException($"'{name}' cannot be the name of an image: lower-case letters, digits, '.', '_' and '-' only.");

    /// <summary>Names of the images on disk, sorted.</summary>
    public IReadOnlyList<string> List()
    {
        if (!Directory.Exists(_images)) return [];
        foreach (var path in WholeDirectory.ListHalfReplaced(_images)) TryRecover(Path.GetFileName(path));
        return [.. Directory.EnumerateDirectories(_images).Select(path => Path.GetFileName(path)).Where(ImageSpecParser.IsValidImageName).Order(StringComparer.Ordinal)];
    }

    /// <summary>Whether an image is on disk (it may be damaged).</summary>
    public bool Exists(string name) => Directory.Exists(DirectoryOf(name)) || TryRecover(name);

    /// <summary>Opens an image.</summary>
    /// <exception cref="ImageNotFoundException">There is none of that name; the message says what to do.</exception>
    /// <exception cref="ImageCorruptException">It is damaged.</exception>
    public Image Open(string name) => Exists(name) ? Image.Open(DirectoryOf(name)) : throw NotFound(name);

    /// <summary>The manifest of an image.</summary>
    /// <exception cref="ImageNotFoundException">There is none of that name.</exception>
    /// <exception cref="ImageCorruptException">It is damaged.</exception>
    public ImageManifest ReadManifest(string name) => Exists(name) ? ImageManifest.Read(DirectoryOf(name)) : throw NotFound(name);

    /// <summary>Removes an image. Those who have it open keep it. False when there was none.</summary>
    public async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken = default)
    {
        if (!Exists(name)) return false;
        using var held = await LockAsync(name, null, cancellationToken).ConfigureAwait(false);
        return Discard(name);
    }

    /// <summary>Builds an image and puts it in place of one of the same name.</summary>
    /// <exception cref="ImageSpecException">The specification names a package that there is not.</exception>
    /// <exception cref="ImageBuildException">It could not be built; the message says why. What was there before is still there.</exception>
    public Task<Image> BuildAsync(ImageSpec spec, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        // Otherwise EnsureAsync would take it for an out-of-date build of the built-in one, and replace it.
        if (BuiltInSpecs.Contains(spec.Name) && !IsBuiltIn(spec))
            throw new ImageSpecException(spec.Source, 0, $"'{spec.Name}' is the name of a built-in image; choose another name.");
        return BuildAsync(spec, FingerprintOf(spec), always: true, progress, cancellationToken);
    }

    /// <summary>
    /// Opens an image, first building it if need be: a built-in one when it is missing or out of date, any when it is damaged.
    /// Cheap when there is nothing to do: the index is read, and no more.
    /// </summary>
    /// <exception cref="ImageNotFoundException">There is no such image, built in or on disk.</exception>
    /// <exception cref="ImageBuildException">It could not be built.</exception>
    public async Task<Image> EnsureAsync(string name, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        // Built-in specifications are fingerprinted as text: parsing YAML would cost more than opening the image.
        ulong? wanted = BuiltInSpecs.Contains(name) ? FingerprintOf(BuiltInSpecs.GetText(name)) : null;
        try
        {
            if (TryOpenCurrent(name, wanted) is { } image) return image;
            if (wanted is null && !Exists(name)) throw NotFound(name);
        }
        catch (ImageCorruptException) when (wanted is not null)
        {
            // Built again below.
        }
        catch (ImageCorruptException e)
        {
            var spec = Recover(name, e);
            return await BuildAsync(spec, FingerprintOf(spec), always: false, progress, cancellationToken).ConfigureAwait(false);
        }
        return await BuildAsync(BuiltInSpecs.Get(name), wanted!.Value, always: false, progress, cancellationToken).ConfigureAwait(false);
    }

    private static bool IsBuiltIn(ImageSpec spec) => string.Equals(spec.Source, BuiltInSpecs.SourceOf(spec.Name), StringComparison.Ordinal);

    private ulong FingerprintOf(ImageSpec spec) => FingerprintOf(IsBuiltIn(spec) ? BuiltInSpecs.GetText(spec.Name) : spec.ToYaml());

    private ulong FingerprintOf(string text) => Fingerprint.Compute(text, _options.Finishers.Select(finisher => finisher.Id));

    /// <summary>The image, if it is there and has the fingerprint (any, if null).</summary>
    private Image? TryOpenCurrent(string name, ulong? fingerprint)
    {
        if (!Exists(name)) return null;
        var image = Image.Open(DirectoryOf(name));
        if (fingerprint is null || image.Fingerprint == fingerprint) return image;
        image.Dispose();
        return null;
    }

    private ImageSpec Recover(string name, ImageCorruptException damage)
    {
        try
        {
            return ImageSpecParser.Parse(ImageManifest.Read(DirectoryOf(name)).Spec, $"<image {name}>");
        }
        catch (ImageException)
        {
            throw new ImageCorruptException($"{damage.Message} Build it again: ramet image build FILE", damage);
        }
    }

    private async Task<Image> BuildAsync(ImageSpec spec, ulong fingerprint, bool always, IProgress<BuildStep>? progress, CancellationToken cancellationToken)
    {
        var target = DirectoryOf(spec.Name);
        var temporary = WholeDirectory.NewTemporary(target);
        try
        {
            CreateDirectory();
            using var held = await LockAsync(spec.Name, () => progress?.Report(new BuildStep(BuildStage.Waiting, $"Waiting for another build of image '{spec.Name}'")), cancellationToken)
                .ConfigureAwait(false);
            Sweep(spec.Name);
            if (!always && TryOpenAfterWait(spec.Name, fingerprint) is { } made) return made;
            Directory.CreateDirectory(temporary);
            try
            {
                await new ImageBuilder(_dataDirectory, _options, progress).BuildAsync(spec, fingerprint, temporary, cancellationToken).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                WholeDirectory.Replace(temporary, target);
            }
            finally
            {
                // What is half made, or what it has replaced.
                Delete(temporary);
            }
            return Image.Open(target);
        }
        catch (Exception e) when (e is IOException { HResult: ENoSpc or EDQuot } or HostException { Errno: ENoSpc or EDQuot })
        {
            throw new ImageBuildException($"the disk is full: image '{spec.Name}' could not be written to {_images}. Free some space, or choose another data directory (--data-dir).", e);
        }
        catch (HostException e)
        {
            throw new ImageBuildException($"image '{spec.Name}' could not be written to {_images}: {e.Message}", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ImageBuildException($"the data directory {_dataDirectory} cannot be written to: {e.Message} Choose another one (--data-dir).", e);
        }
    }

    private void CreateDirectory()
    {
        try
        {
            Directory.CreateDirectory(_images);
        }
        catch (IOException e) when (e.HResult is not (ENoSpc or EDQuot))
        {
            throw new ImageBuildException($"the data directory {_dataDirectory} cannot be made: {e.Message} Choose another one (--data-dir).", e);
        }
    }

    private const int ENoSpc = 28;
    private const int EDQuot = 122;

    private Image? TryOpenAfterWait(string name, ulong fingerprint)
    {
        try
        {
            return TryOpenCurrent(name, fingerprint);
        }
        catch (ImageCorruptException)
        {
            return null;
        }
    }

    private Task<IDisposable> LockAsync(string name, Action? onWait, CancellationToken cancellationToken) =>
        FileLock.AcquireAsync(LockFile(name), onWait, cancellationToken);

    private string LockFile(string name) => Path.Combine(_images, $".lock-{name}");

    /// <summary>Takes an image out of sight at once, then deletes it. The caller holds its lock.</summary>
    private bool Discard(string name)
    {
        var target = DirectoryOf(name);
        if (!Directory.Exists(target)) return false;
        var grave = WholeDirectory.NewTemporary(target);
        Directory.Move(target, grave);
        Delete(grave);
        return true;
    }

    /// <summary>Removes what builds left that were killed: temporary directories of names whose lock is free, or is ours.</summary>
    private void Sweep(string ours)
    {
        WholeDirectory.Recover(DirectoryOf(ours));
        foreach (var path in Directory.EnumerateDirectories(_images, ".tmp-*"))
        {
            var name = WholeDirectory.NameOfTemporary(path);
            if (string.Equals(name, ours, StringComparison.Ordinal)) Delete(path);
            else if (name is not null && ImageSpecParser.IsValidImageName(name))
            {
                using var held = FileLock.TryAcquire(LockFile(name));
                if (held is not null) Delete(path);
            }
        }
    }

    /// <summary>Puts an image back that a killed process was about to replace. True: it is there.</summary>
    private bool TryRecover(string name) => ImageSpecParser.IsValidImageName(name) && ReplacedDirectory.TryRecover(DirectoryOf(name), LockFile(name));

    private static void Delete(string path)
    {
        try
        {
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Swept by a later build.
        }
    }

    private ImageNotFoundException NotFound(string name)
    {
        var known = List().Union(BuiltInSpecs.Names, StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return new ImageNotFoundException(
            $"no image '{name}'.{NearestName.Suggest(name, known)} Images: {string.Join(", ", known)}. To make one: ramet image build FILE");
    }
}
