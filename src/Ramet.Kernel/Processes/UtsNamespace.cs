using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>Names of the machine (uts_namespaces(7)).</summary>
[Saved]
public sealed partial class UtsNamespace
{
    /// <summary>Host name (sethostname(2)).</summary>
    public string HostName { get; set; } = "ramet";

    /// <summary>NIS domain name (setdomainname(2)).</summary>
    public string DomainName { get; set; } = "(none)";

    /// <summary>Its number, in the names of /proc/[pid]/ns/uts; 0: the first one.</summary>
    internal int Id { get; private set; }

    /// <summary>A copy, for CLONE_NEWUTS.</summary>
    internal UtsNamespace Clone(int id) => new() { Id = id, HostName = HostName, DomainName = DomainName };
}
