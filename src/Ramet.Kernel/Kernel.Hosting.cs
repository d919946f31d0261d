using Ramet.Kernel.Files;
using Ramet.Kernel.Hosting;
using Ramet.Kernel.Loading;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;
using Ramet.Kernel.Terminals;

namespace Ramet.Kernel;

/// <summary>What the host does in a sandbox that runs.</summary>
public sealed partial class Kernel
{
    private const string DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    [NotSaved]
    private PosixThread? _hostThread;

    /// <summary>
    /// A thread that is in no table and never runs: as whom the host walks paths and opens files. Root, in the main program's working directory. Use it under the lock, and for what
    /// does not wait.
    /// </summary>
    internal PosixThread HostThread
    {
        get
        {
            if (_hostThread is null)
            {
                var process = new Process(this, 0) { ResourceLimits = DefaultLimits() };
                _hostThread = PosixThread.CreateDetached(this, process, new FileSystemContext(Mounts.Root));
            }

            _hostThread.FileSystem.WorkingDirectory = MainProcess?.Leader?.FileSystem.WorkingDirectory ?? Mounts.Root;
            return _hostThread;
        }
    }

    /// <summary>
    /// Starts a program beside those that run: a session of its own, whose end is told by <see cref="Platform.IKernelHost.OnProcessEnded"/>. On an error nothing is left of it, and
    /// <paramref name="reason"/> is a sentence for the user. EAGAIN: too many threads; ESRCH: no such user.
    /// </summary>
    public Errno Spawn(SpawnedProgram program, out SpawnedProcess? spawned, out string reason)
    {
        (spawned, reason) = (null, "");
        lock (Lock)
        {
            if (HasExited) return Errno.ESRCH;
            if (Processes.Count >= Limits.MaxThreads)
            {
                reason = $"The sandbox has as many threads as it may ({Limits.MaxThreads}); processes that have ended count until their parents wait for them.";
                return Errno.EAGAIN;
            }

            if (!IsUsable(program))
            {
                reason = "Arguments and environment cannot hold a NUL, and there must be a program.";
                return Errno.EINVAL;
            }

            uint uid = 0, gid = 0;
            string home = "/root";
            if (program.User is { } user && !new UserNames(new HostFiles(this)).TryResolve(user, out uid, out gid, out home))
            {
                reason = $"There is no user '{user}' in the sandbox.";
                return Errno.ESRCH;
            }

            if (AddressSpace.Create(this) is not { } memory)
            {
                reason = "The sandbox's memory is full.";
                return Errno.ENOMEM;
            }

            HostTerminal? terminal = null;
            if (program.Terminal is { } size && (terminal = HostTerminal.CreateFurther(this, size, program.OutputStream, uid)) is null)
            {
                memory.RemoveUser();
                reason = "The sandbox has too many terminals.";
                return Errno.ENOSPC;
            }

            var input = new HostInput();
            var thread = CreateSpawnedThread(memory, uid, gid);
            InstallStreams(thread, program, terminal, input);
            var error = Execution.StartMain(thread, ToMain(program, home), out reason);
            if (error != Errno.None)
            {
                terminal?.HangUp();
                thread.Exit(Process.ExitedStatus(127));
                return error;
            }

            spawned = new SpawnedProcess(thread.Process.Pid, input, terminal);
            HostStreams.AddSpawned(spawned);
            Scheduler.Enqueue(thread);
            return Errno.None;
        }
    }

    /// <summary>Sends a signal to a process, or to all of its group. ESRCH: it has ended; EINVAL: there is no such signal.</summary>
    public Errno SendSignal(int pid, int signal, bool wholeGroup)
    {
        lock (Lock)
        {
            if (signal is < 0 or > Signal.SIGRTMAX) return Errno.EINVAL;
            if (HasExited || Processes.FindProcess(pid) is not { IsZombie: false } process) return Errno.ESRCH;
            if (signal == 0) return Errno.None;
            foreach (var target in wholeGroup ? Processes.InGroup(process.ProcessGroup).ToList() : [process]) target.SendSignal(signal);
            return Errno.None;
        }
    }

