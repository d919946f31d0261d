namespace Ramet.Kernel;

public sealed partial class Kernel
{
    internal Processes.Process? MainProcess { get; private set; }

    [State.NotSaved]
    internal Platform.ISyscallTracer? Tracer { get; private set; }
}
