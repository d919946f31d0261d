using Ramet.Abi;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Running;

/// <summary>How many memory areas there may be, and moving memory at the limits.</summary>
public sealed class MemoryAreaTests
{
    private const long Page = GuestMemory.PageSize;
    private const MappingFlags Anonymous = MappingFlags.MAP_PRIVATE | MappingFlags.MAP_ANONYMOUS;
    private const MemoryProtection ReadWrite = MemoryProtection.PROT_READ | MemoryProtection.PROT_WRITE;
    private readonly TestSandbox _sandbox = new();
    private readonly TestThread _a;

    public MemoryAreaTests() => _a = _sandbox.NewProcess();

    private AddressSpace Memory => _a.Thread.Memory;

    [Fact]
    public void Calls_that_would_cut_areas_fail_at_the_limit_of_areas_and_those_that_would_not_succeed()
    {
        ulong start = Map(200_000, MemoryProtection.PROT_NONE);
        ulong at = start + Page;
        for (; Memory.Areas.Count + 2 <= AddressSpace.MaxAreas; at += 2 * Page) Protect(Errno.None, at, Page);
        if (Memory.Areas.Count < AddressSpace.MaxAreas) Map(1, MemoryProtection.PROT_EXEC);
        Assert.Equal(AddressSpace.MaxAreas, Memory.Areas.Count);
        Assert.Equal(AddressSpace.MaxAreas, _sandbox.Kernel.AreaCount);

        Protect(Errno.ENOMEM, at, Page);
        Protect(Errno.None, at, Page, MemoryProtection.PROT_NONE);
        _a.Fails(Errno.ENOMEM, SyscallNumber.madvise, (long)at, Page, (long)MemoryAdvice.MADV_DONTFORK);
        _a.Fails(Errno.ENOMEM, SyscallNumber.mlock2, (long)at, Page, 1);
        Assert.Equal(Errno.ENOMEM, Memory.NameRange(at, Page, "name"));
        _a.Fails(Errno.ENOMEM, SyscallNumber.mremap, (long)at, 2 * Page, Page, 0, 0);
        _a.Fails(Errno.ENOMEM, SyscallNumber.mremap, (long)at, Page, 2 * Page, (long)RemapFlags.MREMAP_MAYMOVE, 0);
        _a.Fails(Errno.ENOMEM, SyscallNumber.munmap, (long)at, Page);
        _a.Fails(Errno.ENOMEM, SyscallNumber.mmap, 0, Page, 0, (long)Anonymous, -1, 0);
        Assert.Equal(AddressSpace.MaxAreas, Memory.Areas.Count);

        // Whole areas can go, and the ends of one.
        _a.Ok(SyscallNumber.munmap, (long)start + Page, Page);
        Assert.Equal(AddressSpace.MaxAreas - 1, Memory.Areas.Count);
        Protect(Errno.ENOMEM, at, Page);
        _a.Ok(SyscallNumber.munmap, (long)start, 8 * Page);
        Protect(Errno.None, at, Page);
        _a.Ok(SyscallNumber.munmap, (long)start, 200_000 * Page);
        Assert.Equal(Memory.Areas.Count, _sandbox.Kernel.AreaCount);
    }

    [Fact]
    public void Areas_of_all_processes_are_counted_also_in_a_restored_kernel()
    {
        _sandbox.Kernel.Limits.MemoryBytes = 64 << 20;
        for (int i = 0; i < 1000; i++) Map(1, i % 2 == 0 ? MemoryProtection.PROT_READ : MemoryProtection.PROT_NONE);
        int each = Memory.Areas.Count;
        Assert.True(each > 1000);
        int child = _a.Ok(SyscallNumber.fork);
        Assert.Equal(2 * each, _sandbox.Kernel.AreaCount);

        var reloaded = _sandbox.Reload();
        var a = _a.In(reloaded);
        var kernel = reloaded.Kernel;
        Assert.Equal(2 * each, kernel.AreaCount);
        int children = 1;
        while ((kernel.AreaCount + each) <= kernel.MaxAreaCount)
        {
            a.Ok(SyscallNumber.fork);
            children++;
        }

        a.Fails(Errno.ENOMEM, SyscallNumber.fork);
        Assert.Equal((children + 1L) * each, kernel.AreaCount);
        kernel.Processes.FindThread(child)!.Exit(0);
        a.Ok(SyscallNumber.fork);
        foreach (var process in a.Thread.Process.Children) process.Leader?.Exit(0);
        Assert.Equal(each, kernel.AreaCount);
    }

