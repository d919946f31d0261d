using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Ramet.Kernel.Generators.Saved;

/// <summary>Looks at one [Saved] type: what is wrong with it, which members it saves, and the code for that.</summary>
internal sealed class SavedTypeAnalysis(INamedTypeSymbol type, string registry)
{
    private readonly List<DiagnosticInfo> _diagnostics = [];
    private readonly List<(string Name, Codec Codec)> _members = [];

    public SavedType Run()
    {
        bool isStruct = type.TypeKind == TypeKind.Struct;
        CheckShape();
        if (_diagnostics.Count == 0) CollectMembers(isStruct);
        bool saving = CheckHook("OnSaving", parameters: 0, "private void OnSaving()");
        bool loaded = CheckHook("OnLoaded", parameters: 1, "private void OnLoaded(StateReader reader)");
        if (isStruct && _members.Count == 0 && _diagnostics.Count == 0)
            Report(Descriptors.UnsupportedShape, type, type.Name, "a struct without saved fields takes no bytes");
        string schema = $"{Names.FullName(type)}<{type.BaseType?.Name}{{{string.Join(";", _members.Select(m => $"{m.Name}:{m.Codec.Schema}"))}}}";
        string code = _diagnostics.Count > 0 ? "" : new SavedTypeEmitter(type, registry, _members, saving, loaded).Emit();
        return new(
            Names.FullName(type), Names.Reference(type), isStruct, type.IsAbstract, MayHaveOnLoaded(), schema, code, new(_diagnostics));
    }

    private void Report(DiagnosticDescriptor descriptor, ISymbol where, string argument0, string argument1 = "", string argument2 = "") =>
        _diagnostics.Add(new(descriptor, LocationInfo.From(where) ?? LocationInfo.From(type), argument0, argument1, argument2));

    private void CheckShape()
    {
        for (INamedTypeSymbol? t = type; t is not null; t = t.ContainingType)
        {
            if (t.IsGenericType) Report(Descriptors.UnsupportedShape, type, type.Name, "generic types have no tag");
            if (t.DeclaredAccessibility is Accessibility.Private or Accessibility.Protected)
                Report(Descriptors.UnsupportedShape, type, type.Name, "the generated registry must reach it: make it internal");
            if (!IsPartial(t)) Report(Descriptors.NotPartial, type, type.Name);
        }

        if (type.IsRefLikeType) Report(Descriptors.UnsupportedShape, type, type.Name, "a ref struct cannot be part of an object");
        if (type.IsStatic) Report(Descriptors.UnsupportedShape, type, type.Name, "a static class has no state");
        if (Declarations(type).Any(d => d.ParameterList is { Parameters.Count: > 0 }))
            Report(Descriptors.UnsupportedShape, type, type.Name, "parameters of a primary constructor become hidden fields: declare fields and an ordinary constructor");
        if (type.TypeKind != TypeKind.Class) return;
        if (type.BaseType is { SpecialType: not SpecialType.System_Object } parent && !Names.IsSaved(parent))
            Report(Descriptors.BaseNotSaved, type, type.Name, parent.Name);
        if (!type.InstanceConstructors.Any(c => c.Parameters.Length == 0)) Report(Descriptors.NoConstructor, type, type.Name);
    }

    private void CollectMembers(bool isStruct)
    {
        foreach (var field in type.GetMembers().OfType<IFieldSymbol>())
        {
            // A type that the compiler does not know is its business alone.
            if (field.IsStatic || field.IsConst || field.Type.TypeKind == TypeKind.Error) continue;
            ISymbol member = field.AssociatedSymbol ?? field;
            if (Names.HasAttribute(field, Names.NotSavedAttribute) || Names.HasAttribute(member, Names.NotSavedAttribute)) continue;
            if (AssignmentProblem(field, member, isStruct) is { } problem) Report(Descriptors.NotAssignable, member, member.Name, problem);
            else if (CodecFactory.Create(field.Type, out string reason) is { } codec) _members.Add((member.Name, codec));
            else Report(Descriptors.UnsupportedType, member, member.Name, field.Type.ToDisplayString(), reason);
        }

        foreach (var hidden in type.GetMembers().OfType<IEventSymbol>())
        {
            bool hasField = hidden.DeclaringSyntaxReferences.Any(r => r.GetSyntax() is VariableDeclaratorSyntax);
            if (hasField && !hidden.IsStatic && !hidden.IsAbstract)
                Report(Descriptors.UnsupportedType, hidden, hidden.Name, hidden.Type.ToDisplayString(), "an event holds delegates: use a field");
        }

        // Files of a partial type come in any order; the layout must not depend on it.
        _members.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
    }

    private static string? AssignmentProblem(IFieldSymbol field, ISymbol member, bool isStruct)
    {
        if (member is IPropertySymbol property)
        {
            if (property.IsRequired) return "drop required";
            if (property.ExplicitInterfaceImplementations.Length > 0) return "back it with a field";
            if (property.SetMethod is null) return "add 'private set'";
            if (property.SetMethod.IsInitOnly) return "replace 'init' by 'private set'";
            if (property.IsVirtual) return "a virtual auto-property may be overridden: back it with a field";
            if (HasBody(property)) return "an accessor with code and a 'field' is not a plain store: declare the field yourself";
            return null;
        }

        if (field.IsRequired) return "drop required";
        if (field.RefKind != RefKind.None) return "a ref field is not data";
        return field.IsReadOnly ? isStruct ? "drop readonly (from the field or the struct)" : "drop readonly" : null;
    }

    private static bool HasBody(IPropertySymbol property) => property.DeclaringSyntaxReferences
        .Select(r => r.GetSyntax()).OfType<PropertyDeclarationSyntax>()
        .Any(p => p.AccessorList?.Accessors.Any(a => a.Body is not null || a.ExpressionBody is not null) == true);

    private bool CheckHook(string name, int parameters, string signature)
    {
        var hook = type.GetMembers(name).OfType<IMethodSymbol>().FirstOrDefault(m => !m.IsStatic);
        if (hook is null) return false;
        bool right = hook.ReturnsVoid && hook.Parameters.Length == parameters && !hook.IsGenericMethod
            && (parameters == 0 || hook.Parameters[0].Type.ToDisplayString() == Names.Namespace + ".StateReader");
        if (!right) Report(Descriptors.BadHook, hook, type.Name + "." + name, signature);
        return right;
    }

    private bool MayHaveOnLoaded()
    {
        for (INamedTypeSymbol? t = type; t is { SpecialType: SpecialType.None }; t = t.BaseType)
        {
            // Private members of other assemblies are not visible here.
            if (!SymbolEqualityComparer.Default.Equals(t.ContainingAssembly, type.ContainingAssembly)) return true;
            if (t.GetMembers("OnLoaded").Length > 0) return true;
        }

        return false;
    }

    private static bool IsPartial(INamedTypeSymbol symbol) => Declarations(symbol).Any(d => d.Modifiers.Any(SyntaxKind.PartialKeyword));

    private static IEnumerable<TypeDeclarationSyntax> Declarations(INamedTypeSymbol symbol) =>
        symbol.DeclaringSyntaxReferences.Select(r => r.GetSyntax()).OfType<TypeDeclarationSyntax>();
}
