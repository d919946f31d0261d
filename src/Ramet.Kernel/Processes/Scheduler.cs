using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>Threads that are ready to run. (Being written.)</summary>
[Saved]
public sealed partial class Scheduler
{
    internal void Enqueue(PosixThread thread) => throw new NotImplementedException();

    internal void LeaveGuest(Memory.AddressSpace space) => throw new NotImplementedException();
}

/// <summary>Processes and threads by id. (Being written.)</summary>
[Saved]
public sealed partial class ProcessTable;
