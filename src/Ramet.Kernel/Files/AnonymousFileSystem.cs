using Ramet.Kernel.State;

namespace Ramet.Kernel.Files;

/// <summary>What inodes without a name in any file system belong to (pipefs, sockfs, anon_inodefs): it gives them their st_dev. It is never mounted.</summary>
[Saved]
internal sealed partial class AnonymousFileSystem : FileSystem
{
    private const long PageSize = 4096;

    private AnonymousFileSystem()
    {
    }

    public AnonymousFileSystem(Kernel kernel, string typeName, long magic)
        : base(kernel, typeName) => Magic = magic;

    /// <summary>f_type of statfs(2) (include/uapi/linux/magic.h).</summary>
    public long Magic { get; private set; }

    /// <inheritdoc/>
    public override Inode Root => throw new InvalidOperationException("A file system of anonymous inodes has no root.");

    /// <inheritdoc/>
    public override StatFs GetStatistics() => new() { f_type = Magic, f_bsize = PageSize, f_frsize = PageSize, f_namelen = 255 };
}

/// <summary>The file systems of anonymous inodes of one sandbox.</summary>
[Saved]
internal sealed partial class AnonymousFileSystems
{
    private const long PipeFsMagic = 0x50495045;
    private const long SockFsMagic = 0x534F434B;
    private const long NsFsMagic = 0x6E736673;
    private const long AnonInodeFsMagic = 0x09041934;

    private Dictionary<string, AnonymousFileSystem> _byName = [];
    private ulong _lastNumber;

    /// <summary>A number for an inode.</summary>
    public ulong NextNumber() => ++_lastNumber;

    /// <summary>The file system for a kind of object.</summary>
    public AnonymousFileSystem Get(Kernel kernel, string kind)
    {
        var (name, magic) = kind switch
        {
            "pipe" => ("pipefs", PipeFsMagic),
            "socket" => ("sockfs", SockFsMagic),
            "nsfs" => ("nsfs", NsFsMagic),
            _ => ("anon_inodefs", AnonInodeFsMagic),
        };
        if (!_byName.TryGetValue(name, out var found)) _byName[name] = found = new AnonymousFileSystem(kernel, name, magic) { DeviceId = kernel.Mounts.AllocateDeviceId() };
        return found;
    }
}
