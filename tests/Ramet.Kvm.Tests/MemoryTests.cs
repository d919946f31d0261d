using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

public sealed class MemoryTests : IDisposable
{
    private static readonly byte[] ReadLoop = [0x48, 0x8B, 0x1F, 0x0F, 0x05, 0xEB, 0xF9]; // 1: mov rbx, [rdi]; syscall; jmp 1b
    private static readonly byte[] WriteLoop = [0x48, 0x89, 0x37, 0x0F, 0x05, 0xEB, 0xF9]; // 1: mov [rdi], rsi; syscall; jmp 1b
    private readonly Guest _guest = new(limit: 3ul << 30);

    public void Dispose() => _guest.Dispose();

    private ulong PtePage => _guest.Pte(Guest.Data) & ~4095ul;

    [Fact]
    public void A_page_mapped_elsewhere_is_seen_after_invalidation()
    {
        var a = _guest.NewFrame();
        var b = _guest.NewFrame();
        _guest.Write64(a, 0xA);
        _guest.Write64(b, 0xB);
        _guest.Start(ReadLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        for (var i = 0; i < 50; i++)
        {
            var (frame, value) = i % 2 == 0 ? (a, 0xAu) : (b, 0xBu);
            _guest.Map(Guest.Data, frame, Guest.ReadWrite);
            _guest.Cpu.Invalidate([PtePage]);
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            Assert.Equal(value, _guest.Cpu.Registers.Rbx);
            Assert.Equal(Guest.Data, _guest.Cpu.Registers.Rdi);
        }
    }

    [Fact]
    public void A_revoked_write_permission_faults_after_invalidation()
    {
        var frame = _guest.NewFrame();
        _guest.Start(WriteLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        for (var i = 1ul; i < 20; i++)
        {
            _guest.Map(Guest.Data, frame, Guest.ReadWrite); // read-only to writable needs nothing
            _guest.Cpu.Registers.Rsi = i;
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            Assert.Equal(i, _guest.Read64(frame));
            _guest.Map(Guest.Data, frame, Guest.ReadOnly);
            _guest.Cpu.Invalidate([PtePage]);
            Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, 7, Guest.Data), _guest.Cpu.Run());
            Assert.Equal(i, _guest.Read64(frame));
        }
    }

    [Fact]
    public void An_unmapped_page_faults_after_invalidation()
    {
        var frame = _guest.NewFrame();
        _guest.Start(ReadLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        for (var i = 0; i < 20; i++)
        {
            _guest.Map(Guest.Data, frame, Guest.ReadWrite);
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            _guest.Write64(_guest.Pte(Guest.Data), 0);
            _guest.Cpu.Invalidate([PtePage]);
            Assert.Equal(new VcpuExit(VcpuExitKind.PageFault, 14, 4, Guest.Data), _guest.Cpu.Run());
        }
    }

    [Fact]
    public void A_page_table_page_can_be_used_again_as_data_and_as_a_table()
    {
        var data = _guest.NewFrame();
        _guest.Write64(data, 0xA);
        _guest.Map(Guest.Data, data, Guest.ReadWrite);
        _guest.Start(ReadLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0xAu, _guest.Cpu.Registers.Rbx);

        // The page table becomes data of the guest elsewhere ...
        var table = PtePage;
        var directory = DirectoryEntry(Guest.Data);
        _guest.Write64(directory, 0);
        _guest.Cpu.Invalidate([directory & ~4095ul, table]);
        Assert.Equal(VcpuExitKind.PageFault, _guest.Cpu.Run().Kind);
        _guest.Memory.GetSpan(table, 4096).Clear();
        const ulong elsewhere = 0x2000_0000;
        _guest.Map(elsewhere, table, Guest.ReadWrite);
        _guest.Start(WriteLoop);
        _guest.Cpu.Registers.Rdi = elsewhere;
        _guest.Cpu.Registers.Rsi = 0x1234;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0x1234u, _guest.Read64(table));

        // ... and a page table again, with another content.
        var other = _guest.NewFrame();
        _guest.Write64(other, 0xB);
        _guest.Write64(_guest.Pte(elsewhere), 0);
        _guest.Memory.GetSpan(table, 4096).Clear();
        _guest.Write64(table, other | Guest.ReadWrite);
        _guest.Write64(directory, table | Guest.ReadWrite);
        _guest.Cpu.Invalidate([_guest.Pte(elsewhere) & ~4095ul, directory & ~4095ul, table]);
        _guest.Start(ReadLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0xBu, _guest.Cpu.Registers.Rbx);
    }

