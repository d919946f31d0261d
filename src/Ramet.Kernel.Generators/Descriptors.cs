using Microsoft.CodeAnalysis;

namespace Ramet.Kernel.Generators;

/// <summary>What the generators complain about. All are errors: state that is forgotten, or a handler that is never called, shows only when it hurts.</summary>
internal static class Descriptors
{
    private static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, "Ramet", DiagnosticSeverity.Error, isEnabledByDefault: true);

    public static readonly DiagnosticDescriptor NotPartial = Error(
        "RAMET001", "Saved type is not partial", "'{0}' is [Saved]: declare it, and the types that it is nested in, as partial");

    public static readonly DiagnosticDescriptor BaseNotSaved = Error(
        "RAMET002", "Base class is not saved", "'{0}' is [Saved], but its base class '{1}' is not: mark that [Saved] as well");

    public static readonly DiagnosticDescriptor NoConstructor = Error(
        "RAMET003", "No parameterless constructor", "'{0}' is [Saved] and needs a parameterless constructor (a private one will do), through which it is loaded");

    public static readonly DiagnosticDescriptor NotAssignable = Error(
        "RAMET004", "Saved member cannot be assigned", "'{0}' is part of the saved state but cannot be assigned: {1}, or mark it [NotSaved]");

    public static readonly DiagnosticDescriptor UnsupportedType = Error(
        "RAMET005", "Type cannot be saved", "'{0}' of type '{1}' cannot be saved ({2}): change its type or mark it [NotSaved] and rebuild it in OnLoaded");

    public static readonly DiagnosticDescriptor UnsupportedShape = Error(
        "RAMET006", "Kind of type cannot be saved", "'{0}' cannot be [Saved]: {1}");

    public static readonly DiagnosticDescriptor BadHook = Error(
        "RAMET007", "Hook has the wrong signature", "'{0}' must be declared as '{1}'");

    public static readonly DiagnosticDescriptor DerivedNotSaved = Error(
        "RAMET008", "Derived class is not saved", "'{0}' derives from '{1}', which is [Saved]: mark it [Saved] as well, or its fields are forgotten in a snapshot");

    public static readonly DiagnosticDescriptor DuplicateSyscall = Error(
        "RAMET010", "Two handlers for one system call", "'{0}' serves system call {1}, which '{2}' serves already");

    public static readonly DiagnosticDescriptor BadSyscallSignature = Error(
        "RAMET011", "System call handler has the wrong signature", "'{0}' cannot serve a system call: {1}");
}
