namespace Ramet.Kernel.Generators.Syscalls;

/// <summary>Writes the system call table.</summary>
internal static class TableEmitter
{
    private const string Syscalls = "global::Ramet.Kernel.Syscalls.";
    private const string Thread = "global::Ramet.Kernel.Processes.PosixThread";
    private const string Arguments = Syscalls + "SyscallArguments";

    public static string EmitTable(TableTarget target, IReadOnlyCollection<HandlerModel> handlers)
    {
        var code = Begin(target, "The system calls: which there are, and who serves them.");
        code.Line("/// <summary>Serves a system call. ENOSYS when it is absent.</summary>");
        code.Line($"/// <param name=\"thread\">The calling thread.</param>");
        code.Line($"/// <param name=\"number\">The low 32 bits of RAX.</param>");
        code.Line($"/// <param name=\"arguments\">The argument registers.</param>");
        code.Open($"public static {Syscalls}SyscallResult Dispatch({Thread} thread, int number, in {Arguments} arguments)");
        code.Open("switch (number)");
        foreach (var handler in handlers)
        {
            var arguments = handler.Arguments.Select((a, i) => Decode(a, i));
            code.Line($"case {handler.Number}: return {handler.Method}({string.Join(", ", new[] { "thread" }.Concat(arguments))});");
        }

        code.Line("default: return global::Ramet.Abi.Errno.ENOSYS;");
        code.Close().Close().Line();

        code.Line("/// <summary>Whether there is a handler for this number.</summary>");
        code.Open("public static bool IsPresent(int number) => number switch");
        foreach (var handler in handlers) code.Line($"{handler.Number} => true,");
        code.Line("_ => false,");
        code.Close(";").Line();

        code.Line("/// <summary>Linux's name of a system call; syscall_NNN when the number is none.</summary>");
        code.Open("public static string NameOf(int number) => number switch");
        foreach (var number in target.Numbers) code.Line($"{(int)number.Value} => \"{number.Name}\",");
        code.Line("_ => $\"syscall_{number}\",");
        code.Close(";").Line();

        code.Line("/// <summary>All system calls of the architecture, and any others that have handlers, by number.</summary>");
        code.Open($"public static global::System.Collections.Generic.IReadOnlyList<{Syscalls}SyscallDescription> All {{ get; }} = new {Syscalls}SyscallDescription[]");
        var byNumber = handlers.ToDictionary(h => h.Number);
        foreach (int number in target.Numbers.Select(n => (int)n.Value).Union(byNumber.Keys).OrderBy(n => n))
        {
            code.Line(byNumber.TryGetValue(number, out var handler)
                ? $"new({number}, NameOf({number}), {Literal(handler.Display)}, {Literal(handler.Missing)}),"
                : $"new({number}, NameOf({number}), null, null),");
        }

        code.Close(";");
        return code.Close().ToString();
    }

