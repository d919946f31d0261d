using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;
using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

public sealed class StateTests : IDisposable
{
    private readonly Guest _guest = new();

    public void Dispose() => _guest.Dispose();

    /// <summary>A program whose every step ends in another kind of exit, and what each must leave in the registers.</summary>
    private sealed class Program
    {
        // 1: inc rbx; syscall; mov rax, [rdi]; int3; ud2; mov [rdi], rax; jmp 1b
        public static readonly byte[] Code = [0x48, 0xFF, 0xC3, 0x0F, 0x05, 0x48, 0x8B, 0x07, 0xCC, 0x0F, 0x0B, 0x48, 0x89, 0x07, 0xEB, 0xF0];
        private const ulong UserFlags = 0x8D5; // arithmetic flags, which inc changes
        private readonly ulong _start, _absent;
        private int _step;

        public Program(ulong start, ulong seed)
        {
            _start = start;
            _absent = Guest.Data + (seed << 24);
            Registers = new UserRegisters
            {
                Rax = seed + 1, Rbx = 0, Rcx = seed + 3, Rdx = seed + 4, Rsi = seed + 5, Rdi = _absent, Rsp = Guest.Stack - 8 - (seed * 16), Rbp = ~seed,
                R8 = seed << 8, R9 = seed << 16, R10 = seed << 24, R11 = seed + 7, R12 = seed << 32, R13 = seed << 40, R14 = ~seed << 8, R15 = seed ^ 0x5555,
                Rip = start, Rflags = 0x202,
            };
            FsBase = seed << 20;
            GsBase = seed << 21;
        }

        public UserRegisters Registers;

        public ulong FsBase { get; }

        public ulong GsBase { get; }

        public void Check(VcpuExit exit, UserRegisters seen)
        {
            if (exit.Kind == VcpuExitKind.Interrupted)
            {
                Assert.Equal(Registers, seen);
                return;
            }
            var expected = Registers;
            var (kind, rip, skip, code, vector) = _step switch
            {
                0 => (VcpuExitKind.Syscall, 5ul, 0ul, 0u, 0),
                1 => (VcpuExitKind.PageFault, 5ul, 3ul, 4u, 14),
                2 => (VcpuExitKind.Exception, 9ul, 0ul, 0u, 3),
                3 => (VcpuExitKind.Exception, 9ul, 2ul, 0u, 6),
                _ => (VcpuExitKind.PageFault, 11ul, 3ul, 6u, 14),
            };
            Assert.Equal((kind, (byte)vector, code, kind == VcpuExitKind.PageFault ? _absent : 0), (exit.Kind, exit.Vector, exit.ErrorCode, exit.Address));
            Assert.Equal(_start + rip, seen.Rip);
            if (_step == 0)
            {
                expected.Rbx++;
                expected.Rcx = seen.Rip;
                expected.R11 = seen.R11;
                Assert.Equal(seen.Rflags, seen.R11);
            }
            Compare(seen, expected);
            Registers = seen;
            Registers.Rip += skip;
            _step = (_step + 1) % 5;
        }

        private static void Compare(UserRegisters seen, UserRegisters expected)
        {
            expected.Rip = seen.Rip;
            expected.Rflags = seen.Rflags;
            Assert.Equal(expected, seen);
            Assert.Equal(0x202u, seen.Rflags & ~(UserFlags | 0x10000));
        }
    }

    [Fact]
    public void Threads_are_switched_at_every_kind_of_exit()
    {
        var random = new Random(42);
        var roots = new[] { _guest.Root, _guest.NewRoot() };
        var stack = _guest.Pte(Guest.Stack - 0x1000);
        _guest.Put(Program.Code, Guest.Code);
        _guest.Map(Guest.Code, _guest.Read64(_guest.Pte(Guest.Code)) & 0x000F_FFFF_FFFF_F000, Guest.ReadOnly, roots[1]);
        _guest.Map(Guest.Stack - 0x1000, _guest.Read64(stack) & 0x000F_FFFF_FFFF_F000, Guest.ReadWrite, roots[1]);
        var programs = Enumerable.Range(1, 4).Select(i => new Program(Guest.Code, (ulong)i)).ToArray();
        var cpu = _guest.Cpu;
        for (var i = 0; i < 4000; i++)
        {
            var n = random.Next(programs.Length);
            var program = programs[n];
            cpu.Registers = program.Registers;
            cpu.FsBase = program.FsBase;
            cpu.GsBase = program.GsBase;
            cpu.PageTableRoot = roots[n & 1];
            if (random.Next(8) == 0)
                cpu.Invalidate([roots[n & 1]]);
            if (random.Next(16) == 0)
                cpu.Kick();
            program.Check(cpu.Run(), cpu.Registers);
            Assert.Equal((program.FsBase, program.GsBase), (cpu.FsBase, cpu.GsBase));
        }
    }

