namespace Ramet.Images;

/// <summary>A file of an image: what stat(2) tells, and where the contents are.</summary>
/// <param name="Id">Number of the node in its image; the root is 0. It may serve as inode number plus one.</param>
/// <param name="Mode">Type and permissions, as st_mode.</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="LinkCount">Names of a file; for a directory 2 and one for each subdirectory.</param>
/// <param name="Size">Bytes of a regular file or of a link's target.</param>
/// <param name="ModifiedNanoseconds">Time of last modification, in nanoseconds since 1970.</param>
/// <param name="DeviceNumber">For device nodes, the device as in st_rdev.</param>
/// <param name="DataOffset">For regular files: where the contents start in the data file; a multiple of 4096. The last page is zero-padded.</param>
public readonly record struct ImageNode(
    int Id, uint Mode, uint Uid, uint Gid, uint LinkCount, long Size, long ModifiedNanoseconds, ulong DeviceNumber, long DataOffset)
{
    /// <summary>The type bits of <see cref="Mode"/>: one of <see cref="ModeBits"/>.</summary>
    public uint Type => Mode & ModeBits.TypeMask;

    /// <summary>Whether this is a directory.</summary>
    public bool IsDirectory => Type == ModeBits.Directory;

    /// <summary>Whether this is a regular file.</summary>
    public bool IsRegular => Type == ModeBits.Regular;

    /// <summary>Whether this is a symbolic link.</summary>
    public bool IsSymbolicLink => Type == ModeBits.SymbolicLink;
}

/// <summary>An entry of a directory.</summary>
/// <param name="Name">The name, one char a byte.</param>
/// <param name="NodeId">The file.</param>
/// <param name="Mode">Type and permissions of the file.</param>
public readonly record struct ImageEntry(string Name, int NodeId, uint Mode);
