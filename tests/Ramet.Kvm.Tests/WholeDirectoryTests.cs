using Ramet.Host;

namespace Ramet.Kvm.Tests;

/// <summary>Directories that are replaced whole.</summary>
public sealed class WholeDirectoryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ramet-whole-").FullName;

    private string Target => Path.Combine(_directory, "a");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_directory_that_is_replaced_is_there_at_every_moment()
    {
        WholeDirectory.Replace(Make("0"), Target);
        using var over = new CancellationTokenSource();
        int missed = 0;
        using var begun = new ManualResetEventSlim();
        var watcher = new Thread(() =>
        {
            while (!over.IsCancellationRequested)
            {
                if (!File.Exists(Path.Combine(Target, "content"))) missed++;
                begun.Set();
            }
        });
        watcher.Start();
        begun.Wait(TestContext.Current.CancellationToken);
        for (int i = 1; i <= 50; i++)
        {
            string made = Make($"{i}");
            WholeDirectory.Replace(made, Target);
            Assert.Equal(($"{i}", $"{i - 1}"), (ContentOf(Target), ContentOf(made)));
            Directory.Delete(made, recursive: true);
        }

        over.Cancel();
        watcher.Join();
        Assert.Equal(0, missed);
        Assert.Equal([Target], Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public void In_steps_the_outcome_is_the_same()
    {
        WholeDirectory.Replace(Make("before"), Target);
        string made = Make("after");
        WholeDirectory.ReplaceInSteps(made, Target);
        Assert.Equal(("after", "before"), (ContentOf(Target), ContentOf(made)));
        Assert.Empty(WholeDirectory.ListHalfReplaced(_directory));
    }

    [Fact]
    public void What_is_left_of_a_kill_between_the_steps_is_put_back()
    {
        string old = Path.Combine(_directory, $".old-a-{Guid.NewGuid():n}"), others = Path.Combine(_directory, $".old-a-b-{Guid.NewGuid():n}");
        foreach (string path in (string[])[old, others]) Directory.Move(Make(path), path);
        Assert.Equal([Target, Target + "-b"], WholeDirectory.ListHalfReplaced(_directory).Order(StringComparer.Ordinal));
        Assert.True(WholeDirectory.Recover(Target));
        Assert.Equal(old, ContentOf(Target));
        Assert.True(Directory.Exists(others));

        // Killed after the second step: the new one stays.
        string again = Path.Combine(_directory, $".old-a-{Guid.NewGuid():n}");
        Directory.Move(Make("again"), again);
        Assert.True(WholeDirectory.Recover(Target));
        Assert.Equal(old, ContentOf(Target));
        Assert.False(Directory.Exists(again));
        Assert.False(WholeDirectory.Recover(Path.Combine(_directory, "b")));
    }

    [Theory]
    [InlineData("a", true)]
    [InlineData("a-b", true)]
    [InlineData("", false)]
    public void The_name_of_a_temporary_directory_is_all_before_its_guid(string name, bool valid)
    {
        string made = valid ? WholeDirectory.NewTemporary(Path.Combine(_directory, name)) : Path.Combine(_directory, $".tmp-{Guid.NewGuid():n}");
        Assert.Equal(valid ? name : null, WholeDirectory.NameOfTemporary(made));
        Assert.Null(WholeDirectory.NameOfTemporary(made[..^1]));
        Assert.Null(WholeDirectory.NameOfTemporary(made[..^1] + "x"));
    }

    private string Make(string content)
    {
        string path = WholeDirectory.NewTemporary(Target);
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "content"), content);
        return path;
    }

    private static string ContentOf(string path) => File.ReadAllText(Path.Combine(path, "content"));
}