    [Fact]
    public void Areas_of_one_file_go_in_any_order_and_leave_the_others()
    {
        int fd = _a.Ok(SyscallNumber.memfd_create, _a.Put("m\0"u8), 0);
        _a.Ok(SyscallNumber.ftruncate, fd, 64 * Page);
        var places = new List<long>();
        for (int i = 0; i < 64; i++) places.Add(_a.Call(SyscallNumber.mmap, 0, Page, (long)ReadWrite, (long)MappingFlags.MAP_SHARED, fd, i * Page));
        var file = Memory.FindArea((ulong)places[0])!.Object!;
        int child = _a.Ok(SyscallNumber.fork);
        Assert.Equal(Memory.Areas.Count(area => area.Object == file) * 2, file.Areas.Count);
        foreach (long place in places.Where((_, i) => i % 3 == 0)) _a.Ok(SyscallNumber.munmap, place, Page);
        Check();
        _a.Thread.Kernel.Processes.FindThread(child)!.Exit(0);
        Check();
        Assert.All(file.Areas, area => Assert.Same(Memory, area.AddressSpace));

        // Each is still found when the file gets shorter.
        Assert.True(Memory.User.TryWrite(new UserAddress((ulong)places[1]), 5));
        _a.Ok(SyscallNumber.ftruncate, fd, 0);
        Assert.False(Memory.User.TryRead(new UserAddress((ulong)places[1]), out int _));

        void Check()
        {
            Assert.Equal(Enumerable.Range(0, file.Areas.Count), file.Areas.Select(area => area.ObjectIndex));
            Assert.Subset(file.Areas.ToHashSet(), Memory.Areas.Where(area => area.Object == file).ToHashSet());
        }
    }

    [Fact]
    public void Mremap_at_the_memory_limit_moves_all_or_nothing()
    {
        // Aligned otherwise than where it goes: two tables for what one holds.
        ulong start = 0x10_0000_0000, target = 0x20_0000_0000 + (ulong)(256 * Page);
        const long Length = 8 * 512 * Page;
        MapAt(start, Length);
        for (int i = 0; i < 8; i++) Assert.True(Memory.User.TryWrite(new UserAddress(start + (ulong)(i * 512 * Page)), i + 1));
        var hog = new List<ulong>();
        while (_sandbox.Kernel.Frames.TryAllocate(out ulong frame)) hog.Add(frame);
        long resident = Memory.ResidentPages;
        for (int free = 0; ; free++)
        {
            long result = _a.Call(SyscallNumber.mremap, (long)start, Length, Length, (long)(RemapFlags.MREMAP_MAYMOVE | RemapFlags.MREMAP_FIXED), (long)target);
            if (result > 0)
            {
                Assert.True(free > 2, "The limit was not in the way.");
                break;
            }

            Assert.Equal(Errno.ENOMEM, (Errno)(-result));
            Assert.Equal(resident, Memory.ResidentPages);
            for (int i = 0; i < 8; i++)
            {
                Assert.True(Memory.User.TryRead(new UserAddress(start + (ulong)(i * 512 * Page)), out int value));
                Assert.Equal(i + 1, value);
            }

            Assert.True(hog.Count > 0, "The move never has enough memory.");
            _sandbox.Kernel.Frames.Release(hog[^1]);
            hog.RemoveAt(hog.Count - 1);
        }

        for (int i = 0; i < 8; i++)
        {
            Assert.True(Memory.User.TryRead(new UserAddress(target + (ulong)(i * 512 * Page)), out int value));
            Assert.Equal(i + 1, value);
        }
    }

    [Fact]
    public void Mincore_tells_of_every_page()
    {
        const int Pages = 5000;
        ulong start = Map(Pages, ReadWrite);
        int[] touched = [0, 700, 701, 4999];
        foreach (int page in touched) Assert.True(Memory.User.TryWrite(new UserAddress(start + (ulong)(page * Page)), 1));
        int fd = _a.Ok(SyscallNumber.memfd_create, _a.Put("m\0"u8), 0);
        _a.Ok(SyscallNumber.ftruncate, fd, 2 * Page);
        _a.Call(SyscallNumber.mmap, (long)start + (1000 * Page), 2 * Page, (long)ReadWrite, (long)(MappingFlags.MAP_SHARED | MappingFlags.MAP_FIXED), fd, 0);
        long vec = _a.Allocate(Pages);
        _a.Ok(SyscallNumber.mincore, (long)start, Pages * Page, vec);
        byte[] resident = _a.Get(vec, Pages);
        for (int i = 0; i < Pages; i++) Assert.Equal(i is 1000 or 1001 || IsPresent(i), resident[i] == 1);
        Assert.All(touched, page => Assert.Equal(1, resident[page]));
        Assert.Equal([0, 0, 0], [resident[300], resident[2500], resident[4000]]);
        _a.Fails(Errno.EFAULT, SyscallNumber.mincore, (long)start, Pages * Page, 8);
        _a.Fails(Errno.ENOMEM, SyscallNumber.mincore, (long)start - (1L << 30), Pages * Page, vec);

        bool IsPresent(int page) => Memory.Tables.Get(start + (ulong)(page * Page)) != 0;
    }

