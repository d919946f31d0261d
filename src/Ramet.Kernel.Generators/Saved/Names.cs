using Microsoft.CodeAnalysis;

namespace Ramet.Kernel.Generators.Saved;

/// <summary>Names that generated code refers to.</summary>
internal static class Names
{
    public const string Namespace = "Ramet.Kernel.State";
    public const string SavedAttribute = Namespace + ".SavedAttribute";
    public const string NotSavedAttribute = Namespace + ".NotSavedAttribute";
    public const string StateWriter = "global::" + Namespace + ".StateWriter";
    public const string StateReader = "global::" + Namespace + ".StateReader";
    public const string StateCursor = "global::" + Namespace + ".StateCursor";
    public const string SavedObject = "global::" + Namespace + ".ISavedObject";

    /// <summary>The registry lives with the attribute; other assemblies have one of their own, in a namespace of the assembly's name.</summary>
    public static string RegistryNamespace(Compilation compilation) =>
        SymbolEqualityComparer.Default.Equals(compilation.GetTypeByMetadataName(SavedAttribute)?.ContainingAssembly, compilation.Assembly)
            ? Namespace
            : compilation.AssemblyName ?? "Generated";

    public static bool HasAttribute(ISymbol symbol, string name)
    {
        foreach (var attribute in symbol.GetAttributes())
        {
            if (attribute.AttributeClass is { } type && type.ToDisplayString() == name) return true;
        }

        return false;
    }

    public static bool IsSaved(ITypeSymbol type) => HasAttribute(type, SavedAttribute);

    /// <summary>The name by which types are sorted and hashed.</summary>
    public static string FullName(ITypeSymbol type) => type.ToDisplayString(new SymbolDisplayFormat(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces));

    public static string Reference(ITypeSymbol type) => type.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat);
}
