using System.Reflection;
using System.Runtime.InteropServices;
using Xunit;

namespace Ramet.Abi.Tests;

/// <summary>Every structure of Ramet.Abi has the size and the offsets that the C compiler gives it.</summary>
public class StructureTests
{
    /// <summary>C names of structures.</summary>
    private static readonly Dictionary<Type, string> Names = new()
    {
        [typeof(CapabilityData)] = "struct __user_cap_data_struct",
        [typeof(CapabilityHeader)] = "struct __user_cap_header_struct",
        [typeof(CMsgHdr)] = "struct cmsghdr",
        [typeof(Elf64Header)] = "Elf64_Ehdr",
        [typeof(Elf64ProgramHeader)] = "Elf64_Phdr",
        [typeof(EpollEvent)] = "struct epoll_event",
        [typeof(FileOwner)] = "struct f_owner_ex",
        [typeof(Flock)] = "struct flock",
        [typeof(FutexWaitV)] = "struct futex_waitv",
        [typeof(InotifyEvent)] = "struct inotify_event",
        [typeof(IpcPerm)] = "struct ipc_perm",
        [typeof(MqAttr)] = "struct mq_attr",
        [typeof(MsgInfo)] = "struct msginfo",
        [typeof(MsqIdDs)] = "struct msqid_ds",
        [typeof(SemBuf)] = "struct sembuf",
        [typeof(SemIdDs)] = "struct semid_ds",
        [typeof(SemInfo)] = "struct seminfo",
        [typeof(ShmIdDs)] = "struct shmid_ds",
        [typeof(ShmInfo)] = "struct shm_info",
        [typeof(ShmInfoLimits)] = "struct shminfo",
        [typeof(IoVec)] = "struct iovec",
        [typeof(ITimerspec)] = "struct itimerspec",
        [typeof(ITimerval)] = "struct itimerval",
        [typeof(Linger)] = "struct linger",
        [typeof(MMsgHdr)] = "struct mmsghdr",
        [typeof(MsgHdr)] = "struct msghdr",
        [typeof(OpenHow)] = "struct open_how",
        [typeof(PollFd)] = "struct pollfd",
        [typeof(PselectMask)] = "struct { const void *ss; size_t ss_len; }",
        [typeof(RLimit)] = "struct rlimit",
        [typeof(RobustListHead)] = "struct robust_list_head",
        [typeof(RUsage)] = "struct rusage",
        [typeof(SchedAttr)] = "struct sched_attr",
        [typeof(SchedParam)] = "struct sched_param",
        [typeof(SigEvent)] = "struct sigevent",
        [typeof(Stat)] = "struct stat",
        [typeof(StatFs)] = "struct statfs",
        [typeof(Statx)] = "struct statx",
        [typeof(StatxTimestamp)] = "struct statx_timestamp",
        [typeof(SysInfo)] = "struct sysinfo",
        [typeof(Timespec)] = "struct timespec",
        [typeof(Timeval)] = "struct timeval",
        [typeof(Timex)] = "struct timex",
        [typeof(TimeZoneStructure)] = "struct timezone",
        [typeof(Tms)] = "struct tms",
        [typeof(UCred)] = "struct ucred",
        [typeof(UtimBuf)] = "struct utimbuf",
    };

    /// <summary>C names of fields, where they are others; empty: the headers do not have it by name.</summary>
    private static readonly Dictionary<string, string> Fields = new()
    {
        ["Elf64Header.Ident"] = "e_ident",
        ["Elf64Header.IdentRest"] = "e_ident[8]",
        ["Elf64Header.Type"] = "e_type",
        ["Elf64Header.Machine"] = "e_machine",
        ["Elf64Header.Version"] = "e_version",
        ["Elf64Header.Entry"] = "e_entry",
        ["Elf64Header.ProgramHeaderOffset"] = "e_phoff",
        ["Elf64Header.SectionHeaderOffset"] = "e_shoff",
        ["Elf64Header.Flags"] = "e_flags",
        ["Elf64Header.HeaderSize"] = "e_ehsize",
        ["Elf64Header.ProgramHeaderSize"] = "e_phentsize",
        ["Elf64Header.ProgramHeaderCount"] = "e_phnum",
        ["Elf64Header.SectionHeaderSize"] = "e_shentsize",
        ["Elf64Header.SectionHeaderCount"] = "e_shnum",
        ["Elf64Header.SectionNameIndex"] = "e_shstrndx",
        ["Elf64ProgramHeader.Type"] = "p_type",
        ["Elf64ProgramHeader.Flags"] = "p_flags",
        ["Elf64ProgramHeader.Offset"] = "p_offset",
        ["Elf64ProgramHeader.VirtualAddress"] = "p_vaddr",
        ["Elf64ProgramHeader.PhysicalAddress"] = "p_paddr",
        ["Elf64ProgramHeader.FileSize"] = "p_filesz",
        ["Elf64ProgramHeader.MemorySize"] = "p_memsz",
        ["Elf64ProgramHeader.Alignment"] = "p_align",
        ["RobustListHead.list"] = "list.next",
        ["SigEvent.sigev_notify_thread_id"] = "_sigev_un._tid",
        ["Stat.st_atime"] = "st_atim.tv_sec",
        ["Stat.st_atime_nsec"] = "st_atim.tv_nsec",
        ["Stat.st_mtime"] = "st_mtim.tv_sec",
        ["Stat.st_mtime_nsec"] = "st_mtim.tv_nsec",
        ["Stat.st_ctime"] = "st_ctim.tv_sec",
        ["Stat.st_ctime_nsec"] = "st_ctim.tv_nsec",
        ["StatFs.f_fsid0"] = "f_fsid.__val[0]",
        ["StatFs.f_fsid1"] = "f_fsid.__val[1]",
        ["StatFs.f_spare0"] = "f_spare[0]",
        ["StatFs.f_spare1"] = "f_spare[1]",
        ["StatFs.f_spare2"] = "f_spare[2]",
        ["StatFs.f_spare3"] = "f_spare[3]",
        ["Statx.stx_mnt_id"] = "",
        ["Statx.stx_dio_mem_align"] = "",
        ["Statx.stx_dio_offset_align"] = "",
    };

    private static IEnumerable<Type> Structures =>
        typeof(Errno).Assembly.GetExportedTypes().Where(type => type is { IsValueType: true, IsEnum: false });

    [Fact]
    public void Sizes_and_offsets_are_those_of_the_C_compiler()
    {
        var expected = new Dictionary<string, long>();
        foreach (var type in Structures)
        {
            Assert.True(Names.ContainsKey(type), $"{type.Name} has no C name: add it to {nameof(StructureTests)}.{nameof(Names)}.");
            string name = Names[type];
            expected[$"sizeof({name})"] = Marshal.SizeOf(type);
            foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public))
            {
                if (!Fields.TryGetValue($"{type.Name}.{field.Name}", out string? member))
                    member = field.Name.StartsWith('_') ? "" : field.Name;
                if (member.Length > 0) expected[$"offsetof({name}, {member})"] = Marshal.OffsetOf(type, field.Name);
            }
        }

        Assert.InRange(expected.Count, 150, 10000);
        var actual = CompilerFacts.Evaluate(expected.Keys);
        string[] wrong = [.. expected.Where(fact => actual[fact.Key] != fact.Value).Select(fact => $"{fact.Key} is {actual[fact.Key]}, not {fact.Value}")];
        Assert.Empty(wrong);
    }

    [Fact]
    public void No_structure_needs_marshalling()
    {
        foreach (var type in Structures) Assert.False(type.IsAutoLayout, type.Name);
    }
}