    [Fact]
    public void More_invalidations_than_one_entry_takes_are_all_done()
    {
        const int count = 300;
        var (a, b) = (_guest.NewFrame(), _guest.NewFrame());
        _guest.Write64(a, 0xA);
        _guest.Write64(b, 0xB);
        // 1: mov rbx, [rdi]; add rdx, rbx; add rdi, rsi; dec rcx; jnz 1b; syscall
        byte[] code = [0x48, 0x8B, 0x1F, 0x48, 0x01, 0xDA, 0x48, 0x01, 0xF7, 0x48, 0xFF, 0xC9, 0x75, 0xF2, 0x0F, 0x05];
        ulong Sum()
        {
            _guest.Start(code);
            _guest.Cpu.Registers.Rdi = Guest.Data;
            _guest.Cpu.Registers.Rsi = 2 << 20;
            _guest.Cpu.Registers.Rcx = count;
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            return _guest.Cpu.Registers.Rdx;
        }
        var tables = new ulong[count];
        for (var i = 0; i < count; i++)
        {
            var address = Guest.Data + ((ulong)i << 21);
            _guest.Map(address, a, Guest.ReadWrite);
            tables[i] = _guest.Pte(address) & ~4095ul;
        }
        Assert.Equal(0xAul * count, Sum());
        foreach (var table in tables)
            _guest.Write64(table + ((Guest.Data >> 12 & 511) * 8), b | Guest.ReadWrite);
        _guest.Cpu.Invalidate(tables);
        Assert.Equal(0xBul * count, Sum());
    }

    [Fact]
    public void Invalidation_of_addresses_outside_ram_does_nothing()
    {
        _guest.Cpu.Invalidate([1ul << 40, _guest.Memory.Size, ulong.MaxValue]);
        Assert.Equal(VcpuExitKind.Syscall, _guest.Run(0x0F, 0x05).Kind);
    }

