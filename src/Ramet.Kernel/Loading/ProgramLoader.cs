using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Loading;

/// <summary>
/// execve(2)'s loader, in two steps. <see cref="Prepare"/> finds out what is to be run (scripts, interpreter) and whether it can be, touching no
/// memory of the caller; <see cref="Load"/> fills a new address space.
/// </summary>
public static class ProgramLoader
{
    /// <summary>Most scripts whose interpreters are scripts; one more is ELOOP. (As measured on Linux 6.18: five work.)</summary>
    public const int MaxScripts = 5;

    /// <summary>Resolves scripts and the ELF interpreter, and validates everything.</summary>
    /// <param name="file">The file that was executed; permissions have been checked.</param>
    /// <param name="arguments">argv, envp and path.</param>
    /// <param name="opener">Opens interpreters.</param>
    /// <param name="stackLimit">The soft RLIMIT_STACK.</param>
    /// <param name="plan">What to load.</param>
    /// <param name="reason">When refused: a sentence for the log that names the file.</param>
    /// <returns>ENOEXEC, ELOOP, E2BIG, ELIBBAD, EIO or what opening an interpreter gave.</returns>
    public static Errno Prepare(
        IProgramFile file, ProgramArguments arguments, IProgramOpener opener, ulong stackLimit, out ProgramPlan? plan, out string reason)
    {
        plan = null;
        if (arguments.Arguments.Count == 0) arguments = arguments with { Arguments = [""] };
        string path = arguments.Path;
        var start = (stackalloc byte[ScriptLine.BufferSize]);
        for (int scripts = 0; ; scripts++)
        {
            if (arguments.CheckSize(stackLimit) is not Errno.None and var size)
            {
                reason = $"{path}: arguments and environment take more than {ProgramArguments.Space(stackLimit)} bytes, or one of them more than {ProgramArguments.MaxStringLength}";
                return size;
            }

            int got = file.ReadBytes(0, start);
            if (!ScriptLine.IsScript(start[..got])) break;
            if (ScriptLine.Parse(start[..got]) is not { } line)
            {
                reason = $"{path}: the #! line names no interpreter within its first {ScriptLine.BufferSize} bytes";
                return Errno.ENOEXEC;
            }

            if (scripts == MaxScripts)
            {
                reason = $"{path}: more than {MaxScripts} scripts are each other's interpreters";
                return Errno.ELOOP;
            }

            List<string> rewritten = line.Argument is null ? [line.Interpreter, path] : [line.Interpreter, line.Argument, path];
            rewritten.AddRange(arguments.Arguments.Skip(1));
            arguments = arguments with { Arguments = rewritten };
            var error = opener.OpenExecutable(line.Interpreter, out var next);
            if (error != Errno.None || next is null)
            {
                reason = $"{path}: its interpreter {line.Interpreter} {Missing(error)}";
                return error;
            }

            (file, path) = (next, line.Interpreter);
        }

        return PrepareElf(file, path, arguments, opener, out plan, out reason);
    }

    private static string Missing(Errno error) => error is Errno.ENOENT or Errno.ENOTDIR ? "does not exist" : $"cannot be executed ({error})";

    private static Errno PrepareElf(IProgramFile file, string path, ProgramArguments arguments, IProgramOpener opener, out ProgramPlan? plan, out string reason)
    {
        plan = null;
        var error = ElfImage.Parse(file, out var program, out reason);
        if (error != Errno.None || program is null)
        {
            reason = $"{path}: {reason}";
            return error;
        }

        ElfImage? interpreter = null;
        if (program.Interpreter is { } name)
        {
            error = opener.OpenExecutable(name, out var interpreterFile);
            if (error != Errno.None || interpreterFile is null)
            {
                reason = $"{path}: its interpreter {name} {Missing(error)}";
                return error;
            }

            error = ElfImage.Parse(interpreterFile, out interpreter, out reason);
            if (error != Errno.None || interpreter is null)
            {
                reason = $"{name} (interpreter of {path}): {reason}";
                return Errno.ELIBBAD;
            }
        }

        plan = new ProgramPlan(program, interpreter, arguments);
        return Errno.None;
    }

