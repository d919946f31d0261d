using System.Diagnostics;
using System.Formats.Tar;
using Ramet.Images.Format;
using Ramet.Images.Store;

namespace Ramet.Images.Tests;

/// <summary>Real builds, of packages downloaded with apt.</summary>
[Collection(nameof(SharedStore))]
public sealed class ImageStoreTests(SharedStore shared)
{
    private readonly ImageStore _store = shared.Store;

    private string[] Leftovers() => Directory.GetDirectories(Path.Combine(shared.DataDirectory, "images"), ".tmp-*");

    private static ImageStore StoreThatFails(string dataDirectory, string file, long afterBytes) =>
        new(dataDirectory, new ImageStoreOptions { CreateFile = path => Path.GetFileName(path) == file ? new FullDisk(path, afterBytes) : File.Create(path) });

    private sealed class FullDisk(string path, long left) : FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 0)
    {
        private long _left = left;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if ((_left -= buffer.Length) < 0) throw new IOException("No space left on device", 28);
            base.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }

    private static bool TryFind(Image image, string path, out int id)
    {
        id = Image.RootId;
        var links = 0;
        Stack<string> parts = new(path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        while (parts.TryPop(out var part))
        {
            if (part == "..") id = image.GetParent(id);
            else
            {
                var directory = id;
                if (!image.TryLookup(directory, part, out id)) return false;
                if (!image.GetNode(id).IsSymbolicLink || parts.Count == 0) continue;
                if (++links > 40) return false;
                var target = image.GetLinkTarget(id);
                id = target.StartsWith('/') ? Image.RootId : directory;
                foreach (var step in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse()) parts.Push(step);
            }
        }
        return true;
    }

    [Fact]
    public async Task An_image_holds_what_its_packages_hold()
    {
        var steps = new Steps();
        using var image = await _store.BuildAsync(SharedStore.Tiny("whole"), steps);
        image.Verify();
        Assert.Equal(
            [BuildStage.Resolving, BuildStage.Downloading, BuildStage.Unpacking, BuildStage.Writing],
            steps.All.Select(step => step.Stage).Where(stage => stage != BuildStage.Waiting).Distinct());
        Assert.All(steps.All, step => Assert.True(step.Fraction is null or (>= 0 and <= 1)));

        var manifest = _store.ReadManifest("whole");
        Assert.Equal((image.Id, "/work", "hello"), (manifest.Id, manifest.WorkingDirectory, manifest.Environment["GREETING"]));
        Assert.Contains("dash", manifest.Packages.Select(package => package.Name));
        Assert.Contains("libc6", manifest.Packages.Select(package => package.Name));

        var archives = Directory.GetFiles(Path.Combine(shared.DataDirectory, "cache"), "*.deb", SearchOption.AllDirectories);
        var compared = 0;
        foreach (var package in manifest.Packages)
        {
            var deb = Assert.Single(archives, path => Path.GetFileName(path).StartsWith(package.Name + "_" + package.Version.Replace(":", "%3a", StringComparison.Ordinal), StringComparison.Ordinal));
            using var process = Process.Start(new ProcessStartInfo("dpkg-deb", ["--fsys-tarfile", deb]) { RedirectStandardOutput = true, UseShellExecute = false })!;
            using var reader = new TarReader(process.StandardOutput.BaseStream);
            while (reader.GetNextEntry() is { } entry)
            {
                var path = entry.Name.TrimStart('.');
                if (path.StartsWith("/usr/share/man/", StringComparison.Ordinal) || path.StartsWith("/usr/share/lintian/", StringComparison.Ordinal)
                    || path.StartsWith("/usr/share/locale/", StringComparison.Ordinal) || (path.StartsWith("/usr/share/doc/", StringComparison.Ordinal) && !path.EndsWith("/copyright", StringComparison.Ordinal)))
                    continue;
                Assert.True(TryFind(image, path, out var id), path);
                var node = image.GetNode(id);
                if (node.IsSymbolicLink && entry.EntryType == TarEntryType.Directory) continue; // merged /usr
                Assert.Equal(((uint)entry.Uid, (uint)entry.Gid, (uint)entry.Mode), (node.Uid, node.Gid, node.Mode & 0xFFF));
                if (entry.EntryType is TarEntryType.SymbolicLink) Assert.Equal(entry.LinkName, image.GetLinkTarget(id));
                if (entry.EntryType is not TarEntryType.RegularFile) continue;
                Assert.Equal(entry.Length, node.Size);
                Assert.Equal(entry.ModificationTime.ToUnixTimeMilliseconds() * 1_000_000, node.ModifiedNanoseconds);
                if (entry.Length == 0) continue;
                byte[] expected = new byte[entry.Length], actual = new byte[entry.Length];
                entry.DataStream!.ReadExactly(expected);
                for (var at = 0; at < actual.Length;) at += image.Read(id, at, actual.AsSpan(at));
                Assert.True(expected.AsSpan().SequenceEqual(actual), path);
                compared++;
            }
            process.StandardOutput.BaseStream.CopyTo(Stream.Null);
        }
        Assert.True(compared > 100, $"only {compared} files compared");
        foreach (var path in new[] { "proc", "sys", "dev", "tmp", "root", "work", "etc/passwd", "etc/hosts", "etc/nsswitch.conf", "usr/lib64/ld-linux-x86-64.so.2", "var/lib/dpkg/status" })
            Assert.True(TryFind(image, path, out _), path);
        Assert.Equal("usr/lib64", TryFind(image, "lib64", out var lib64) ? image.GetLinkTarget(lib64) : "");
        Assert.Empty(Leftovers());
    }

    [Fact]
    public async Task The_same_packages_make_the_same_image()
    {
        using var first = await _store.BuildAsync(SharedStore.Tiny("same-a"));
        using var second = await _store.BuildAsync(SharedStore.Tiny("same-b"));
        Assert.Equal(first.Id, second.Id);
    }

    [Fact]
    public async Task Dpkg_and_the_shell_of_an_image_work()
    {
        Assert.SkipUnless(Environment.UserName == "root", "chroot needs root");
        using var directory = new TemporaryDirectory();
        using var image = await _store.EnsureAsync("python");
        var tar = directory.In("python.tar");
        using (var stream = File.Create(tar)) ImageExporter.WriteTar(image, stream);
        var root = Directory.CreateDirectory(directory.In("root")).FullName;
        Command.Run("tar", "-xpf", tar, "-C", root);
        Assert.Equal("4.5\n", Command.Run("chroot", root, "/usr/bin/python3", "-c", "import numpy; print(numpy.arange(10).mean())"));
        Assert.Contains("ii  python3-numpy ", Command.Run("chroot", root, "/usr/bin/dpkg", "-l"), StringComparison.Ordinal);
        Assert.Equal("root\n", Command.Run("chroot", root, "/bin/sh", "-c", "echo root | awk '{print $1}' | sed s/x/y/ && test -w /tmp"));
        Assert.Equal("/usr/bin/dash\n", Command.Run("chroot", root, "/bin/sh", "-c", "realpath /bin/sh"));
        Assert.Contains("Status: auto\nBest: /usr/bin/mawk\nValue: /usr/bin/mawk\n", Command.Run("chroot", root, "/usr/bin/update-alternatives", "--query", "awk"), StringComparison.Ordinal);
        Assert.Equal("True\n", Command.Run("chroot", root, "/usr/bin/python3", "-c", "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'] > 100)"));
        Assert.Equal("Etc/UTC\n", Command.Run("chroot", root, "/bin/cat", "/etc/timezone"));

        // The loader's cache is the one that ldconfig makes (but for the line that says who made it).
        static string Lines(string text) => string.Join('\n', text.Split('\n').Where(line => line.StartsWith('\t')));
        var ours = Lines(Command.Run("chroot", root, "/sbin/ldconfig", "-p"));
        File.WriteAllText(Path.Combine(root, "dev/null"), ""); // find_library starts ldconfig with it.
        Assert.Equal("libm.so.6\n", Command.Run("chroot", root, "/usr/bin/python3", "-c", "import ctypes.util; print(ctypes.util.find_library('m'))"));
        Command.Run("chroot", root, "/sbin/ldconfig");
        Assert.Equal(Lines(Command.Run("chroot", root, "/sbin/ldconfig", "-p")), ours);

        // A second time nothing is built.
        var steps = new Steps();
        using var again = await _store.EnsureAsync("python", steps);
        Assert.Equal(image.Id, again.Id);
        Assert.Empty(steps.All);
    }

    [Fact]
    public async Task An_unknown_package_is_refused_with_its_line_and_the_nearest_name()
    {
        var spec = ImageSpecParser.Parse("name: bad\npackages:\n  - dash\n  - python3-nunpy\n", "bad.yaml");
        var e = await Assert.ThrowsAsync<ImageSpecException>(() => _store.BuildAsync(spec));
        Assert.Equal("bad.yaml:4: unknown package 'python3-nunpy' in Debian bookworm. Did you mean 'python3-numpy'?", e.Message.Replace(Ramet.Images.Debian.HostSystem.Suite, "bookworm", StringComparison.Ordinal));
        Assert.False(_store.Exists("bad"));
        Assert.Empty(Leftovers());
    }

    [Fact]
    public async Task An_unknown_version_is_refused_with_its_line()
    {
        var spec = ImageSpecParser.Parse("name: bad\nbase: none\npackages:\n  - dash=9.9.9-9\n", "bad.yaml");
        var e = await Assert.ThrowsAsync<ImageSpecException>(() => _store.BuildAsync(spec));
        Assert.StartsWith("bad.yaml:4: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("9.9.9-9", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Packages_that_exclude_each_other_are_reported()
    {
        var spec = ImageSpecParser.Parse("name: bad\nbase: none\npackages: [usrmerge, usr-is-merged, exim4-daemon-light, exim4-daemon-heavy]\n", "bad.yaml");
        var e = await Assert.ThrowsAsync<ImageBuildException>(() => _store.BuildAsync(spec));
        Assert.StartsWith("the packages of image 'bad' cannot be installed together: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("exim4-daemon", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Package_lists_that_cannot_be_fetched_are_reported_with_the_words_of_apt()
    {
        var spec = ImageSpecParser.Parse("name: bad\nsuite: nosuchsuite\nbase: none\npackages: [dash]\n", "bad.yaml");
        var e = await Assert.ThrowsAsync<ImageBuildException>(() => _store.BuildAsync(spec));
        Assert.StartsWith("the package lists of Debian nosuchsuite could not be fetched; is the network up? apt-get says: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("nosuchsuite", e.Message["the package lists of Debian nosuchsuite".Length..], StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public async Task Concurrent_builds_of_one_image_wait_for_each_other()
    {
        var inside = 0;
        var most = 0;
        Steps Watch() => new(step =>
        {
            if (step.Stage != BuildStage.Unpacking) return;
            var now = step.Fraction is 1 ? Interlocked.Decrement(ref inside) : step.Fraction is 0 ? Interlocked.Increment(ref inside) : 0;
            if (now > most) most = now;
        });
        var watches = new[] { Watch(), Watch(), Watch() };
        var images = await Task.WhenAll(watches.Select(watch => Task.Run(() => new ImageStore(shared.DataDirectory).BuildAsync(SharedStore.Tiny("both"), watch))));
        Assert.Single(images.Select(image => image.Id).Distinct());
        Assert.Equal(1, most);
        Assert.Equal(2, watches.Count(watch => watch.All.Any(step => step.Stage == BuildStage.Waiting && step.Text.Contains("'both'", StringComparison.Ordinal))));
        foreach (var image in images)
        {
            image.Verify(); // Also those that were replaced meanwhile.
            image.Dispose();
        }
        Assert.Empty(Leftovers());
    }

    [Fact]
    public async Task A_lock_of_a_killed_process_does_not_block()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.In("lock");
        using var holder = Process.Start(new ProcessStartInfo("flock", [path, "-c", "echo held; exec sleep 600"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        Assert.Equal("held", await holder.StandardOutput.ReadLineAsync());
        Assert.Null(FileLock.TryAcquire(path));
        var waited = false;
        var acquiring = FileLock.AcquireAsync(path, () => waited = true, CancellationToken.None);
        await Task.Delay(200);
        Assert.False(acquiring.IsCompleted);
        holder.Kill(entireProcessTree: true);
        using var held = await acquiring.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(waited);
        Assert.Null(FileLock.TryAcquire(path));
    }

    [Theory]
    [InlineData(BuildStage.Resolving)]
    [InlineData(BuildStage.Downloading)]
    [InlineData(BuildStage.Unpacking)]
    [InlineData(BuildStage.Writing)]
    public async Task A_cancelled_build_leaves_nothing_and_the_next_one_works(BuildStage stage)
    {
        var name = $"cancelled-{stage}".ToLowerInvariant();
        using var cancellation = new CancellationTokenSource();
        var steps = new Steps(step =>
        {
            if (step.Stage == stage) cancellation.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _store.BuildAsync(SharedStore.Tiny(name), steps, cancellation.Token));
        Assert.False(_store.Exists(name));
        Assert.Empty(Leftovers());
        using var image = await _store.BuildAsync(SharedStore.Tiny(name));
        image.Verify();
    }

    [Theory]
    [InlineData(ImageFormat.DataFile, 1_000_000)]
    [InlineData(ImageFormat.IndexFile, 100)]
    [InlineData(ImageFormat.ManifestFile, 0)]
    public async Task A_full_disk_is_reported_and_the_image_before_stays(string file, long afterBytes)
    {
        using var before = await _store.BuildAsync(SharedStore.Tiny("full"));
        var e = await Assert.ThrowsAsync<ImageBuildException>(() => StoreThatFails(shared.DataDirectory, file, afterBytes).BuildAsync(SharedStore.Tiny("full")));
        Assert.StartsWith("the disk is full: image 'full' could not be written", e.Message, StringComparison.Ordinal);
        using var after = _store.Open("full");
        after.Verify();
        Assert.Empty(Leftovers());
    }

    [Fact]
    public async Task A_disk_too_small_for_apt_is_reported()
    {
        using var directory = new TemporaryDirectory();
        var mount = Directory.CreateDirectory(directory.In("small")).FullName;
        using (var process = Process.Start(new ProcessStartInfo("mount", ["-t", "tmpfs", "-o", "size=4m", "none", mount]) { UseShellExecute = false, RedirectStandardError = true })!)
        {
            await process.WaitForExitAsync();
            Assert.SkipUnless(process.ExitCode == 0, "mount is not permitted here");
        }
        try
        {
            var e = await Assert.ThrowsAsync<ImageBuildException>(() => new ImageStore(mount).BuildAsync(SharedStore.Tiny("small"))).WaitAsync(TimeSpan.FromMinutes(1));
            Assert.StartsWith("the disk is full", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            Command.Run("umount", mount);
        }
    }

    [Fact]
    public async Task A_damaged_image_is_built_again_from_its_own_manifest()
    {
        string id;
        using (var image = await _store.BuildAsync(SharedStore.Tiny("damaged"))) id = image.Id;
        var data = Path.Combine(_store.DirectoryOf("damaged"), ImageFormat.DataFile);
        using (var stream = File.OpenWrite(data)) stream.SetLength(stream.Length - 4096);
        Assert.Throws<ImageCorruptException>(() => _store.Open("damaged"));
        using var again = await _store.EnsureAsync("damaged");
        Assert.Equal(id, again.Id);
        again.Verify();

        File.Delete(Path.Combine(_store.DirectoryOf("damaged"), ImageFormat.ManifestFile));
        File.Delete(data);
        var e = await Assert.ThrowsAsync<ImageCorruptException>(() => _store.EnsureAsync("damaged"));
        Assert.Contains("ramet image build", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Damaged_downloads_are_fetched_again()
    {
        using (await _store.BuildAsync(SharedStore.Tiny("download"))) { }
        var deb = Directory.GetFiles(Path.Combine(shared.DataDirectory, "cache"), "dash_*.deb", SearchOption.AllDirectories).Single();
        var bytes = File.ReadAllBytes(deb);
        bytes[^100] ^= 1;
        File.WriteAllBytes(deb, bytes);
        using var image = await _store.BuildAsync(SharedStore.Tiny("download"));
        bytes[^100] ^= 1;
        Assert.Equal(bytes, File.ReadAllBytes(deb));
    }

    [Fact]
    public async Task Removed_images_stay_readable_for_those_who_have_them_open()
    {
        using var image = await _store.BuildAsync(SharedStore.Tiny("removed"));
        Assert.Contains("removed", _store.List());
        Assert.True(await _store.RemoveAsync("removed"));
        Assert.False(await _store.RemoveAsync("removed"));
        Assert.DoesNotContain("removed", _store.List());
        image.Verify();
        Assert.Empty(Leftovers());
    }

    [Fact]
    public async Task Leftovers_of_killed_builds_are_swept_but_not_of_running_ones()
    {
        var images = Directory.CreateDirectory(Path.Combine(shared.DataDirectory, "images")).FullName;
        var dead = Directory.CreateDirectory(Path.Combine(images, $".tmp-dead-{Guid.NewGuid():n}")).FullName;
        var live = Directory.CreateDirectory(Path.Combine(images, $".tmp-live-{Guid.NewGuid():n}")).FullName;
        File.WriteAllText(Path.Combine(dead, "image.data"), "half");
        using (FileLock.TryAcquire(Path.Combine(images, ".lock-live")))
        using (await _store.BuildAsync(SharedStore.Tiny("sweeper")))
        {
            Assert.False(Directory.Exists(dead));
            Assert.True(Directory.Exists(live));
        }
        Directory.Delete(live, recursive: true);
    }

    [Fact]
    public async Task An_image_that_a_killed_process_was_about_to_replace_is_found_again()
    {
        string id;
        using (var image = await _store.BuildAsync(SharedStore.Tiny("replaced"))) id = image.Id;
        var old = Path.Combine(shared.DataDirectory, "images", $".old-replaced-{Guid.NewGuid():n}");
        Directory.Move(_store.DirectoryOf("replaced"), old);
        Assert.Contains("replaced", _store.List());
        Directory.Move(_store.DirectoryOf("replaced"), old);
        using (FileLock.TryAcquire(Path.Combine(shared.DataDirectory, "images", ".lock-replaced"))) Assert.False(_store.Exists("replaced"));
        using var found = await _store.EnsureAsync("replaced");
        Assert.Equal(id, found.Id);
        Assert.False(Directory.Exists(old));
    }

    [Fact]
    public async Task Names_are_checked_before_anything_happens()
    {
        var e = await Assert.ThrowsAsync<ImageNotFoundException>(() => _store.EnsureAsync("pythno"));
        Assert.Contains("Did you mean 'python'?", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ImageNotFoundException>(() => _store.EnsureAsync("../python"));
        Assert.Throws<ImageNotFoundException>(() => _store.Open("/etc"));
        var own = ImageSpecParser.Parse("name: python\npackages: [dash]\n", "own.yaml");
        Assert.Equal("own.yaml: 'python' is the name of a built-in image; choose another name.", (await Assert.ThrowsAsync<ImageSpecException>(() => _store.BuildAsync(own))).Message);
    }

    [Fact]
    public async Task A_finisher_sees_the_draft_and_adds_to_the_image()
    {
        var store = new ImageStore(shared.DataDirectory, new ImageStoreOptions { Finishers = [new Finisher()] });
        using var image = await store.BuildAsync(SharedStore.Tiny("finished"));
        Assert.True(TryFind(image, "etc/finished", out var id));
        Assert.Equal(8, image.GetNode(id).Size);
        image.Verify();
    }

    private sealed class Finisher : IImageFinisher
    {
        public string Id => "test 1";

        public bool AppliesTo(ImageSpec spec) => spec.Name == "finished";

        public Task FinishAsync(Image draft, ImageTree tree, CancellationToken cancellationToken)
        {
            Assert.True(TryFind(draft, "bin/sh", out _));
            tree.AddFile("etc/finished", "finished");
            return Task.CompletedTask;
        }
    }
}
