using System.Net.Http;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Contracts;
using Ramet.Sandboxes;

namespace Ramet.Cli.Remote;

/// <summary>
/// <c>ramet run</c> through a daemon: a sandbox of the image, the program in it as a process, and the sandbox goes when the program ends. Whoever runs a command is not to notice but for
/// the time.
/// </summary>
internal static class RemoteRun
{
    /// <summary>How long the sandbox outlives this process when that is killed.</summary>
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(60);

    /// <summary>Runs a program in a daemon. Null: it is to be done here, and nothing has been printed.</summary>
    /// <param name="address">The daemon.</param>
    /// <param name="isNamed">Whether the user has named it: then he is told what it will not do.</param>
    /// <param name="image">The image.</param>
    /// <param name="program">The program.</param>
    /// <param name="options">Limits: memory, time and output.</param>
    public static int? TryRun(DaemonAddress address, bool isNamed, string image, ProcessBody program, SandboxOptions options)
    {
        using var interruption = new Interruption();
        using var daemon = new Daemon(address);
        string? id = null;
        int pid;
        try
        {
            id = daemon.Post(
                "v1/sandboxes", new SandboxBody { Image = image, MemoryMb = (int)(options.MemoryBytes >> 20), TimeoutSeconds = s_lease.TotalSeconds },
                ContractsJson.Default.SandboxBody, ContractsJson.Default.SandboxAnswer).Id;
            pid = daemon.Post(Daemon.PathOf(id, "/processes"), program, ContractsJson.Default.ProcessBody, ContractsJson.Default.ProcessAnswer).Pid;
        }
        catch (Exception e) when (e is UsageException or SandboxException)
        {
            if (id is not null) Delete(daemon, id);
            if (isNamed) throw;
            return null;
        }

        return Follow(daemon, id, pid, program, options, interruption);
    }

    private static int Follow(Daemon daemon, string id, int pid, ProcessBody program, SandboxOptions options, Interruption interruption)
    {
        int ended = 0;
        void Interrupt()
        {
            if (Interlocked.CompareExchange(ref ended, interruption.ExitCode, 0) == 0) Delete(daemon, id);
        }

        // The program goes, and not yet the sandbox: what it has printed until now is still to come.
        void TimeOut()
        {
            if (Interlocked.CompareExchange(ref ended, 124, 0) == 0 && !TryKill(daemon, id, pid)) Delete(daemon, id);
        }

        bool passInput = program.KeepStdin;
        using var renewal = new Timer(_ => Renew(daemon, id), null, s_lease / 3, s_lease / 3);
        using var limit = options.Timeout is { } time ? new Timer(_ => TimeOut(), null, time, Timeout.InfiniteTimeSpan) : null;
        using var kill = interruption.Token.UnsafeRegister(_ => Interrupt(), null);
        using var remote = new RemoteProcess(daemon, Daemon.PathOf(id, $"/processes/{pid}/connect"), program.Tty is not null) { MaxOutput = options.MaxOutputBytes };
        try
        {
            int exitCode = remote.Run(passInput, interruption);
            int early = Interlocked.CompareExchange(ref ended, -1, 0);
            if (early != 0) return Explain(early, options);
            return remote.IsCutOff ? Explain(exitCode, options) : exitCode;
        }
        catch (SandboxException) when (Volatile.Read(ref ended) != 0)
        {
            return Explain(ended, options);
        }
        finally
        {
            Delete(daemon, id);
        }
    }

    /// <summary>Says why it has ended, if it has ended because of a limit.</summary>
    private static int Explain(int exitCode, SandboxOptions options)
    {
        if (exitCode == 124) Message.Write(FormattableString.Invariant($"Timed out after {options.Timeout!.Value.TotalSeconds:0.###} s; raise the limit with --timeout."));
        if (exitCode == RemoteProcess.CutOffCode) Message.Write(FormattableString.Invariant($"Output was cut off after {options.MaxOutputBytes} bytes, the sandbox's limit."));
        return exitCode;
    }

    /// <summary>Has the sandbox live on. When it has ended, that is told where it is watched.</summary>
    internal static void Renew(Daemon daemon, string id) =>
        TrySend(daemon, HttpMethod.Patch, Daemon.PathOf(id), Daemon.ToJson(new SandboxPatch { TimeoutSeconds = s_lease.TotalSeconds }, ContractsJson.Default.SandboxPatch));

    internal static bool TryKill(Daemon daemon, string id, int pid) =>
        TrySend(daemon, HttpMethod.Post, Daemon.PathOf(id, $"/processes/{pid}/signal"), Daemon.ToJson(new SignalBody { Signal = "KILL" }, ContractsJson.Default.SignalBody));

    /// <summary>Ends the sandbox, if it has not ended already; else it ends with its lease.</summary>
    private static void Delete(Daemon daemon, string id) => TrySend(daemon, HttpMethod.Delete, Daemon.PathOf(id), null);

    // What this throws on a timer's thread would end the program: also of a request that is under way when the connection is given up (OperationCanceledException).
    private static bool TrySend(Daemon daemon, HttpMethod method, string path, HttpContent? content)
    {
        try
        {
            daemon.Send(new HttpRequestMessage(method, path) { Content = content }).Dispose();
            return true;
        }
        catch (Exception e) when (e is UsageException or SandboxException or ObjectDisposedException or OperationCanceledException)
        {
            return false;
        }
    }
}
