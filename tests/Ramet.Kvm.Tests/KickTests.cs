using System.Diagnostics;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

public sealed class KickTests : IDisposable
{
    private static readonly byte[] Spin = [0x48, 0xFF, 0xC3, 0xEB, 0xFB]; // 1: inc rbx; jmp 1b
    private const int LongEnough = 60_000; // milliseconds, on a machine that is busy or emulated
    private readonly Guest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void A_spinning_guest_is_interrupted_and_goes_on_where_it_was()
    {
        _guest.Start(Spin);
        ulong last = 0;
        var clock = Stopwatch.StartNew();
        for (var moved = 0; moved < 20;)
        {
            Assert.True(clock.ElapsedMilliseconds < LongEnough, $"the guest went on after {moved} kicks only");
            using var timer = new Timer(_ => _guest.Cpu.Kick(), null, 2, Timeout.Infinite);
            Assert.Equal(VcpuExitKind.Interrupted, _guest.Cpu.Run().Kind);
            Assert.InRange(_guest.Cpu.Registers.Rip, Guest.Code, Guest.Code + 4);
            // On a busy machine a kick may come before the guest has run at all.
            Assert.True(_guest.Cpu.Registers.Rbx >= last, "a register went back");
            moved += _guest.Cpu.Registers.Rbx > last ? 1 : 0;
            last = _guest.Cpu.Registers.Rbx;
        }
    }

    [Fact]
    public void A_kick_before_Run_ends_the_next_Run_only()
    {
        _guest.Start([0x0F, 0x05]);
        var before = _guest.Cpu.Registers;
        _guest.Cpu.Kick();
        _guest.Cpu.Kick();
        Assert.Equal(VcpuExitKind.Interrupted, _guest.Cpu.Run().Kind);
        Assert.Equal(before, _guest.Cpu.Registers);
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
    }

    [Fact]
    public void A_kick_from_the_thread_itself_works_after_disposal_too()
    {
        var cpu = _guest.Cpu;
        _guest.Dispose();
        cpu.Kick();
        Assert.Equal(VcpuExitKind.Shutdown, cpu.Run().Kind);
        cpu.Kick();
    }

