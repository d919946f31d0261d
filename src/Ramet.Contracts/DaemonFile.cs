namespace Ramet.Contracts;

/// <summary>What a running daemon notes in its data directory (daemon.json), so that commands of the same user find it.</summary>
public sealed record DaemonFile
{
    /// <summary>Its name in the data directory.</summary>
    public const string Name = "daemon.json";

    /// <summary>Where it listens: a URL, or unix:/PATH.</summary>
    public required string Address { get; init; }

    /// <summary>Its process.</summary>
    public required int Pid { get; init; }

    /// <summary>Whether it asks for keys.</summary>
    public required bool NeedsKey { get; init; }
}
