using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>
/// The host's side of a vCPU's mailbox (the doorbell of Stub.S). The page can be written by whatever runs in the guest, so what has
/// been taken and answered is remembered here, and the page only ever read once per value.
/// </summary>
internal sealed unsafe class SyscallMailbox : ISyscallMailbox
{
    // Offsets in the page, as in Stub.S.
    private const int Number = 0x08, Rdi = 0x10, Rsi = 0x18, Rdx = 0x20, R10 = 0x28, R8 = 0x30, R9 = 0x38, Rcx = 0x40, R11 = 0x48, Rsp = 0x50, Polled = 0x80;
    private const int Posted = 1, Taken = 2, Answered = 4, Leave = 8;

    /// <summary>Flags that the stub's way back to user code does not set: TF DF NT RF AC ID.</summary>
    private const ulong RareFlags = 0x25_4500;

    private readonly Lock _gate = new();
    private readonly VirtualCpu _vcpu;
    private readonly byte* _page;
    private bool _open;
    private Phase _phase;
    private ulong _answer;

    internal SyscallMailbox(VirtualCpu vcpu, byte* page)
    {
        _vcpu = vcpu;
        _page = page;
    }

    private enum Phase
    {
        None,
        Taken,
        Answered,
        AnsweredAndLeaves,
    }

    /// <inheritdoc/>
    // SAFETY: the page is inside RAM, which stays mapped while the machine lives; its owner lets no poller outlive it. So everywhere in this class.
    public bool HasPosted => Volatile.Read(ref *(int*)_page) == Posted;

    /// <inheritdoc/>
    public bool TryEnable() => _vcpu.TryUseDoorbell();

    /// <inheritdoc/>
    public void SetPolled(bool polled)
    {
        Volatile.Write(ref *(int*)(_page + Polled), polled ? 1 : 0);
        if (polled)
            return;
        // The next program on this vCPU has no business with what the last one asked for.
        lock (_gate)
        {
            if (_phase == Phase.None && Volatile.Read(ref *(int*)_page) == 0)
                new Span<byte>(_page + Rdi, Rsp + 8 - Rdi).Clear();
        }
    }

    /// <inheritdoc/>
    public bool TryTake(ref UserRegisters registers)
    {
        lock (_gate)
        {
            if (!_open || _phase == Phase.AnsweredAndLeaves || Interlocked.CompareExchange(ref *(int*)_page, Taken, Posted) != Posted)
                return false;
            _phase = Phase.Taken;
            var flags = Read(R11);
            if ((flags & RareFlags) != 0)
            {
                Reply(Phase.None, Leave);
                return false;
            }
            registers.Rax = Read(Number);
            registers.Rdi = Read(Rdi);
            registers.Rsi = Read(Rsi);
            registers.Rdx = Read(Rdx);
            registers.R10 = Read(R10);
            registers.R8 = Read(R8);
            registers.R9 = Read(R9);
            registers.Rsp = Read(Rsp);
            registers.Rip = registers.Rcx = Read(Rcx);
            registers.Rflags = registers.R11 = flags;
            return true;
        }
    }

    /// <inheritdoc/>
    public void Answer(ulong result)
    {
        lock (_gate)
        {
            _answer = result;
            Volatile.Write(ref *(ulong*)(_page + Number), result);
            Reply(Phase.Answered, Answered);
        }
    }

    /// <inheritdoc/>
    public void AnswerAndLeave(ulong result)
    {
        lock (_gate)
        {
            _answer = result;
            Reply(Phase.AnsweredAndLeaves, Leave);
        }
    }

    /// <inheritdoc/>
    public void Decline()
    {
        lock (_gate)
            Reply(Phase.None, Leave);
    }

    /// <summary>User code is about to run: calls may be posted.</summary>
    internal void Open()
    {
        lock (_gate)
        {
            _phase = Phase.None;
            Volatile.Write(ref *(int*)_page, 0);
            _open = true;
        }
    }

    /// <summary>The vCPU has left the guest: nothing is taken any more; a call that is being served is waited for.</summary>
    /// <returns>Whether a call was answered since <see cref="Open"/>, and with what; and whether the answer still lies there.</returns>
    internal (bool Answered, bool MustLeave, bool Waits, ulong Result) Close()
    {
        var spin = default(SpinWait);
        while (true)
        {
            lock (_gate)
            {
                if (_phase != Phase.Taken)
                {
                    _open = false;
                    var state = Volatile.Read(ref *(int*)_page);
                    // A call that was kicked out before anybody took it: pollers are not to see it for as long as the vCPU stays out.
                    if (state == Posted)
                        Volatile.Write(ref *(int*)_page, 0);
                    return (_phase != Phase.None, _phase == Phase.AnsweredAndLeaves, state == Answered, _answer);
                }
            }
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>The number of a call whose RAX the stub has put away.</summary>
    internal ulong ReadNumber() => Read(Number);

    private ulong Read(int offset) => Volatile.Read(ref *(ulong*)(_page + offset));

    private void Reply(Phase phase, int state)
    {
        _phase = phase;
        Volatile.Write(ref *(int*)_page, state);
    }
}