    /// <summary>Processes that run, by id; not the first, which only adopts.</summary>
    public IReadOnlyList<HostProcessInfo> ListProcesses()
    {
        lock (Lock)
        {
            var found = new List<HostProcessInfo>();
            foreach (var process in Processes.All)
            {
                if (process == Processes.Init || process.IsZombie || process.Leader is not { } leader) continue;
                string[] command = System.Text.Encoding.UTF8.GetString(FileSystems.Proc.TaskFiles.ReadArguments(leader)).TrimEnd('\0').Split('\0');
                found.Add(new HostProcessInfo(process.Pid, command is [""] ? [HostFiles.FromKernel(leader.Name)] : command));
            }

            found.Sort(static (a, b) => a.Pid.CompareTo(b.Pid));
            return found;
        }
    }

    /// <summary>CPU time of all processes that there are and were, ns.</summary>
    public long TotalCpuTime
    {
        get
        {
            lock (Lock)
            {
                long sum = 0;
                foreach (var process in Processes.All) sum += process.CpuTime + process.ChildrenTime;
                return sum;
            }
        }
    }

    /// <summary>Ends all that a process and its session still run.</summary>
    public void KillSession(int session)
    {
        lock (Lock)
        {
            if (HasExited) return;
            foreach (var process in Processes.All.Where(process => process.Session == session && !process.IsZombie).ToList()) process.SendSignal(Signal.SIGKILL);
        }
    }

    private PosixThread CreateSpawnedThread(AddressSpace memory, uint uid, uint gid)
    {
        int pid = Processes.NewId();
        var process = new Process(this, pid) { Parent = Processes.Init, ProcessGroup = pid, Session = pid, ResourceLimits = DefaultLimits() };
        var thread = PosixThread.Create(this, process, pid);
        Processes.Init.Children.Add(process);
        Processes.Add(process);
        thread.Credentials = Credentials.OfUser(uid, gid, []);
        // As the interpreter sees it: it may have its own host name.
        thread.Uts = MainProcess?.Leader?.Uts ?? Uts;
        thread.FileSystem = new FileSystemContext(Mounts.Root);
        thread.Files = new FileDescriptorTable(this, process.ResourceLimits);
        thread.Memory = memory;
        return thread;
    }

    private void InstallStreams(PosixThread thread, SpawnedProgram program, HostTerminal? terminal, HostInput input)
    {
        IReadOnlyList<FileDescription> descriptors = terminal?.CreateDescriptors()
            ?? [HostStream.CreateInput(this, input), HostStream.CreateOutput(this, program.OutputStream), HostStream.CreateOutput(this, program.ErrorStream)];
        for (int i = 0; i < descriptors.Count; i++) thread.Files.InstallAt(thread.Process, descriptors[i], i, closeOnExec: false);
        if (descriptors[0] is TerminalDescription description) description.Terminal.AcquireOnOpen(thread.Process);
    }

    private static bool IsUsable(SpawnedProgram program) => program.Arguments is [{ Length: > 0 }, ..]
        && program.Arguments.Concat(program.Environment).Append(program.WorkingDirectory ?? "").All(text => HostFiles.TryEncode(text, out _));

    private static string Encode(string text) => HostFiles.TryEncode(text, out string encoded) ? encoded : "";

    private MainProgram ToMain(SpawnedProgram program, string home)
    {
        var environment = program.Environment.ToList();
        if (!environment.Exists(entry => entry.StartsWith("PATH=", StringComparison.Ordinal))) environment.Add(DefaultPath);
        if (!environment.Exists(entry => entry.StartsWith("HOME=", StringComparison.Ordinal))) environment.Add("HOME=" + home);
        if (program.Terminal is not null && !environment.Exists(entry => entry.StartsWith("TERM=", StringComparison.Ordinal))) environment.Add("TERM=xterm-256color");
        return new MainProgram
        {
            Path = Encode(program.Arguments[0]),
            Arguments = [.. program.Arguments.Select(Encode)],
            Environment = [.. environment.Select(Encode)],
            WorkingDirectory = program.WorkingDirectory is { Length: > 0 } directory ? Encode(directory) : HostThread.FileSystem.WorkingDirectory.GetPath(Mounts.Root) ?? "/",
        };
    }
}
