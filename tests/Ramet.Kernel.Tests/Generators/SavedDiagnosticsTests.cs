using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

namespace Ramet.Kernel.Tests.Generators;

public sealed class SavedDiagnosticsTests
{
    [Fact]
    public void A_correct_class_compiles() => Assert.Empty(GeneratorRun.Diagnostics(
        "[Saved] public sealed partial class A { private int _x; public List<A> All { get; private set; } = []; }"));

    [Theory]
    [InlineData("public Action X;", "a delegate is not data")]
    [InlineData("public event Action X;", "an event holds delegates")]
    [InlineData("public Version X;", "not [Saved]")]
    [InlineData("public System.Threading.Lock X;", "not [Saved]")]
    [InlineData("public Ramet.Kernel.Platform.IMachine X;", "a port is not data")]
    [InlineData("public Ramet.Kernel.Platform.GuestMemory X;", "not [Saved]")]
    [InlineData("public IDictionary<int, int> X;", "use a concrete collection")]
    [InlineData("public int[,] X;", "one dimension")]
    [InlineData("public nint X;", "host pointer")]
    [InlineData("public List<Action> X;", "a delegate is not data")]
    [InlineData("public Dictionary<int, List<Version>> X;", "not [Saved]")]
    [InlineData("public (int, Action) X;", "a delegate is not data")]
    [InlineData("public LinkedListNode<int> X;", "not among the supported")]
    [InlineData("public Memory<byte> X;", "not among the supported")]
    [InlineData("public SortedSet<A> X;", "values or strings")]
    [InlineData("public HashSet<object> X;", "keys are values")]
    [InlineData("public struct S { public string T; } public S X;", "must be [Saved]")]
    [InlineData("public struct S { public nint T; } public S X;", "pointer")]
    public void A_field_that_cannot_be_saved_is_an_error(string member, string part)
    {
        string diagnostic = Assert.Single(GeneratorRun.Diagnostics($"[Saved] public sealed partial class A {{ {member} }}"));
        Assert.StartsWith("RAMET005: 'X'", diagnostic, StringComparison.Ordinal);
        Assert.Contains(part, diagnostic, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("public int X { get; }", "private set")]
    [InlineData("public int X { get; init; }", "private set")]
    [InlineData("public required int X { get; set; }", "drop required")]
    [InlineData("public readonly int X;", "drop readonly")]
    [InlineData("private readonly List<int> X = [];", "drop readonly")]
    public void A_member_that_cannot_be_assigned_is_an_error_unless_it_is_not_saved(string member, string advice)
    {
        GeneratorRun.AssertSingle("RAMET004", advice, $"[Saved] public sealed partial class A {{ {member} }}");
        if (!member.Contains("required", StringComparison.Ordinal))
            Assert.Empty(GeneratorRun.Diagnostics($"[Saved] public sealed partial class A {{ [NotSaved] {member} }}"));
    }

    [Fact]
    public void A_virtual_auto_property_is_an_error() => GeneratorRun.AssertSingle(
        "RAMET004", "back it with a field", "[Saved] public partial class A { public virtual int X { get; set; } }");

    [Fact]
    public void Fields_that_are_not_saved_may_have_any_type() => Assert.Empty(GeneratorRun.Diagnostics(
        "[Saved] public sealed partial class A { [NotSaved] private Action? _a; [field: NotSaved] public Version? B { get; } public static Version? C; public const int D = 1; }"));

    [Fact]
    public void Key_classes_with_their_own_hash_are_an_error() => GeneratorRun.AssertSingle(
        "RAMET005", "GetHashCode", "[Saved] public sealed partial class A { public int I; public Dictionary<A, int> X = []; public override int GetHashCode() => I; }");

    [Theory]
    [InlineData("RAMET001", "[Saved] public sealed class A;")]
    [InlineData("RAMET001", "public static class O { [Saved] public sealed partial class A; }")]
    [InlineData("RAMET002", "public class B; [Saved] public sealed partial class A : B;")]
    [InlineData("RAMET003", "[Saved] public sealed partial class A { public A(int x) { } }")]
    [InlineData("RAMET006", "[Saved] public sealed partial class A<T>;")]
    [InlineData("RAMET006", "public static partial class O { [Saved] private sealed partial class A; }")]
    [InlineData("RAMET006", "[Saved] public sealed partial class A(int x) { private A() : this(1) { } public int X() => x; }")]
    [InlineData("RAMET006", "[Saved] public partial struct A;")]
    [InlineData("RAMET007", "[Saved] public sealed partial class A { private void OnLoaded() { } }")]
    [InlineData("RAMET007", "[Saved] public sealed partial class A { private int OnSaving() => 1; }")]
    [InlineData("RAMET008", "[Saved] public partial class A; public class B : A;")]
    public void A_type_that_cannot_be_saved_is_an_error(string id, string source) => GeneratorRun.AssertSingle(id, "A", source);

    [Fact]
    public void The_schema_hash_changes_with_a_name_or_a_type_but_not_with_the_order_of_members()
    {
        string first = Hash("[Saved] public sealed partial class A { public int X; public S Y; } public struct S { public int P; public int Q; }");
        Assert.Equal(first, Hash("[Saved] public sealed partial class A { public S Y; public int X; } public struct S { public int P; public int Q; }"));
        Assert.NotEqual(first, Hash("[Saved] public sealed partial class A { public uint X; public S Y; } public struct S { public int P; public int Q; }"));
        Assert.NotEqual(first, Hash("[Saved] public sealed partial class A { public int Z; public S Y; } public struct S { public int P; public int Q; }"));
        Assert.NotEqual(first, Hash("[Saved] public sealed partial class A { public int X; public S Y; } public struct S { public int Q; public int P; }"));
    }

    private static string Hash(string source)
    {
        var (diagnostics, compilation) = GeneratorRun.Run(source);
        Assert.Empty(diagnostics);
        string text = compilation.SyntaxTrees.Single(t => t.FilePath.EndsWith("SavedTypes.g.cs", StringComparison.Ordinal)).ToString();
        return text.Split('\n').Single(l => l.Contains("SchemaHash =>", StringComparison.Ordinal));
    }

    [Fact]
    public void An_edit_elsewhere_does_not_generate_again()
    {
        var (driver, compilation) = GeneratorRun.Start(
            "[Saved] public sealed partial class A { public int X; } public static class H { [Syscall(SyscallNumber.close)] internal static SyscallResult F(PosixThread t, int fd) => 0; }");
        driver = driver.RunGenerators(compilation, TestContext.Current.CancellationToken);
        var other = CSharpSyntaxTree.ParseText("class Unrelated;", (CSharpParseOptions)compilation.SyntaxTrees.First().Options, cancellationToken: TestContext.Current.CancellationToken);
        var results = driver.RunGenerators(compilation.AddSyntaxTrees(other), TestContext.Current.CancellationToken).GetRunResult().Results;
        var outputs = results.SelectMany(r => r.TrackedOutputSteps).SelectMany(s => s.Value).SelectMany(s => s.Outputs).ToList();
        Assert.NotEmpty(outputs);
        Assert.All(outputs, o => Assert.True(o.Reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, o.Reason.ToString()));
    }
}