    [Fact]
    public void No_kick_is_lost_between_system_calls()
    {
        _guest.Start([0x0F, 0x05, 0xEB, 0xFC]); // 1: syscall; jmp 1b
        var cpu = _guest.Cpu;
        var kicks = 0;
        var seen = 0;
        using var stop = new CancellationTokenSource();
        var kicker = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                var expected = Volatile.Read(ref seen) + 1;
                kicks++;
                cpu.Kick();
                var wait = Stopwatch.StartNew();
                while (Volatile.Read(ref seen) < expected && !stop.IsCancellationRequested)
                {
                    if (wait.ElapsedMilliseconds > 5000)
                        return;
                    Thread.SpinWait(kicks % 200);
                }
            }
        });
        kicker.Start();
        var calls = 0;
        var clock = Stopwatch.StartNew();
        while ((seen < 100 || calls < 100) && clock.ElapsedMilliseconds < LongEnough)
        {
            var exit = cpu.Run();
            if (exit.Kind == VcpuExitKind.Interrupted)
            {
                Interlocked.Increment(ref seen);
            }
            else
            {
                Assert.Equal(VcpuExitKind.Syscall, exit.Kind);
                Assert.Equal(Guest.Code + 2, cpu.Registers.Rip);
                calls++;
            }
            Assert.InRange(cpu.Registers.Rip, Guest.Code, Guest.Code + 2);
            Assert.Equal(Guest.Stack - 16, cpu.Registers.Rsp);
        }
        var seenAtEnd = seen;
        stop.Cancel();
        Assert.True(kicker.Join(10_000));
        Assert.InRange(kicks - seenAtEnd, 0, 1);
        Assert.True(seenAtEnd >= 100 && calls >= 100, $"{seenAtEnd} kicks, {calls} calls");
    }

    [Fact]
    public void Kicks_during_faults_lose_no_fault_and_change_no_register()
    {
        // 1: inc rbx; mov rax, [rdi]; jmp 1b -- the fault is answered by skipping the load
        _guest.Start([0x48, 0xFF, 0xC3, 0x48, 0x8B, 0x07, 0xEB, 0xF8]);
        var cpu = _guest.Cpu;
        cpu.Registers.Rdi = Guest.Data;
        using var stop = new CancellationTokenSource();
        var kicker = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                cpu.Kick();
                Thread.SpinWait(600);
            }
        });
        kicker.Start();
        var faults = 0u;
        var kicks = 0;
        var clock = Stopwatch.StartNew();
        while ((kicks < 100 || faults < 100) && clock.ElapsedMilliseconds < LongEnough)
        {
            var exit = cpu.Run();
            if (exit.Kind == VcpuExitKind.Interrupted)
            {
                kicks++;
                continue;
            }
            Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, 4, Guest.Data), exit);
            Assert.Equal(Guest.Code + 3, cpu.Registers.Rip);
            Assert.Equal(++faults, cpu.Registers.Rbx);
            Assert.Equal(Guest.Stack - 16, cpu.Registers.Rsp);
            cpu.Registers.Rip += 3;
        }
        stop.Cancel();
        kicker.Join();
        Assert.True(faults >= 100 && kicks >= 100, $"{faults} faults, {kicks} kicks");
    }

    [Fact]
    public void Kicks_during_invalidation_lose_nothing()
    {
        var a = _guest.NewFrame();
        var b = _guest.NewFrame();
        _guest.Write64(a, 0xA);
        _guest.Write64(b, 0xB);
        _guest.Start([0x48, 0x8B, 0x1F, 0x0F, 0x05, 0xEB, 0xF9]); // 1: mov rbx, [rdi]; syscall; jmp 1b
        var cpu = _guest.Cpu;
        cpu.Registers.Rdi = Guest.Data;
        var pte = _guest.Pte(Guest.Data);
        using var stop = new CancellationTokenSource();
        var kicker = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                cpu.Kick();
                Thread.SpinWait(900);
            }
        });
        kicker.Start();
        var calls = 0;
        var kicks = 0;
        var wanted = 0xAul;
        _guest.Write64(pte, a | Guest.ReadWrite);
        var clock = Stopwatch.StartNew();
        while ((kicks < 100 || calls < 100) && clock.ElapsedMilliseconds < LongEnough)
        {
            var exit = cpu.Run();
            if (exit.Kind == VcpuExitKind.Interrupted)
            {
                kicks++;
                continue;
            }
            Assert.Equal(VcpuExitKind.Syscall, exit.Kind);
            Assert.Equal(wanted, cpu.Registers.Rbx);
            calls++;
            wanted = wanted == 0xA ? 0xBu : 0xAu;
            _guest.Write64(pte, (wanted == 0xA ? a : b) | Guest.ReadWrite);
            cpu.Invalidate([pte & ~4095ul]);
        }
        stop.Cancel();
        kicker.Join();
        Assert.True(calls >= 100 && kicks >= 100, $"{calls} calls, {kicks} kicks");
    }

    [Fact]
    public void A_vcpu_moves_between_host_threads()
    {
        _guest.Start([0x48, 0xFF, 0xC3, 0x0F, 0x05, 0xEB, 0xF9]); // 1: inc rbx; syscall; jmp 1b
        for (var i = 1u; i <= 20; i++)
        {
            var kind = VcpuExitKind.Shutdown;
            var thread = new Thread(() => kind = _guest.Cpu.Run().Kind);
            thread.Start();
            thread.Join();
            Assert.Equal(VcpuExitKind.Syscall, kind);
            Assert.Equal(i, _guest.Cpu.Registers.Rbx);
        }
    }

    [Fact]
    public void Disposal_ends_a_run_on_another_thread()
    {
        var frame = _guest.NewFrame();
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        _guest.Start([0x48, 0xFF, 0x07, 0xEB, 0xFB]); // 1: inc qword [rdi]; jmp 1b
        var cpu = _guest.Cpu;
        cpu.Registers.Rdi = Guest.Data;
        VcpuExit exit = default;
        var thread = new Thread(() => exit = cpu.Run());
        thread.Start();
        Assert.True(SpinWait.SpinUntil(() => _guest.Read64(frame) != 0, LongEnough), "the guest has not begun");
        _guest.Dispose();
        Assert.True(thread.Join(5000), "the vCPU still runs");
        Assert.Equal(VcpuExitKind.Interrupted, exit.Kind);
    }

    [Fact]
    public void Two_vcpus_run_in_parallel()
    {
        // 1: inc qword [rdi]; cmp [rsi], 0; je 1b; syscall: each counts and waits for the other's count to move
        byte[] code = [0x48, 0xFF, 0x07, 0x48, 0x83, 0x3E, 0x00, 0x74, 0xF7, 0x0F, 0x05];
        var frame = _guest.NewFrame();
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        var cpus = new[] { _guest.Cpu, _guest.Machine.GetVcpu(1) };
        var exits = new VcpuExit[2];
        for (var i = 0; i < 2; i++)
        {
            _guest.Start(code, cpu: cpus[i]);
            cpus[i].Registers.Rdi = Guest.Data + (ulong)(i * 8);
            cpus[i].Registers.Rsi = Guest.Data + (ulong)((1 - i) * 8);
        }
        var threads = cpus.Select((cpu, i) => new Thread(() => exits[i] = cpu.Run())).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
        {
            if (!thread.Join(10_000))
                foreach (var cpu in cpus)
                    cpu.Kick();
            thread.Join();
        }
        Assert.All(exits, e => Assert.Equal(VcpuExitKind.Syscall, e.Kind));
    }

    [Fact]
    public void Two_vcpus_take_faults_on_stacks_of_their_own()
    {
        byte[] code = [0x48, 0xFF, 0xC3, 0x48, 0x8B, 0x07, 0xEB, 0xF8]; // 1: inc rbx; mov rax, [rdi]; jmp 1b
        var cpus = new[] { _guest.Cpu, _guest.Machine.GetVcpu(1) };
        var failures = new string?[2];
        var threads = cpus.Select((cpu, i) => new Thread(() =>
        {
            for (var n = 1u; n <= 2000; n++)
            {
                var exit = cpu.Run();
                if (exit.Kind != VcpuExitKind.PageFault || exit.Address != Guest.Data + (ulong)(i << 20) || cpu.Registers.Rbx != n || cpu.Registers.Rip != Guest.Code + 3)
                {
                    failures[i] = $"{exit} after {n}, RBX {cpu.Registers.Rbx}";
                    return;
                }
                cpu.Registers.Rip += 3;
            }
        })).ToArray();
        for (var i = 0; i < 2; i++)
        {
            _guest.Start(code, cpu: cpus[i]);
            cpus[i].Registers.Rdi = Guest.Data + (ulong)(i << 20);
        }
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.All(failures, Assert.Null);
    }
}