    [Fact]
    public void Stale_tables_are_noted_once_however_many_there_are()
    {
        var stale = new StaleTables();
        for (int round = 0; round < 2; round++)
        {
            for (ulong table = 1; table <= 1000; table++) stale.Add(table << 12);
            for (ulong table = 1000; table >= 1; table--) stale.Add(table << 12);
            Assert.Equal(Enumerable.Range(1, 1000).Select(table => (ulong)table << 12), stale.Tables.ToArray());
            stale.Clear();
            Assert.Equal(0, stale.Count);
        }
    }

    [Fact]
    public void A_copy_of_a_descriptor_table_has_room_for_what_is_open()
    {
        var files = _a.Thread.Files;
        int fd = _a.Ok(SyscallNumber.eventfd2, 0, 0);
        _a.Ok(SyscallNumber.dup2, fd, 1000);
        Assert.Equal(1024, files.Clone().Capacity);
        _a.Close(1000);
        Assert.Equal(1024, files.Capacity);
        var copy = files.Clone();
        Assert.Equal(16, copy.Capacity);
        Assert.Same(files.Get(fd), copy.Get(fd));
        _a.Thread.Process.ResourceLimits.Set(ResourceLimit.RLIMIT_NOFILE, 1 << 20, 1 << 20);
        _a.Fails(Errno.EBADF, SyscallNumber.dup2, fd, 1 << 16);
        _a.Ok(SyscallNumber.dup2, fd, (1 << 16) - 1);
    }

    [Fact]
    public void Text_of_proc_is_made_when_it_is_read_and_kept_only_until_its_end()
    {
        for (int i = 0; i < 100; i++) Map(1, i % 2 == 0 ? MemoryProtection.PROT_READ : MemoryProtection.PROT_NONE);
        var buffers = _sandbox.Kernel.Buffers;
        long used = buffers.Used;
        long path = _a.Put("/proc/self/maps\0"u8);
        int fd = _a.Ok(SyscallNumber.open, path, 0);
        Assert.Equal(used, buffers.Used);
        ulong later = Map(1, MemoryProtection.PROT_EXEC);
        string text = _a.Read(fd, 512);
        Assert.True(buffers.Used >= used + 4000);

        var reloaded = _sandbox.Reload();
        var a = _a.In(reloaded);
        string whole = text;
        for (string piece = a.Read(fd, 512); piece.Length > 0; piece = a.Read(fd, 512)) whole += piece;
        Assert.Equal(used, reloaded.Kernel.Buffers.Used);
        Assert.Contains($"{later:x8}-", whole, StringComparison.Ordinal);
        Assert.Equal(Memory.Areas.Count, whole.Count(c => c == '\n'));
        Assert.Equal("", a.Read(fd, 512));

        // Another place of it, and the start again.
        long buffer = a.Allocate(512);
        Assert.Equal(512, a.Call(SyscallNumber.pread64, fd, buffer, 512, 512));
        Assert.Equal(whole[512..1024], a.GetText(buffer, 512));
        a.Ok(SyscallNumber.lseek, fd, 0, 0);
        Assert.Equal(whole[..512], a.Read(fd, 512));
        Assert.True(reloaded.Kernel.Buffers.Used > used);
        a.Close(fd);
        Assert.Equal(used, reloaded.Kernel.Buffers.Used);

        buffers.Limit = buffers.Used;
        int second = _a.Ok(SyscallNumber.open, path, 0);
        _a.Fails(Errno.ENOMEM, SyscallNumber.read, second, _a.Allocate(512), 512);
        int small = _a.Ok(SyscallNumber.open, _a.Put("/proc/self/comm\0"u8), 0);
        Assert.EndsWith("\n", _a.Read(small), StringComparison.Ordinal);
        _a.Close(small);
        _a.Close(second);
        _a.Close(fd);
        Assert.Equal(used, buffers.Used);
    }

    private ulong Map(int pages, MemoryProtection protection)
    {
        long address = _a.Call(SyscallNumber.mmap, 0, pages * Page, (long)protection, (long)(Anonymous | MappingFlags.MAP_NORESERVE), -1, 0);
        Assert.True(address > 0, $"mmap: {(Errno)(-address)}");
        return (ulong)address;
    }

    private void MapAt(ulong address, long length) =>
        Assert.Equal((long)address, _a.Call(SyscallNumber.mmap, (long)address, length, (long)ReadWrite, (long)(Anonymous | MappingFlags.MAP_FIXED), -1, 0));

    private void Protect(Errno error, ulong address, long length, MemoryProtection protection = MemoryProtection.PROT_READ) =>
        Assert.Equal(error, (Errno)(-_a.Call(SyscallNumber.mprotect, (long)address, length, (long)protection)));
}
