namespace Ramet.Kernel.FileSystems;

public sealed partial class OverlayFileSystem
{
    /// <summary>The file that a node of the image has become; null while it is as it was.</summary>
    internal TmpfsInode? GetChanged(int node) => _changed.GetValueOrDefault(node);
}
