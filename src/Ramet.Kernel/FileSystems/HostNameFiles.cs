using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.State;

namespace Ramet.Kernel.FileSystems;

/// <summary>
/// /etc/hostname says the host name, and /etc/hosts where it leads to (127.0.1.1, as Debian has it), so that a program that looks up its own machine finds it. Every fork
/// has a name of its own, so the files follow it, without costing a fork anything: they are brought up to date when one is opened. A file that a program has written itself is left as it is,
/// but for the line of the old name.
/// </summary>
[Saved]
internal sealed partial class HostNameFiles
{
    private const int LargestFile = 64 << 10;
    private const string Prefix = "127.0.1.1\t";

    // The names that the files say now; null: that of the image.
    private string? _inHosts;
    private string? _inHostname;

    /// <summary>Whether this could be one of the files, by its name alone: this is asked at every open.</summary>
    public static bool MayBe(Dentry dentry) => dentry.Name is "hosts" or "hostname" && dentry.Parent is { Name: "etc" };

    /// <summary>A file of this name is about to be opened: writes the sandbox's name into it if it says another one.</summary>
    public void Refresh(Kernel kernel, Dentry dentry)
    {
        bool hosts = dentry.Name == "hosts";
        string name = kernel.HostName;
        string? old = hosts ? _inHosts : _inHostname;
        if (old == name || dentry.Inode is not TmpfsFile { FileSystem: OverlayFileSystem, Size: <= LargestFile } file || !IsInRoot(dentry) || !IsName(name)) return;
        string before = Read(file);
        string after = hosts ? ReplaceLine(before, old, name) : old is null || before == old + "\n" ? name + "\n" : before;
        if (hosts) _inHosts = name;
        else _inHostname = name;
        if (after == before) return;
        var (accessed, modified, changed) = (file.AccessTime, file.ModifyTime, file.ChangeTime);
        file.BeforeContentChange();
        Write(file, after);

        // As if it had been like this from the start.
        (file.AccessTime, file.ModifyTime, file.ChangeTime) = (accessed, modified, changed);
    }

    /// <summary>Whether a file of the image differs from it by what <see cref="Refresh"/> has written, and by nothing else.</summary>
    public bool IsOnlyRefreshed(Kernel kernel, TmpfsFile file)
    {
        if ((_inHosts is null && _inHostname is null) || file.Node < 0 || file.Size > LargestFile) return false;
        var from = kernel.Image.GetNode(file.Node);
        if ((uint)file.Mode != from.Mode || file.Uid != from.Uid || file.Gid != from.Gid || from.Size > LargestFile || file.ModifyTime != from.ModifiedNanoseconds) return false;
        string now = Read(file);
        if (_inHostname is not null && now == _inHostname + "\n") return true;
        return _inHosts is not null && now == ReplaceLine(Encoding.Latin1.GetString(kernel.Image.ReadData(from.DataOffset, (int)from.Size)), null, _inHosts);
    }

    private static bool IsInRoot(Dentry dentry) => dentry.Parent!.Parent is { } top && top.Inode is TmpfsDirectory { FileSystem: OverlayFileSystem overlay } && ReferenceEquals(top.Inode, overlay.Root);

    private static string ReplaceLine(string text, string? old, string name)
    {
        string line = $"{Prefix}{name}\n";
        if (old is not null) return text.Replace($"{Prefix}{old}\n", line, StringComparison.Ordinal);
        return (text.Length == 0 || text.EndsWith('\n') ? text : text + "\n") + line;
    }

    /// <summary>Programs may call their machine whatever they like (sethostname(2)); only names that DNS knows go into files.</summary>
    private static bool IsName(string name) => name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.');

    private static string Read(TmpfsFile file)
    {
        byte[] bytes = new byte[file.Size];
        return Encoding.Latin1.GetString(bytes.AsSpan(0, file.ReadBytes(0, bytes)));
    }

    private static void Write(TmpfsFile file, string text)
    {
        var buffer = new IoBuffer(Encoding.Latin1.GetBytes(text));
        if (file.Pages.Resize(Math.Min(file.Size, text.Length)) == Errno.None) file.Pages.Write(ref buffer, 0, out _);
    }
}
