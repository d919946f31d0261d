using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;
using Ramet.Kernel.Syscalls;

namespace Ramet.Kernel.Files;

/// <summary>Installing descriptions as descriptors of the calling thread, all or nothing.</summary>
internal static class DescriptorPair
{
    /// <summary>Installs one description, which is released when there is no room. Returns the descriptor, or EMFILE.</summary>
    public static SyscallResult InstallOne(PosixThread thread, FileDescription description, bool closeOnExec)
    {
        var error = thread.Files.Install(description, closeOnExec, out int descriptor);
        if (error == Errno.None) return descriptor;
        description.Release(thread.Kernel);
        return error;
    }

    /// <summary>Installs both and stores their numbers as int[2] (pipe2, socketpair). EMFILE, EFAULT: neither stays.</summary>
    public static SyscallResult Install(PosixThread thread, FileDescription first, FileDescription second, UserAddress address, bool closeOnExec)
    {
        var installed = InstallOne(thread, first, closeOnExec);
        if (installed.IsError)
        {
            second.Release(thread.Kernel);
            return installed;
        }

        int a = (int)installed.Value;
        installed = InstallOne(thread, second, closeOnExec);
        if (installed.IsError)
        {
            thread.Files.Close(thread.Process, a);
            return installed;
        }

        int b = (int)installed.Value;
        if (thread.Memory.User.TryWrite(address, (long)b << 32 | (uint)a)) return 0;
        thread.Files.Close(thread.Process, a);
        thread.Files.Close(thread.Process, b);
        return Errno.EFAULT;
    }
}
