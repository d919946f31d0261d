using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>What a thread is doing.</summary>
public enum ThreadState : byte
{
    /// <summary>Has user code to run, or runs it.</summary>
    Runnable,

    /// <summary>Waits inside a system call.</summary>
    Blocked,

    /// <summary>Stopped by a signal (job control) or a tracer.</summary>
    Stopped,

    /// <summary>Has ended.</summary>
    Dead,
}

/// <summary>
/// A thread of a program: what Linux calls a task. Everything here is data: a thread that is not on a virtual CPU this moment is these fields and nothing else.
/// </summary>
[Saved]
public sealed partial class PosixThread
{
    private PosixThread()
    {
    }

    /// <summary>The kernel that it belongs to.</summary>
    public Kernel Kernel { get; private set; } = null!;

    /// <summary>Thread id; the process's id for its first thread.</summary>
    public int Tid { get; internal set; }

    /// <summary>The process (thread group).</summary>
    public Process Process { get; internal set; } = null!;

    /// <summary>Its address space (mm_struct).</summary>
    public AddressSpace Memory { get; internal set; } = null!;

    /// <summary>Its descriptors.</summary>
    public FileDescriptorTable Files { get; internal set; } = null!;

    /// <summary>Working directory, root and umask.</summary>
    public FileSystemContext FileSystem { get; internal set; } = null!;

    /// <summary>Names of the machine.</summary>
    public UtsNamespace Uts { get; internal set; } = null!;

    /// <summary>Users, groups, capabilities.</summary>
    public Credentials Credentials { get; internal set; } = null!;

    /// <summary>Name (comm), at most 15 bytes.</summary>
    public string Name { get; set; } = "";

    /// <summary>Registers while the thread is not on a virtual CPU, and during a system call.</summary>
#pragma warning disable CA1051 // Handed out by reference on the hot path.
    public UserRegisters Registers;
#pragma warning restore CA1051

    /// <summary>FS base (thread pointer).</summary>
    public ulong FsBase { get; internal set; }

    /// <summary>GS base.</summary>
    public ulong GsBase { get; internal set; }

    /// <summary>Extended state while the thread is not on a virtual CPU; null: that of a new program.</summary>
    internal byte[]? ExtendedState;

    /// <summary>What it is doing.</summary>
    public ThreadState State { get; internal set; }
}
