using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>What the guest's CPU can do, from KVM's CPUID table.</summary>
public static class CpuIdentification
{
    // x87, SSE, AVX and AVX-512. Not MPX (gone), PKRU (no pkey calls) and AMX (needs a permission per process).
    private const ulong KnownXState = 0xE7;

    private static readonly ConditionalWeakTable<KvmDevice, CpuFeatures> Known = [];

    /// <summary>The features; the same object for the same device.</summary>
    public static CpuFeatures Get(KvmDevice device) => Known.GetValue(device, Read);

    private static CpuFeatures Read(KvmDevice device)
    {
        var leaf1 = Find(device, 1, 0);
        var leaf7 = Find(device, 7, 0);
        var xsave = Find(device, 0xD, 0);
        var mask = (xsave.Eax | ((ulong)xsave.Edx << 32)) & KnownXState;
        if ((mask & 3) != 3)
            mask = 3;
        var size = 576;
        for (var i = 2; i < 63; i++)
        {
            if ((mask >> i & 1) == 0)
                continue;
            var component = Find(device, 0xD, (uint)i);
            size = Math.Max(size, (int)(component.Ebx + component.Eax));
        }
        const int fsGsBase = 1;
        return new CpuFeatures(
            leaf1.Edx,
            (leaf7.Ebx & fsGsBase) != 0 ? 2u : 0u,
            Math.Min(size, device.XSaveSize),
            mask,
            Text(device, 0, static e => [e.Ebx, e.Edx, e.Ecx]),
            (Text(device, 0x80000002, All) + Text(device, 0x80000003, All) + Text(device, 0x80000004, All)).Trim(),
            CpuFlagNames.Describe((function, index) => Find(device, function, index)),
            TscCalibration.Kilohertz(device));
    }

    private static uint[] All(KvmCpuidEntry e) => [e.Eax, e.Ebx, e.Ecx, e.Edx];

    private static string Text(KvmDevice device, uint function, Func<KvmCpuidEntry, uint[]> select) =>
        Encoding.ASCII.GetString(MemoryMarshal.AsBytes<uint>(select(Find(device, function, 0)))).Replace("\0", "", StringComparison.Ordinal);

    internal static KvmCpuidEntry Find(KvmDevice device, uint function, uint index)
    {
        foreach (var entry in device.Cpuid)
        {
            // Only leaves with KVM_CPUID_FLAG_SIGNIFCANT_INDEX have a meaningful index.
            if (entry.Function == function && ((entry.Flags & 1) == 0 || entry.Index == index))
                return entry;
        }
        return default;
    }

    /// <summary>Whether the host's own kernel, or the CPU, vouches for a steady counter.</summary>
    internal static bool HostTscIsSteady()
    {
        try
        {
            var clock = File.ReadAllText("/sys/devices/system/clocksource/clocksource0/current_clocksource");
            if (clock.AsSpan().Trim().SequenceEqual("tsc"))
                return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No such file in some containers: the CPU decides.
        }
        return X86Base.IsSupported && (X86Base.CpuId(unchecked((int)0x80000007), 0).Edx & 0x100) != 0;
    }
}
