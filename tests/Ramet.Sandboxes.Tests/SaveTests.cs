namespace Ramet.Sandboxes.Tests;

/// <summary>Sandboxes that are saved to a file and restored from it.</summary>
public sealed class SaveTests : IDisposable
{
    private const string Adder = """
        import sys, threading, subprocess
        child = subprocess.Popen(["sed", "-u", "s/^/child /"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        open("/tmp/kept", "w").write("kept")
        total = 0
        print("ready", flush=True)
        for line in sys.stdin:
            total += int(line)
            child.stdin.write(b"%d\n" % total); child.stdin.flush()
            print(child.stdout.readline().decode().strip(), open("/tmp/kept").read(), flush=True)
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ramet-save");

    private string PathOf(string name) => Path.Combine(_directory.FullName, name);

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_saved_sandbox_goes_on_in_another_engine(bool whole)
    {
        string path = PathOf("saved");
        using (var original = await Session.StartAsync(Adder))
        {
            original.WaitFor("ready\n");
            original.Send("5\n");
            original.WaitFor("ready\nchild 5 kept\n");
            using var snapshot = original.Sandbox.Capture(whole);
            TestData.Engine.Save(snapshot, path);
            original.Send("1\n");
            original.WaitFor("ready\nchild 5 kept\nchild 6 kept\n");
        }

        // As sparse as it can be: what differs from the template, or all of it.
        Assert.InRange(new FileInfo(path).Length, 1, whole ? 200L << 20 : 30L << 20);
        using var engine = new SandboxEngine(TestData.Directory);
        using var loaded = await engine.LoadAsync(path, cancellationToken: TestContext.Current.CancellationToken);
        using (var first = Session.Restore(engine, loaded))
        using (var second = Session.Restore(engine, loaded))
        {
            first.Send("10\n");
            second.Send("100\n");
            first.WaitFor("child 15 kept\n");
            second.WaitFor("child 105 kept\n");
        }
    }

    [Fact]
    public async Task Damage_anywhere_in_the_file_is_found()
    {
        string path = PathOf("saved");
        using var original = await Session.StartAsync(Adder);
        original.WaitFor("ready\n");
        using (var snapshot = original.Sandbox.Capture()) TestData.Engine.Save(snapshot, path);
        byte[] whole = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        string damaged = PathOf("damaged");
        foreach (int at in (int[])[0, 9, 13, 25, 70, 5000, whole.Length / 2, whole.Length - 1])
        {
            byte[] bytes = [.. whole];
            bytes[at] ^= 0x10;
            await File.WriteAllBytesAsync(damaged, bytes, TestContext.Current.CancellationToken);
            var error = await Assert.ThrowsAsync<SandboxException>(() => TestData.Engine.LoadAsync(damaged, cancellationToken: TestContext.Current.CancellationToken));
            Assert.Contains("damaged", error.Message, StringComparison.Ordinal);
        }

        foreach (int length in (int[])[0, 10, 64, 4096, whole.Length - 4096])
        {
            await File.WriteAllBytesAsync(damaged, whole[..length], TestContext.Current.CancellationToken);
            await Assert.ThrowsAsync<SandboxException>(() => TestData.Engine.LoadAsync(damaged, cancellationToken: TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task What_does_not_fit_this_machine_is_refused_with_the_reason()
    {
        using var original = await Session.StartAsync(Adder);
        original.WaitFor("ready\n");
        using var snapshot = original.Sandbox.Capture();
        TestData.Engine.Save(snapshot, PathOf("saved"));
        var description = SavedSandboxFile.ReadDescription(PathOf("saved"));
        (SavedSandbox Changed, string Reason)[] cases =
        [
            (description with { Schema = description.Schema + 1 }, "another version of Ramet"),
            (description with { CpuFlags = description.CpuFlags + " avx1024" }, "avx1024"),
            (description with { XStateMask = description.XStateMask | (1UL << 40) }, "XCR0"),
            (description with { TemplateId = "another" }, "another build of template 'python'"),
            (description with { ImageId = "another" }, "another build of image 'python'"),
        ];
        foreach (var (changed, reason) in cases)
        {
            SavedSandboxFile.Write(PathOf("changed"), changed, snapshot.Memory, snapshot.State);
            var error = await Assert.ThrowsAsync<SandboxException>(() => TestData.Engine.LoadAsync(PathOf("changed"), cancellationToken: TestContext.Current.CancellationToken));
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_save_that_fails_leaves_the_old_file_as_it_was()
    {
        using var original = await Session.StartAsync(Adder);
        original.WaitFor("ready\n");
        using var snapshot = original.Sandbox.Capture();
        string path = PathOf("saved");
        TestData.Engine.Save(snapshot, path);
        byte[] before = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        // A device that is full stands for a disk that is.
        Assert.Throws<SandboxException>(() => TestData.Engine.Save(snapshot, "/dev/full/x"));
        Assert.Throws<SandboxException>(() => TestData.Engine.Save(snapshot, PathOf("no such folder/saved")));
        Assert.Equal(before, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
        Assert.Single(_directory.GetFiles());
    }
}
