namespace Ramet.Kernel.Generators.Saved;

/// <summary>What the registry needs to know of a [Saved] type, and the code that was generated for it.</summary>
/// <param name="FullName">Namespace, containing types and name; sorts the types.</param>
/// <param name="Reference">How C# refers to it (global::...).</param>
/// <param name="IsStruct">A struct has no tag: it is saved inside its holder.</param>
/// <param name="IsAbstract">Never created.</param>
/// <param name="MayHaveOnLoaded">Whether it, or a base class, has an OnLoaded hook as far as can be seen.</param>
/// <param name="Schema">Names and types of all fields, for the schema hash.</param>
/// <param name="Code">The generated part.</param>
/// <param name="Diagnostics">What is wrong with it.</param>
internal sealed record SavedType(
    string FullName,
    string Reference,
    bool IsStruct,
    bool IsAbstract,
    bool MayHaveOnLoaded,
    string Schema,
    string Code,
    EquatableArray<DiagnosticInfo> Diagnostics)
{
    /// <summary>The name of the constant that holds the tag.</summary>
    public string TagName => TagNameOf(FullName);

    public static string TagNameOf(string fullName) => "Tag_" + fullName.Replace("_", "__").Replace('.', '_').Replace('+', '_');
}

