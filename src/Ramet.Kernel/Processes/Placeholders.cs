using Ramet.Kernel.Files;

namespace Ramet.Kernel;

internal static class StandardMounts
{
    public static MountTable Create(Kernel kernel)
    {
        var table = new MountTable(kernel);
        kernel.Mounts = table;
        FileSystems.RootFileSystem.MountAll(kernel);
        return table;
    }
}
