using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Files;

/// <summary>What files ask of address spaces.</summary>
internal static class MappingAccess
{
    /// <summary>Whether a shared, writable mapping of this object exists (F_SEAL_WRITE is refused then).</summary>
    public static bool IsMappedWritable(MemoryObject pages) => pages.Areas.Exists(area => area.IsShared && area.MayWrite);
}

/// <summary>RLIMIT_FSIZE.</summary>
internal static class FileSizeLimit
{
    /// <summary>A write began beyond the limit: SIGXFSZ and EFBIG (setrlimit(2)).</summary>
    public static Errno Exceeded(PosixThread thread)
    {
        thread.SendSignal(Signals.Signal.SIGXFSZ);
        return Errno.EFBIG;
    }
}
