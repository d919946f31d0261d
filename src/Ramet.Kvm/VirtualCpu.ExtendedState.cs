using System.Buffers.Binary;
using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>x87, SSE and AVX state in the standard XSAVE format (Intel SDM vol. 1, 13.4).</summary>
public sealed unsafe partial class VirtualCpu
{
    private const int MxcsrOffset = 24, MxcsrMaskOffset = 28, HeaderOffset = 512, HeaderEnd = 576;
    private const uint DefaultMxcsr = 0x1F80, AllMxcsr = 0xFFFF;
    private const ushort DefaultFcw = 0x37F;

    /// <inheritdoc/>
    public void SaveExtendedState(Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, _xstateSize, nameof(destination));
        var buffer = stackalloc byte[_xsaveSize];
        // SAFETY: KVM_GET_XSAVE fills 4096 bytes, KVM_GET_XSAVE2 what KVM_CAP_XSAVE2 said; the buffer has the larger of the two.
        var request = _xsaveSize > 4096 ? KvmAbi.KVM_GET_XSAVE2 : KvmAbi.KVM_GET_XSAVE;
        KvmDevice.Check(Libc.Ioctl(_fd, request, (nint)buffer), "Reading the extended CPU state (KVM_GET_XSAVE)");
        var area = new ReadOnlySpan<byte>(buffer, _xstateSize);
        area.CopyTo(destination);
        // Bits 464-511 of the legacy part are the software's; KVM leaves its own description there.
        destination[464..HeaderOffset].Clear();
        var features = BinaryPrimitives.ReadUInt64LittleEndian(area[HeaderOffset..]) & _xstateMask;
        BinaryPrimitives.WriteUInt64LittleEndian(destination[HeaderOffset..], features);
    }

    /// <inheritdoc/>
    public bool LoadExtendedState(ReadOnlySpan<byte> source)
    {
        var buffer = stackalloc byte[_xsaveSize];
        var area = new Span<byte>(buffer, _xsaveSize);
        area.Clear();
        if (source.IsEmpty)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(area, DefaultFcw);
            BinaryPrimitives.WriteUInt32LittleEndian(area[MxcsrOffset..], DefaultMxcsr);
            BinaryPrimitives.WriteUInt64LittleEndian(area[HeaderOffset..], 3);
        }
        else
        {
            if (source.Length < HeaderEnd || source.Length > _xstateSize)
                return false;
            source.CopyTo(area);
            area[464..HeaderOffset].Clear();
            // KVM refuses most of this too; not every KVM refuses all of it.
            var features = BinaryPrimitives.ReadUInt64LittleEndian(area[HeaderOffset..]);
            var mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(area[MxcsrOffset..]);
            if ((features & ~_xstateMask) != 0 || (mxcsr & ~AllMxcsr) != 0 || area[(HeaderOffset + 8)..HeaderEnd].ContainsAnyExcept((byte)0))
                return false;
        }
        BinaryPrimitives.WriteUInt32LittleEndian(area[MxcsrMaskOffset..], AllMxcsr);
        // SAFETY: the buffer is as long as KVM reads (KVM_SET_XSAVE reads KVM_CAP_XSAVE2 bytes).
        return Libc.Ioctl(_fd, KvmAbi.KVM_SET_XSAVE, (nint)buffer) >= 0;
    }
}
