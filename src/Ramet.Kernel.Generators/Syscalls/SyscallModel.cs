namespace Ramet.Kernel.Generators.Syscalls;

/// <summary>How an argument is decoded and traced.</summary>
internal enum ArgumentKind
{
    Signed,
    Unsigned,
    Directory,
    Enum,
    Address,
    Path,
    In,
    Out,
}

/// <summary>One argument of a handler.</summary>
/// <param name="Kind">How it is traced.</param>
/// <param name="Decode">C# that makes it of a register; {0} is the register.</param>
/// <param name="EnumType">The enum, for <see cref="ArgumentKind.Enum"/>.</param>
/// <param name="EnumBits">Bits of the enum's underlying type.</param>
/// <param name="LengthIndex">The argument that holds the length, for <see cref="ArgumentKind.In"/>.</param>
internal sealed record ArgumentModel(ArgumentKind Kind, string Decode, string EnumType = "", int EnumBits = 0, int LengthIndex = 0);

/// <summary>An enum that tracing prints by names.</summary>
internal sealed record EnumModel(string Type, bool IsFlags, EquatableArray<NamedValue> Members);

/// <summary>A member of an enum.</summary>
internal sealed record NamedValue(string Name, ulong Value);

/// <summary>A method that serves a system call.</summary>
internal sealed record HandlerModel(
    int Number, string Method, string Display, string? Missing, EquatableArray<ArgumentModel> Arguments, LocationInfo? Location);

/// <summary>What was found at one method with attributes.</summary>
internal sealed record HandlerSet(
    EquatableArray<HandlerModel> Handlers, EquatableArray<EnumModel> Enums, EquatableArray<DiagnosticInfo> Diagnostics);

/// <summary>Where the table goes, and the names of all system calls; null when the compilation has no system calls.</summary>
internal sealed record TableTarget(string Namespace, bool IsKernel, EquatableArray<NamedValue> Numbers);
