using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>The descriptors of a process (files_struct). (Being written.)</summary>
[Saved]
public sealed partial class FileDescriptorTable
{
    /// <summary>The description behind a descriptor, or null (EBADF).</summary>
    public FileDescription? Get(int descriptor) => throw new NotImplementedException();

    /// <summary>Installs a description (taking over the caller's reference) at the lowest free descriptor from <paramref name="from"/> on. EMFILE (the description is not released).</summary>
    public Errno Install(FileDescription description, bool closeOnExec, out int descriptor, int from = 0) => throw new NotImplementedException();

    /// <summary>A copy, for fork.</summary>
    public FileDescriptorTable Clone(Processes.ResourceLimitSet? limits = null) => throw new NotImplementedException();

    public FileDescriptorTable Share() => throw new NotImplementedException();

    public bool IsShared => throw new NotImplementedException();

    public void Release(Processes.Process process) => throw new NotImplementedException();

    /// <summary>Closes the descriptors that are marked close-on-exec.</summary>
    public void CloseOnExec(Processes.Process process) => throw new NotImplementedException();

    /// <summary>Closes all: the last user is gone.</summary>
    public void CloseAll(Processes.Process process) => throw new NotImplementedException();
}

/// <summary>Working directory, root and umask (fs_struct). (Being written.)</summary>
[Saved]
public sealed partial class FileSystemContext
{
    /// <summary>A copy, for fork.</summary>
    public FileSystemContext Clone() => throw new NotImplementedException();
}

/// <summary>A name in a directory. (Being written.)</summary>
[Saved]
public sealed partial class Dentry;

/// <summary>A mounted file system. (Being written.)</summary>
[Saved]
public abstract partial class FileSystem;

/// <summary>What is mounted where. (Being written.)</summary>
[Saved]
public sealed partial class MountTable;
