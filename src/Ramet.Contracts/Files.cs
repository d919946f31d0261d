using System.ComponentModel;

namespace Ramet.Contracts;

/// <summary>A file of a sandbox.</summary>
public sealed record FileAnswer
{
    /// <summary>Where.</summary>
    public required string Path { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>file, directory, symlink, fifo, socket, device or unknown.</summary>
    public required string Type { get; init; }

    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Permission bits in octal, such as 644.</summary>
    public required string Mode { get; init; }

    /// <summary>Owner.</summary>
    public required long Uid { get; init; }

    /// <summary>Group.</summary>
    public required long Gid { get; init; }

    /// <summary>Last change of the content.</summary>
    public required DateTimeOffset Modified { get; init; }

    /// <summary>Where a symbolic link leads.</summary>
    public string? Target { get; init; }
}

/// <summary>Entries of a directory.</summary>
public sealed record FileList
{
    /// <summary>Ordered by name.</summary>
    public required IReadOnlyList<FileAnswer> Entries { get; init; }
}

/// <summary>Body of <c>POST .../files/mkdir</c>.</summary>
public sealed record MakeDirectoryBody
{
    /// <summary>Where.</summary>
    [Description("The directory.")]
    public required string Path { get; init; }

    /// <summary>Whether directories above it are made, and one that is there already is fine.</summary>
    [Description("Makes the directories above it as well, and takes one that is there already.")]
    public bool Parents { get; init; }
}

/// <summary>Body of <c>POST .../files/move</c>.</summary>
public sealed record MoveBody
{
    /// <summary>What.</summary>
    [Description("The file or directory.")]
    public required string From { get; init; }

    /// <summary>Where to.</summary>
    [Description("Its new path; a file that is there is replaced.")]
    public required string To { get; init; }
}

/// <summary>An event of <c>GET .../files/watch</c>.</summary>
public sealed record FileChange
{
    /// <summary>created, modified, removed, moved_from, moved_to, attributes; overflow: some were lost.</summary>
    public required string Kind { get; init; }

    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>Whether it is a directory.</summary>
    public required bool IsDirectory { get; init; }
}
