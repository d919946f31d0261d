using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;

namespace Ramet.Kernel.Processes
{
    public sealed partial class PosixThread
    {
        internal ulong ClearChildTid { get; set; }

        internal void InheritAttributes(PosixThread parent)
        {
        }

        internal void ResetForExec()
        {
        }

        private void ExitRobustList()
        {
        }

        private void ClearChildTidAndWake()
        {
        }
    }

    public sealed partial class Process
    {
        internal int ParentDeathSignal { get; set; }

        internal uint Personality { get; set; }

        internal void InheritAttributes(Process parent)
        {
        }

        internal void ResetForExec()
        {
        }
    }
}

namespace Ramet.Kernel
{
    [State.Saved]
    internal sealed partial class Vdso
    {
        public static Vdso Create(Kernel kernel) => throw new NotImplementedException();

        public void Refresh() => throw new NotImplementedException();

        public Errno Map(AddressSpace space, ulong address) => throw new NotImplementedException();
    }
}

