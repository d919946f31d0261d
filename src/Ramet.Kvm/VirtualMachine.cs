using Ramet.Host;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>
/// One KVM virtual machine: memory and vCPUs, no interrupt controller, no devices. Making one has parts that can be done at the same
/// time: <see cref="Prepare"/> makes the VM; then <see cref="Attach"/> maps the template (or writes the first tables) and the
/// images, and <see cref="GetVcpu"/> makes a vCPU. <see cref="Create"/> does the first two.
/// </summary>
public sealed class VirtualMachine : IMachine
{
    private readonly KvmDevice _device;
    private readonly FileDescriptor _vm;
    private readonly KvmGuestMemory _memory;
    private readonly VirtualCpu?[] _vcpus;
    private readonly Lock _gate = new();
    private bool _attached;
    private bool _disposed;

    private VirtualMachine(KvmDevice device, VirtualMachineOptions options)
    {
        _device = device;
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxVcpus, 1, nameof(options));
        MaxVcpus = Math.Min(Math.Min(options.MaxVcpus, GuestLayout.MaxVcpus), device.MaxVcpus);
        _vcpus = new VirtualCpu?[MaxVcpus];
        _vm = device.CreateVm();
        try
        {
            _memory = new KvmGuestMemory(_vm, options.MemoryLimit);
        }
        catch
        {
            _vm.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="IMachine.Memory"/>
    public KvmGuestMemory Memory => _memory;

    GuestMemory IMachine.Memory => _memory;

    /// <inheritdoc/>
    public CpuFeatures Features => CpuIdentification.Get(_device);

    /// <inheritdoc/>
    public ulong KernelPml4Entry => SystemTables.KernelPml4Entry;

    /// <inheritdoc/>
    public int MaxVcpus { get; }

    /// <summary>Makes a machine that is ready to run.</summary>
    /// <exception cref="KvmException">KVM refuses; the message says what to do.</exception>
    public static VirtualMachine Create(KvmDevice device, VirtualMachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var machine = new VirtualMachine(device, options);
        try
        {
            machine.Attach(options.Template, options.Images);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }

    /// <summary>Makes the VM and its address space. It needs <see cref="Attach"/> before it can run.</summary>
    /// <exception cref="KvmException">KVM refuses; the message says what to do.</exception>
    public static VirtualMachine Prepare(KvmDevice device, VirtualMachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new VirtualMachine(device, options);
    }

    /// <summary>
    /// Makes the memory slot of a template's RAM in a prepared machine before there is anything to map there: it waits until the host's readers of the old slots are through.
    /// <see cref="Attach"/> must be given a template of this length then, and these images, which can be attached at once (<see cref="KvmGuestMemory.TryAttachImage"/>).
    /// </summary>
    /// <param name="templateLength">Bytes; 0 without a template.</param>
    /// <param name="images">Image files.</param>
    /// <exception cref="KvmException">KVM refuses.</exception>
    public void LayOut(ulong templateLength, IReadOnlyList<GuestImage> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (templateLength > 0)
            _memory.LayOut(templateLength);
        _memory.SetImages(images);
    }

    /// <summary>Gives a prepared machine its memory: the template copy-on-write, or fresh RAM when there is none.</summary>
    /// <param name="template">The template.</param>
    /// <param name="images">Image files.</param>
    /// <param name="delta">What lies over the template; it may be disposed only when the machine is.</param>
    /// <exception cref="InvalidOperationException">It has its memory already.</exception>
    public void Attach(MemoryTemplate? template, IReadOnlyList<GuestImage>? images = null, MemoryDelta? delta = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_attached)
            throw new InvalidOperationException("The machine has its memory already.");
        if (template is null)
            _memory.Initialize();
        else
            _memory.Attach(template);
        if (images is { Count: > 0 })
            _memory.SetImages(images);
        if (delta is not null)
            _memory.AttachDelta(delta);
        _attached = true;
    }

    /// <inheritdoc cref="IMachine.GetVcpu"/>
    /// <exception cref="KvmException">KVM refuses to make it.</exception>
    public VirtualCpu GetVcpu(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, MaxVcpus);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _vcpus[index] ??= new VirtualCpu(_device, _vm, _memory, index);
        }
    }

    IVirtualCpu IMachine.GetVcpu(int index) => GetVcpu(index);

    /// <inheritdoc/>
    public TscClock? ReadTscClock() => TscCalibration.Read(GetVcpu(0));

    /// <summary>
    /// Takes a used machine back to the template that it was attached to, to be run again: memory, every vCPU, and what the host derived from page tables. Nothing may run in it.
    /// </summary>
    /// <param name="isPageTable">Whether the page at a guest-physical address was a page table in the run that is over, or is one in the template.</param>
    /// <param name="root">Page-table root of the template, for the ring-0 stub.</param>
    /// <param name="pagesToKeep">How many written pages may stay backed by memory of the machine's own.</param>
    /// <returns>False when the machine cannot be used again: dispose it.</returns>
    /// <exception cref="HostException">The host refused; dispose it as well.</exception>
    public bool TryReset(Func<ulong, bool> isPageTable, ulong root, int pagesToKeep)
    {
        ArgumentNullException.ThrowIfNull(isPageTable);
        lock (_gate)
        {
            if (_disposed || !_attached || !_memory.CanReset)
                return false;
        }
        var tables = new List<ulong>();
        foreach (var (address, length) in _memory.ResetToTemplate(pagesToKeep))
        {
            for (var page = address; page < address + length; page += GuestMemory.PageSize)
            {
                if (isPageTable(page))
                    tables.Add(page);
            }
        }
        for (var page = _memory.TemplateLength; page < _memory.Size; page += GuestMemory.PageSize)
        {
            if (isPageTable(page))
                tables.Add(page);
        }
        foreach (var vcpu in _vcpus)
        {
            if (vcpu is null)
                continue;
            vcpu.Invalidate(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(tables));
            if (!vcpu.TryReset(root))
                return false;
            // The stub has used its stack.
            _memory.ResetPage(GuestLayout.VcpuPage(vcpu.Index));
        }
        return true;
    }

    /// <summary>Ends the machine. A vCPU that runs on another thread is kicked out and waited for.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
        }
        foreach (var vcpu in _vcpus)
            vcpu?.Dispose();
        _vm.Dispose();
        _memory.Dispose();
    }
}
