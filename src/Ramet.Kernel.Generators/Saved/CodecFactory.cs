using Microsoft.CodeAnalysis;

namespace Ramet.Kernel.Generators.Saved;

/// <summary>Chooses how a type is saved.</summary>
internal static class CodecFactory
{
    private const string Collections = "System.Collections.Generic.";

    /// <summary>The codec, or null with the reason.</summary>
    public static Codec? Create(ITypeSymbol type, out string reason)
    {
        reason = "";
        switch (type)
        {
            case IArrayTypeSymbol { Rank: 1 } array:
                return Create(array.ElementType, out reason) is { } element ? new ArrayCodec(Names.Reference(type), element) : null;
            case IArrayTypeSymbol:
                reason = "arrays have one dimension";
                return null;
            case INamedTypeSymbol named:
                return Create(named, out reason);
            default:
                reason = "pointers and type parameters are not data";
                return null;
        }
    }

    private static Codec? Create(INamedTypeSymbol type, out string reason)
    {
        reason = "";
        string reference = Names.Reference(type);
        switch (type.SpecialType)
        {
            case SpecialType.System_Boolean: return MethodCodec.Boolean;
            case SpecialType.System_String: return MethodCodec.String;
            case SpecialType.System_Object: return MethodCodec.Any;
            case SpecialType.System_Byte or SpecialType.System_SByte: return new RawCodec(reference, reference, 1);
            case SpecialType.System_Int16 or SpecialType.System_UInt16 or SpecialType.System_Char: return new RawCodec(reference, reference, 2);
            case SpecialType.System_Int32 or SpecialType.System_UInt32 or SpecialType.System_Single: return new RawCodec(reference, reference, 4);
            case SpecialType.System_Int64 or SpecialType.System_UInt64 or SpecialType.System_Double: return new RawCodec(reference, reference, 8);
            case SpecialType.System_IntPtr or SpecialType.System_UIntPtr:
                reason = "a host pointer means nothing in a snapshot";
                return null;
        }

        switch (type.TypeKind)
        {
            case TypeKind.Enum:
                return new RawCodec(reference, $"{reference}:{type.EnumUnderlyingType}", 1);
            case TypeKind.Delegate:
                reason = "a delegate is not data";
                return null;
            case TypeKind.Interface when FromSystem(type):
                reason = "use a concrete collection";
                return null;
            case TypeKind.Interface when type.ContainingNamespace.ToDisplayString().EndsWith(".Platform", StringComparison.Ordinal):
                reason = "a port is not data";
                return null;
            case TypeKind.Interface:
                return new ReferenceCodec(reference, isInterface: true);
        }

        if (type.IsGenericType && FromSystem(type)) return CreateGeneric(type, reference, out reason);
        if (Names.IsSaved(type)) return type.IsValueType ? new SavedStructCodec(reference) : new ReferenceCodec(reference, isInterface: false);
        if (type.IsValueType) return CreateRaw(type, reference, out reason);
        reason = "its class is not [Saved]";
        return null;
    }

    private static Codec? CreateGeneric(INamedTypeSymbol type, string reference, out string reason)
    {
        var parts = new List<Codec>();
        foreach (var argument in type.IsTupleType ? type.TupleElements.Select(e => e.Type) : type.TypeArguments)
        {
            if (Create(argument, out reason) is not { } part) return null;
            parts.Add(part);
        }

        reason = "";
        string kind = type.ContainingNamespace.ToDisplayString() + "." + type.Name;
        if (type.IsTupleType && parts.Count > 1)
            return new PartsCodec(reference, [.. parts.Select((p, i) => ($"Item{i + 1}", p))]);
        switch (kind)
        {
            case "System.Nullable":
                return new NullableCodec(reference, parts[0]);
            case "System.ReadOnlyMemory" when type.TypeArguments[0].SpecialType == SpecialType.System_Byte:
                return MethodCodec.Memory;
            case Collections + "KeyValuePair":
                return new PartsCodec(reference, [("Key", parts[0]), ("Value", parts[1])]);
            case Collections + "Dictionary" or Collections + "SortedDictionary":
                bool sorted = type.Name == "SortedDictionary";
                reason = KeyProblem(type.TypeArguments[0], sorted);
                return reason.Length > 0 ? null : new DictionaryCodec(reference, sorted, parts[0], type.TypeArguments[0].IsReferenceType, parts[1]);
        }

        foreach (var shape in CollectionShape.All)
        {
            if (kind != Collections + shape.Kind) continue;
            if (shape.IsSet) reason = KeyProblem(type.TypeArguments[0], shape.IsSorted);
            return reason.Length > 0 ? null : new CollectionCodec(reference, shape, parts[0]);
        }

        reason = "this generic type is not among the supported ones";
        return null;
    }

    /// <summary>Keys are hashed and compared while loading, when objects have no fields yet: a key that is an object must be compared by identity.</summary>
    private static string KeyProblem(ITypeSymbol key, bool sorted)
    {
        if (key.IsValueType || key.SpecialType == SpecialType.System_String) return "";
        if (sorted) return "a sorted collection needs keys that are values or strings";
        if (key.TypeKind != TypeKind.Class || key.SpecialType == SpecialType.System_Object) return "keys are values, strings or [Saved] classes";
        for (ITypeSymbol? type = key; type is not null && type.SpecialType != SpecialType.System_Object; type = type.BaseType)
        {
            if (type.IsRecord || type.GetMembers(nameof(GetHashCode)).Length > 0) return "a class with its own GetHashCode cannot be a key, since it is hashed before it is loaded";
        }

        return "";
    }

    private static RawCodec? CreateRaw(INamedTypeSymbol type, string reference, out string reason)
    {
        reason = "";
        if (type.IsUnmanagedType && !type.IsRefLikeType && Layout(type) is { } layout) return new RawCodec(reference, layout, 1);
        reason = type.IsUnmanagedType ? "it contains a pointer of the host" : "a struct that holds references must be [Saved]";
        return null;
    }

    /// <summary>The fields of a struct that is saved as it is in memory, for the schema hash; null when there is a pointer among them.</summary>
    private static string? Layout(INamedTypeSymbol type)
    {
        if (type.SpecialType is SpecialType.System_IntPtr or SpecialType.System_UIntPtr) return null;
        string name = Names.Reference(type);
        if (type.SpecialType != SpecialType.None || type.EnumUnderlyingType is not null || FromSystem(type)) return name;
        var text = new System.Text.StringBuilder(name);
        foreach (var attribute in type.GetAttributes())
        {
            if (attribute.AttributeClass?.Name is "StructLayoutAttribute" or "InlineArrayAttribute")
                text.Append(string.Join(",", attribute.ConstructorArguments.Select(a => a.Value)));
        }

        text.Append('{');
        foreach (var field in type.GetMembers().OfType<IFieldSymbol>())
        {
            if (field.IsStatic) continue;
            if (field.Type is not INamedTypeSymbol inner || Layout(inner) is not { } layout) return null;
            text.Append(field.Name).Append(':').Append(layout).Append(';');
        }

        return text.Append('}').ToString();
    }

    private static bool FromSystem(ITypeSymbol type)
    {
        string space = type.ContainingNamespace?.ToDisplayString() ?? "";
        return space == "System" || space.StartsWith("System.", StringComparison.Ordinal);
    }
}
