using Ramet.Kernel.Processes;

namespace Ramet.Kernel;

public sealed partial class Kernel
{
    /// <summary>Futexes that somebody waits on.</summary>
    internal FutexTable Futexes { get; private set; } = new();

    /// <summary>NIS domain name (setdomainname(2)).</summary>
    public string DomainName { get; set; } = "(none)";
}
