using System.Runtime.CompilerServices;

namespace Ramet.Kernel.Tests;

public class DocumentationTests
{
    /// <summary>docs/syscalls.md is generated from the table that dispatch uses. RAMET_UPDATE_DOCS=1 writes it.</summary>
    [Fact]
    public void List_of_system_calls_in_docs_is_what_the_kernel_has()
    {
        string path = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../docs/syscalls.md"));
        string wanted = Ramet.Kernel.Syscalls.SyscallDocumentation.ToMarkdown();
        if (Environment.GetEnvironmentVariable("RAMET_UPDATE_DOCS") == "1") File.WriteAllText(path, wanted);
        Assert.True(File.Exists(path), "docs/syscalls.md is missing: run this test with RAMET_UPDATE_DOCS=1.");
        Assert.True(wanted == File.ReadAllText(path), "docs/syscalls.md is out of date: run this test with RAMET_UPDATE_DOCS=1.");
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
