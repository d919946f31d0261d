using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Ramet.Kernel.Generators.Saved;

/// <summary>Generates save and load code for [Saved] types and the registry of them.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class SavedGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var types = context.SyntaxProvider.ForAttributeWithMetadataName(
            Names.SavedAttribute,
            static (node, _) => node is TypeDeclarationSyntax,
            static (found, _) => new SavedTypeAnalysis(
                (INamedTypeSymbol)found.TargetSymbol, $"global::{Names.RegistryNamespace(found.SemanticModel.Compilation)}.SavedTypes").Run());

        context.RegisterSourceOutput(types, static (output, type) =>
        {
            foreach (var diagnostic in type.Diagnostics) output.ReportDiagnostic(diagnostic.ToDiagnostic());
            if (type.Code.Length > 0) output.AddSource($"{type.FullName}.Saved.g.cs", type.Code);
        });

        var registry = context.CompilationProvider.Select(static (compilation, _) =>
            compilation.GetTypeByMetadataName(Names.SavedAttribute) is null ? null : Names.RegistryNamespace(compilation));
        context.RegisterSourceOutput(types.Collect().Combine(registry), static (output, input) =>
        {
            if (input.Right is { } name && (input.Left.Length > 0 || name == Names.Namespace))
                output.AddSource("SavedTypes.g.cs", RegistryEmitter.Emit(name, input.Left));
        });

        var forgotten = context.SyntaxProvider.CreateSyntaxProvider(
            static (node, _) => node is ClassDeclarationSyntax { BaseList: not null } or RecordDeclarationSyntax { BaseList: not null },
            static (found, cancellation) => FindForgotten(found.SemanticModel.GetDeclaredSymbol((TypeDeclarationSyntax)found.Node, cancellation)));
        context.RegisterSourceOutput(forgotten, static (output, diagnostic) =>
        {
            if (diagnostic is not null) output.ReportDiagnostic(diagnostic.ToDiagnostic());
        });
    }

    /// <summary>A class that derives from a [Saved] class of its own assembly without being [Saved]. (Tests may derive fakes that are never saved.)</summary>
    private static DiagnosticInfo? FindForgotten(INamedTypeSymbol? type) =>
        type?.BaseType is { } parent && Names.IsSaved(parent) && !Names.IsSaved(type)
            && SymbolEqualityComparer.Default.Equals(parent.ContainingAssembly, type.ContainingAssembly)
            ? new(Descriptors.DerivedNotSaved, LocationInfo.From(type), type.Name, parent.Name)
            : null;
}
