using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

/// <summary>System calls through the mailbox: the guest waits in its stub while another thread answers.</summary>
public sealed class DoorbellTests : IDisposable
{
    private const ulong Last = 0xFFFF;

    /// <summary>Makes EBX calls, number and first argument EBX, counting down; adds up the results in R12; then makes one with number 0xFFFF.</summary>
    private static readonly byte[] Caller =
    [
        0x89, 0xD8, // 1: mov eax, ebx
        0x89, 0xDF, // mov edi, ebx
        0x0F, 0x05, // syscall
        0x49, 0x01, 0xC4, // add r12, rax
        0xFF, 0xCB, // dec ebx
        0x75, 0xF3, // jnz 1b
        0xB8, 0xFF, 0xFF, 0x00, 0x00, // mov eax, 0xffff
        0x0F, 0x05, // syscall
    ];

    private readonly Guest _guest = new();
    private readonly List<ulong> _calls = [];

    public void Dispose() => _guest.Dispose();

    private static ulong Result(ulong number) => (number * 3) + 7;

    /// <summary>Answers calls on another thread until the caller is through; one numbered 0xFFFF is left to an exit.</summary>
    private Poller Poll(Action<ISyscallMailbox, UserRegisters>? serve = null) => new(_guest.Cpu, serve ?? ((mailbox, registers) =>
    {
        if (registers.Rax == Last)
        {
            mailbox.Decline();
            return;
        }
        lock (_calls)
            _calls.Add(registers.Rax);
        Assert.Equal(registers.Rax, registers.Rdi);
        mailbox.Answer(Result(registers.Rax));
    }));

    /// <summary>Runs the guest to its last call, and serves what comes by exits. Returns how many calls did.</summary>
    private int RunToTheLastCall()
    {
        for (var exits = 0; ;)
        {
            var exit = _guest.Cpu.Run();
            ref var registers = ref _guest.Cpu.Registers;
            if (exit.Kind == VcpuExitKind.Interrupted)
                continue;
            if (exit.Kind == VcpuExitKind.Served)
            {
                // Kicked while the answer came: RAX has it.
                continue;
            }
            Assert.Equal(new VcpuExit(VcpuExitKind.Syscall), exit);
            if (registers.Rax == Last)
                return exits;
            exits++;
            lock (_calls)
                _calls.Add(registers.Rax);
            registers.Rax = Result(registers.Rax);
        }
    }

    private void AssertEachCallWasMadeOnce(int count)
    {
        Assert.Equal(Enumerable.Range(1, count).Select(n => (ulong)n).Reverse(), _calls);
        Assert.Equal(_calls.Aggregate(0UL, (sum, n) => sum + Result(n)), _guest.Cpu.Registers.R12);
    }

    [Fact]
    public void Calls_are_answered_while_the_guest_stays_in_the_guest()
    {
        var count = Emulated.IsOn ? 50 : 5000;
        _guest.Start(Caller);
        ref var registers = ref _guest.Cpu.Registers;
        registers.Rbx = (ulong)count;
        registers.Rdx = 11;
        registers.R10 = 12;
        registers.R8 = 13;
        registers.R9 = 14;
        registers.Rbp = registers.R15 = 15;
        int exits;
        using (Poll())
            exits = RunToTheLastCall();
        AssertEachCallWasMadeOnce(count);
        Assert.Equal<ulong[]>([11, 12, 13, 14, 15, 15, Guest.Stack - 16], [registers.Rdx, registers.R10, registers.R8, registers.R9, registers.Rbp, registers.R15, registers.Rsp]);
        // One processor serves both sides in turn in the emulator.
        Assert.True(exits < count || Emulated.IsOn, "every call left the guest");
    }

    [Fact]
    public void Arguments_and_place_of_a_posted_call_are_those_of_an_exit()
    {
        _guest.Start([0x0F, 0x05, 0x0F, 0x05]);
        ref var registers = ref _guest.Cpu.Registers;
        (registers.Rax, registers.Rdi, registers.Rsi, registers.Rdx, registers.R10, registers.R8, registers.R9) = (1, 2, 3, 4, 5, 6, 7);
        UserRegisters? posted = null;
        using (Poll((mailbox, call) =>
        {
            posted ??= call;
            mailbox.AnswerAndLeave(99);
        }))
        {
            // On a busy machine nobody may come in time, and the call is made by an exit: then once more.
            var clock = System.Diagnostics.Stopwatch.StartNew();
            VcpuExit exit;
            while ((exit = _guest.Cpu.Run()).Kind == VcpuExitKind.Syscall && clock.Elapsed.TotalSeconds < 60)
                registers.Rip -= 2;
            Assert.Equal(new VcpuExit(VcpuExitKind.Served), exit);
        }
        Assert.Equal(99UL, registers.Rax);
        Assert.Equal(Guest.Code + 2, registers.Rip);
        Assert.NotNull(posted);
        var expected = registers with { Rax = 1 };
        // What is not part of a call is not posted.
        Assert.Equal(expected with { Rbx = 0, Rbp = 0, R12 = 0, R13 = 0, R14 = 0, R15 = 0 }, posted.Value);
        // And it goes on behind the call.
        Assert.Equal(new VcpuExit(VcpuExitKind.Syscall), _guest.Cpu.Run());
        Assert.Equal((99UL, Guest.Code + 4), (registers.Rax, registers.Rip));
    }

