using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Ramet.Kernel.Generators.Saved;
using Ramet.Kernel.Generators.Syscalls;
using Xunit;

namespace Ramet.Kernel.Tests.Generators;

/// <summary>Runs the generators on a small source that is compiled against the kernel.</summary>
internal static class GeneratorRun
{
    private static readonly ImmutableArray<MetadataReference> References = [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
        .Split(Path.PathSeparator)
        .Where(p => Path.GetFileName(p) is var n && (n.StartsWith("System.", StringComparison.Ordinal) || n is "Ramet.Kernel.dll" or "Ramet.Abi.dll" or "netstandard.dll"))
        .Select(p => MetadataReference.CreateFromFile(p))];

    private const string Usings = """
        using System; using System.Collections.Generic; using Ramet.Abi; using Ramet.Kernel.Memory; using Ramet.Kernel.Processes;
        using Ramet.Kernel.State; using Ramet.Kernel.Syscalls;
        """;

    /// <summary>Ids of the generators' diagnostics with what stands at the place, or compile errors of the result when there are none.</summary>
    public static IReadOnlyList<string> Diagnostics(string source)
    {
        var (generated, compilation) = Run(source);
        if (generated.Length > 0) return [.. generated.Select(d => $"{d.Id}: {d.GetMessage(null)}")];
        return [.. compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => d.ToString())];
    }

    public static void AssertSingle(string id, string part, string source)
    {
        string diagnostic = Assert.Single(Diagnostics(source));
        Assert.StartsWith(id + ": ", diagnostic, StringComparison.Ordinal);
        Assert.Contains(part, diagnostic, StringComparison.Ordinal);
    }

    public static (ImmutableArray<Diagnostic> Generated, Compilation Compilation) Run(string source)
    {
        var (driver, compilation) = Start(source);
        driver.RunGeneratorsAndUpdateCompilation(compilation, out var updated, out var diagnostics, TestContext.Current.CancellationToken);
        return (diagnostics, updated);
    }

    public static (GeneratorDriver Driver, CSharpCompilation Compilation) Start(string source)
    {
        var options = new CSharpParseOptions(LanguageVersion.CSharp13);
        // The name has access to the kernel's internal members.
        var compilation = CSharpCompilation.Create(
            "Ramet.Kernel.Tests",
            [CSharpSyntaxTree.ParseText(Usings + source, options, "sample.cs")],
            References,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        var driver = CSharpGeneratorDriver.Create(
            [new SavedGenerator().AsSourceGenerator(), new SyscallGenerator().AsSourceGenerator()],
            parseOptions: options,
            driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));
        return (driver, compilation);
    }
}
