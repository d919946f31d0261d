using Ramet.Abi;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Running;

/// <summary>How many processes and threads there may be.</summary>
public sealed class ProcessLimitTests
{
    private const int Limit = 16;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;

    public ProcessLimitTests()
    {
        _a = _sandbox.NewProcess();
        _sandbox.Kernel.Limits.MaxThreads = Limit;
    }

    [Fact]
    public void Children_that_nobody_waits_for_count_as_processes()
    {
        for (int i = 1; i < Limit; i++) End(_a, _a.Ok(SyscallNumber.fork));
        _a.Fails(Errno.EAGAIN, SyscallNumber.fork);
        Assert.Equal(1, _sandbox.Kernel.Processes.ThreadCount);

        var reloaded = _sandbox.Reload();
        var a = _a.In(reloaded);
        a.Fails(Errno.EAGAIN, SyscallNumber.fork);
        a.Ok(SyscallNumber.wait4, -1, 0, 0, 0);
        int child = a.Ok(SyscallNumber.fork);
        a.Fails(Errno.EAGAIN, SyscallNumber.fork);
        End(a, child);
        for (int i = 1; i < Limit; i++) a.Ok(SyscallNumber.wait4, -1, 0, 0, 0);
        a.Fails(Errno.ECHILD, SyscallNumber.wait4, -1, 0, 0, 0);
        Assert.Equal(1, reloaded.Kernel.Processes.Count);
    }

    [Fact]
    public void Children_that_nobody_waited_for_are_gone_when_their_parent_ends()
    {
        var b = _sandbox.NewProcess();
        for (int i = 2; i < Limit; i++) End(b, b.Ok(SyscallNumber.fork));
        b.Fails(Errno.EAGAIN, SyscallNumber.fork);
        b.Thread.Exit(0);
        Assert.Equal(1, _sandbox.Kernel.Processes.Count);
        Assert.Equal([_a.Thread.Process], _sandbox.Kernel.Processes.Init.Children);
        Assert.Equal(2, _sandbox.Kernel.Processes.All.Count);
        _a.Ok(SyscallNumber.fork);
    }

    [Fact]
    public void A_subreaper_gets_the_children_that_nobody_waited_for()
    {
        _a.Thread.Process.IsSubreaper = true;
        int child = _a.Ok(SyscallNumber.fork);
        var thread = _sandbox.Kernel.Processes.FindThread(child)!;
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(Errno.None, thread.Clone(new CloneRequest(0, Signals.Signal.SIGCHLD), out var grandchild));
            grandchild!.Exit(0);
        }

        Assert.Equal(7, _sandbox.Kernel.Processes.Count);
        thread.Exit(0);
        Assert.Equal(7, _sandbox.Kernel.Processes.Count);
        for (int i = 0; i < 6; i++) _a.Ok(SyscallNumber.wait4, -1, 0, 0, 0);
        Assert.Equal(1, _sandbox.Kernel.Processes.Count);
    }

    private static void End(TestThread parent, int child) => parent.Thread.Kernel.Processes.FindThread(child)!.Exit(0);
}