    [Fact]
    public void Flags_come_back_as_they_were()
    {
        const ulong visible = 0xCD5; // CF PF AF ZF SF DF OF
        byte[] code =
        [
            0x56, // push rsi
            0x9D, // popfq
            0x0F, 0x05, // syscall
            0x9C, // pushfq
            0x5B, // pop rbx
            0xB8, 0xFF, 0xFF, 0x00, 0x00, // mov eax, 0xffff
            0x0F, 0x05, // syscall
        ];
        foreach (var flags in new ulong[] { 0, 1, 4, 0x10, 0x40, 0x80, 0x800, 0x8D5, 0x400, 0xCD5 })
        {
            using var poller = Poll();
            _guest.Start(code);
            _guest.Cpu.Registers.Rax = _guest.Cpu.Registers.Rdi = 5;
            _guest.Cpu.Registers.Rsi = flags | 2;
            RunToTheLastCall();
            Assert.Equal(flags, _guest.Cpu.Registers.Rbx & visible);
        }
    }

    [Fact]
    public void Kicks_lose_no_call_and_repeat_none()
    {
        var count = Emulated.IsOn ? 50 : 20_000;
        _guest.Start(Caller);
        _guest.Cpu.Registers.Rbx = (ulong)count;
        var cpu = _guest.Cpu;
        var stop = false;
        var kicker = new Thread(() =>
        {
            for (var n = 0; !Volatile.Read(ref stop); n++)
            {
                cpu.Kick();
                Thread.SpinWait(n * 37 % 3000);
            }
        });
        using (Poll())
        {
            kicker.Start();
            RunToTheLastCall();
            Volatile.Write(ref stop, true);
            kicker.Join();
        }
        AssertEachCallWasMadeOnce(count);
    }

    [Fact]
    public void Without_a_poller_each_call_leaves_the_guest()
    {
        _guest.Start(Caller);
        _guest.Cpu.Registers.Rbx = 20;
        Assert.True(_guest.Cpu.Mailbox.TryEnable());
        Assert.Equal(20, RunToTheLastCall());
        AssertEachCallWasMadeOnce(20);
        // Nor does one that was said to poll and does not hold the guest up for ever.
        _calls.Clear();
        _guest.Start(Caller);
        _guest.Cpu.Registers.Rbx = 20;
        _guest.Cpu.Mailbox.SetPolled(true);
        Assert.Equal(20, RunToTheLastCall());
    }

    [Fact]
    public void A_guest_that_posts_a_call_by_hand_and_does_not_wait_is_ended()
    {
        // mov dword ptr [rdi], 1; jmp $
        _guest.Start([0xC7, 0x07, 0x01, 0x00, 0x00, 0x00, 0xEB, 0xFE]);
        _guest.Cpu.Registers.Rdi = GuestLayout.DoorbellPage(0) + 4096;
        using var left = new ManualResetEventSlim();
        using var poller = Poll((mailbox, _) =>
        {
            mailbox.AnswerAndLeave(0);
            left.Set();
        });
        var kicker = new Thread(() =>
        {
            left.Wait();
            _guest.Cpu.Kick();
        });
        kicker.Start();
        Assert.Equal(VcpuExitKind.Shutdown, _guest.Cpu.Run().Kind);
        kicker.Join();
    }

    private sealed class Poller : IDisposable
    {
        private readonly Thread _thread;
        private readonly ISyscallMailbox _mailbox;
        private bool _stop;
        private Exception? _failure;

        public Poller(VirtualCpu cpu, Action<ISyscallMailbox, UserRegisters> serve)
        {
            _mailbox = cpu.Mailbox;
            Assert.True(_mailbox.TryEnable());
            _mailbox.SetPolled(true);
            _thread = new Thread(() =>
            {
                while (!Volatile.Read(ref _stop))
                {
                    var registers = default(UserRegisters);
                    if (!_mailbox.HasPosted || !_mailbox.TryTake(ref registers))
                    {
                        if (Emulated.IsOn)
                            Thread.Yield();
                        continue;
                    }
                    try
                    {
                        serve(_mailbox, registers);
                    }
                    catch (Exception exception)
                    {
                        _failure = exception;
                        _mailbox.AnswerAndLeave(0);
                    }
                }
            });
            _thread.Start();
        }

        public void Dispose()
        {
            Volatile.Write(ref _stop, true);
            _thread.Join();
            _mailbox.SetPolled(false);
            Assert.Null(_failure);
        }
    }
}
