using System.Diagnostics;
using Ramet.Images.Store;
using Ramet.Sandboxes.Durable;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Tests;

/// <summary>What servers keep on disk of sandboxes, and share.</summary>
public sealed class ArchiveTests : IDisposable
{
    private const string Tenant = "tests", Id = "sb_1";

    private static readonly DateTimeOffset s_noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly string _root = Directory.CreateTempSubdirectory("ramet-archive-").FullName;

    private string At => Path.Combine(_root, "sandboxes");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task One_that_another_server_has_put_there_again_is_not_removed_as_old()
    {
        using var first = new SandboxArchive(At);
        await AddAsync(first, s_noon);
        using var second = new SandboxArchive(At);
        first.Take(Tenant, Id)!.Discard();
        await AddAsync(first, s_noon.AddDays(2));
        Assert.Equal(s_noon, second.Find(Tenant, Id)!.Archived);
        Assert.Equal(s_noon.AddDays(2), second.RemoveIfOlder(Tenant, Id, s_noon.AddDays(1))?.Archived);
        Assert.Equal(s_noon.AddDays(2), second.Find(Tenant, Id)!.Archived);
        Assert.True(File.Exists(Path.Combine(At, Id, "state")));
        Assert.Null(second.RemoveIfOlder(Tenant, Id, s_noon.AddDays(3)));
        Assert.False(Directory.Exists(Path.Combine(At, Id)));
    }

    [Fact]
    public async Task What_is_taken_or_changed_is_what_is_there_now()
    {
        using var first = new SandboxArchive(At);
        await AddAsync(first, s_noon);
        using var second = new SandboxArchive(At);
        first.Update(Id, record => record with { IsAutomatic = true });
        Assert.Equal((true, "new"), second.Update(Id, record => record with { Name = "new" }) is { } changed ? (changed.IsAutomatic, changed.Name) : default);
        first.Update(Id, record => record with { Generation = 7 });
        var taken = second.Take(Tenant, Id)!;
        Assert.Equal((7, "new"), (taken.Record.Generation, taken.Record.Name));
        Assert.Null(first.Update(Id, record => record));
        Assert.Null(first.Take(Tenant, Id));
        taken.PutBack();
        Assert.Equal(7, second.Find(Tenant, Id)!.Generation);
    }

    [Fact]
    public async Task What_a_server_has_taken_is_left_alone_while_it_lives_and_put_back_when_it_is_dead()
    {
        using (var before = new SandboxArchive(At)) await AddAsync(before, s_noon);
        Assert.Empty(Directory.GetFiles(At));
        string server = Guid.NewGuid().ToString("n");
        string taken = Path.Combine(At, $".taken-{server}-{Id}"), unfinished = Path.Combine(At, $".tmp-{server}-{Guid.NewGuid():n}"), lockFile = Path.Combine(At, $".lock-{server}");
        Directory.Move(Path.Combine(At, Id), taken);
        Directory.CreateDirectory(unfinished);
        using (FileLock.TryAcquire(lockFile))
        {
            using var meanwhile = new SandboxArchive(At);
            Assert.Empty(meanwhile.List(null));
            Assert.Equal((true, true, true), (Directory.Exists(taken), Directory.Exists(unfinished), File.Exists(lockFile)));
        }

        // Its lock is free: it is dead.
        using var after = new SandboxArchive(At);
        Assert.Equal(Id, Assert.Single(after.List(Tenant)).Id);
        Assert.Equal((false, false, false), (Directory.Exists(taken), Directory.Exists(unfinished), File.Exists(lockFile)));
    }

    [Fact]
    public async Task What_one_server_has_taken_another_of_the_same_process_leaves_alone()
    {
        // As two containers are that share a directory: both are process 1.
        using var first = new SandboxArchive(At);
        await AddAsync(first, s_noon);
        var taken = first.Take(Tenant, Id)!;
        var written = new TaskCompletionSource();
        var going = new TaskCompletionSource();
        var adding = first.AddAsync(Record(s_noon) with { Id = "sb_2" }, async write =>
        {
            await write("state", new MemoryStream([1, 2, 3]));
            written.SetResult();
            await going.Task;
        });
        await written.Task;
        using (var second = new SandboxArchive(At)) Assert.Empty(second.List(null));
        going.SetResult();
        Assert.Equal(3, (await adding).SizeBytes);
        taken.PutBack();
        using var third = new SandboxArchive(At);
        Assert.Equal([Id, "sb_2"], third.List(Tenant).Select(record => record.Id));
    }

    [Fact]
    public async Task A_full_disk_is_told_without_its_path_and_changes_nothing()
    {
        Directory.CreateDirectory(At);
        if (Run("mount", "-t", "tmpfs", "-o", "size=256k", "none", At) != 0) Assert.Skip("A small file system cannot be mounted here.");
        try
        {
            using var archive = new SandboxArchive(At);
            await AddAsync(archive, s_noon);
            var full = await Assert.ThrowsAsync<SandboxStorageException>(() =>
                archive.AddAsync(Record(s_noon) with { Id = "sb_2" }, write => write("state", new MemoryStream(new byte[1 << 20]))));
            Assert.True(full.IsFull);
            Assert.DoesNotContain(_root, full.Message, StringComparison.Ordinal);
            Assert.Equal([Id], Directory.GetDirectories(At).Select(path => Path.GetFileName(path)));

            Fill();
            full = Assert.Throws<SandboxStorageException>(() => archive.Update(Id, record => record with { Name = "new" }));
            Assert.True(full.IsFull);
            Assert.Null(archive.Find(Tenant, Id)!.Name);
            Assert.True(archive.Remove(Tenant, Id));
        }
        finally
        {
            Assert.Equal(0, Run("umount", At));
        }
    }

    private void Fill()
    {
        byte[] piece = new byte[4096];
        using var file = new FileStream(Path.Combine(At, "filler"), FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        var full = Assert.Throws<IOException>(() =>
        {
            for (int i = 0; i < 1000; i++) file.Write(piece);
        });
        Assert.Equal(28, full.HResult);
    }

    private static Task<ArchiveRecord> AddAsync(SandboxArchive archive, DateTimeOffset when) => archive.AddAsync(Record(when), write => write("state", new MemoryStream([1, 2, 3])));

    private static ArchiveRecord Record(DateTimeOffset when) => new()
    {
        Tenant = Tenant, Id = Id, Created = s_noon, Archived = when,
        Spec = new HostedSandboxSpec("python", 256UL << 20, TimeSpan.FromMinutes(5), new Dictionary<string, string>(StringComparer.Ordinal)),
    };

    private static int Run(string name, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
