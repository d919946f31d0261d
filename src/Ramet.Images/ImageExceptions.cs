namespace Ramet.Images;

/// <summary>Something about an image that a user can act on: the message is one line that says what to do.</summary>
public class ImageException : Exception
{
    /// <summary>Makes the exception.</summary>
    public ImageException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}

/// <summary>An image specification was refused; the message names the source, the line and the key or package.</summary>
public sealed class ImageSpecException(string source, int line, string message)
    : ImageException(line > 0 ? $"{source}:{line}: {message}" : $"{source}: {message}")
{
    /// <summary>The line (from 1), or 0 when the fault is not of one line.</summary>
    public int Line { get; } = line;
}

/// <summary>An image could not be built (a tool or the network is missing, the disk is full ...).</summary>
public sealed class ImageBuildException(string message, Exception? inner = null) : ImageException(message, inner);

/// <summary>No image of that name is in the store.</summary>
public sealed class ImageNotFoundException(string message) : ImageException(message);

/// <summary>
/// The files of an image are damaged: cut short, changed, or of another format. The caller rebuilds
/// (<see cref="ImageStore.EnsureAsync"/> does so by itself).
/// </summary>
public sealed class ImageCorruptException(string message, Exception? inner = null) : ImageException(message, inner);
