using System.Buffers.Binary;
using System.Text;
using Ramet.Host;

namespace Ramet.Kvm;

public sealed unsafe partial class VirtualCpu
{
    private const int HeaderSize = 24, DescriptorSize = 16;

    /// <summary>
    /// KVM's own counters of this vCPU by name, among them <c>pf_taken</c> (page faults that KVM served) and <c>exits</c>. KVM_GET_STATS_FD
    /// (Documentation/virt/kvm/api.rst, 4.133; Linux 5.14). Empty where it does not exist.
    /// </summary>
    public IReadOnlyDictionary<string, ulong> ReadStatistics()
    {
        var found = new Dictionary<string, ulong>(StringComparer.Ordinal);
        var number = Libc.Ioctl(_fd, KvmAbi.KVM_GET_STATS_FD, 0);
        if (number < 0)
            return found;
        using var file = new FileDescriptor(number);
        Span<byte> header = stackalloc byte[HeaderSize];
        file.ReadExactlyAt(header, 0);
        var nameSize = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        var count = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        long descriptors = BinaryPrimitives.ReadUInt32LittleEndian(header[16..]), data = BinaryPrimitives.ReadUInt32LittleEndian(header[20..]);
        var table = new byte[count * (DescriptorSize + nameSize)];
        file.ReadExactlyAt(table, descriptors);
        Span<byte> value = stackalloc byte[8];
        for (var i = 0; i < count; i++)
        {
            var descriptor = table.AsSpan(i * (DescriptorSize + nameSize), DescriptorSize + nameSize);
            if (BinaryPrimitives.ReadUInt16LittleEndian(descriptor[6..]) != 1)
                continue; // a histogram
            file.ReadExactlyAt(value, data + BinaryPrimitives.ReadUInt32LittleEndian(descriptor[8..]));
            found[Encoding.ASCII.GetString(descriptor[DescriptorSize..]).TrimEnd('\0')] = BinaryPrimitives.ReadUInt64LittleEndian(value);
        }
        return found;
    }
}
