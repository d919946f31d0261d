using Ramet.Kernel.Files;
using Ramet.Kernel.Loading;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Syscalls;

/// <summary>execve(2) and execveat(2).</summary>
internal static class Executing
{
    private const int AT_FDCWD = -100;
    private const int AT_SYMLINK_NOFOLLOW = 0x100;
    private const int AT_EMPTY_PATH = 0x1000;

    [Syscall(SyscallNumber.execve)]
    internal static SyscallResult Execve(PosixThread thread, UserPath filename, UserAddress argv, UserAddress envp) =>
        Execveat(thread, AT_FDCWD, filename, argv, envp, 0);

    [Syscall(SyscallNumber.execveat)]
    internal static SyscallResult Execveat(PosixThread thread, int dirfd, UserPath filename, UserAddress argv, UserAddress envp, int flags)
    {
        if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return Errno.EINVAL;
        var error = thread.Memory.User.ReadPath(filename, out string path);
        if (error != Errno.None) return error;
        error = ReadStrings(thread, argv, out var arguments);
        if (error != Errno.None) return error;
        error = ReadStrings(thread, envp, out var environment);
        if (error != Errno.None) return error;

        Dentry? file = null;
        if (path.Length == 0)
        {
            if ((flags & AT_EMPTY_PATH) == 0) return Errno.ENOENT;
            if (dirfd == AT_FDCWD) return Errno.EACCES;
            var description = thread.Files.Get(dirfd);
            if (description is null) return Errno.EBADF;
            if (description.Dentry is null) return Errno.EACCES;
            file = description.Dentry;
            path = "/dev/fd/" + dirfd;
        }
        else
        {
            var start = thread.FileSystem.WorkingDirectory;
            if (path[0] != '/' && dirfd != AT_FDCWD)
            {
                var description = thread.Files.Get(dirfd);
                if (description is null) return Errno.EBADF;
                if (description.Dentry is null) return Errno.ENOTDIR;
                start = description.Dentry;
            }

            var walk = new PathWalk(thread, start);
            error = walk.Walk(path, (flags & AT_SYMLINK_NOFOLLOW) != 0 ? WalkFlags.NoFollow : WalkFlags.None);
            if (error != Errno.None) return error;
            if (walk.Current.Inode.IsSymbolicLink) return Errno.ELOOP;
            file = walk.Current;
        }

        error = Execution.Execute(thread, file, path, arguments, environment, out _);
        return error != Errno.None ? error : SyscallResult.NoReturn;
    }

    private static Errno ReadStrings(PosixThread thread, UserAddress array, out List<string> strings)
    {
        strings = [];
        if (array.IsNull) return Errno.None;
        long total = 0;
        while (true)
        {
            if (!thread.Memory.User.TryRead(array + (strings.Count * 8L), out ulong pointer)) return Errno.EFAULT;
            if (pointer == 0) return Errno.None;
            var error = thread.Memory.User.ReadString(new UserAddress(pointer), out string text, ProgramArguments.MaxStringLength);
            if (error != Errno.None) return error == Errno.ENAMETOOLONG ? Errno.E2BIG : error;
            strings.Add(text);
            total += text.Length + 9;
            // The exact limit depends on the stack limit; this bounds what the host holds meanwhile.
            if (total > 8 << 20) return Errno.E2BIG;
        }
    }
}
