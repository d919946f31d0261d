using System.Runtime.InteropServices;
using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// /dev/kvm, opened and checked once and used by all virtual machines of the process. Also keeps what is the same for
/// all of them: the CPUID table, and the size of the page shared with each vCPU.
/// </summary>
public sealed unsafe class KvmDevice : IDisposable
{
    private const int MaxCpuidEntries = 256;
    private readonly KvmSregs?[] _initialSregs = new KvmSregs?[2];
    private readonly Lock _warming = new();
    private (FileDescriptor Vm, FileDescriptor Vcpu)? _warm;
    private bool _disposed;

    private KvmDevice(FileDescriptor fd)
    {
        Fd = fd;
        VcpuMapSize = (nuint)Check(Libc.Ioctl(fd, KvmAbi.KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
        Cpuid = ReadCpuid(fd);
        MaxVcpus = Math.Max(1, CheckExtension(KvmAbi.KVM_CAP_MAX_VCPUS));
        MaxSlots = Math.Max(32, CheckExtension(KvmAbi.KVM_CAP_NR_MEMSLOTS));
        XSaveSize = Math.Max(4096, CheckExtension(KvmAbi.KVM_CAP_XSAVE2));
    }

    internal FileDescriptor Fd { get; }

    internal nuint VcpuMapSize { get; }

    internal KvmCpuidEntry[] Cpuid { get; }

    /// <summary>Virtual CPUs that one machine may have.</summary>
    public int MaxVcpus { get; }

    /// <summary>Memory slots that one machine may have.</summary>
    public int MaxSlots { get; }

    internal int XSaveSize { get; }

    /// <summary>Opens the device and checks that it can do what Ramet needs.</summary>
    /// <exception cref="KvmException">It is missing, not permitted, or too old; the message says what to do.</exception>
    public static KvmDevice Open(string path = "/dev/kvm")
    {
        FileDescriptor fd;
        try
        {
            fd = FileDescriptor.OpenReadWrite(path);
        }
        catch (HostException e)
        {
            throw new KvmException(DescribeOpenFailure(path, e), e.Errno);
        }
        try
        {
            var version = Libc.Ioctl(fd, KvmAbi.KVM_GET_API_VERSION, 0);
            if (version != KvmAbi.KVM_API_VERSION)
                throw new KvmException(version < 0
                    ? $"{path} is not the KVM device. Name the real one, normally /dev/kvm."
                    : $"{path} speaks KVM API version {version}; Ramet needs version {KvmAbi.KVM_API_VERSION} (Linux 2.6.22 or newer).");
            Require(fd, KvmAbi.KVM_CAP_SYNC_MMU, 1, "KVM_CAP_SYNC_MMU", "2.6.33");
            Require(fd, KvmAbi.KVM_CAP_READONLY_MEM, 1, "KVM_CAP_READONLY_MEM", "3.8");
            Require(fd, KvmAbi.KVM_CAP_IMMEDIATE_EXIT, 1, "KVM_CAP_IMMEDIATE_EXIT", "4.13");
            Require(fd, KvmAbi.KVM_CAP_SYNC_REGS, 3, "KVM_CAP_SYNC_REGS", "4.17");
            Require(fd, KvmAbi.KVM_CAP_XSAVE, 1, "KVM_CAP_XSAVE", "2.6.36");
            Require(fd, KvmAbi.KVM_CAP_VCPU_EVENTS, 1, "KVM_CAP_VCPU_EVENTS", "2.6.33");
            return new KvmDevice(fd);
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    private static string DescribeOpenFailure(string path, HostException e) => e.Errno switch
    {
        Libc.ENOENT => $"{path} does not exist. Load the module (modprobe kvm_intel, or kvm_amd), turn on virtualization in the firmware, or, inside a virtual machine, nested virtualization in its host.",
        Libc.EACCES or Libc.EPERM => $"No permission to open {path}. Add yourself to its group (sudo usermod -aG kvm $USER, then log in again), or, in a container, pass --device {path}.",
        Libc.ENODEV or Libc.ENXIO => $"{path} exists but no KVM is behind it. Load the module: modprobe kvm_intel, or kvm_amd.",
        _ => e.Message,
    };

    private static void Require(FileDescriptor fd, int capability, int bits, string name, string since)
    {
        var value = Libc.Ioctl(fd, KvmAbi.KVM_CHECK_EXTENSION, capability);
        if (value < 0 || (value & bits) != bits)
            throw new KvmException($"This host's KVM lacks {name}, which Ramet needs. Use Linux {since} or newer.");
    }

    internal int CheckExtension(int capability) => Math.Max(0, Libc.Ioctl(Fd, KvmAbi.KVM_CHECK_EXTENSION, capability));

    internal FileDescriptor CreateVm()
    {
        int fd;
        do fd = Libc.Ioctl(Fd, KvmAbi.KVM_CREATE_VM, 0);
        while (fd < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR);
        return fd >= 0 ? new FileDescriptor(fd) : throw KvmException.FromLastError("Creating a virtual machine (KVM_CREATE_VM)");
    }

    /// <summary>The segment and control registers of a vCPU as KVM makes it. Read once for the first vCPU and once for the others: they differ in the BSP bit only.</summary>
    internal KvmSregs InitialSregs(FileDescriptor vcpu, int index)
    {
        lock (_initialSregs)
        {
            ref var known = ref _initialSregs[index == 0 ? 0 : 1];
            if (known is null)
            {
                KvmSregs sregs;
                // SAFETY: the kernel fills the struct on our stack.
                Check(Libc.Ioctl(vcpu, KvmAbi.KVM_GET_SREGS, (nint)(&sregs)), "KVM_GET_SREGS");
                known = sregs;
            }
            return known.Value;
        }
    }

    internal void SetCpuid(FileDescriptor vcpu, int index)
    {
        // SAFETY: the buffer holds the 8-byte header and the entries that the header counts.
        var size = 8 + (Cpuid.Length * sizeof(KvmCpuidEntry));
        var buffer = stackalloc byte[size];
        *(ulong*)buffer = (uint)Cpuid.Length;
        var entries = (KvmCpuidEntry*)(buffer + 8);
        for (var i = 0; i < Cpuid.Length; i++)
        {
            entries[i] = Cpuid[i];
            // The APIC id: bits 31-24 of leaf 1, and EDX of the topology leaves.
            if (entries[i].Function == 1)
                entries[i].Ebx = (entries[i].Ebx & 0x00FFFFFF) | ((uint)index << 24);
            else if (entries[i].Function is 0xB or 0x1F)
                entries[i].Edx = (uint)index;
        }
        Check(Libc.Ioctl(vcpu, KvmAbi.KVM_SET_CPUID2, (nint)buffer), "KVM_SET_CPUID2");
    }

    private static KvmCpuidEntry[] ReadCpuid(FileDescriptor fd)
    {
        // SAFETY: the buffer holds the header and as many entries as the header says there is room for.
        var buffer = new byte[8 + (MaxCpuidEntries * sizeof(KvmCpuidEntry))];
        fixed (byte* p = buffer)
        {
            *(ulong*)p = MaxCpuidEntries;
            Check(Libc.Ioctl(fd, KvmAbi.KVM_GET_SUPPORTED_CPUID, (nint)p), "KVM_GET_SUPPORTED_CPUID");
            var count = Math.Min(*(int*)p, MaxCpuidEntries);
            return new Span<KvmCpuidEntry>(p + 8, count).ToArray();
        }
    }

    internal static int Check(int result, string what) => result >= 0 ? result : throw KvmException.FromLastError(what);

    /// <summary>
    /// Keeps one empty machine with one vCPU until <see cref="Dispose"/>. The host patches its own code when the first vCPU without an interrupt controller comes and when
    /// the last one goes, which interrupts all CPUs (150 us each time): with this one there, others are neither. A hint: failure is ignored.
    /// </summary>
    public void KeepWarm()
    {
        lock (_warming)
        {
            if (_disposed || _warm is not null) return;
            try
            {
                var vm = CreateVm();
                var vcpu = Libc.Ioctl(vm, KvmAbi.KVM_CREATE_VCPU, 0);
                if (vcpu >= 0) _warm = (vm, new FileDescriptor(vcpu));
                else vm.Dispose();
            }
            catch (KvmException)
            {
                // Without it, making machines is slower, and that is all.
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_warming)
        {
            _disposed = true;
            _warm?.Vcpu.Dispose();
            _warm?.Vm.Dispose();
            _warm = null;
        }

        Fd.Dispose();
    }
}
