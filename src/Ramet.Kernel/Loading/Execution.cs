using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;

namespace Ramet.Kernel.Loading;

/// <summary>execve(2): a thread's process gets a new program.</summary>
internal static class Execution
{
    /// <summary>Starts the sandbox's first program; <paramref name="reason"/> is for the user.</summary>
    public static Errno StartMain(PosixThread thread, MainProgram program, out string reason)
    {
        reason = "";
        Errno error;
        foreach (var file in program.Files)
        {
            error = file.Write(thread);
            if (error == Errno.None) continue;
            reason = $"{file.Path} cannot be written in the sandbox: {error}.";
            return error;
        }

        var walk = new PathWalk(thread, thread.FileSystem.Root);
        error = walk.Walk(program.WorkingDirectory);
        if (error != Errno.None || !walk.Current.Inode.IsDirectory)
        {
            reason = $"The working directory {program.WorkingDirectory} does not exist in the sandbox.";
            return error != Errno.None ? error : Errno.ENOTDIR;
        }

        thread.FileSystem.WorkingDirectory = walk.Current;
        error = Errno.ENOENT;
        foreach (string path in Candidates(program))
        {
            error = Execute(thread, null, path, program.Arguments, program.Environment, out reason);
            if (error is not (Errno.ENOENT or Errno.ENOTDIR or Errno.EACCES)) return error;
            // A script or program whose interpreter is missing says so itself.
            if (reason.Length > 0 && error == Errno.ENOENT && reason.Contains("interpreter", StringComparison.Ordinal)) return error;
        }

        reason = error == Errno.EACCES
            ? $"{program.Path}: permission denied: it is not an executable file."
            : $"{program.Path}: not found in the image{(program.Path.Contains('/', StringComparison.Ordinal) ? "" : " (looked in PATH)")}.";
        return error;
    }

    /// <summary>Replaces the program of a thread's process. On an error the old one is untouched, unless the error came past the point of no return (then the process gets SIGKILL).</summary>
    public static Errno Execute(
        PosixThread thread, Dentry? file, string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment, out string reason)
    {
        var kernel = thread.Kernel;
        var opener = new ExecutableOpener(thread);
        reason = "";
        IProgramFile? program;
        if (file is null)
        {
            var opened = opener.OpenExecutable(path, out program);
            if (opened != Errno.None) return opened;
        }
        else
        {
            var allowed = opener.Check(file);
            if (allowed != Errno.None) return allowed;
            program = new InodeProgramFile(file);
        }

        ulong stackLimit = thread.Process.ResourceLimits.Soft(ResourceLimit.RLIMIT_STACK);
        var error = ProgramLoader.Prepare(program!, new ProgramArguments(arguments, environment, path), opener, stackLimit, out var plan, out reason);
        if (error != Errno.None) return error;
        var executable = ((InodeProgramFile)plan!.Program.File).Dentry;
        bool ignoresPrivileges = (executable.Mount.Flags & MountFlags.MS_NOSUID) != 0;
        error = thread.Credentials.ForExecute(thread.SecureBits, executable.Inode, ignoresPrivileges, out var credentials, out bool secure);
        if (error != Errno.None) return error;
        var space = AddressSpace.Create(kernel);
        if (space is null) return Errno.ENOMEM;
        var identity = ProgramIdentity.Of(kernel.Machine.Features, credentials, secure);
        bool randomize = (thread.Process.Personality & 0x0040000) == 0;
        error = ProgramLoader.Load(plan, identity, kernel.Random, randomize, stackLimit, new AddressSpaceMapper(space, kernel), out var loaded);
        if (error != Errno.None)
        {
            space.RemoveUser();
            return error;
        }

        space.Executable = executable;
        space.StackLimit = stackLimit;
        space.AuxiliaryVector = loaded!.Stack.AuxiliaryVector;
        (space.ArgumentStart, space.ArgumentEnd) = loaded.Stack.ArgumentStrings;
        (space.EnvironmentStart, space.EnvironmentEnd) = loaded.Stack.EnvironmentStrings;
        int formerTid = thread.Tid;
        Commit(thread, space, loaded);
        Tracing.TraceStops.OnExec(thread, formerTid);
        if (secure) thread.ParentDeathSignal = 0;
        // A program that its caller may not read, or with more rights than it, is not for it to look into.
        thread.Process.Dumpable = secure || Permissions.Check(thread, executable.Inode, AccessMode.R_OK) != Errno.None ? 0 : 1;
        thread.Credentials = credentials;
        return Errno.None;
    }

