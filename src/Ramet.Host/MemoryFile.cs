namespace Ramet.Host;

/// <summary>Anonymous files in memory. memfd_create(2).</summary>
public static class MemoryFile
{
    /// <summary>A new, empty file in memory.</summary>
    /// <param name="name">Shown in /proc/PID/maps.</param>
    /// <exception cref="HostException">The host refuses.</exception>
    public static FileDescriptor Create(string name)
    {
        var fd = Libc.MemfdCreate(name, Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        return fd >= 0 ? new FileDescriptor(fd) : throw HostException.FromErrno("memfd_create");
    }

    /// <summary>Makes a memory file immutable for good: length and contents. fcntl(2) F_ADD_SEALS.</summary>
    /// <exception cref="HostException">It is not a memory file, or it has writable shared mappings.</exception>
    public static void Seal(FileDescriptor file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (Libc.Fcntl(file, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_WRITE | Libc.F_SEAL_SEAL) < 0)
            throw HostException.FromErrno("Sealing a memory file");
    }

    /// <summary>Whether length and contents can no longer change, whoever else holds the file.</summary>
    public static bool IsSealed(FileDescriptor file)
    {
        ArgumentNullException.ThrowIfNull(file);
        const int immutable = Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_WRITE;
        var seals = Libc.Fcntl(file, Libc.F_GET_SEALS, 0);
        return seals >= 0 && (seals & immutable) == immutable;
    }
}
