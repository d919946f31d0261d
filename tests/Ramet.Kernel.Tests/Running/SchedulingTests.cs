using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Tests.Fakes;
using Xunit;

namespace Ramet.Kernel.Tests.Running;

public sealed class SchedulingTests
{
    [Fact]
    public void A_virtual_CPU_whose_slice_is_over_is_kicked_once_until_it_has_left()
    {
        var sandbox = new FakeSandbox();
        var scheduler = sandbox.Kernel.Scheduler;
        var cpu = new CountingCpu();
        var running = scheduler.Vcpus[0];
        (running.Machine, running.Current, running.SliceEnd, running.HasHostThread) = (cpu, sandbox.Thread, 1000, true);
        running.InGuest = true;
        Assert.Equal(long.MaxValue, scheduler.NextPreemption); // Nobody waits.

        scheduler.Enqueue(sandbox.AddProcess());
        Assert.Equal(1000, scheduler.NextPreemption);
        scheduler.Preempt(999);
        Assert.Equal(0, cpu.Kicks);
        scheduler.Preempt(1000);
        Assert.Equal(1, cpu.Kicks);

        // It has been told: no alarm for it, and no second kick, however long its host thread takes to come back.
        Assert.Equal(long.MaxValue, scheduler.NextPreemption);
        scheduler.Preempt(2000);
        Assert.Equal(1, cpu.Kicks);
    }

    [Fact]
    public void A_program_that_takes_and_frees_memory_in_turn_does_not_grow()
    {
        var sandbox = new FakeSandbox(memory: 64 << 20);
        var memory = sandbox.Thread.Memory;
        ulong extent = 0;
        for (int round = 0; round < 20; round++)
        {
            var request = new MappingRequest
            {
                Length = 16 << 20, Protection = MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE, Flags = MappingFlags.MAP_PRIVATE | MappingFlags.MAP_ANONYMOUS,
            };
            Assert.Equal(Errno.None, memory.Map(request, out ulong address));
            byte[] page = new byte[8];
            for (ulong offset = 0; offset < request.Length; offset += GuestMemory.PageSize)
            {
                page[0] = 1;
                Assert.Equal(FaultOutcome.Resolved, memory.HandleFault(address + offset, AccessKind.Write));
                Assert.Equal(page.Length, memory.CopyIn(address + offset, page));
                Assert.Equal(0, page[0]); // Zero, whoever had the frame before.
                page.AsSpan().Fill(0xAA);
                Assert.Equal(page.Length, memory.CopyOut(address + offset, page));
            }

            Assert.Equal(Errno.None, memory.Unmap(address, request.Length));
            if (round == 0) extent = sandbox.Kernel.Frames.Extent;
        }

        Assert.True(sandbox.Kernel.Frames.Extent <= extent + (1 << 20), $"{extent >> 20} MiB of frames after the first round, {sandbox.Kernel.Frames.Extent >> 20} MiB after the last.");
    }

    private sealed class CountingCpu : IVirtualCpu
    {
        private UserRegisters _registers;

        public int Kicks { get; private set; }

        public ref UserRegisters Registers => ref _registers;

        public ulong FsBase { get; set; }

        public ulong GsBase { get; set; }

        public ulong PageTableRoot { get; set; }

        public void Invalidate(ReadOnlySpan<ulong> pageTablePages)
        {
        }

        public VcpuExit Run() => throw new NotSupportedException();

        public void Kick() => Kicks++;

        public void SaveExtendedState(Span<byte> destination)
        {
        }

        public bool LoadExtendedState(ReadOnlySpan<byte> source) => true;
    }
}
