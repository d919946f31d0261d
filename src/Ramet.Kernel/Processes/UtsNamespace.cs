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

    /// <summary>A copy, for CLONE_NEWUTS.</summary>
    public UtsNamespace Clone() => new() { HostName = HostName, DomainName = DomainName };
}
