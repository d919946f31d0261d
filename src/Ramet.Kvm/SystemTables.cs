using System.Buffers.Binary;

namespace Ramet.Kvm;

/// <summary>Writes the reserved area of a machine that starts from nothing: page tables, descriptors and stubs.</summary>
internal static class SystemTables
{
    private const ulong Present = 1, Writable = 2, User = 4, Accessed = 0x20, Dirty = 0x40, Large = 0x80, NoExecute = 1UL << 63;
    private const ulong TablePointer = Present | Writable | User | Accessed | Dirty;

    private const ulong DoorbellCode = GuestLayout.SyscallPage | Present | User | Accessed;

    internal const ulong KernelPml4Entry = GuestLayout.KernelPdpt | TablePointer;

    /// <param name="ram">The first <see cref="GuestLayout.ReservedSize"/> bytes of RAM, all zero.</param>
    internal static void Write(Span<byte> ram)
    {
        Entry(ram, GuestLayout.KernelPdpt, 510) = GuestLayout.WindowDirectory | TablePointer;
        Entry(ram, GuestLayout.WindowDirectory, 0) = GuestLayout.WindowTable | TablePointer;
        MapWindow(ram, GuestLayout.Descriptors, Present | Accessed | NoExecute);
        MapWindow(ram, GuestLayout.SyscallPage, Present | User | Accessed);
        MapWindow(ram, GuestLayout.FaultPage, Present | Accessed);
        for (var i = 0; i < GuestLayout.MaxVcpus; i++)
        {
            MapWindow(ram, GuestLayout.VcpuPage(i), Present | Writable | Accessed | Dirty | NoExecute);
            Entry(ram, GuestLayout.WindowTable, DoorbellEntry(i)) = DoorbellCode;
            Entry(ram, GuestLayout.WindowTable, DoorbellEntry(i) + 1) = GuestLayout.Mailbox(i) | Present | Writable | User | Accessed | Dirty | NoExecute;
        }
        WriteDescriptors(ram.Slice((int)GuestLayout.Descriptors, 4096));
        GuestStub.WriteSyscallPage(ram.Slice((int)GuestLayout.SyscallPage, 4096));
        GuestStub.WriteFaultPage(ram.Slice((int)GuestLayout.FaultPage, 4096));
    }

    /// <summary>Whether the reserved area holds this version's doorbell for a vCPU.</summary>
    internal static bool HasDoorbell(Span<byte> ram, int index) =>
        (Entry(ram, GuestLayout.WindowTable, DoorbellEntry(index)) | Accessed) == DoorbellCode
        && GuestStub.HasDoorbell(ram.Slice((int)GuestLayout.SyscallPage, 4096));

    private static int DoorbellEntry(int index) => (int)(GuestLayout.DoorbellPage(index) - GuestLayout.Window >> 12);

    /// <summary>Makes RAM from one gibibyte boundary to the next visible in the direct map. Not-present to present: no translation to forget.</summary>
    internal static void MapGibibyte(Span<byte> ram, int gibibyte)
    {
        var directory = GuestLayout.DirectMapDirectories + ((ulong)gibibyte << 12);
        for (var i = 0; i < 512; i++)
            Entry(ram, directory, i) = ((ulong)gibibyte << 30) | ((ulong)i << 21) | Present | Writable | Accessed | Dirty | Large | NoExecute;
        Entry(ram, GuestLayout.KernelPdpt, gibibyte) = directory | TablePointer;
    }

    /// <summary>The task state of one vCPU: its ring-0 stacks, and the I/O bitmap with the system call's port alone open.</summary>
    internal static void WriteTaskState(Span<byte> page, int index)
    {
        var address = GuestLayout.Window + GuestLayout.VcpuPage(index);
        BinaryPrimitives.WriteUInt64LittleEndian(page[4..], address + GuestLayout.StackTop);             // RSP0
        BinaryPrimitives.WriteUInt64LittleEndian(page[0x24..], address + GuestLayout.EmergencyStackTop); // IST1
        BinaryPrimitives.WriteUInt16LittleEndian(page[0x66..], GuestLayout.TssIoBitmap);
        var bitmap = page[GuestLayout.TssIoBitmap..(GuestLayout.TssLimit + 1)];
        bitmap.Fill(0xFF);
        bitmap[GuestLayout.SyscallPort / 8] &= unchecked((byte)~(1 << (GuestLayout.SyscallPort % 8)));
    }

    private static void WriteDescriptors(Span<byte> page)
    {
        // The accessed bits are set, so the CPU writes nothing here and the page can be read-only.
        Descriptor(page, GuestLayout.KernelCs, 0x00AF_9B00_0000_FFFF);
        Descriptor(page, GuestLayout.KernelSs, 0x00CF_9300_0000_FFFF);
        Descriptor(page, GuestLayout.UserSs, 0x00CF_F300_0000_FFFF);
        Descriptor(page, GuestLayout.UserCs, 0x00AF_FB00_0000_FFFF);
        for (var vector = 0; vector < GuestLayout.Vectors; vector++)
        {
            var entry = GuestLayout.FaultEntries + (ulong)(vector * GuestLayout.FaultEntrySize);
            // int3 and into may come from user code; NMI, double fault and machine check take their own stack.
            ulong dpl = vector is 3 or 4 ? 3u : 0u;
            ulong stack = vector is 2 or 8 or 18 ? 1u : 0u;
            var low = (entry & 0xFFFF) | ((ulong)GuestLayout.KernelCs << 16) | (stack << 32) | (0x8E00UL << 32) | (dpl << 45) | ((entry >> 16 & 0xFFFF) << 48);
            var gate = page[(GuestLayout.IdtOffset + (vector * 16))..];
            BinaryPrimitives.WriteUInt64LittleEndian(gate, low);
            BinaryPrimitives.WriteUInt64LittleEndian(gate[8..], entry >> 32);
        }
    }

    private static void Descriptor(Span<byte> page, ushort selector, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(page[(selector & ~7)..], value);

    private static void MapWindow(Span<byte> ram, ulong page, ulong flags) => Entry(ram, GuestLayout.WindowTable, (int)(page >> 12)) = page | flags;

    private static ref ulong Entry(Span<byte> ram, ulong table, int index) =>
        ref System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(ram.Slice((int)table, 4096))[index];
}
