namespace Ramet.Images;

/// <summary>How an <see cref="ImageStore"/> builds.</summary>
public sealed class ImageStoreOptions
{
    /// <summary>What completes images before they are sealed, in order.</summary>
    public IReadOnlyList<IImageFinisher> Finishers { get; init; } = [];

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Makes the files of an image. Tests use it to fail as a full disk does.</summary>
    internal Func<string, Stream> CreateFile { get; init; } =
        path => new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);

    /// <summary>Makes a file that is gone when it is closed.</summary>
    internal Func<string, Stream> CreateTemporary { get; init; } =
        path => new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
}
