using System.Runtime.InteropServices;
using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>
/// A KVM vCPU that runs user code. Registers travel in the page shared with the kernel (KVM_CAP_SYNC_REGS), segment
/// and control registers too: a separate vCPU ioctl costs 6 us on paravirtual KVM, the shared page nothing.
/// </summary>
public sealed unsafe partial class VirtualCpu : IVirtualCpu, IDisposable
{
    private const byte GeneralProtection = 13;
    private const ulong UserFlags = 0x250DD5; // CF PF AF ZF SF TF DF OF RF AC ID
    private const ulong FixedFlags = 0x202;   // IF and the bit that is always 1
    private const ulong TrapOrResumeFlag = 0x10100;

    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _idle = new(false); // set when a disposed vCPU has left Run
    private readonly KvmGuestMemory _memory;
    private readonly FileDescriptor _fd;
    private readonly MemoryMapping _runMapping;
    private readonly KvmRun* _run;
    private readonly ulong _page;     // guest-physical address of this vCPU's page
    private readonly ulong _stackTop; // linear
    private readonly int _xsaveSize;
    private readonly ulong _xstateMask;
    private readonly int _xstateSize;
    private readonly bool _fsGsBase;
    private readonly KvmSregs _initialSregs;

    private UserRegisters _registers;
    private ulong _fsBase, _gsBase, _root;
    private bool _loaded; // the vCPU has our system state (descriptor tables, control registers)
    private string? _dead;

    private int _threadId;  // of the thread in Run; guarded by _gate, as are the next three
    private bool _kicked;
    private bool _signalled;
    private bool _disposed;

    internal VirtualCpu(KvmDevice device, FileDescriptor vm, KvmGuestMemory memory, int index)
    {
        _memory = memory;
        Index = index;
        _page = GuestLayout.VcpuPage(index);
        _stackTop = GuestLayout.VcpuStackTop(index);
        _xsaveSize = device.XSaveSize;
        var identification = CpuIdentification.Get(device);
        _xstateMask = identification.XStateMask;
        _xstateSize = identification.XStateSize;
        _fsGsBase = (identification.HwCap2 & 2) != 0;
        _registers.Rflags = FixedFlags;

        var fd = Libc.Ioctl(vm, KvmAbi.KVM_CREATE_VCPU, index);
        _fd = fd >= 0 ? new FileDescriptor(fd) : throw KvmException.FromLastError("Creating a virtual CPU (KVM_CREATE_VCPU)");
        try
        {
            _runMapping = MemoryMapping.Create(device.VcpuMapSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, _fd, what: "a vCPU's shared page");
            _run = (KvmRun*)_runMapping.Pointer;
            device.SetCpuid(_fd, index);
            SetExtendedControl(_xstateMask);
            SetMsrs(index);
            SetSignalMask();
            _initialSregs = device.InitialSregs(_fd, index);
            PrepareSystemState(_initialSregs);
        }
        catch
        {
            _runMapping?.Dispose();
            _fd.Dispose();
            throw;
        }
    }

    /// <summary>Number of this vCPU in its machine, from 0.</summary>
    public int Index { get; }

    /// <inheritdoc/>
    public ref UserRegisters Registers => ref _registers;

    /// <inheritdoc/>
    public ulong FsBase
    {
        get => _fsBase;
        set => _fsBase = value;
    }

    /// <inheritdoc/>
    public ulong GsBase
    {
        get => _gsBase;
        set => _gsBase = value;
    }

    /// <inheritdoc/>
    public ulong PageTableRoot
    {
        get => _root;
        set => _root = value;
    }

    internal FileDescriptor Descriptor => _fd;

    /// <summary>Guest counter minus host counter, once it has been read.</summary>
    internal long? TscOffset { get; set; }

    /// <summary>Whether the vCPU was left in ring 0 by the last exit (system calls: on stock KVM only). For the probe.</summary>
    internal bool IsInRing0 => (_run->Sregs.Cs.Selector & 3) == 0;

    /// <inheritdoc/>
    public VcpuExit Run()
    {
        if (!TryBegin(out var exit))
            return exit;
        try
        {
            if (_usesDoorbell)
                _mailbox!.Open();
            exit = RunToExit();
            if (_usesDoorbell)
                exit = CloseMailbox(exit);
        }
        finally
        {
            End(exit.Kind);
        }
        return exit;
    }

    /// <inheritdoc/>
    public void Kick()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _kicked = true;
            // SAFETY: the page is mapped until _disposed is set, which happens under this lock.
            Volatile.Write(ref _run->ImmediateExit, 1);
            if (_threadId != 0 && !_signalled)
            {
                _signalled = true;
                KickSignal.Send(_threadId);
            }
        }
    }

    private bool TryBegin(out VcpuExit exit)
    {
        exit = new VcpuExit(VcpuExitKind.Interrupted);
        var threadId = KickSignal.PrepareThread();
        lock (_gate)
        {
            if (_threadId != 0)
                throw new InvalidOperationException("The virtual CPU runs on another thread already.");
            if (_disposed)
                _dead ??= "the virtual machine was disposed";
            if (_dead is not null)
            {
                exit = new VcpuExit(VcpuExitKind.Shutdown, Detail: _dead);
                return false;
            }
            if (_kicked)
            {
                _kicked = false;
                _run->ImmediateExit = 0;
                return false;
            }
            _threadId = threadId;
            return true;
        }
    }

    private void End(VcpuExitKind kind)
    {
        bool drain;
        lock (_gate)
        {
            _threadId = 0;
            drain = _signalled;
            _signalled = false;
            if (kind == VcpuExitKind.Interrupted)
            {
                _kicked = false;
                _run->ImmediateExit = 0;
            }
            if (_disposed)
                _idle.Set();
        }
        if (drain)
            KickSignal.Drain();
    }

    private VcpuExit RunToExit()
    {
        // A return to a non-canonical address faults in ring 0 on some CPUs and in ring 3 on others: do not try it.
        if (!IsCanonical(_registers.Rip))
            return new VcpuExit(VcpuExitKind.Exception, GeneralProtection);
        while (true)
        {
            PrepareEntry();
            VcpuExit exit;
            bool done;
            if (Enter() is var error && error == 0)
                done = TryDecode(out exit);
            else if (error == Libc.EINTR)
                done = TryDecodeInterrupted(out exit);
            else
                return Die($"KVM_RUN failed: {HostException.Name(error)}");
            if (done)
                return exit;
        }
    }

    /// <summary>KVM_RUN, until something other than a stray signal ends it. 0, or the error number.</summary>
    private int Enter()
    {
        while (true)
        {
            if (Libc.Ioctl(_fd, KvmAbi.KVM_RUN, 0) >= 0)
                return 0;
            var error = Marshal.GetLastPInvokeError();
            if (error is not (Libc.EINTR or Libc.EAGAIN))
                return error;
            lock (_gate)
            {
                if (_kicked)
                    return Libc.EINTR;
            }
        }
    }

    private VcpuExit Die(string why)
    {
        _dead = why;
        return new VcpuExit(VcpuExitKind.Shutdown, Detail: why);
    }

    private static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;

    /// <summary>Ends the vCPU; one that runs is kicked out and waited for.</summary>
    public void Dispose()
    {
        bool wait;
        Kick();
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            wait = _threadId != 0;
        }
        if (wait)
            _idle.Wait();
        _runMapping.Dispose();
        _fd.Dispose();
        _idle.Dispose();
    }
}