    /// <summary>Fills a new address space.</summary>
    /// <param name="plan">What to load.</param>
    /// <param name="identity">What the auxiliary vector says of the machine and the user.</param>
    /// <param name="random">Randomness for AT_RANDOM and the addresses.</param>
    /// <param name="randomize">Whether addresses are random (false: ADDR_NO_RANDOMIZE).</param>
    /// <param name="stackLimit">The soft RLIMIT_STACK.</param>
    /// <param name="mapper">The address space.</param>
    /// <param name="loaded">Where to start.</param>
    /// <returns>ENOMEM or what the mapper gave; the address space is to be thrown away then.</returns>
    public static Errno Load(
        ProgramPlan plan, in ProgramIdentity identity, IHostRandom random, bool randomize, ulong stackLimit, IProgramMapper mapper, out LoadedProgram? loaded)
    {
        loaded = null;
        var layout = new AddressLayout(randomize ? random : null, stackLimit);
        var program = plan.Program;
        var interpreter = plan.Interpreter;
        ulong bias = program.Type == ElfType.ET_EXEC ? 0
            : interpreter is null ? layout.MappingBias(program)
            : layout.ProgramBias(program);
        ulong interpreterBias = interpreter is null || interpreter.Type == ElfType.ET_EXEC ? 0 : layout.MappingBias(interpreter);

        // The parts of the layout are apart by construction; addresses that a file chooses need not be.
        if (!IsApart(program, bias, layout)
            || (interpreter is not null && (!IsApart(interpreter, interpreterBias, layout) || Overlap(program, bias, interpreter, interpreterBias))))
            return Errno.ENOMEM;

        mapper.SetMmapBase(layout.MmapBase);
        var error = MapImage(mapper, program, bias);
        if (error == Errno.None && interpreter is not null) error = MapImage(mapper, interpreter, interpreterBias);
        var stackProtection = SegmentProtection.Read | SegmentProtection.Write;
        if (program.ExecutableStack) stackProtection |= SegmentProtection.Execute;
        if (error == Errno.None) error = mapper.MapStack(layout.StackTop, layout.StackSize, stackProtection);
        if (error == Errno.None) error = mapper.MapVdso(layout.VdsoAddress);
        if (error != Errno.None) return error;

        bool inMappings = program.Type == ElfType.ET_DYN && interpreter is null;
        mapper.SetBreak(inMappings ? layout.BreakStartWithoutInterpreter : layout.BreakStart(program.BreakStart + bias));

        Span<byte> bytes = stackalloc byte[18];
        random.Fill(bytes);
        int shift = randomize ? bytes[16] | (bytes[17] << 8) : 0;
        ulong entry = program.Entry + bias;
        var auxiliary = AuxiliaryVector(identity, layout, program, bias, interpreterBias, entry);
        var stack = InitialStack.Build(layout.StackTop, plan.Arguments, auxiliary, bytes[..16], shift);
        error = mapper.Write(stack.StackPointer, stack.Bytes);
        if (error != Errno.None) return error;
        loaded = new LoadedProgram(interpreter is null ? entry : interpreter.Entry + interpreterBias, stack, layout, plan.Arguments, program.Start + bias, program.End + bias);
        return Errno.None;
    }

    private static bool IsApart(ElfImage image, ulong bias, AddressLayout layout)
    {
        ulong end = image.End + bias;
        return image.Start + bias < end && end <= layout.StackTop - layout.StackSize - AddressLayout.PageSize;
    }

    private static bool Overlap(ElfImage a, ulong biasA, ElfImage b, ulong biasB) => a.Start + biasA < b.End + biasB && b.Start + biasB < a.End + biasA;

    private static Errno MapImage(IProgramMapper mapper, ElfImage image, ulong bias)
    {
        foreach (var segment in image.Segments)
        {
            var error = MapSegment(mapper, image.File, segment, bias);
            if (error != Errno.None) return error;
        }

        return Errno.None;
    }

    private static Errno MapSegment(IProgramMapper mapper, IProgramFile file, ElfSegment segment, ulong bias)
    {
        ulong filePages = segment.FilePageEnd - segment.PageStart;
        if (filePages > 0)
        {
            long offset = segment.Offset - (long)(segment.Address & AddressLayout.PageMask);
            var error = mapper.MapFile(segment.PageStart + bias, filePages, segment.Protection, file, offset);
            if (error != Errno.None) return error;

            // The rest of the last page shows the file's next bytes; in a segment with bss it has to read as zero.
            ulong dataEnd = segment.Address + segment.FileSize;
            ulong tail = segment.FilePageEnd - dataEnd;
            if (segment.MemorySize > segment.FileSize && tail > 0 && (segment.Protection & SegmentProtection.Write) != 0)
            {
                Span<byte> zeros = stackalloc byte[(int)AddressLayout.PageSize];
                zeros.Clear();
                error = mapper.Write(dataEnd + bias, zeros[..(int)tail]);
                if (error != Errno.None) return error;
            }
        }

        ulong rest = segment.PageEnd - segment.FilePageEnd;
        return rest == 0 ? Errno.None : mapper.MapAnonymous(segment.FilePageEnd + bias, rest, segment.Protection);
    }

    private static List<(AuxvType Type, ulong Value)> AuxiliaryVector(
        in ProgramIdentity identity, AddressLayout layout, ElfImage program, ulong bias, ulong interpreterBias, ulong entry) =>
    [
        (AuxvType.AT_SYSINFO_EHDR, layout.VdsoAddress + AddressLayout.PageSize),
        (AuxvType.AT_MINSIGSTKSZ, (ulong)identity.MinimumSignalStack),
        (AuxvType.AT_HWCAP, identity.HwCap),
        (AuxvType.AT_PAGESZ, AddressLayout.PageSize),
        (AuxvType.AT_CLKTCK, 100),
        (AuxvType.AT_PHDR, program.ProgramHeaderAddress == 0 ? 0 : program.ProgramHeaderAddress + bias),
        (AuxvType.AT_PHENT, 56),
        (AuxvType.AT_PHNUM, (ulong)program.ProgramHeaderCount),
        (AuxvType.AT_BASE, interpreterBias),
        (AuxvType.AT_FLAGS, 0),
        (AuxvType.AT_ENTRY, entry),
        (AuxvType.AT_UID, identity.Uid),
        (AuxvType.AT_EUID, identity.EffectiveUid),
        (AuxvType.AT_GID, identity.Gid),
        (AuxvType.AT_EGID, identity.EffectiveGid),
        (AuxvType.AT_SECURE, identity.Secure ? 1UL : 0),
        (AuxvType.AT_HWCAP2, identity.HwCap2),
    ];
}
