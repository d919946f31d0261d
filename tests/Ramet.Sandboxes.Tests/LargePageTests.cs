using System.Text;

namespace Ramet.Sandboxes.Tests;

/// <summary>Programs of the image that are mapped with large pages. What programs see of such mappings is in tests/conformance/large.c.</summary>
public sealed class LargePageTests
{
    [Fact]
    public async Task A_template_maps_its_interpreter_with_large_pages()
    {
        var template = await TestData.Engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
        Assert.NotEmpty(template.Manifest.LargeImagePages);
        using var sandbox = TestData.Engine.Fork(template, new SandboxOptions { Timeout = TimeSpan.FromSeconds(60) });
        Assert.Equal(template.Manifest.LargeImagePages, sandbox.Kernel.GetLargeImagePages());
    }

    [Fact]
    public async Task A_file_that_is_written_changes_in_mappings_with_large_pages()
    {
        // The interpreter's own file, and one that is mapped while it changes: in the sandbox's layer, not in the image.
        const string code = """
            import mmap, os, sys
            path = os.path.realpath("/proc/self/exe")
            with open(path, "rb") as file:
                old = file.read()
                size = len(old) & ~4095
                mapped = mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ)
            print(mapped[:] == old[:size])
            # It runs: it can be replaced, not written.
            try:
                open(path, "r+b")
                print("opened")
            except OSError as error:
                print(error.strerror)
            library = next(line.split()[-1] for line in open("/proc/self/maps") if "liblapack" in line)
            with open(library, "rb") as file:
                old = file.read()
                size = len(old) & ~4095
                mapped = mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ)
            print(mapped[:] == old[:size], size > 4 << 20)
            at = 3 << 20
            with open(library, "r+b") as file:
                file.seek(at)
                file.write(b"changed")
            print(mapped[at:at + 7], mapped[:at] == old[:at], mapped[at + 7:] == old[at + 7:size])
            """;
        var template = await TestData.Engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
        for (int round = 0; round < 2; round++)
        {
            var result = TestData.Engine.Execute(template, new ExecRequest { Code = code }, new SandboxOptions { Timeout = TimeSpan.FromSeconds(60) }).Result;
            Assert.Equal("", Encoding.UTF8.GetString(result.Stderr));
            Assert.Equal("True\nText file busy\nTrue True\nb'changed' True True\n", Encoding.UTF8.GetString(result.Stdout));
        }
    }
}
