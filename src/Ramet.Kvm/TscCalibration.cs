using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>
/// The scale between the time-stamp counter and CLOCK_MONOTONIC. The first readings of a process use the frequency that
/// KVM names; later ones the slope measured since the first, which also follows the host's clock discipline.
/// </summary>
internal static unsafe class TscCalibration
{
    // (2^24 * ns per count) keeps a 64-bit product right for 15 minutes or more above 1 GHz, with 0.1 ppm of rounding.
    private const int Shift = 24;
    private const long MinSlopeNanoseconds = 50_000_000;

    private static readonly Lock Gate = new();
    private static readonly bool Steady = CpuIdentification.HostTscIsSteady();
    private static (ulong Tsc, long Nanoseconds)? s_first;
    private static long s_kilohertz;

    internal static long Kilohertz(KvmDevice device)
    {
        lock (Gate)
        {
            if (s_kilohertz == 0)
            {
                // KVM_GET_TSC_KHZ is a vCPU request on older kernels: a CPUID leaf or a short measurement stands in.
                using var vm = device.CreateVm();
                var khz = Libc.Ioctl(vm, KvmAbi.KVM_GET_TSC_KHZ, 0);
                s_kilohertz = khz > 0 ? khz : Measure();
            }
            return s_kilohertz;
        }
    }

    private static long Measure()
    {
        var (tsc, ns) = ReadPair();
        Thread.Sleep(10);
        var (tsc2, ns2) = ReadPair();
        return (long)((double)(tsc2 - tsc) * 1e6 / (ns2 - ns));
    }

    internal static TscClock? Read(VirtualCpu vcpu)
    {
        // Asked for once: KVM makes callers wait while the vCPU runs, and this one holds the kernel's lock, without which nothing ends a run.
        if (!Steady || (vcpu.TscOffset ??= ReadOffset(vcpu)) is not { } offset)
            return null;
        var (tsc, ns) = ReadPair();
        double nsPerCount;
        lock (Gate)
        {
            s_first ??= (tsc, ns);
            nsPerCount = 1e6 / s_kilohertz;
            if (ns - s_first.Value.Nanoseconds > MinSlopeNanoseconds)
            {
                var slope = (double)(ns - s_first.Value.Nanoseconds) / (tsc - s_first.Value.Tsc);
                // More than 0.1% apart: the counter stopped or jumped (suspend, migration). Do not offer it.
                if (Math.Abs((slope / nsPerCount) - 1) > 1e-3)
                    return null;
                nsPerCount = slope;
            }
        }
        return new TscClock(unchecked(tsc + (ulong)offset), ns, ns + ReadRealtimeOffset(), (uint)Math.Round(nsPerCount * (1 << Shift)), Shift);
    }

    /// <summary>Guest counter minus host counter. Null when it cannot be told.</summary>
    private static long? ReadOffset(VirtualCpu vcpu)
    {
        long offset;
        var attribute = new KvmDeviceAttribute { Address = (ulong)(&offset) }; // KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET
        // SAFETY: the kernel writes 8 bytes to the local that the attribute names.
        if (Libc.Ioctl(vcpu.Descriptor, KvmAbi.KVM_GET_DEVICE_ATTR, (nint)(&attribute)) >= 0)
            return offset;
        // Before Linux 5.16: read the guest's counter between two readings of ours, and take the quickest of a few.
        long? best = null;
        var width = ulong.MaxValue;
        var buffer = stackalloc byte[8 + sizeof(KvmMsr)];
        for (var i = 0; i < 3; i++)
        {
            *(ulong*)buffer = 1;
            *(KvmMsr*)(buffer + 8) = new KvmMsr(KvmAbi.MSR_TSC, 0);
            var before = HostTsc.Read();
            // SAFETY: the buffer holds the header and the one entry that it counts.
            if (Libc.Ioctl(vcpu.Descriptor, KvmAbi.KVM_GET_MSRS, (nint)buffer) != 1)
                return null;
            var after = HostTsc.Read();
            if (after - before < width)
            {
                width = after - before;
                best = (long)(((KvmMsr*)(buffer + 8))->Data - (before + (width / 2)));
            }
        }
        return best;
    }

    private static (ulong Tsc, long Nanoseconds) ReadPair()
    {
        var best = (Tsc: 0UL, Nanoseconds: 0L);
        var width = ulong.MaxValue;
        for (var i = 0; i < 5; i++)
        {
            var before = HostTsc.Read();
            var ns = HostClock.MonotonicNanoseconds;
            var after = HostTsc.Read();
            if (after - before < width)
            {
                width = after - before;
                best = (before + (width / 2), ns);
            }
        }
        return best;
    }

    /// <summary>CLOCK_REALTIME minus CLOCK_MONOTONIC: of the quickest of a few readings, since a thread that loses its CPU between two clocks is off by that long.</summary>
    private static long ReadRealtimeOffset()
    {
        const long QuickEnough = 500;
        long best = 0, width = long.MaxValue;
        for (var i = 0; i < 5 && width > QuickEnough; i++)
        {
            var before = HostClock.MonotonicNanoseconds;
            var realtime = HostClock.RealtimeNanoseconds;
            var after = HostClock.MonotonicNanoseconds;
            if (after - before < width)
            {
                width = after - before;
                best = realtime - (before + (width / 2));
            }
        }
        return best;
    }
}
