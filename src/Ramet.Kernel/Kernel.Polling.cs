using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel;

/// <summary>System calls that are served while the virtual CPU stays in the guest, by a host thread that polls its mailbox.</summary>
public sealed partial class Kernel
{
    private const int LooksPerClockReading = 32;

    /// <summary>
    /// Serves the calls that a virtual CPU posts, until none has come for a while, the sandbox ends or is to stand still, or others need the processor.
    /// The caller's thread spins for that time.
    /// </summary>
    public void PollVcpu(int index)
    {
        var context = Scheduler.Vcpus[index];
        var mailbox = context.Machine!.Mailbox!;
        mailbox.SetPolled(true);
        long answered = 0, last = _ports.Clock.MonotonicNanoseconds, looked = last;
        bool contended = false;
        int calls = 0, left = 0;
        while (!Volatile.Read(ref _stopRequested) && !HasExited)
        {
            int looks = LooksPerClockReading;
            while (!mailbox.HasPosted && --looks > 0) Thread.SpinWait(1);
            if (looks > 0)
            {
                if (TryServePosted(context, mailbox)) answered++;
                else left++;
                // Threads that block or make way at nearly every call leave the guest anyway, and by the mailbox it takes longer.
                if (++calls == PollingPolicy.Window)
                {
                    if (left > PollingPolicy.MostThatLeave)
                    {
                        answered = 0;
                        break;
                    }

                    calls = left = 0;
                }

                last = looked = _ports.Clock.MonotonicNanoseconds;
                continue;
            }

            long now = _ports.Clock.MonotonicNanoseconds;
            contended = now - looked > PollingPolicy.Descheduled;
            if (contended || now - last > PollingPolicy.IdleTime) break;
            looked = now;
        }

        mailbox.SetPolled(false);
        lock (Lock)
        {
            context.IsPolled = false;
            context.Polling.OnEnd(_ports.Clock.MonotonicNanoseconds, answered, contended);
        }
    }

    /// <summary>A call has come by an exit: would it pay to poll?</summary>
    private void ConsiderPolling(VcpuContext context, long now)
    {
        // The mailbox is memory that all programs of the sandbox can write: with one virtual CPU none runs while another waits for an answer.
        if (context.IsPolled || Scheduler.Vcpus.Length > 1) return;
        if (!context.Polling.OnExit(now, now - context.EnteredAt)) return;
        if (context.Machine!.Mailbox is { } mailbox && mailbox.TryEnable() && Host.RequestPolling(context.Index)) context.IsPolled = true;
        else context.Polling.OnEnd(now, 0, contended: false);
    }

    /// <summary>Serves the call that waits, if one does. Whether its program goes on in the guest.</summary>
    private bool TryServePosted(VcpuContext context, ISyscallMailbox mailbox)
    {
        lock (Lock)
        {
            // Its host thread may have left the guest meanwhile, and wait for the lock.
            if (HasExited || context.Current is not { } thread || !context.InGuest) return false;
            if (!mailbox.TryTake(ref thread.Registers)) return false;
            bool replied = false, answered = false;
            context.IsServed = true;
            try
            {
                answered = Serve(context, mailbox, thread);
                replied = true;
            }
#pragma warning disable CA1031 // As for RunVcpu.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Fail(exception);
            }
            finally
            {
                context.IsServed = false;
                if (!replied) mailbox.AnswerAndLeave(0);
            }

            return answered;
        }
    }

    private bool Serve(VcpuContext context, ISyscallMailbox mailbox, PosixThread thread)
    {
        if (thread.State != ThreadState.Runnable || thread.IsDying || thread.Trace is not null || NeedsExit(thread.Registers.Rax))
        {
            mailbox.Decline();
            return false;
        }

        thread.IsInSyscallContext = true;
        Statistics.PostedSyscalls++;
        BeginSyscall(thread);
        UpdateAlarm();
        bool settled = !thread.InSyscall && thread.State == ThreadState.Runnable && thread.RestartCode == 0 && !thread.SignalPending && !thread.ExitRequested
            && !thread.Process.IsStopped && !context.IsPreempted && !_stopRequested && !HasExited && !thread.Memory.Tables.HasStale(context.Index)
            && !(Scheduler.HasReady && MonotonicNow >= context.SliceEnd);
        if (settled) mailbox.Answer(thread.Registers.Rax);
        else mailbox.AnswerAndLeave(thread.Registers.Rax);
        return settled;
    }

    /// <summary>Calls that read or change more of the thread than their arguments and RAX: what the virtual CPU holds, or what runs on it.</summary>
    private static bool NeedsExit(ulong number) => (SyscallNumber)number is
        SyscallNumber.rt_sigreturn or SyscallNumber.clone or SyscallNumber.clone3 or SyscallNumber.fork or SyscallNumber.vfork or
        SyscallNumber.execve or SyscallNumber.execveat or SyscallNumber.exit or SyscallNumber.exit_group or SyscallNumber.arch_prctl or
        SyscallNumber.ptrace or SyscallNumber.seccomp or SyscallNumber.prctl or SyscallNumber.restart_syscall or
        SyscallNumber.munmap or SyscallNumber.mremap or SyscallNumber.mprotect or SyscallNumber.pkey_mprotect or SyscallNumber.madvise or
        SyscallNumber.membarrier or SyscallNumber.shmdt or SyscallNumber.process_vm_readv or SyscallNumber.process_vm_writev;
}
