using Microsoft.CodeAnalysis;
using Ramet.Kernel.Generators.Saved;

namespace Ramet.Kernel.Generators.Syscalls;

/// <summary>Looks at one method with [Syscall].</summary>
internal sealed class HandlerAnalysis(IMethodSymbol method, IEnumerable<AttributeData> attributes)
{
    private const string Kernel = "Ramet.Kernel.";
    private readonly List<ArgumentModel> _arguments = [];
    private readonly List<EnumModel> _enums = [];
    private readonly List<DiagnosticInfo> _diagnostics = [];

    public HandlerSet Run()
    {
        string display = $"{method.ContainingType.Name}.{method.Name}";
        // A type that the compiler does not know is its business alone.
        if (method.ReturnType.TypeKind == TypeKind.Error || method.Parameters.Any(p => p.Type.TypeKind == TypeKind.Error)) return new(new([]), new([]), new([]));
        CheckMethod(display);
        for (int i = 1; i < method.Parameters.Length; i++) AddArgument(display, method.Parameters[i]);
        var handlers = new List<HandlerModel>();
        foreach (var attribute in attributes)
        {
            if (_diagnostics.Count > 0 || attribute.ConstructorArguments.Length != 1 || attribute.ConstructorArguments[0].Value is not int number) continue;
            string? missing = attribute.NamedArguments.FirstOrDefault(a => string.Equals(a.Key, "Missing", StringComparison.Ordinal)).Value.Value as string;
            handlers.Add(new(number, $"{Names.Reference(method.ContainingType)}.{method.Name}", display, missing, new(_arguments), LocationInfo.From(method)));
        }

        return new(new(handlers), new(_enums), new(_diagnostics));
    }

    private void Report(string display, string problem) =>
        _diagnostics.Add(new(Descriptors.BadSyscallSignature, LocationInfo.From(method), display, problem));

    private void CheckMethod(string display)
    {
        if (!method.IsStatic) Report(display, "make it static");
        if (method.IsGenericMethod || method.ContainingType.IsGenericType) Report(display, "a handler is not generic");
        for (ISymbol symbol = method; symbol is not null; symbol = symbol.ContainingType)
        {
            if (symbol.DeclaredAccessibility is Accessibility.Public or Accessibility.Internal or Accessibility.ProtectedOrInternal) continue;
            Report(display, $"the table must reach it: make '{symbol.Name}' internal");
        }

        if (method.ReturnType.ToDisplayString() != Kernel + "Syscalls.SyscallResult") Report(display, "return SyscallResult");
        if (method.Parameters.Length == 0 || method.Parameters[0].Type.ToDisplayString() != Kernel + "Processes.PosixThread")
            Report(display, "take the calling PosixThread as the first parameter");
        if (method.Parameters.Length > 7) Report(display, "a system call has six arguments at most");
    }

    private void AddArgument(string display, IParameterSymbol parameter)
    {
        if (parameter.RefKind != RefKind.None) Report(display, $"parameter '{parameter.Name}' is passed by reference");
        if (Decode(parameter) is { } argument) _arguments.Add(argument);
        else Report(display, $"parameter '{parameter.Name}' is not an int, uint, long, ulong, enum, UserAddress or UserPath");
        foreach (var attribute in parameter.GetAttributes())
        {
            string name = attribute.AttributeClass?.ToDisplayString() ?? "";
            if (name is not (Kernel + "Syscalls.InAttribute" or Kernel + "Syscalls.OutAttribute") || _arguments.Count == 0) continue;
            if (_arguments[_arguments.Count - 1].Kind != ArgumentKind.Address)
                Report(display, $"[In] and [Out] are for UserAddress, which '{parameter.Name}' is not");
            else if (name.EndsWith("OutAttribute", StringComparison.Ordinal))
                _arguments[_arguments.Count - 1] = _arguments[_arguments.Count - 1] with { Kind = ArgumentKind.Out };
            else if (LengthIndex(attribute) is > 0 and var length)
                _arguments[_arguments.Count - 1] = _arguments[_arguments.Count - 1] with { Kind = ArgumentKind.In, LengthIndex = length - 1 };
            else
                Report(display, $"[In] of '{parameter.Name}' names no parameter of type int, uint, long or ulong");
        }
    }

    private int LengthIndex(AttributeData attribute)
    {
        string? name = attribute.ConstructorArguments.Length == 1 ? attribute.ConstructorArguments[0].Value as string : null;
        var parameter = method.Parameters.FirstOrDefault(p => string.Equals(p.Name, name, StringComparison.Ordinal));
        return parameter?.Type.SpecialType is SpecialType.System_Int32 or SpecialType.System_UInt32 or SpecialType.System_Int64 or SpecialType.System_UInt64
            ? parameter.Ordinal : -1;
    }

    private ArgumentModel? Decode(IParameterSymbol parameter)
    {
        switch (parameter.Type.SpecialType)
        {
            case SpecialType.System_Int32:
                return new(parameter.Name.EndsWith("dirfd", StringComparison.OrdinalIgnoreCase) ? ArgumentKind.Directory : ArgumentKind.Signed, "unchecked((int){0})");
            case SpecialType.System_UInt32:
                return new(ArgumentKind.Unsigned, "unchecked((uint){0})");
            case SpecialType.System_Int64:
                return new(ArgumentKind.Signed, "unchecked((long){0})");
            case SpecialType.System_UInt64:
                return new(ArgumentKind.Unsigned, "{0}");
        }

        if (parameter.Type is INamedTypeSymbol { EnumUnderlyingType: { } underlying } type)
        {
            var model = EnumReader.Read(type);
            if (!_enums.Contains(model)) _enums.Add(model);
            return new(ArgumentKind.Enum, $"({model.Type})unchecked(({underlying}){{0}})", model.Type, EnumReader.Bits(underlying));
        }

        return parameter.Type.ToDisplayString() switch
        {
            Kernel + "Memory.UserAddress" => new(ArgumentKind.Address, $"new global::{Kernel}Memory.UserAddress({{0}})"),
            Kernel + "Memory.UserPath" => new(ArgumentKind.Path, $"new global::{Kernel}Memory.UserPath(new global::{Kernel}Memory.UserAddress({{0}}))"),
            _ => null,
        };
    }
}