    /// <summary>Nothing can fail from here: the thread becomes the only one, and starts the new program.</summary>
    private static void Commit(PosixThread thread, AddressSpace space, LoadedProgram loaded)
    {
        var process = thread.Process;
        process.EndOtherThreads(thread);
        thread.ReleaseUserState();
        thread.Kernel.UnloadThread(thread);
        if (thread.Tid != process.Pid) thread.Kernel.Processes.ChangeId(thread, process.Pid);
        thread.Memory.RemoveUser();
        thread.Memory = space;
        if (thread.Files.IsShared)
        {
            var own = thread.Files.Clone(process.ResourceLimits);
            thread.Files.Release(process);
            thread.Files = own;
        }

        thread.Files.CloseOnExec(process);
        process.Handlers = process.Handlers.Clone();
        process.Handlers.ResetForExec();
        process.HasExecuted = true;
        process.ResetForExec();
        thread.ResetForExec();
        thread.AlternateStack = thread.AlternateStackSize = 0;
        thread.AlternateStackFlags = SignalDelivery.SS_DISABLE;
        thread.Name = loaded.CommandName;
        thread.ExtendedState = null;
        thread.FsBase = thread.GsBase = 0;
        thread.Registers = new Platform.UserRegisters { Rip = loaded.Entry, Rsp = loaded.Stack.StackPointer, Rflags = 0x202 };
    }

    private static IEnumerable<string> Candidates(MainProgram program)
    {
        if (program.Path.Contains('/', StringComparison.Ordinal)) return [program.Path];
        string search = program.Environment.FirstOrDefault(entry => entry.StartsWith("PATH=", StringComparison.Ordinal))?[5..]
            ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        return search.Split(':').Select(directory => (directory.Length == 0 ? "." : directory) + "/" + program.Path);
    }
}

/// <summary>A file that is executed.</summary>
internal sealed class InodeProgramFile(Dentry dentry) : IProgramFile
{
    public Dentry Dentry { get; } = dentry;

    public long Size => Dentry.Inode.Size;

    public int ReadBytes(long offset, Span<byte> destination) => Dentry.Inode.ReadBytes(offset, destination);
}

/// <summary>Opens programs and interpreters as the thread may.</summary>
internal sealed class ExecutableOpener(PosixThread thread) : IProgramOpener
{
    public Errno OpenExecutable(string path, out IProgramFile? file)
    {
        file = null;
        var walk = new PathWalk(thread, thread.FileSystem.WorkingDirectory);
        var error = walk.Walk(path);
        if (error == Errno.None) error = Check(walk.Current);
        if (error == Errno.None) file = new InodeProgramFile(walk.Current);
        return error;
    }

    public Errno Check(Dentry dentry)
    {
        var inode = dentry.Inode;
        if (inode.IsDirectory || !inode.IsRegular || (dentry.Mount.Flags & MountFlags.MS_NOEXEC) != 0) return Errno.EACCES;
        const InodeMode Execute = InodeMode.S_IXUSR | InodeMode.S_IXGRP | InodeMode.S_IXOTH;
        if ((inode.Mode & Execute) == 0) return Errno.EACCES;
        var error = Permissions.Check(thread, inode, AccessMode.X_OK);
        return error != Errno.None ? error : inode.CheckExecutable();
    }
}

/// <summary>Maps what the loader asks for into a new address space.</summary>
internal sealed class AddressSpaceMapper(AddressSpace space, Kernel kernel) : IProgramMapper
{
    private const MappingFlags Fixed = MappingFlags.MAP_PRIVATE | MappingFlags.MAP_FIXED;

    public Errno MapFile(ulong address, ulong length, SegmentProtection protection, IProgramFile file, long offset)
    {
        var dentry = ((InodeProgramFile)file).Dentry;
        var source = dentry.Inode.GetMemoryObject();
        if (source is null) return Errno.ENOEXEC;
        return space.Map(
            new MappingRequest
            {
                Address = address,
                Length = length,
                Protection = (MemoryProtection)protection,
                Flags = Fixed,
                Object = source,
                Offset = offset,
                Dentry = dentry,
            },
            out _);
    }

    public Errno MapAnonymous(ulong address, ulong length, SegmentProtection protection) => space.Map(
        new MappingRequest { Address = address, Length = length, Protection = (MemoryProtection)protection, Flags = Fixed }, out _);

    public Errno MapStack(ulong top, ulong length, SegmentProtection protection) => space.Map(
        new MappingRequest
        {
            Address = top - length,
            Length = length,
            Protection = (MemoryProtection)protection,
            Flags = Fixed | MappingFlags.MAP_NORESERVE,
            Label = "[stack]",
            AreaFlags = AreaFlags.GrowsDown | AreaFlags.NoReserve,
        },
        out _);

    public Errno MapVdso(ulong address)
    {
        space.VdsoAddress = address + 4096;
        return kernel.Vdso.Map(space, address);
    }

    public Errno Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        // The loader writes where the program may not (never: only to writable segments and the stack), so copy-out is enough.
        return space.User.Write(new UserAddress(address), bytes) == bytes.Length ? Errno.None : Errno.ENOMEM;
    }

    public void SetBreak(ulong start) => space.BrkStart = space.BrkEnd = start;

    public void SetMmapBase(ulong address) => space.MmapTop = address;
}
