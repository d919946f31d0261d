namespace Ramet.Kernel.Processes
{
    public sealed partial class PosixThread
    {
        internal void SendSignal(int signal) => throw new NotImplementedException();

        internal void SetTemporarySignalMask(ulong mask) => throw new NotImplementedException();
    }
}

namespace Ramet.Kernel.Files
{
    public sealed partial class FileDescriptorTable
    {
        public Errno Close(Processes.Process process, int descriptor) => throw new NotImplementedException();
    }
}
