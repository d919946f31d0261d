using Ramet.Abi;
using Ramet.Kernel.Loading;
using Xunit;

namespace Ramet.Kernel.Tests.Loading;

public class ProgramLoaderTests
{
    private const ulong StackLimit = 8 << 20;

    private const string Source = """
        #include <stdio.h>
        char bss[100000];
        char ramet_data[5000] = "some data";
        const char ramet_text[] = "constant";
        int main(int argc, char **argv) { return argc + bss[argc] + ramet_data[argc] + ramet_text[argc]; }
        """;

    private static (LoadedProgram Program, FakeMapper Mapper, ProgramPlan Plan) Load(string path, int seed = 1, ProgramArguments? arguments = null, bool randomize = true)
    {
        arguments ??= new ProgramArguments([path, "one", "two words"], ["A=1", "B=\u00e9"], path);
        Assert.Equal(Errno.None, ProgramLoader.Prepare(new FakeFile(path), arguments, new FakeOpener(), StackLimit, out var plan, out _));
        var mapper = new FakeMapper();
        var identity = new ProgramIdentity { HwCap = 0x178bfbff, HwCap2 = 2, MinimumSignalStack = 1776, Uid = 1, EffectiveUid = 2, Gid = 3, EffectiveGid = 4 };
        Assert.Equal(Errno.None, ProgramLoader.Load(plan!, identity, new FakeRandom(seed), randomize, StackLimit, mapper, out var loaded));
        return (loaded!, mapper, plan!);
    }

    private static Dictionary<AuxvType, ulong> Auxiliary(byte[] vector)
    {
        var entries = new Dictionary<AuxvType, ulong>();
        for (int i = 0; i < vector.Length; i += 16) entries.Add((AuxvType)BitConverter.ToUInt64(vector, i), BitConverter.ToUInt64(vector, i + 8));
        return entries;
    }

    [Fact]
    public void A_dynamic_program_starts_in_its_interpreter()
    {
        var (program, mapper, plan) = Load("/bin/true");
        var auxiliary = Auxiliary(program.Stack.AuxiliaryVector);
        ulong bias = auxiliary[AuxvType.AT_PHDR] - plan.Program.ProgramHeaderAddress;
        Assert.InRange(bias, 0x555555554000UL, 0x565555555000UL);
        Assert.Equal(plan.Program.Entry + bias, auxiliary[AuxvType.AT_ENTRY]);
        Assert.Equal(plan.Interpreter!.Entry + auxiliary[AuxvType.AT_BASE], program.Entry);
        Assert.Equal(SegmentProtection.Read | SegmentProtection.Execute, mapper.ProtectionAt(program.Entry));
        Assert.InRange(auxiliary[AuxvType.AT_BASE], mapper.MmapBase - (1UL << 24), mapper.MmapBase);
        Assert.Equal("\u007fELF", System.Text.Encoding.Latin1.GetString(mapper.Read(auxiliary[AuxvType.AT_BASE], 4)));
        Assert.Equal(13UL, auxiliary[AuxvType.AT_PHNUM]);
        Assert.InRange(mapper.Break, program.ImageEnd, program.ImageEnd + (1UL << 30));
        Assert.Equal("true", program.CommandName);
    }

    [Fact]
    public void The_stack_carries_arguments_environment_and_auxiliary_vector()
    {
        var (program, mapper, _) = Load("/bin/true");
        ulong pointer = program.Stack.StackPointer;
        Assert.Equal(0UL, pointer & 15);
        Assert.Equal(3UL, mapper.Word(pointer));
        string[] strings = [.. new ulong[] { 8, 16, 24, 40, 48 }.Select(offset => mapper.Text(mapper.Word(pointer + offset)))];
        Assert.Equal(["/bin/true", "one", "two words", "A=1", "B=\u00e9"], strings);
        Assert.Equal(0UL, mapper.Word(pointer + 32));
        Assert.Equal(0UL, mapper.Word(pointer + 56));
        Assert.Equal(program.Stack.AuxiliaryVector, mapper.Read(pointer + 64, program.Stack.AuxiliaryVector.Length));
        Assert.Equal((program.Stack.ArgumentStrings.End, 8UL), (program.Stack.EnvironmentStrings.Start, program.Stack.EnvironmentStrings.End - program.Stack.EnvironmentStrings.Start));

        var auxiliary = Auxiliary(program.Stack.AuxiliaryVector);
        Assert.Equal("x86_64", mapper.Text(auxiliary[AuxvType.AT_PLATFORM]));
        Assert.Equal("/bin/true", mapper.Text(auxiliary[AuxvType.AT_EXECFN]));
        Assert.NotEqual(new byte[16], mapper.Read(auxiliary[AuxvType.AT_RANDOM], 16));
        Assert.Equal(mapper.Vdso + 4096, auxiliary[AuxvType.AT_SYSINFO_EHDR]);
        Assert.Equal((1UL, 2UL, 3UL, 4UL), (auxiliary[AuxvType.AT_UID], auxiliary[AuxvType.AT_EUID], auxiliary[AuxvType.AT_GID], auxiliary[AuxvType.AT_EGID]));
        Assert.Equal((100UL, 4096UL, 0UL), (auxiliary[AuxvType.AT_CLKTCK], auxiliary[AuxvType.AT_PAGESZ], auxiliary[AuxvType.AT_SECURE]));
        Assert.Equal(AuxvType.AT_NULL, auxiliary.Last().Key);
        Assert.Equal(program.Stack.Bytes.ToArray(), mapper.Read(pointer, (int)(mapper.Stack.End - pointer)));
    }

