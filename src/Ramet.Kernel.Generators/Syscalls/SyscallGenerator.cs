using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Ramet.Kernel.Generators.Saved;

namespace Ramet.Kernel.Generators.Syscalls;

/// <summary>Generates dispatch, tracing and documentation of system calls from the methods with [Syscall].</summary>
[Generator(LanguageNames.CSharp)]
public sealed class SyscallGenerator : IIncrementalGenerator
{
    private const string Namespace = "Ramet.Kernel.Syscalls";
    private const string Attribute = Namespace + ".SyscallAttribute";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var handlers = context.SyntaxProvider.ForAttributeWithMetadataName(
            Attribute,
            static (node, _) => node is MethodDeclarationSyntax,
            static (found, _) => new HandlerAnalysis((IMethodSymbol)found.TargetSymbol, found.Attributes).Run());
        var target = context.CompilationProvider.Select(static (compilation, _) => FindTarget(compilation));
        context.RegisterSourceOutput(handlers.Collect().Combine(target), static (output, input) =>
        {
            if (input.Right is not { } table || (input.Left.Length == 0 && !table.IsKernel)) return;
            var present = new SortedDictionary<int, HandlerModel>();
            foreach (var set in input.Left)
            {
                foreach (var diagnostic in set.Diagnostics) output.ReportDiagnostic(diagnostic.ToDiagnostic());
                foreach (var handler in set.Handlers)
                {
                    if (!present.TryGetValue(handler.Number, out var other)) present.Add(handler.Number, handler);
                    else output.ReportDiagnostic(new DiagnosticInfo(Descriptors.DuplicateSyscall, handler.Location, handler.Display, $"{handler.Number}", other.Display).ToDiagnostic());
                }
            }

            var enums = input.Left.SelectMany(s => s.Enums).Distinct().OrderBy(e => e.Type, StringComparer.Ordinal).ToList();
            output.AddSource("SyscallTable.g.cs", TableEmitter.EmitTable(table, present.Values));
            output.AddSource("SyscallTable.Trace.g.cs", TableEmitter.EmitTrace(table, present.Values, enums));
        });
    }

    private static TableTarget? FindTarget(Compilation compilation)
    {
        if (compilation.GetTypeByMetadataName(Attribute) is not { } attribute) return null;
        bool isKernel = SymbolEqualityComparer.Default.Equals(attribute.ContainingAssembly, compilation.Assembly);
        // The enum is found through the attribute, so that its home is named here only once: in the attribute's constructor.
        var numbers = attribute.InstanceConstructors.FirstOrDefault(c => c.Parameters.Length == 1)?.Parameters[0].Type as INamedTypeSymbol;
        return new(
            isKernel ? Namespace : compilation.AssemblyName ?? "Generated",
            isKernel,
            new(numbers?.EnumUnderlyingType is null ? [] : EnumReader.Members(numbers)));
    }
}
