using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct ipc_perm (msgctl(2), semctl(2), shmctl(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IpcPerm
{
    public int __key;
    public uint uid;
    public uint gid;
    public uint cuid;
    public uint cgid;
    public uint mode;
    public ushort __seq;
    private ushort _pad2;
    private uint _pad3;
    private ulong _reserved1;
    private ulong _reserved2;
}

/// <summary>struct shmid_ds (shmctl(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ShmIdDs
{
    public IpcPerm shm_perm;
    public ulong shm_segsz;
    public long shm_atime;
    public long shm_dtime;
    public long shm_ctime;
    public int shm_cpid;
    public int shm_lpid;
    public ulong shm_nattch;
    private ulong _reserved5;
    private ulong _reserved6;
}

/// <summary>struct shminfo (shmctl(2), IPC_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ShmInfoLimits
{
    public ulong shmmax;
    public ulong shmmin;
    public ulong shmmni;
    public ulong shmseg;
    public ulong shmall;
    private ulong _reserved1;
    private ulong _reserved2;
    private ulong _reserved3;
    private ulong _reserved4;
}

/// <summary>struct shm_info (shmctl(2), SHM_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ShmInfo
{
    public int used_ids;
    private int _pad;
    public ulong shm_tot;
    public ulong shm_rss;
    public ulong shm_swp;
    public ulong swap_attempts;
    public ulong swap_successes;
}

/// <summary>struct semid_ds (semctl(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SemIdDs
{
    public IpcPerm sem_perm;
    public long sem_otime;
    private ulong _reserved1;
    public long sem_ctime;
    private ulong _reserved2;
    public ulong sem_nsems;
    private ulong _reserved3;
    private ulong _reserved4;
}

/// <summary>struct seminfo (semctl(2), IPC_INFO and SEM_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SemInfo
{
    public int semmap;
    public int semmni;
    public int semmns;
    public int semmnu;
    public int semmsl;
    public int semopm;
    public int semume;
    public int semusz;
    public int semvmx;
    public int semaem;
}

/// <summary>struct sembuf (semop(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SemBuf
{
    public ushort sem_num;
    public short sem_op;
    public short sem_flg;
}

/// <summary>struct msqid_ds (msgctl(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MsqIdDs
{
    public IpcPerm msg_perm;
    public long msg_stime;
    public long msg_rtime;
    public long msg_ctime;
    public ulong __msg_cbytes;
    public ulong msg_qnum;
    public ulong msg_qbytes;
    public int msg_lspid;
    public int msg_lrpid;
    private ulong _reserved4;
    private ulong _reserved5;
}

/// <summary>struct msginfo (msgctl(2), IPC_INFO and MSG_INFO).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MsgInfo
{
    public int msgpool;
    public int msgmap;
    public int msgmax;
    public int msgmnb;
    public int msgmni;
    public int msgssz;
    public int msgtql;
    public ushort msgseg;
}

/// <summary>struct mq_attr (mq_getattr(3)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MqAttr
{
    public long mq_flags;
    public long mq_maxmsg;
    public long mq_msgsize;
    public long mq_curmsgs;
    private long _reserved1;
    private long _reserved2;
    private long _reserved3;
    private long _reserved4;
}

/// <summary>Flags of msgget(2), semget(2) and shmget(2).</summary>
[Flags]
public enum IpcFlags
{
    None = 0,
    IPC_CREAT = 0x200,
    IPC_EXCL = 0x400,
    IPC_NOWAIT = 0x800,
}
