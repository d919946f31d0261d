using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel;

/// <summary>What the host does in a sandbox that runs.</summary>
public sealed partial class Kernel
{
    [NotSaved]
    private PosixThread? _hostThread;

    /// <summary>
    /// A thread that is in no table and never runs: as whom the host walks paths and opens files. Root, in the main program's working directory. Use it under the lock, and for what
    /// does not wait.
    /// </summary>
    internal PosixThread HostThread
    {
        get
        {
            if (_hostThread is null)
            {
                var process = new Process(this, 0) { ResourceLimits = DefaultLimits() };
                _hostThread = PosixThread.CreateDetached(this, process, new FileSystemContext(Mounts.Root));
            }

            _hostThread.FileSystem.WorkingDirectory = MainProcess?.Leader?.FileSystem.WorkingDirectory ?? Mounts.Root;
            return _hostThread;
        }
    }
}
