using System.CommandLine;
using Ramet.Cli.Input;

namespace Ramet.Cli.Commands;

/// <summary>Options of all commands.</summary>
internal sealed class GlobalOptions
{
    /// <summary>--data-dir.</summary>
    public Option<string?> DataDirectoryOption { get; } = new("--data-dir")
    {
        Description = "Where images and templates are kept. Else RAMET_DATA_DIR, $XDG_DATA_HOME/ramet, ~/.local/share/ramet.",
        HelpName = "DIR",
        Recursive = true,
    };

    /// <summary>--kvm-device, for tests and for unusual machines.</summary>
    public Option<string?> KvmDeviceOption { get; } = new("--kvm-device")
    {
        Description = "The KVM device. Else RAMET_KVM_DEVICE, /dev/kvm.",
        HelpName = "PATH",
        Recursive = true,
        Hidden = true,
    };

    /// <summary>The data directory, as an absolute path.</summary>
    public string DataDirectory(ParseResult parse) => Input.DataDirectory.Resolve(parse.GetValue(DataDirectoryOption));

    /// <summary>The path of the KVM device.</summary>
    public string KvmDevice(ParseResult parse) =>
        parse.GetValue(KvmDeviceOption) ?? (Environment.GetEnvironmentVariable("RAMET_KVM_DEVICE") is { Length: > 0 } path ? path : "/dev/kvm");
}

/// <summary>A command whose help shows how it is used.</summary>
internal sealed class TaughtCommand(string name, string description) : Command(name, description)
{
    /// <summary>Command lines with an explanation each.</summary>
    public (string Line, string Meaning)[] Examples { get; init; } = [];

    /// <summary>What else there is to know: short paragraphs.</summary>
    public string? Notes { get; init; }

    /// <summary>Whether the first word that is not an option ends Ramet's own options: what follows belongs to the program.</summary>
    public bool TakesProgram { get; init; }
}
