using Microsoft.CodeAnalysis;
using Ramet.Kernel.Generators.Saved;

namespace Ramet.Kernel.Generators.Syscalls;

/// <summary>Reads the members of an enum.</summary>
internal static class EnumReader
{
    public static EnumModel Read(INamedTypeSymbol type) => new(
        Names.Reference(type),
        Names.HasAttribute(type, "System.FlagsAttribute"),
        new(Members(type)));

    public static int Bits(ITypeSymbol underlying) => underlying.SpecialType switch
    {
        SpecialType.System_Byte or SpecialType.System_SByte => 8,
        SpecialType.System_Int16 or SpecialType.System_UInt16 => 16,
        SpecialType.System_Int64 or SpecialType.System_UInt64 => 64,
        _ => 32,
    };

    /// <summary>The members as bits of the underlying type, in order of declaration; of two names for a value the first.</summary>
    public static IEnumerable<NamedValue> Members(INamedTypeSymbol type)
    {
        int bits = Bits(type.EnumUnderlyingType!);
        ulong mask = bits == 64 ? ulong.MaxValue : (1UL << bits) - 1;
        var seen = new HashSet<ulong>();
        foreach (var field in type.GetMembers().OfType<IFieldSymbol>())
        {
            if (field.ConstantValue is not { } constant) continue;
            ulong value = mask & (constant is ulong large ? large : unchecked((ulong)Convert.ToInt64(constant, System.Globalization.CultureInfo.InvariantCulture)));
            if (seen.Add(value)) yield return new(field.Name, value);
        }
    }
}
