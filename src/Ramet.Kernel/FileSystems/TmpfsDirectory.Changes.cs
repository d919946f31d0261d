namespace Ramet.Kernel.FileSystems;

public sealed partial class TmpfsDirectory
{
    /// <summary>Names of the writable layer: new ones, and those of the image that lead to another file now.</summary>
    internal IReadOnlyDictionary<string, TmpfsInode> WrittenEntries => _entries is null ? s_none : _entries;

    /// <summary>Whether a name of the image is gone.</summary>
    internal bool IsWhiteout(string name) => _whiteouts?.Contains(name) == true;

    private static readonly Dictionary<string, TmpfsInode> s_none = [];
}