    public static string EmitTrace(TableTarget target, IReadOnlyCollection<HandlerModel> handlers, List<EnumModel> enums)
    {
        var code = Begin(target, null);
        string memory = Syscalls + "ITraceMemory";
        code.Line("/// <summary>The call as strace prints it, before it is served: buffers that it is to fill are addresses still.</summary>");
        code.Line($"public static string FormatCall({Thread} thread, int number, in {Arguments} arguments) =>");
        code.Line($"    FormatCall(new {Syscalls}ThreadTraceMemory(thread), number, arguments, null);").Line();
        code.Line("/// <summary>The call and its result, once it is served.</summary>");
        code.Line("/// <param name=\"thread\">The calling thread.</param>");
        code.Line("/// <param name=\"number\">The number.</param>");
        code.Line("/// <param name=\"arguments\">The argument registers at the call.</param>");
        code.Line("/// <param name=\"call\">What FormatCall gave before the call: its paths may have changed since.</param>");
        code.Line("/// <param name=\"result\">The result.</param>");
        code.Line($"public static string FormatResult({Thread} thread, int number, in {Arguments} arguments, string call, {Syscalls}SyscallResult result) =>");
        code.Line($"    FormatResult(new {Syscalls}ThreadTraceMemory(thread), number, arguments, call, result);").Line();
        code.Line($"internal static string FormatResult({memory} memory, int number, in {Arguments} arguments, string call, {Syscalls}SyscallResult result) =>");
        code.Line($"    (FillsBuffer(number) && !result.IsNoReturn && result.Value > 0 ? FormatCall(memory, number, arguments, result.Value) : call) + {Syscalls}SyscallTrace.FormatOutcome(number, result);").Line();

        code.Open("private static bool FillsBuffer(int number) => number switch");
        foreach (var handler in handlers.Where(h => h.Arguments.Any(a => a.Kind == ArgumentKind.Out))) code.Line($"{handler.Number} => true,");
        code.Line("_ => false,");
        code.Close(";").Line();

        code.Open($"internal static string FormatCall({memory} memory, int number, in {Arguments} arguments, long? result)");
        code.Line($"var t = new {Syscalls}SyscallTrace(memory, NameOf(number));");
        code.Open("switch (number)");
        foreach (var handler in handlers)
        {
            code.Line($"case {handler.Number}:");
            for (int i = 0; i < handler.Arguments.Count; i++) code.Line("    " + Trace(handler, i, enums));
            code.Line("    break;");
        }

        code.Line("default:");
        code.Line("    for (int i = 0; i < 6; i++) t.Hex(arguments[i]);");
        code.Line("    break;");
        code.Close();
        code.Line("return t.End();");
        code.Close().Line();
        EmitEnums(code, enums);
        return code.Close().ToString();
    }

    private static void EmitEnums(CodeWriter code, List<EnumModel> enums)
    {
        code.Line("/// <summary>The enums that occur as arguments, made when the first call is traced.</summary>");
        code.Open("private static class Enums");
        for (int i = 0; i < enums.Count; i++)
        {
            string members = string.Join(", ", enums[i].Members.Select(m => $"(\"{m.Name}\", 0x{m.Value:x}UL)"));
            code.Line($"internal static readonly {Syscalls}TraceEnum E{i} = new(\"{enums[i].Type.Split('.').Last()}\", {(enums[i].IsFlags ? "true" : "false")}, [{members}]);");
        }

        code.Close();
    }

    private static CodeWriter Begin(TableTarget target, string? summary)
    {
        var code = new CodeWriter();
        code.Line("// <auto-generated/>").Line("#nullable enable").Line("#pragma warning disable").Line();
        code.Line($"namespace {target.Namespace};").Line();
        if (summary is not null) code.Line($"/// <summary>{summary}</summary>");
        return code.Open("public static partial class SyscallTable");
    }

    private static string Register(int index) => $"arguments.Argument{index}";

    private static string Decode(ArgumentModel argument, int index) => argument.Decode.Replace("{0}", Register(index));

    private static string Trace(HandlerModel handler, int index, List<EnumModel> enums)
    {
        var argument = handler.Arguments[index];
        string register = Register(index);
        switch (argument.Kind)
        {
            case ArgumentKind.Signed: return $"t.Signed({Decode(argument, index)});";
            case ArgumentKind.Unsigned: return $"t.Unsigned({Decode(argument, index)});";
            case ArgumentKind.Directory: return $"t.Directory({Decode(argument, index)});";
            case ArgumentKind.Path: return $"t.Path({register});";
            case ArgumentKind.In:
                var length = handler.Arguments[argument.LengthIndex];
                return $"t.In({register}, unchecked((ulong)({Decode(length, argument.LengthIndex)})));";
            case ArgumentKind.Out: return $"t.Out({register}, result);";
            case ArgumentKind.Enum:
                string mask = argument.EnumBits == 64 ? register : $"{register} & 0x{(1UL << argument.EnumBits) - 1:x}UL";
                return $"t.Enum({mask}, Enums.E{enums.FindIndex(e => string.Equals(e.Type, argument.EnumType, StringComparison.Ordinal))});";
            default: return $"t.Address({register});";
        }
    }

    private static string Literal(string? text) => text is null ? "null" : Microsoft.CodeAnalysis.CSharp.SymbolDisplay.FormatLiteral(text, quote: true);
}
