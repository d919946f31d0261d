using Ramet.Abi;
using Ramet.Kernel.SystemV;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Ipc;

/// <summary>SEM_UNDO of semop(2): what is kept for it is counted, and only for semaphores that were changed.</summary>
public sealed class SemaphoreUndoTests
{
    private const short Undo = 0x1000, NoWait = 0x800;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;
    private readonly TestThread _b;
    private readonly int _set;

    public SemaphoreUndoTests()
    {
        (_a, _b) = (_sandbox.NewProcess(), _sandbox.NewProcess());
        _set = _a.Ok(SyscallNumber.semget, 0, 32000, 0x1FF);
    }

    private SystemVIpc Ipc => _sandbox.Kernel.SystemV;

    [Fact]
    public void The_end_of_a_process_undoes_what_it_did()
    {
        Assert.Equal(Errno.None, Operate(_b, (31999, 5, Undo), (0, 2, Undo), (7, 1, 0)));
        Assert.Equal(2, Ipc.Adjustments);
        Assert.Equal(Errno.None, Operate(_a, (31999, -1, 0)));
        var copy = _sandbox.Reload();
        Assert.Equal(2, copy.Kernel.SystemV.Adjustments);
        _b.Thread.Exit(0);
        Assert.Equal((0, 0), (Ipc.Adjustments, Ipc.SetsWithUndo));
        Assert.Equal((0, 0, 1), (Value(0), Value(31999), Value(7)));
    }

    [Fact]
    public void Operations_that_fail_leave_no_adjustment_and_those_that_cancel_each_other_none_either()
    {
        Assert.Equal(Errno.EAGAIN, Operate(_a, (1, 3, Undo), (2, 1, Undo), (3, -1, NoWait)));
        Assert.Equal((0, 0, 0), (Ipc.Adjustments, Value(1), Value(2)));
        Assert.Equal(Errno.None, Operate(_a, (1, 3, Undo)));
        Assert.Equal(1, Ipc.Adjustments);
        Assert.Equal(Errno.None, Operate(_a, (1, -3, Undo)));
        Assert.Equal(0, Ipc.Adjustments);
        Assert.Equal(Errno.None, Operate(_a, (1, 3, Undo)));
        _a.Ok(SyscallNumber.semctl, _set, 1, 16, 9);
        Assert.Equal(0, Ipc.Adjustments);
        _a.Thread.Exit(0);
        Assert.Equal(9, Value(1, _b));
    }

    [Fact]
    public void Too_many_adjustments_are_ENOSPC_and_removal_frees_them()
    {
        Assert.Equal(Errno.None, Operate(_a, (1, 3, Undo)));
        Ipc.Adjustments += SemaphoreSet.MaximumAdjustments - 1;
        Assert.Equal(Errno.ENOSPC, Operate(_a, (1, 1, Undo), (2, 1, Undo)));
        Assert.Equal((3, 0), (Value(1), Value(2)));
        Assert.Equal(Errno.None, Operate(_a, (1, 1, Undo)));
        Assert.Equal(Errno.None, Operate(_a, (2, 1, 0)));
        _a.Ok(SyscallNumber.semctl, _set, 0, 0, 0);
        Assert.Equal(SemaphoreSet.MaximumAdjustments - 1, Ipc.Adjustments);
    }

    private int Value(int number, TestThread? thread = null) => (thread ?? _a).Ok(SyscallNumber.semctl, _set, number, 12, 0);

    private Errno Operate(TestThread thread, params (int Number, int Change, short Flags)[] operations)
    {
        short[] words = [.. operations.SelectMany(operation => new[] { (short)operation.Number, (short)operation.Change, operation.Flags })];
        return (Errno)(-thread.Call(SyscallNumber.semop, _set, thread.Put(words), operations.Length));
    }
}
