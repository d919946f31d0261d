using Ramet.Kernel.Processes;

namespace Ramet.Kernel;

public sealed partial class Kernel
{
    /// <summary>Futexes that somebody waits on.</summary>
    internal FutexTable Futexes { get; private set; } = new();
}
