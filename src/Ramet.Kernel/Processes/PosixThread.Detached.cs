using Ramet.Kernel.Files;

namespace Ramet.Kernel.Processes;

public sealed partial class PosixThread
{
    /// <summary>A thread that stands for somebody outside: known to no table, never scheduled.</summary>
    internal static PosixThread CreateDetached(Kernel kernel, Process process, FileSystemContext fileSystem) => new()
    {
        Kernel = kernel,
        Process = process,
        Credentials = new Credentials(),
        Uts = kernel.Uts,
        FileSystem = fileSystem,
        Files = new FileDescriptorTable(kernel, process.ResourceLimits),
        Name = "host",
        State = ThreadState.Stopped,
    };
}