    [Theory]
    [InlineData("-no-pie")]
    [InlineData("-no-pie", "-static")]
    [InlineData("-static-pie")]
    [InlineData("-pie")]
    public void Data_is_loaded_and_bss_reads_as_zero(params string[] options)
    {
        using var folder = new TemporaryFolder();
        string path = NativeCompiler.Compile(folder, Source, options);
        var (program, mapper, plan) = Load(path);
        var auxiliary = Auxiliary(program.Stack.AuxiliaryVector);
        ulong bias = auxiliary[AuxvType.AT_ENTRY] - plan.Program.Entry;
        bool fixedAddress = options.Contains("-no-pie");
        Assert.Equal(fixedAddress, bias == 0);
        Assert.Equal(options.Any(option => option.StartsWith("-static", StringComparison.Ordinal)), plan.Interpreter is null);

        var symbols = NativeCompiler.Run("nm", path).Output.Split('\n').Select(line => line.Split(' ')).Where(parts => parts.Length == 3)
            .GroupBy(parts => parts[2]).ToDictionary(group => group.Key, group => Convert.ToUInt64(group.First()[0], 16));
        Assert.Equal("some data", mapper.Text(symbols["ramet_data"] + bias));
        Assert.Equal("constant", mapper.Text(symbols["ramet_text"] + bias));
        ulong bss = symbols["__bss_start"];
        Assert.Equal(new byte[symbols["_end"] - bss], mapper.Read(bss + bias, (int)(symbols["_end"] - bss)));
        Assert.Equal(SegmentProtection.Read | SegmentProtection.Write, mapper.ProtectionAt(symbols["bss"] + bias));
        Assert.Equal(SegmentProtection.Read | SegmentProtection.Execute, mapper.ProtectionAt(symbols["main"] + bias));
        Assert.Equal(SegmentProtection.Read, mapper.ProtectionAt(symbols["ramet_text"] + bias));
        if (fixedAddress) Assert.InRange(mapper.Break, AddressLayout.PageUp(symbols["_end"]), symbols["_end"] + (1UL << 30) + 4096);
    }

    [Fact]
    public void Addresses_differ_between_runs_and_lie_where_Linux_puts_them()
    {
        var seen = new HashSet<(ulong, ulong, ulong)>();
        for (int seed = 0; seed < 50; seed++)
        {
            var (program, mapper, _) = Load("/bin/true", seed);
            Assert.InRange(program.ImageStart, 0x555555554000UL, 0x565555555000UL);
            Assert.InRange(program.Stack.StackPointer, 0x7ffb00000000UL, 0x7fffffffffffUL);
            Assert.InRange(mapper.MmapBase, 0x7ef000000000UL, program.Stack.StackPointer - StackLimit);
            Assert.InRange(mapper.Vdso, mapper.Stack.End, AddressLayout.TaskSize - (4 * 4096));
            seen.Add((program.ImageStart, program.Stack.StackPointer, mapper.MmapBase));
        }

        Assert.Equal(50, seen.Count);
        Assert.Equal(Load("/bin/true", 1, null, false).Program.Stack.StackPointer, Load("/bin/true", 2, null, false).Program.Stack.StackPointer);
        Assert.Equal(0x555555554000UL, Load("/bin/true", 1, null, false).Program.ImageStart);
    }

    [Fact]
    public void Arguments_over_a_quarter_of_the_stack_limit_return_E2BIG()
    {
        Errno Try(int strings, int length) => ProgramLoader.Prepare(
            new FakeFile("/bin/true"), new ProgramArguments([.. Enumerable.Repeat(new string('x', length), strings)], [], "/bin/true"), new FakeOpener(), StackLimit, out _, out _);
        Assert.Equal(Errno.None, Try(1, 131071));
        Assert.Equal(Errno.E2BIG, Try(1, 131072));
        Assert.Equal(Errno.None, Try(2000, 1000));
        Assert.Equal(Errno.E2BIG, Try(2100, 1000));
        var (program, mapper, _) = Load("/bin/true", 1, new ProgramArguments([.. Enumerable.Repeat(new string('x', 1000), 2000)], [], "/bin/true"));
        Assert.InRange(program.Stack.StackPointer, mapper.Stack.Start, mapper.Stack.End - 2_000_000);
    }

    [Fact]
    public void A_missing_interpreter_is_named()
    {
        byte[] bytes = File.ReadAllBytes("/bin/true");
        int at = bytes.AsSpan().IndexOf("/lib64/ld-linux"u8);
        bytes[at + 1] = (byte)'x';
        Assert.Equal(Errno.ENOENT, ProgramLoader.Prepare(new FakeFile(bytes), new ProgramArguments(["x"], [], "/x"), new FakeOpener(), StackLimit, out _, out string reason));
        Assert.Contains("/xib64/ld-linux-x86-64.so.2", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_argument_list_becomes_one_empty_argument()
    {
        var (program, mapper, _) = Load("/bin/true", 1, new ProgramArguments([], [], "/bin/true"));
        Assert.Equal(1UL, mapper.Word(program.Stack.StackPointer));
        Assert.Equal("", mapper.Text(mapper.Word(program.Stack.StackPointer + 8)));
    }
}