    [Fact]
    public void Fs_and_gs_bases_are_the_guests_and_are_read_back()
    {
        var frame = _guest.NewFrame();
        _guest.Write64(frame + 0x10, 0xF5);
        _guest.Write64(frame + 0x20, 0x65);
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        // mov rax, fs:[0]; mov rdx, gs:[0]; syscall; mov eax, 0x2b; mov fs, eax; syscall
        _guest.Start([0x64, 0x48, 0x8B, 0x04, 0x25, 0, 0, 0, 0, 0x65, 0x48, 0x8B, 0x14, 0x25, 0, 0, 0, 0, 0x0F, 0x05,
            0xB8, 0x2B, 0, 0, 0, 0x8E, 0xE0, 0x0F, 0x05]);
        _guest.Cpu.FsBase = Guest.Data + 0x10;
        _guest.Cpu.GsBase = Guest.Data + 0x20;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal((0xF5ul, 0x65ul), (_guest.Cpu.Registers.Rax, _guest.Cpu.Registers.Rdx));
        Assert.Equal((Guest.Data + 0x10, Guest.Data + 0x20), (_guest.Cpu.FsBase, _guest.Cpu.GsBase));
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal((0ul, Guest.Data + 0x20), (_guest.Cpu.FsBase, _guest.Cpu.GsBase));
    }

    [Fact]
    public void Bases_written_by_user_code_are_read_back()
    {
        _guest.Start([0xF3, 0x48, 0x0F, 0xAE, 0xD7, 0xF3, 0x48, 0x0F, 0xAE, 0xDE, 0x0F, 0x05]); // wrfsbase rdi; wrgsbase rsi; syscall
        _guest.Cpu.Registers.Rdi = 0x1_2345_6000;
        _guest.Cpu.Registers.Rsi = 0x6_5432_1000;
        var exit = _guest.Cpu.Run();
        if (exit.Kind == VcpuExitKind.Exception)
        {
            Assert.Equal(6, exit.Vector);
            Assert.Equal(0u, _guest.Machine.Features.HwCap2 & 2);
            return;
        }
        Assert.Equal(VcpuExitKind.Syscall, exit.Kind);
        Assert.Equal((0x1_2345_6000ul, 0x6_5432_1000ul), (_guest.Cpu.FsBase, _guest.Cpu.GsBase));
    }

    [Fact]
    public void Avx_state_moves_to_a_vcpu_of_another_machine()
    {
        var features = _guest.Machine.Features;
        Assert.Equal(Avx.IsSupported, (features.XStateMask & 4) != 0);
        Assert.SkipUnless(Avx.IsSupported, "this CPU has no AVX");
        Assert.InRange(features.XStateSize, 832, 4096);
        var frame = _guest.NewFrame();
        for (var i = 0u; i < 4; i++)
            _guest.Write64(frame + (i * 8), 0x1111_2222_3333_0000ul + i);
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        _guest.Start([0xC5, 0xFC, 0x10, 0x3F, 0x0F, 0x05]); // vmovups ymm7, [rdi]; syscall
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        var area = new byte[features.XStateSize];
        _guest.Cpu.SaveExtendedState(area);
        Assert.Equal(4u, BinaryPrimitives.ReadUInt64LittleEndian(area.AsSpan(512)) & 4);
        Assert.Equal(0x1111_2222_3333_0002u, BinaryPrimitives.ReadUInt64LittleEndian(area.AsSpan(576 + (7 * 16))));

        using var other = new Guest();
        var target = other.NewFrame();
        other.Map(Guest.Data, target, Guest.ReadWrite);
        other.Start([0xC5, 0xFC, 0x11, 0x3F, 0x0F, 0x05, 0xC5, 0xFC, 0x11, 0x3F, 0x0F, 0x05]); // vmovups [rdi], ymm7; syscall; twice
        other.Cpu.Registers.Rdi = Guest.Data;
        Assert.True(other.Cpu.LoadExtendedState(area));
        Assert.Equal(VcpuExitKind.Syscall, other.Cpu.Run().Kind);
        for (var i = 0u; i < 4; i++)
            Assert.Equal(0x1111_2222_3333_0000u + i, other.Read64(target + (i * 8)));

        // The state of a new program has nothing of the old one.
        Assert.True(other.Cpu.LoadExtendedState([]));
        Assert.Equal(VcpuExitKind.Syscall, other.Cpu.Run().Kind);
        for (var i = 0u; i < 4; i++)
            Assert.Equal(0u, other.Read64(target + (i * 8)));
    }