    [Fact]
    public void Ram_grows_to_its_limit_and_no_further_and_tables_in_new_ram_can_be_invalidated()
    {
        var memory = _guest.Memory;
        Assert.False(memory.TryGrow(memory.Limit + 1));
        _guest.Start(ReadLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        foreach (var size in new[] { 20ul << 20, 100ul << 20, 900ul << 20, (1ul << 30) + 1, memory.Limit })
        {
            Assert.True(memory.TryGrow(size));
            Assert.InRange(memory.Size, size, memory.Limit);
            Assert.Equal(0ul, memory.Size % 4096);
            // A whole path of tables at the very end of RAM, changed from one frame to another.
            var top = memory.Size;
            ulong root = top - 0x1000, pdpt = top - 0x2000, pd = top - 0x3000, pt = top - 0x4000, a = top - 0x5000, b = top - 0x6000;
            memory.GetSpan(top - 0x6000, 0x6000).Clear();
            _guest.Memory.GetSpan(_guest.Root, 4096).CopyTo(memory.GetSpan(root, 4096));
            const ulong address = 0x3000_0000_0000;
            _guest.Write64(root + ((address >> 39 & 511) * 8), pdpt | Guest.ReadWrite);
            _guest.Write64(pdpt, pd | Guest.ReadWrite);
            _guest.Write64(pd, pt | Guest.ReadWrite);
            _guest.Write64(pt, a | Guest.ReadWrite);
            _guest.Write64(a, size);
            _guest.Write64(b, size + 1);
            _guest.Cpu.PageTableRoot = root;
            _guest.Cpu.Registers.Rdi = address;
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            Assert.Equal(size, _guest.Cpu.Registers.Rbx);
            _guest.Write64(pt, b | Guest.ReadWrite);
            _guest.Cpu.Invalidate([pt]);
            Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
            Assert.Equal(size + 1, _guest.Cpu.Registers.Rbx);
        }
        Assert.Equal(memory.Limit, memory.Size);
    }

    [Fact]
    public void Spans_outside_ram_are_refused()
    {
        var memory = _guest.Memory;
        Assert.True(memory.TryGetSpan(memory.Size, 0, out _));
        Assert.False(memory.TryGetSpan(memory.Size, 1, out _));
        Assert.False(memory.TryGetSpan(memory.Size - 1, 2, out _));
        Assert.False(memory.TryGetSpan(ulong.MaxValue, 2, out _));
        Assert.False(memory.TryGetSpan(0, -1, out _));
        Assert.False(memory.TryGetReadOnlySpan(GuestMemory.ImageBase, 1, out _));
        Assert.Throws<GuestMemoryException>(() => memory.GetSpan(memory.Size, 1));
    }

    [Fact]
    public void Discarded_pages_read_as_zero_and_populated_pages_keep_their_bytes()
    {
        var frame = _guest.NewFrame();
        _guest.Write64(frame, 7);
        _guest.Memory.Populate(frame, 4096);
        Assert.Equal(7u, _guest.Read64(frame));
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        _guest.Start(ReadLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(7u, _guest.Cpu.Registers.Rbx);
        _guest.Memory.Discard(frame, 4096);
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        Assert.Equal(0u, _guest.Cpu.Registers.Rbx);
        Assert.Throws<ArgumentOutOfRangeException>(() => _guest.Memory.Discard(_guest.Memory.Size, 4096));
    }

    [Fact]
    public void A_large_page_of_an_image_costs_the_guest_one_fault()
    {
        var path = Path.GetTempFileName();
        try
        {
            var bytes = new byte[3 * (int)GuestImage.LargePageSize];
            new Random(2).NextBytes(bytes);
            File.WriteAllBytes(path, bytes);
            using var image = GuestImage.Open(path);
            using var copy = image.CopyToLargePages([GuestImage.LargePageSize]);
            Assert.NotNull(copy); // else this host has no large pages for memory files
            image.UseLargePages(copy, [GuestImage.LargePageSize]);
            using var guest = new Guest(images: [image]);
            var address = guest.Memory.ImageAddresses[0] + (ulong)GuestImage.LargePageSize;
            Assert.True(guest.Memory.TryAttachImage(address, (ulong)GuestImage.LargePageSize));
            Assert.True(guest.Memory.TryGetReadOnlySpan(address, (int)GuestImage.LargePageSize, out var host));
            Assert.True(host.SequenceEqual(bytes.AsSpan((int)GuestImage.LargePageSize, (int)GuestImage.LargePageSize)));

            // mov rbx, [rdi]; add rdi, 4096; dec rcx; jnz -15; syscall
            byte[] readAll = [0x48, 0x8B, 0x1F, 0x48, 0x81, 0xC7, 0x00, 0x10, 0x00, 0x00, 0x48, 0xFF, 0xC9, 0x75, 0xF1, 0x0F, 0x05];
            ulong Faults(ulong at)
            {
                guest.Start(readAll);
                guest.Cpu.Registers.Rdi = at;
                guest.Cpu.Registers.Rcx = 512;
                var before = guest.Cpu.ReadStatistics()["pf_taken"];
                Assert.Equal(VcpuExitKind.Syscall, guest.Cpu.Run().Kind);
                Assert.Equal(BitConverter.ToUInt64(bytes, (2 * (int)GuestImage.LargePageSize) - 4096), guest.Cpu.Registers.Rbx);
                return guest.Cpu.ReadStatistics()["pf_taken"] - before;
            }
            const ulong large = Guest.Data + 0x4000_0000;
            guest.Write64(guest.LargePte(large), address | Guest.ReadOnly | 0x80);
            for (ulong page = 0; page < 512; page++)
                guest.Map(Guest.Data + (page * 4096), address + (page * 4096), Guest.ReadOnly);
            var small = Faults(Guest.Data);
            var one = Faults(large);
            TestContext.Current.TestOutputHelper?.WriteLine($"{small} faults with small pages, {one} with a large one");
            // With nested paging the host's large page is enough.
            Assert.True(one <= small && one < 10, $"{one} faults instead of {small}");
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Images_are_read_by_guest_and_host_and_written_by_neither()
    {
        var path = Path.GetTempFileName();
        try
        {
            var bytes = new byte[(int)KvmGuestMemory.ImageWindow + 10_000];
            new Random(1).NextBytes(bytes.AsSpan((int)KvmGuestMemory.ImageWindow));
            File.WriteAllBytes(path, bytes);
            using var image = GuestImage.Open(path);
            using var second = GuestImage.Open(path);
            using var guest = new Guest(images: [image, second]);
            Assert.Equal([GuestMemory.ImageBase, GuestMemory.ImageBase + (1ul << 30)], guest.Memory.ImageAddresses);
            var address = guest.Memory.ImageAddresses[1] + KvmGuestMemory.ImageWindow + 4096;
            Assert.True(guest.Memory.TryGetReadOnlySpan(address, 16, out var host));
            Assert.True(host.SequenceEqual(bytes.AsSpan((int)KvmGuestMemory.ImageWindow + 4096, 16)));
            Assert.False(guest.Memory.TryGetReadOnlySpan(guest.Memory.ImageAddresses[1] + KvmGuestMemory.ImageWindow + 12288, 1, out _));
            Assert.False(guest.Memory.TryGetSpan(address, 1, out _));

            Assert.True(guest.Memory.TryAttachImage(address, 4096));
            Assert.True(guest.Memory.TryAttachImage(address, 4096));
            Assert.False(guest.Memory.TryAttachImage(guest.Memory.ImageAddresses[1] + (ulong)bytes.Length + 4096, 4096));
            Assert.Equal([(guest.Memory.ImageAddresses[1] + KvmGuestMemory.ImageWindow, 12288ul)], guest.Memory.GetAttachedImageRanges());
            guest.Map(Guest.Data, address, Guest.ReadOnly);
            guest.Start(ReadLoop);
            guest.Cpu.Registers.Rdi = Guest.Data;
            Assert.Equal(VcpuExitKind.Syscall, guest.Cpu.Run().Kind);
            Assert.Equal(BitConverter.ToUInt64(bytes, (int)KvmGuestMemory.ImageWindow + 4096), guest.Cpu.Registers.Rbx);

            // A page table that claims the page is writable: the host's file stays as it is.
            guest.Map(Guest.Data + 4096, address, Guest.ReadWrite);
            guest.Start(WriteLoop);
            guest.Cpu.Registers.Rdi = Guest.Data + 4096;
            guest.Cpu.Registers.Rsi = 1;
            Assert.Equal(VcpuExitKind.Shutdown, guest.Cpu.Run().Kind);
            Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(bytes));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Two_forks_never_see_each_others_writes()
    {
        var frame = _guest.NewFrame();
        _guest.Write64(frame, 0x7E);
        _guest.Map(Guest.Data, frame, Guest.ReadWrite);
        _guest.Start([0x48, 0x8B, 0x1F, 0x48, 0x89, 0x37, 0x0F, 0x05, 0xEB, 0xF6]); // 1: mov rbx, [rdi]; mov [rdi], rsi; syscall; jmp 1b
        using var template = _guest.Freeze();
        Assert.True(MemoryFile.IsSealed(template.File));
        using var one = _guest.Fork(template);
        using var two = _guest.Fork(template);
        foreach (var (fork, mark) in new[] { (one, 1ul), (two, 2ul) })
        {
            fork.Cpu.Registers = _guest.Cpu.Registers with { Rdi = Guest.Data, Rsi = mark };
            Assert.Equal(VcpuExitKind.Syscall, fork.Cpu.Run().Kind);
            Assert.Equal(0x7Eu, fork.Cpu.Registers.Rbx);
            Assert.Equal(VcpuExitKind.Syscall, fork.Cpu.Run().Kind);
            Assert.Equal(mark, fork.Cpu.Registers.Rbx);
            Assert.Equal(mark, fork.Read64(frame));
        }
        Assert.Equal(1u, one.Read64(frame));
        Assert.Equal(0x7Eu, _guest.Read64(frame));
        Span<byte> inFile = stackalloc byte[8];
        template.File.ReadExactlyAt(inFile, (long)frame);
        Assert.Equal(0x7E, inFile[0]);
    }

    [Fact]
    public void A_fork_of_a_fork_keeps_what_was_written_and_grown()
    {
        _guest.Map(Guest.Data, _guest.NewFrame(), Guest.ReadWrite);
        _guest.Start(WriteLoop);
        _guest.Cpu.Registers.Rdi = Guest.Data;
        _guest.Cpu.Registers.Rsi = 0xF0;
        Assert.Equal(VcpuExitKind.Syscall, _guest.Cpu.Run().Kind);
        using var template = _guest.Freeze();
        using var fork = _guest.Fork(template);
        fork.Cpu.Registers = _guest.Cpu.Registers;
        var grown = fork.NewFrame();
        Assert.True(grown >= template.Length);
        fork.Write64(grown, 0xF1);
        fork.Map(Guest.Data + 4096, grown, Guest.ReadWrite);
        using var second = fork.Freeze();
        using var child = fork.Fork(second);
        child.Start([0x48, 0x8B, 0x1F, 0x48, 0x8B, 0x97, 0, 0x10, 0, 0, 0x0F, 0x05], Guest.Code + 0x1000); // mov rbx, [rdi]; mov rdx, [rdi+0x1000]; syscall
        child.Cpu.Registers.Rdi = Guest.Data;
        Assert.Equal(VcpuExitKind.Syscall, child.Cpu.Run().Kind);
        Assert.Equal(0xF0u, child.Cpu.Registers.Rbx);
        Assert.Equal(0xF1u, child.Cpu.Registers.Rdx);
    }

    [Fact]
    public void Zero_pages_of_a_template_are_holes()
    {
        Assert.True(_guest.Memory.TryGrow(64 << 20));
        using var template = _guest.Memory.Freeze(64 << 20);
        Assert.Equal(64ul << 20, template.Length);
        Assert.InRange(HeldBytes(template), 4096, (long)_guest.UsedMemory);
    }

    [Fact]
    public void A_prepared_machine_takes_its_template_later()
    {
        _guest.Start([0x0F, 0x05]);
        using var template = _guest.Freeze();
        using var machine = VirtualMachine.Prepare(Guest.Device, new VirtualMachineOptions { MemoryLimit = 64 << 20 });
        machine.Attach(template);
        var cpu = machine.GetVcpu(0);
        cpu.Registers = _guest.Cpu.Registers;
        cpu.PageTableRoot = _guest.Root;
        Assert.Equal(VcpuExitKind.Syscall, cpu.Run().Kind);
        Assert.Throws<InvalidOperationException>(() => machine.Attach(template));
    }

    [Fact]
    public void A_machine_that_was_laid_out_takes_a_template_of_that_length_and_those_images()
    {
        using var image = OpenImage(0xAB);
        using var other = OpenImage(0xCD);
        _guest.Map(Guest.Data, GuestMemory.ImageBase, Guest.ReadOnly);
        _guest.Start([0x48, 0x8B, 0x1F, 0x0F, 0x05]); // mov rbx, [rdi]; syscall
        _guest.Cpu.Registers.Rdi = Guest.Data;
        using var template = _guest.Freeze();
        using var longer = _guest.Memory.Freeze(_guest.UsedMemory, 8 << 20);
        using var machine = VirtualMachine.Prepare(Guest.Device, new VirtualMachineOptions { MemoryLimit = 64 << 20 });
        machine.LayOut(template.Length, [image]);
        Assert.True(machine.Memory.TryAttachImage(GuestMemory.ImageBase, 4096));
        var cpu = machine.GetVcpu(0);
        Assert.Throws<InvalidOperationException>(() => machine.Attach(longer, [image]));
        Assert.Throws<InvalidOperationException>(() => machine.LayOut(template.Length, [image]));
        Assert.Equal(0u, machine.Memory.Size);
        machine.Attach(template, [image]);
        Assert.Equal(template.Length, machine.Memory.Size);
        cpu.Registers = _guest.Cpu.Registers;
        cpu.PageTableRoot = _guest.Root;
        Assert.Equal(VcpuExitKind.Syscall, cpu.Run().Kind);
        Assert.Equal(0xABABABABABABABABu, cpu.Registers.Rbx);
        // RAM grows behind it as in any machine.
        Assert.True(machine.Memory.TryGrow(template.Length + (4 << 20)));
        using var second = VirtualMachine.Prepare(Guest.Device, new VirtualMachineOptions { MemoryLimit = 64 << 20 });
        second.LayOut(template.Length, [image]);
        Assert.Throws<InvalidOperationException>(() => second.Attach(template, [other]));
    }

    private static GuestImage OpenImage(byte content)
    {
        using var file = MemoryFile.Create("test");
        var bytes = new byte[4096];
        bytes.AsSpan().Fill(content);
        file.WriteAllAt(bytes, 0);
        return new GuestImage(file);
    }

    [Fact]
    public void A_template_that_is_not_sealed_is_refused()
    {
        using var file = MemoryFile.Create("test");
        file.SetLength(2 << 20);
        Assert.Throws<HostException>(() => new MemoryTemplate(file));
        MemoryFile.Seal(file);
        Assert.Equal(2ul << 20, new MemoryTemplate(file).Length);
        Assert.Throws<HostException>(() => file.WriteAllAt([1], 0));
    }

    private static long HeldBytes(MemoryTemplate template)
    {
        const int seekData = 3, seekHole = 4;
        long held = 0;
        for (var at = Libc.Seek(template.File, 0, seekData); at >= 0;)
        {
            var hole = Libc.Seek(template.File, at, seekHole);
            held += hole - at;
            at = Libc.Seek(template.File, hole, seekData);
        }
        return held;
    }

    private ulong DirectoryEntry(ulong address)
    {
        var table = _guest.Root;
        for (var level = 3; level > 1; level--)
            table = _guest.Read64(table + ((address >> (12 + (9 * level)) & 511) * 8)) & 0x000F_FFFF_FFFF_F000;
        return table + ((address >> 21 & 511) * 8);
    }
}
