using System.Buffers.Binary;
using Ramet.Kernel.Files;

namespace Ramet.Sandboxes;

/// <summary>The sandbox's side of the runner's protocol (runtimes/python/runner.py describes it).</summary>
public sealed partial class Sandbox : IRunnerSink
{
    private volatile bool _runnerReplied;
    private volatile bool _runnerIdle;
    private int _seeded;
    private byte[] _runnerReply = [];

    /// <summary>Whether the runner has answered the last request.</summary>
    internal bool RunnerReplied => _runnerReplied;

    /// <summary>Whether the runner waits for a request.</summary>
    internal bool RunnerIdle => _runnerIdle;

    /// <summary>JSON of the runner's last reply; empty when there is none.</summary>
    internal string RunnerDetails => System.Text.Encoding.UTF8.GetString(_runnerReply.AsSpan(Math.Min(16, _runnerReply.Length)));

    /// <summary>Exit code of the runner's last reply; null when there is none.</summary>
    internal int? RunnerExitCode => _runnerReplied && _runnerReply.Length >= 16 ? BinaryPrimitives.ReadInt32LittleEndian(_runnerReply.AsSpan(8)) : null;

    /// <summary>Has the runner of a fork execute code; the end of that is the end of the sandbox.</summary>
    public void Execute(ExecRequest request)
    {
        if (request.Input is { } input) WriteInput(input);
        if (!request.OpenInput) CloseInput();
        EndAtReply();
        PostToRunner(request, RunnerFlags.None);
    }

    /// <summary>Has the runner of a fork execute code and wait for more; names stay defined. Runs on the caller's thread until then. Gives what was printed to stdout.</summary>
    /// <exception cref="SandboxException">The sandbox has ended.</exception>
    internal string RunInSession(string code)
    {
        StopAtIdle();
        PostToRunner(new ExecRequest { Code = code }, RunnerFlags.Session);
        _kernel.Continue();
        Drive(() => RunnerIdle);
        if (_ended.IsSet) throw Ended();
        return System.Text.Encoding.UTF8.GetString(_output.GetBytes(1));
    }

    /// <summary>What was printed so far to stdout (1) or stderr (2), and not given to a receiver.</summary>
    internal byte[] Printed(int stream) => _output.GetBytes(stream);

    private Template? _hotPages;

    /// <summary>The template whose hot pages the sandbox will write, and has not been given yet.</summary>
    internal Template? HotPages
    {
        set => _hotPages = value;
    }

    /// <summary>Backs the pages that nearly every run writes, beside whatever else is done: it takes about as long as making the rest of a fork.</summary>
    internal void ProvideHotPages()
    {
        if (Interlocked.Exchange(ref _hotPages, null) is { Manifest.HotRanges.Count: > 0 } template) RunBeside(fork => Sandboxes.HotPages.Provide(fork, template));
    }

    /// <summary>
    /// Hands the runner a request. It must be waiting, or will be. The first since the fork (or restore) brings fresh randomness for the language's generators; later ones leave
    /// them alone, since the program may have seeded them.
    /// </summary>
    internal void PostToRunner(ExecRequest exec, RunnerFlags flags)
    {
        ProvideHotPages();
        _runnerReplied = _runnerIdle = false;
        int random = Interlocked.Exchange(ref _seeded, 1) == 0 ? TemplateRuntime.Find(Origin.Template?.Manifest.Runtime ?? "")?.RandomBytes ?? RunnerRequest.SeedBytes : 0;
        lock (_kernel.Lock)
        {
            foreach (byte[] message in new RunnerRequest(exec, flags, random).ToMessages()) _kernel.HostStreams.Runner.Post(message);
        }
    }

    void IRunnerSink.OnReply(ReadOnlySpan<byte> reply)
    {
        _runnerReply = reply.ToArray();
        _runnerReplied = true;
        _options.Watcher?.OnReply(RunnerExitCode ?? 1, RunnerDetails);
        // What is behind the reply is for the caller to decide; until then nothing of the sandbox needs to run.
        if (_endAtReply) EndWith(RunnerExitCode ?? 1);
    }

    void IRunnerSink.OnIdle()
    {
        _runnerIdle = true;
        if (_stopAtIdle) _kernel.RequestStop();
    }

    private bool _endAtReply;
    private bool _stopAtIdle;

    /// <summary>Makes the runner's reply the end of the sandbox.</summary>
    internal void EndAtReply() => _endAtReply = true;

    /// <summary>Makes the sandbox stand still when the runner waits for a request.</summary>
    internal void StopAtIdle() => _stopAtIdle = true;
}
