using System.Globalization;
using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Sockets;

/// <summary>The name of a Unix socket: none, an abstract name, or a file (unix(7)).</summary>
[Saved]
internal sealed partial class UnixName
{
    /// <summary>Bytes of sun_path.</summary>
    public const int PathSize = 108;

    private const int FamilySize = 2;

    /// <summary>The sockaddr of a socket without a name.</summary>
    private static readonly byte[] Unnamed = [(byte)AddressFamily.AF_UNIX, 0];

    private byte[] _sockaddr = Unnamed;
    private string? _abstract;
    private Inode? _inode;

    /// <summary>Whether there is a name.</summary>
    public bool IsBound => _sockaddr.Length > FamilySize;

    /// <summary>The address as getsockname(2) gives it.</summary>
    public byte[] Sockaddr => _sockaddr;

    /// <summary>A copy that does not own the name: an accepted socket has its listener's.</summary>
    public UnixName CopyForAccepted() => new() { _sockaddr = _sockaddr };

    /// <summary>bind(2).</summary>
    public Errno Bind(PosixThread thread, Socket socket, ReadOnlySpan<byte> address)
    {
        var error = Check(address);
        if (error != Errno.None) return error;
        if (address.Length == FamilySize) return IsBound ? Errno.None : BindAny(thread.Kernel, socket);
        if (IsBound) return Errno.EINVAL;
        if (address[FamilySize] == 0)
        {
            string name = Encoding.Latin1.GetString(address[(FamilySize + 1)..]);
            if (!thread.Kernel.Sockets.AbstractNames.TryAdd(name, socket)) return Errno.EADDRINUSE;
            _abstract = name;
            _sockaddr = address.ToArray();
            return Errno.None;
        }

        string path = PathOf(address);
        error = UnixSocketFiles.Create(thread, path, socket.Inode.Mode, out var inode);
        if (error != Errno.None) return error == Errno.EEXIST ? Errno.EADDRINUSE : error;
        inode!.Attachment = socket;
        _inode = inode;
        _sockaddr = [(byte)AddressFamily.AF_UNIX, 0, .. Encoding.Latin1.GetBytes(path), 0];
        return Errno.None;
    }

    /// <summary>The socket that an address names. ECONNREFUSED, ENOENT, EACCES ...</summary>
    public static Errno Find(PosixThread thread, ReadOnlySpan<byte> address, out Socket? socket)
    {
        socket = null;
        var error = Check(address);
        if (error != Errno.None) return error;
        if (address.Length == FamilySize) return Errno.ECONNREFUSED;
        if (address[FamilySize] == 0)
        {
            string name = Encoding.Latin1.GetString(address[(FamilySize + 1)..]);
            return thread.Kernel.Sockets.AbstractNames.TryGetValue(name, out socket) ? Errno.None : Errno.ECONNREFUSED;
        }

        error = UnixSocketFiles.Find(thread, PathOf(address), out var inode);
        if (error != Errno.None) return error;
        socket = inode!.Attachment as Socket;
        return socket is null ? Errno.ECONNREFUSED : Errno.None;
    }

    /// <summary>The socket closes: the name is free again; a file stays and refuses connections.</summary>
    public void Release(Kernel kernel)
    {
        if (_abstract is not null) kernel.Sockets.AbstractNames.Remove(_abstract);
        if (_inode is not null) _inode.Attachment = null;
        _abstract = null;
        _inode = null;
    }

    /// <summary>Autobind: an abstract name of five hexadecimal digits.</summary>
    private Errno BindAny(Kernel kernel, Socket socket)
    {
        const int names = 0x100000;
        var table = kernel.Sockets;
        for (int tries = 0; tries < names; tries++)
        {
            string name = (table.NextAutobind++ % names).ToString("x5", CultureInfo.InvariantCulture);
            if (!table.AbstractNames.TryAdd(name, socket)) continue;
            _abstract = name;
            _sockaddr = [(byte)AddressFamily.AF_UNIX, 0, 0, .. Encoding.Latin1.GetBytes(name)];
            return Errno.None;
        }

        return Errno.ENOSPC;
    }

    private static Errno Check(ReadOnlySpan<byte> address)
    {
        if (address.Length is < FamilySize or > FamilySize + PathSize) return Errno.EINVAL;
        return BitConverter.ToUInt16(address) == (ushort)AddressFamily.AF_UNIX ? Errno.None : Errno.EINVAL;
    }

    /// <summary>The path ends at its NUL, or with the address.</summary>
    private static string PathOf(ReadOnlySpan<byte> address)
    {
        var bytes = address[FamilySize..];
        int end = bytes.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