    [Fact]
    public void The_state_of_a_new_program_has_the_documented_control_words()
    {
        var frame = _guest.NewFrame();
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        _guest.Start([0x0F, 0xAE, 0x1F, 0xD9, 0x7F, 0x08, 0x0F, 0x05]); // stmxcsr [rdi]; fnstcw [rdi+8]; syscall
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.True(_guest.Cpu.LoadExtendedState([]));
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0x1F80u, _guest.Read64(frame));
        Assert.Equal(0x37Fu, _guest.Read64(frame + 8));
    }

    [Fact]
    public void A_hostile_extended_state_is_refused_and_harms_nothing()
    {
        var good = new byte[_guest.Machine.Features.XStateSize];
        Assert.True(_guest.Cpu.LoadExtendedState([]));
        _guest.Cpu.SaveExtendedState(good);
        Assert.True(_guest.Cpu.LoadExtendedState(good));
        bool Load(int offset, byte value)
        {
            var bad = (byte[])good.Clone();
            bad[offset] = value;
            return _guest.Cpu.LoadExtendedState(bad);
        }
        Assert.False(Load(27, 0xFF));   // MXCSR
        Assert.False(Load(512 + 7, 1)); // XSTATE_BV: a feature that is not there
        Assert.False(Load(512 + 15, 0x80)); // XCOMP_BV: the compacted format
        Assert.False(Load(512 + 40, 1)); // reserved
        Assert.False(_guest.Cpu.LoadExtendedState(good.AsSpan(0, 100)));
        Assert.False(_guest.Cpu.LoadExtendedState(new byte[5000]));
        var random = new Random(1);
        var noise = new byte[good.Length];
        for (var i = 0; i < 300; i++)
        {
            random.NextBytes(noise);
            if (i % 2 == 0)
                good.AsSpan(512, 64).CopyTo(noise.AsSpan(512));
            BinaryPrimitives.WriteUInt32LittleEndian(noise.AsSpan(24), i % 4 < 2 ? 0x1F80u : 0xFFFFu);
            _guest.Cpu.LoadExtendedState(noise);
            Assert.Equal(VcpuExitKind.Syscall, _guest.Run(0x0F, 0x05).Kind);
        }
        Assert.True(_guest.Cpu.LoadExtendedState([]));
    }

    [Fact]
    public void The_guests_counter_and_the_clock_reading_give_the_hosts_time()
    {
        var clock = _guest.Machine.ReadTscClock();
        Assert.SkipWhen(clock is null, "the host's counter is not steady");
        _guest.Start([0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0x0F, 0x05, 0xEB, 0xF3]); // 1: rdtsc; shl rdx, 32; or rax, rdx; syscall; jmp 1b
        for (var i = 0; i < 50; i++)
        {
            var c = _guest.Machine.ReadTscClock()!.Value;
            var before = HostClock.MonotonicNanoseconds;
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            var after = HostClock.MonotonicNanoseconds;
            // The first reading goes wrong by what the host's clock is slewed, at most 500 ppm.
            foreach (var (reading, slewed) in new[] { (c, 0), (clock!.Value, (after - clock.Value.MonotonicNanoseconds) / 2000) })
            {
                var ns = reading.MonotonicNanoseconds + (long)((UInt128)(_guest.Cpu.Registers.Rax - reading.Tsc) * reading.Multiplier >> reading.Shift);
                Assert.InRange(ns, before - 50_000 - slewed, after + 50_000 + slewed);
            }
            Assert.InRange(c.RealtimeNanoseconds - c.MonotonicNanoseconds - (HostClock.RealtimeNanoseconds - HostClock.MonotonicNanoseconds), -50_000_000, 50_000_000);
            Thread.Sleep(2);
        }
    }

    [Fact]
    public void Features_describe_the_cpu()
    {
        var features = _guest.Machine.Features;
        Assert.NotEqual(0u, features.HwCap);
        Assert.Equal(12, features.VendorId.Length);
        Assert.Contains("sse2", features.Flags.Split(' '), StringComparer.Ordinal);
        Assert.InRange(features.TscKilohertz, 100_000, 10_000_000);
        Assert.Equal(3u, features.XStateMask & 3);
    }
}
