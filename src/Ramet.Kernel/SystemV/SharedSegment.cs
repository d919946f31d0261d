using Ramet.Kernel.Memory;
using Ramet.Kernel.State;

namespace Ramet.Kernel.SystemV;

/// <summary>A System V shared memory segment (shmget(2)).</summary>
[Saved]
internal sealed partial class SharedSegment : IpcObject
{
    /// <summary>SHM_DEST: removed while attached; it goes with the last attachment.</summary>
    public const uint Destroyed = 0x200;

    /// <summary>SHM_LOCKED.</summary>
    public const uint Locked = 0x400;

    private SharedSegment()
    {
    }

    public SharedSegment(Kernel kernel, ulong size, int creator)
    {
        Size = size;
        CreatorPid = creator;
        Memory = kernel.CreateSharedMemory((size + 4095) & ~4095UL);
        Memory.AddReference();
    }

    /// <summary>Bytes as asked for.</summary>
    public ulong Size { get; private set; }

    /// <summary>The pages.</summary>
    public MemoryObject Memory { get; private set; } = null!;

    public int CreatorPid { get; private set; }

    public int LastPid { get; set; }

    public long AttachTime { get; set; }

    public long DetachTime { get; set; }

    /// <summary>Mappings of it (shm_nattch).</summary>
    public int Attached => Memory.Areas.Count;

    public bool IsDoomed => (Mode & Destroyed) != 0;

    /// <summary>IPC_RMID: the segment itself lets go of its memory.</summary>
    public void Doom()
    {
        if (IsDoomed) return;
        Mode |= Destroyed;
        Key = PrivateKey;
        Memory.Release();
    }

    public ShmIdDs Status => new()
    {
        shm_perm = Permissions,
        shm_segsz = Size,
        shm_atime = AttachTime,
        shm_dtime = DetachTime,
        shm_ctime = ChangeTime,
        shm_cpid = CreatorPid,
        shm_lpid = LastPid,
        shm_nattch = (ulong)Attached,
    };
}
