using Ramet.Images.Debian;
using Ramet.Images.Format;
using Ramet.Images.Store;

namespace Ramet.Images.Building;

/// <summary>Builds one image into a directory.</summary>
internal sealed class ImageBuilder(string dataDirectory, ImageStoreOptions options, IProgress<BuildStep>? progress)
{
    /// <summary>Builds.</summary>
    /// <param name="spec">What to build.</param>
    /// <param name="fingerprint">Kept in the index.</param>
    /// <param name="directory">An existing, empty directory. After an exception its contents are of no use.</param>
    /// <param name="cancellationToken">Ends the build.</param>
    public async Task BuildAsync(ImageSpec spec, ulong fingerprint, string directory, CancellationToken cancellationToken)
    {
        var suite = spec.Suite ?? HostSystem.Suite;
        var packages = await FetchAsync(spec, suite, cancellationToken).ConfigureAwait(false);
        using var spool = new ContentSpool(options.CreateTemporary(Path.Combine(directory, "spool")));
        var tree = new ImageTree(spool);
        await Task.Run(() => Unpack(spec, tree, packages, cancellationToken), cancellationToken).ConfigureAwait(false);
        await FinishAsync(spec, tree, fingerprint, directory, cancellationToken).ConfigureAwait(false);

        var written = await Task.Run(() => Write(tree, fingerprint, directory, cancellationToken), cancellationToken).ConfigureAwait(false);
        var manifest = new ImageManifest
        {
            Name = spec.Name,
            Id = written.Id,
            Created = options.Time.GetUtcNow(),
            Suite = suite,
            Architecture = HostSystem.Architecture,
            Packages = [.. packages.Select(package => new ImagePackage(package.Name, package.Version, package.Architecture)).OrderBy(package => package.Name, StringComparer.Ordinal)],
            Environment = spec.Environment,
            WorkingDirectory = spec.WorkingDirectory,
            FileCount = written.NodeCount,
            DataLength = written.DataLength,
            Spec = spec.ToYaml(),
            Fingerprint = fingerprint.ToString("x16", null),
        };
        await using var stream = options.CreateFile(Path.Combine(directory, ImageFormat.ManifestFile));
        stream.Write(manifest.ToJson());
        ImageWriter.FlushToDisk(stream);
    }

    private void Report(BuildStage stage, string text, double? fraction = null) => progress?.Report(new BuildStep(stage, text, fraction));

    private async Task<IReadOnlyList<DebPackage>> FetchAsync(ImageSpec spec, string suite, CancellationToken cancellationToken)
    {
        var cache = Directory.CreateDirectory(Path.Combine(dataDirectory, "cache", "apt", $"{suite}-{HostSystem.Architecture}")).FullName;
        // apt has locks of its own but gives up on them; one build at a time uses the cache.
        using var held = await FileLock.AcquireAsync(
            Path.Combine(cache, "ramet.lock"), () => Report(BuildStage.Waiting, "Waiting for another build to finish downloading"), cancellationToken).ConfigureAwait(false);
        var apt = new AptRoot(cache, suite);

        List<string> wanted = [.. spec.Packages];
        if (spec.IncludeBase) wanted.AddRange(BuiltInSpecs.BasePackages.Where(name => !wanted.Any(package => string.Equals(package.Split('=')[0], name, StringComparison.Ordinal))));
        var fresh = apt.HasFreshLists;
        while (true)
        {
            if (!fresh) await UpdateAsync(apt, suite, cancellationToken).ConfigureAwait(false);
            try
            {
                return await ChooseAndDownloadAsync(apt, spec, wanted, cancellationToken).ConfigureAwait(false);
            }
            catch (ImageException) when (fresh)
            {
                fresh = false; // The mirror may have changed since: once more, with its lists of now.
            }
        }
    }

    private async Task UpdateAsync(AptRoot apt, string suite, CancellationToken cancellationToken)
    {
        var listing = $"Fetching the package lists of Debian {suite}";
        Report(BuildStage.Resolving, listing);
        var stale = await apt.UpdateAsync(fraction => Report(BuildStage.Resolving, listing, fraction), cancellationToken).ConfigureAwait(false);
        if (stale is not null) Report(BuildStage.Resolving, $"Using the package lists of an earlier build: {stale}");
    }

    private async Task<IReadOnlyList<DebPackage>> ChooseAndDownloadAsync(AptRoot apt, ImageSpec spec, List<string> wanted, CancellationToken cancellationToken)
    {
        Report(BuildStage.Resolving, "Choosing package versions");
        var packages = await apt.ResolveAsync(spec, wanted, cancellationToken).ConfigureAwait(false);
        var downloading = $"Downloading {packages.Count} packages ({packages.Sum(package => package.Size) / 1e6:0} MB)";
        Report(BuildStage.Downloading, downloading);
        await apt.DownloadAsync(packages, fraction => Report(BuildStage.Downloading, downloading, fraction), cancellationToken).ConfigureAwait(false);
        return packages;
    }

    private void Unpack(ImageSpec spec, ImageTree tree, IReadOnlyList<DebPackage> packages, CancellationToken cancellationToken)
    {
        DebianSetup.MergeUsr(tree);
        var unpacker = new DebUnpacker(tree);
        var database = new DpkgDatabase(tree);
        var alternatives = new Alternatives(tree);
        List<UnpackedPackage> unpacked = [];
        for (var i = 0; i < packages.Count; i++)
        {
            Report(BuildStage.Unpacking, $"Unpacking {packages.Count} packages", (double)i / packages.Count);
            unpacked.Add(unpacker.Unpack(packages[i].Path, cancellationToken));
        }
        // What no package dates gets the date of the newest package file, so that the same packages make the same image.
        tree.SetMissingTimes();
        foreach (var package in unpacked)
        {
            database.Add(package);
            alternatives.Read(package.ControlText("postinst"));
        }
        new DebianSetup(tree).Apply(spec.WorkingDirectory);
        database.Finish();
        alternatives.Apply();
        new LoaderCache(tree).Write();
        Report(BuildStage.Unpacking, $"Unpacking {packages.Count} packages", 1);
    }

    private async Task FinishAsync(ImageSpec spec, ImageTree tree, ulong fingerprint, string directory, CancellationToken cancellationToken)
    {
        foreach (var finisher in options.Finishers.Where(finisher => finisher.AppliesTo(spec)))
        {
            Report(BuildStage.Finishing, $"Finishing: {finisher.Id}");
            var draftDirectory = Directory.CreateDirectory(Path.Combine(directory, "draft"));
            try
            {
                await Task.Run(() => Write(tree, fingerprint, draftDirectory.FullName, cancellationToken), cancellationToken).ConfigureAwait(false);
                using var draft = Image.Open(draftDirectory.FullName);
                await finisher.FinishAsync(draft, tree, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                draftDirectory.Delete(recursive: true);
            }
        }
    }

    private ImageWriter.Result Write(ImageTree tree, ulong fingerprint, string directory, CancellationToken cancellationToken)
    {
        Report(BuildStage.Writing, "Writing the image", 0);
        return ImageWriter.Write(tree, fingerprint, options.CreateFile, directory, fraction => Report(BuildStage.Writing, "Writing the image", fraction), cancellationToken);
    }
}
