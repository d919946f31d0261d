using Ramet.Images.Debian;
using Ramet.Images.Specs;

namespace Ramet.Images.Tests;

public sealed class SetupTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly ContentSpool _spool = new(new MemoryStream());
    private readonly ImageTree _tree;

    public SetupTests() => _tree = new ImageTree(_spool);

    public void Dispose()
    {
        _spool.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void Alternatives_of_postinst_scripts_become_links()
    {
        foreach (var path in new[] { "usr/bin/mawk", "usr/bin/gawk", "usr/lib/blas/libblas.so.3", "usr/bin/vim.tiny", "usr/share/man/man1/vim.1.gz" }) _tree.AddFile(path, "");
        var alternatives = new Alternatives(_tree);
        alternatives.Read("""
            #!/bin/sh
            set -e
            if [ "$1" = "configure" ]; then
                    update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \
                        --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \
                        --slave /usr/bin/nawk nawk /usr/bin/mawk
            fi
            """);
        alternatives.Read("""update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/gawk 10 || true # better""");
        alternatives.Read("""
            LIB=/usr/lib
            	update-alternatives --install ${LIB}/libblas.so.3 "libblas.so.3-x" \
            	    $LIB/blas/libblas.so.3 10; echo done
            """);
        alternatives.Read("""
            for i in vi view; do update-alternatives --install /usr/bin/$i $i /usr/bin/vim.tiny 15; done
            update-alternatives --install /usr/bin/editor editor /usr/bin/absent 50
            update-alternatives --install ../../up "../up" /usr/bin/mawk 1
            update-alternatives --remove awk /usr/bin/mawk
            """);
        alternatives.Apply();
        Assert.Equal("/etc/alternatives/awk", _tree.Find("usr/bin/awk", followLast: false)!.LinkTarget);
        Assert.Same(_tree.Find("usr/bin/gawk"), _tree.Find("usr/bin/awk"));
        Assert.Null(_tree.Find("usr/bin/nawk")); // gawk has no such slave.
        Assert.Same(_tree.Find("usr/lib/blas/libblas.so.3"), _tree.Find("usr/lib/libblas.so.3"));
        Assert.Null(_tree.Find("usr/bin/editor", followLast: false));
        Assert.Null(_tree.Find("usr/bin/$i", followLast: false));
        Assert.Equal(["awk", "libblas.so.3-x"], _tree.Find("etc/alternatives")!.Entries.Keys);
    }

    [Fact]
    public void Sources_of_the_suite_are_taken_from_both_formats_and_others_left_out()
    {
        Directory.CreateDirectory(_directory.In("sources.list.d"));
        File.WriteAllText(_directory.In("sources.list"), """
            # comment
            deb [arch=amd64 signed-by=/k.gpg] http://mirror/debian bookworm main contrib
            deb-src http://mirror/debian bookworm main
            deb http://mirror/debian trixie main # other suite
            """);
        File.WriteAllText(_directory.In("sources.list.d/a.sources"), """
            Types: deb deb-src
            URIs: http://security
            Suites: bookworm-security bullseye-security
            Components: main
            Signed-By:
             -----BEGIN PGP PUBLIC KEY BLOCK-----
             .
             abc

            Types: deb
            URIs: http://off
            Suites: bookworm
            Components: main
            Enabled: no
            """);
        File.WriteAllText(_directory.In("sources.list.d/vendor.list"), "deb http://vendor cloud-bookworm main\n");
        File.WriteAllText(_directory.In("sources.list.d/a.sources.disabled"), "Types: deb\nURIs: http://disabled\nSuites: bookworm\nComponents: main\n");

        var text = AptSources.Select("bookworm", "bookworm", _directory.Path);
        Assert.Equal("""
            Types: deb
            URIs: http://mirror/debian
            Suites: bookworm
            Components: main contrib
            Signed-By: /k.gpg

            Types: deb
            URIs: http://security
            Suites: bookworm-security
            Components: main
            Signed-By: 
             -----BEGIN PGP PUBLIC KEY BLOCK-----
             .
             abc


            """, text);
        Assert.Contains("Suites: forky-security\n", AptSources.Select("forky", "bookworm", _directory.Path), StringComparison.Ordinal);
        var refused = Assert.Throws<ImageBuildException>(() => AptSources.Select("forky", "noble", _directory.Path));
        Assert.Contains("no package source for Debian forky", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_tool_is_named_with_what_installs_it()
    {
        var e = await Assert.ThrowsAsync<ImageBuildException>(() =>
            Tool.RunAsync("no-such-apt-get", [], new Dictionary<string, string>(), null, CancellationToken.None));
        Assert.Equal("no-such-apt-get was not found: images are built with Debian's package tools. Install them with: apt-get install apt dpkg", e.Message);
    }

    [Fact]
    public async Task A_cancelled_tool_is_ended_with_its_children()
    {
        var marker = $"{Random.Shared.Next(100_000, 999_999)}.5";
        using var cancellation = new CancellationTokenSource();
        var run = Tool.RunAsync("sh", ["-c", $"sleep {marker} & echo started; wait"], new Dictionary<string, string>(), _ =>
        {
            cancellation.Cancel();
            return true;
        }, cancellation.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run).WaitAsync(TimeSpan.FromSeconds(20));
        foreach (var process in System.Diagnostics.Process.GetProcessesByName("sleep"))
            using (process) Assert.DoesNotContain(marker, File.Exists($"/proc/{process.Id}/cmdline") ? File.ReadAllText($"/proc/{process.Id}/cmdline") : "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pythn3", "python3")]
    [InlineData("pyhton3", "python3")]
    [InlineData("numpy", null)]
    [InlineData("das", "dash")]
    public void The_nearest_name_is_close(string name, string? nearest) =>
        Assert.Equal(nearest, NearestName.Find(name, ["dash", "python3", "python3-numpy", "bash-completion"]));
}
