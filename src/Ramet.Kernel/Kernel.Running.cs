using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Signals;
using Ramet.Kernel.State;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Time;

namespace Ramet.Kernel;

/// <summary>The loop of a virtual CPU: run user code, serve why it left, go back.</summary>
public sealed partial class Kernel
{
    private const int MostRoundsInKernel = 64;

    /// <summary>TF of RFLAGS: #DB after the next instruction.</summary>
    private const ulong TrapFlag = 0x100;

    [NotSaved]
    private bool _stopRequested;

    [NotSaved]
    private long _alarm = long.MaxValue;

    /// <summary>Whether the main process has ended, or the sandbox was killed: nothing runs any more.</summary>
    public bool HasExited { get; private set; }

    /// <summary>Wait status of the main process, once <see cref="HasExited"/>.</summary>
    public int ExitStatus { get; private set; }

    /// <summary>Why the sandbox ended, when it was not its own doing (damaged memory, host failure); null otherwise.</summary>
    public string? FailureReason { get; private set; }

    /// <summary>
    /// Runs threads on a virtual CPU until none is ready, the sandbox has ended, or <see cref="RequestStop"/> was called. The caller's host thread is the virtual CPU's for that time.
    /// </summary>
    public void RunVcpu(int index)
    {
        Lock.Enter();
        var context = Scheduler.Vcpus[index];
        context.Requested = false;
        context.HasHostThread = true;
        try
        {
            context.Machine ??= Machine.GetVcpu(index);
            for (int rounds = 1; !HasExited && !_stopRequested && TryPickThread(context); rounds++)
            {
                // Threads may wake each other without any of them getting to run user code: others must get at the kernel nevertheless, to end it.
                if (RunThread(context)) rounds = 0;
                else if (rounds % MostRoundsInKernel == 0) GiveWay();
            }
        }
#pragma warning disable CA1031 // Whatever goes wrong while one sandbox is served ends that sandbox alone.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Fail(exception);
        }
        finally
        {
            // RunThread gives the lock back only while guest code runs, and takes it again whatever happens.
            context.HasHostThread = false;
            // Only a kernel that may be saved needs what the virtual CPU still holds.
            if (_stopRequested && !HasExited) Vacate(context);
            UpdateAlarm();
            Lock.Exit();
        }
    }

    /// <summary>A time that was asked for by <see cref="IKernelHost.SetAlarm"/> has come.</summary>
    public void OnAlarm()
    {
        lock (Lock)
        {
            if (HasExited || _clockStopped) return;
            _alarm = long.MaxValue;
            try
            {
                long now = MonotonicNow;
                Timers.RunDue(now);
                Scheduler.Preempt(now);
                UpdateAlarm();
            }
#pragma warning disable CA1031 // As for RunVcpu: the thread that calls is everybody's.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Fail(exception);
            }
        }
    }

    /// <summary>Makes <see cref="RunVcpu"/> return soon; the sandbox stands still until <see cref="Continue"/>.</summary>
    public void RequestStop()
    {
        lock (Lock)
        {
            _stopRequested = true;
            Scheduler.KickAll();
        }
    }

    /// <summary>Undoes <see cref="RequestStop"/>.</summary>
    public void Continue()
    {
        lock (Lock)
        {
            _stopRequested = false;
            Scheduler.RequestVcpus();
            UpdateAlarm();
        }
    }

    /// <summary>Ends the sandbox at once, with this wait status.</summary>
    public void Kill(int status, string? reason = null)
    {
        lock (Lock)
        {
            if (HasExited) return;
            FailureReason = reason;
            End(status);
        }
    }

    private void Fail(Exception exception) =>
        Fail(exception is GuestMemoryException ? exception.Message + " The sandbox has damaged its own page tables or kernel structures." : "Internal error: " + exception);

    private void Fail(string reason)
    {
        FailureReason = reason;
        End(Process.KilledStatus(Signal.SIGKILL));
    }

    private void End(int status)
    {
        if (HasExited) return;
        HasExited = true;
        ExitStatus = status;
        Scheduler.KickAll();
        Host.OnExited();
    }

    /// <summary>A process has ended. The end of the main process is the end of the sandbox.</summary>
    internal void OnProcessEnded(Process process)
    {
        SystemV.OnProcessEnded(process);
        HostStreams.RemoveSpawned(process.Pid);
        Host.OnProcessEnded(process.Pid, process.ExitStatus);
        if (process == MainProcess) End(process.ExitStatus);
    }

    private bool TryPickThread(VcpuContext context)
    {
        long now = MonotonicNow;
        if (now >= Timers.NextDueTime) Timers.RunDue(now);
        var current = context.Current;
        if (current is not null)
        {
            if (current.State != ThreadState.Runnable)
            {
                context.Current = null;
            }
            else if (now >= context.SliceEnd && Scheduler.HasReady)
            {
                context.Current = null;
                Scheduler.Enqueue(current);
            }
            else
            {
                return true;
            }
        }

        while (Scheduler.Dequeue() is { } next)
        {
            if (next.State != ThreadState.Runnable || Scheduler.IsCurrent(next)) continue;
            context.Current = next;
            context.SliceEnd = now + Scheduler.TimeSlice;
            return true;
        }

        return false;
    }

    /// <summary>Lets whoever waits for the lock have it.</summary>
    private void GiveWay()
    {
        Lock.Exit();
        try
        {
            Thread.Sleep(0);
        }
        finally
        {
            Lock.Enter();
        }
    }

    /// <summary>Runs the current thread once. False when it did not come to run user code.</summary>
    private bool RunThread(VcpuContext context)
    {
        var thread = context.Current!;
        // What is left of a system call, and signals, first: they may block, stop or end the thread.
        if (thread.InSyscall) ResumeSyscall(thread);
        else if (thread.SyscallHeld) BeginHeldSyscall(thread);
        if (thread.State != ThreadState.Runnable || !SignalDelivery.PrepareToRun(thread, this))
        {
            // Off the virtual CPU at once: when it is woken it goes through the queue like any other.
            if (thread.State != ThreadState.Runnable) context.Current = null;
            return false;
        }

        Load(context, thread);
        var vcpu = context.Machine!;
        var stale = thread.Memory.Tables.TakeStale(context.Index);
        if (stale.Count > 0)
        {
            vcpu.Invalidate(stale.Tables);
            stale.Clear();
        }

        vcpu.Registers = thread.Registers;
        bool steps = thread.Trace is { Mode: Tracing.TraceMode.SingleStep } && (thread.Registers.Rflags & TrapFlag) == 0;
        if (steps) vcpu.Registers.Rflags |= TrapFlag;
        UpdateAlarm();
        context.EnteredAt = _ports.Clock.MonotonicNanoseconds;
        context.Space = thread.Memory;
        context.IsPreempted = false;
        context.InGuest = true;
        UpdateAlarmForSlice(context);
        Lock.Exit();
        VcpuExit exit;
        try
        {
            exit = vcpu.Run();
        }
        finally
        {
            context.InGuest = false;
            Lock.Enter();
        }

        long now = _ports.Clock.MonotonicNanoseconds;
        thread.CpuTime += now - context.EnteredAt;
        Statistics.Exits++;
        // Another virtual CPU may have ended the thread meanwhile (exit_group): its registers matter to nobody then.
        if (thread.State == ThreadState.Dead) return true;
        thread.Registers = vcpu.Registers;
        if (steps)
        {
            // The flag is the tracer's, and the program never sees it.
            thread.Registers.Rflags &= ~TrapFlag;
            if (exit.Kind == VcpuExitKind.Syscall) thread.Registers.R11 &= ~TrapFlag;
        }

        thread.IsInSyscallContext = exit.Kind is VcpuExitKind.Syscall or VcpuExitKind.Served;
        if (exit.Kind == VcpuExitKind.Syscall) ConsiderPolling(context, now);
        Serve(thread, exit);
        if (thread.State != ThreadState.Runnable && context.Current == thread) context.Current = null;
        return true;
    }

    private void Serve(PosixThread thread, in VcpuExit exit)
    {
        switch (exit.Kind)
        {
            case VcpuExitKind.Syscall:
                BeginSyscall(thread);
                break;
            case VcpuExitKind.PageFault:
                Statistics.PageFaults++;
                FaultDelivery.OnPageFault(thread, exit);
                break;
            case VcpuExitKind.Exception:
                FaultDelivery.OnException(thread, exit);
                break;
            case VcpuExitKind.Shutdown:
                Fail("The virtual machine stopped: " + (exit.Detail ?? "no reason given") + ".");
                break;
            case VcpuExitKind.Interrupted or VcpuExitKind.Served:
                break;
            default:
                Fail("Unknown exit of a virtual CPU.");
                break;
        }
    }

    /// <summary>Puts a thread's state on the virtual CPU, saving that of the thread before it.</summary>
    private void Load(VcpuContext context, PosixThread thread)
    {
        var vcpu = context.Machine!;
        if (context.Loaded != thread)
        {
            // It may have run on another virtual CPU last, which still holds its state, and must not take it for current ever after.
            UnloadThread(thread);
            Unload(context);
            vcpu.FsBase = thread.FsBase;
            vcpu.GsBase = thread.GsBase;
            vcpu.LoadExtendedState(thread.ExtendedState ?? []);
            context.Loaded = thread;
        }

        if (vcpu.PageTableRoot != thread.Memory.Root) vcpu.PageTableRoot = thread.Memory.Root;
    }

    /// <summary>The sandbox is to stand still: the thread on a virtual CPU is a ready thread like others.</summary>
    private void Vacate(VcpuContext context)
    {
        Unload(context);
        if (context.Current is { State: ThreadState.Runnable } current) Scheduler.EnqueueFirst(current);
        context.Current = null;
    }

    /// <summary>Takes the state of the thread that a virtual CPU holds back into the thread.</summary>
    internal void Unload(VcpuContext context)
    {
        if (context.Loaded is not { } previous) return;
        var vcpu = context.Machine!;
        previous.ExtendedState ??= new byte[Machine.Features.XStateSize];
        vcpu.SaveExtendedState(previous.ExtendedState);
        previous.FsBase = vcpu.FsBase;
        previous.GsBase = vcpu.GsBase;
        context.Loaded = null;
    }

    /// <summary>The thread's segment bases or extended state are about to be read or changed in the thread: takes them off the virtual CPU.</summary>
    internal void UnloadThread(PosixThread thread)
    {
        foreach (var context in Scheduler.Vcpus)
        {
            if (context.Loaded == thread) Unload(context);
        }
    }

    private void UpdateAlarm()
    {
        long wanted = Math.Min(Timers.NextDueTime, Scheduler.NextPreemption);
        if (wanted == _alarm || HasExited) return;
        _alarm = wanted;
        Host.SetAlarm(wanted == long.MaxValue ? wanted : TimerQueue.After(wanted, -_monotonicOffset));
    }

    /// <summary>A thread is ready and no virtual CPU is free.</summary>
    internal void OnThreadWaits()
    {
        if (Scheduler.NextPreemption < _alarm) UpdateAlarm();
    }

    private void UpdateAlarmForSlice(VcpuContext context)
    {
        if (Scheduler.HasReady && context.SliceEnd < _alarm) UpdateAlarm();
    }

    /// <summary>A page is needed and there is none: the process ends as if by the kernel's OOM killer.</summary>
    internal void OnOutOfMemory(Process process)
    {
        Statistics.OutOfMemoryKills++;
        process.ExitGroup(Process.KilledStatus(Signal.SIGKILL));
    }

    /// <summary>A signal was queued: signalfds of the process may have become readable.</summary>
    internal void OnSignalQueued(Process process) => process.SignalEvents.Wake();
}
