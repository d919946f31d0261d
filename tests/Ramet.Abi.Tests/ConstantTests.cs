using System.Reflection;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Xunit;

namespace Ramet.Abi.Tests;

/// <summary>Every named constant has the value that it has in the headers of Linux.</summary>
public class ConstantTests
{
    /// <summary>
    /// Newer than the headers of Debian 12, or not in the headers for programs: from the kernel's own (include/uapi, include/linux/net.h, syscall_64.tbl). Where the
    /// headers do have one of them, they decide.
    /// </summary>
    private static readonly Dictionary<string, long> NotInAllHeaders = new(StringComparer.Ordinal)
    {
        ["F_SEAL_EXEC"] = 0x20,
        ["MADV_COLLAPSE"] = 25,
        ["MFD_EXEC"] = 0x10,
        ["MFD_NOEXEC_SEAL"] = 8,
        ["PROT_SEM"] = 8,
        ["SA_RESTORER"] = 0x04000000,
        ["SOCK_TYPE_MASK"] = 0xF,
        ["SOL_UDP"] = 17,
        ["SOL_UDPLITE"] = 136,
        ["SO_PEERPIDFD"] = 77,
        ["__NR_cachestat"] = 451,
        ["__NR_fchmodat2"] = 452,
        ["__NR_map_shadow_stack"] = 453,
        ["__NR_futex_wake"] = 454,
        ["__NR_futex_wait"] = 455,
        ["__NR_futex_requeue"] = 456,
        ["__NR_statmount"] = 457,
        ["__NR_listmount"] = 458,
        ["__NR_lsm_get_self_attr"] = 459,
        ["__NR_lsm_set_self_attr"] = 460,
        ["__NR_lsm_list_modules"] = 461,
        ["__NR_mseal"] = 462,
    };

    private static IEnumerable<Type> Enums => typeof(Errno).Assembly.GetExportedTypes().Where(type => type.IsEnum)
        .Concat([typeof(ResourceLimit), typeof(Capability), typeof(PollEvents), typeof(SignalActionFlags)]);

    /// <summary>Constants by the C expression for them.</summary>
    private static IEnumerable<(string Expression, Type Type, ulong Value)> Constants()
    {
        foreach (var type in Enums)
        {
            foreach (var field in type.GetFields(BindingFlags.Static | BindingFlags.Public))
            {
                // Members in the style of .NET (None, All) are Ramet's own.
                bool isCall = type == typeof(SyscallNumber);
                if (!isCall && field.Name.Any(char.IsAsciiLetterLower)) continue;
                // The C library hides the kernel's value from programs, for which it is always on.
                if (field.Name == nameof(OpenFlags.O_LARGEFILE)) continue;
                object raw = field.GetRawConstantValue()!;
                ulong value = raw is ulong large ? large : unchecked((ulong)Convert.ToInt64(raw, System.Globalization.CultureInfo.InvariantCulture));
                yield return ((isCall ? "__NR_" : "") + field.Name, type, value);
            }
        }

        foreach (var field in typeof(Signal).GetFields(BindingFlags.Static | BindingFlags.Public).Where(field => field is { IsLiteral: true } && field.FieldType == typeof(int)))
        {
            if (field.Name is not (nameof(Signal.SIGRTMIN) or nameof(Signal.SIGRTMAX))) yield return (field.Name, typeof(int), (ulong)(int)field.GetRawConstantValue()!);
        }
    }

    [Fact]
    public void Constants_have_the_values_of_the_headers()
    {
        var constants = Constants().ToList();
        Assert.InRange(constants.Count, 900, 100000);
        var actual = CompilerFacts.Evaluate([.. constants.Select(constant => constant.Expression).Distinct()]);
        foreach (var (expression, value) in NotInAllHeaders) actual.TryAdd(expression, value);
        string[] missing = [.. constants.Select(constant => constant.Expression).Where(expression => !actual.ContainsKey(expression))];
        string[] wrong =
        [
            .. constants.Where(constant => actual.TryGetValue(constant.Expression, out long value) && Truncate(unchecked((ulong)value), constant.Type) != Truncate(constant.Value, constant.Type))
                .Select(constant => $"{constant.Type.Name}.{constant.Expression} is 0x{actual[constant.Expression]:x}, not 0x{constant.Value:x}"),
        ];
        Assert.Empty(wrong);
        Assert.True(missing.Length == 0, "Not in the headers: " + string.Join(" ", missing));
    }

    [Fact]
    public void Every_errno_and_system_call_of_the_headers_is_there()
    {
        string errno = string.Concat(File.ReadAllText("/usr/include/asm-generic/errno.h"), File.ReadAllText("/usr/include/asm-generic/errno-base.h"));
        string[] errors = [.. Defined(errno, "E")];
        Assert.InRange(errors.Length, 130, 200);
        Assert.All(errors, name => Assert.True(Enum.TryParse<Errno>(name, out _), name));

        string[] calls = [.. Defined(File.ReadAllText("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), "__NR_").Select(name => name["__NR_".Length..])];
        Assert.InRange(calls.Length, 350, 600);
        Assert.All(calls, name => Assert.True(Enum.TryParse<SyscallNumber>(name, out _), name));
    }

    private static IEnumerable<string> Defined(string header, string prefix) =>
        header.Split('\n').Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            .Where(words => words.Length >= 3 && words[0] == "#define" && words[1].StartsWith(prefix, StringComparison.Ordinal) && char.IsAsciiDigit(words[2][0])).Select(words => words[1]);

    private static ulong Truncate(ulong value, Type type)
    {
        var underlying = type.IsEnum ? Enum.GetUnderlyingType(type) : type;
        int bytes = System.Runtime.InteropServices.Marshal.SizeOf(underlying);
        return bytes == 8 ? value : value & ((1UL << (bytes * 8)) - 1);
    }
}
