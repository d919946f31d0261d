using System.Text;

namespace Ramet.Images.Debian;

/// <summary>
/// Does for the usual packages what their maintainer scripts would do on a fresh system; the scripts themselves are not run.
/// Each step depends on the files that are there, so it is a no-op for images without the package.
/// </summary>
internal sealed class DebianSetup(ImageTree tree)
{
    private const uint Sticky = 0x3FF; // 1777

    /// <summary>Before packages are unpacked: merged /usr (https://wiki.debian.org/UsrMerge); packages of bookworm still ship files under /bin and /lib.</summary>
    public static void MergeUsr(ImageTree tree)
    {
        foreach (var name in HostSystem.Architecture is "amd64" ? new[] { "bin", "sbin", "lib", "lib64" } : ["bin", "sbin", "lib"])
        {
            tree.AddDirectory($"usr/{name}");
            tree.AddSymbolicLink(name, $"usr/{name}");
        }
    }

    /// <summary>After all packages are unpacked.</summary>
    public void Apply(string workingDirectory)
    {
        AddDirectories(workingDirectory);
        AddUsers();
        AddNetworkFiles();
        AddSystemFiles();
        AddCertificates();
    }

    private void AddDirectories(string workingDirectory)
    {
        foreach (var path in new[] { "dev", "etc", "home", "media", "mnt", "opt", "proc", "run", "srv", "sys", "usr/local/bin", "usr/local/lib", "usr/local/sbin", "usr/local/share", "var/cache", "var/lib", "var/log", "var/opt", "var/spool" })
            EnsureDirectory(path, 0x1ED);
        EnsureDirectory("root", 0x1C0);
        tree.AddDirectory("tmp", Sticky);
        tree.AddDirectory("var/tmp", Sticky);
        tree.AddDirectory("run/lock", Sticky);
        EnsureLink("var/run", "/run");
        EnsureLink("var/lock", "/run/lock");
        EnsureDirectory(ImageTree.ToByteString(workingDirectory), 0x1ED);
    }

    private void AddUsers()
    {
        CopyIfAbsent("usr/share/base-passwd/passwd.master", "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
        CopyIfAbsent("usr/share/base-passwd/group.master", "etc/group", "root:x:0:\nnogroup:x:65534:\n");
        if (tree.ReadFile("etc/passwd") is { } passwd && tree.ReadFile("etc/group") is { } group && tree.Find("etc/shadow") is null)
        {
            // The masters lock accounts in the old way; as shadowconfig does, passwords go to shadow(5), where none opens any account.
            var users = Encoding.Latin1.GetString(passwd);
            tree.AddFile("etc/passwd", Encoding.Latin1.GetBytes(users.Replace(":*:", ":x:", StringComparison.Ordinal)));
            tree.AddFile("etc/group", Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(group).Replace(":*:", ":x:", StringComparison.Ordinal)));
            var names = users.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(':')[0]);
            tree.AddFile("etc/shadow", Encoding.Latin1.GetBytes(string.Concat(names.Select(name => $"{name}:*:19000:0:99999:7:::\n"))), 0x1A0).Gid = 42;
        }
        if (tree.Find("usr/share/base-files/dot.profile") is not null)
        {
            CopyIfAbsent("usr/share/base-files/dot.profile", "root/.profile", null);
            CopyIfAbsent("usr/share/base-files/dot.bashrc", "root/.bashrc", null);
            CopyIfAbsent("usr/share/base-files/profile", "etc/profile", null);
        }
        if (tree.Find("usr/share/debianutils/shells") is null || tree.Find("etc/shells") is not null) return;
        var shells = new StringBuilder(Encoding.Latin1.GetString(tree.ReadFile("usr/share/debianutils/shells") ?? []));
        foreach (var (name, _) in tree.Find("usr/share/debianutils/shells.d")?.Entries ?? new Dictionary<string, TreeNode>(StringComparer.Ordinal))
            shells.Append(Encoding.Latin1.GetString(tree.ReadFile($"usr/share/debianutils/shells.d/{name}") ?? []));
        tree.AddFile("etc/shells", Encoding.Latin1.GetBytes(shells.ToString()));
    }

    private void AddNetworkFiles()
    {
        AddIfAbsent("etc/hostname", "sandbox\n");
        AddIfAbsent("etc/hosts", "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\nff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n");
        AddIfAbsent("etc/resolv.conf", "");
        CopyIfAbsent("usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n");
        if (tree.Find("etc/protocols") is not null) AddIfAbsent("etc/networks", "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n");
    }

    private void AddSystemFiles()
    {
        AddIfAbsent("etc/machine-id", ""); // Empty: made for each sandbox (machine-id(5), "First Boot Semantics").
        AddIfAbsent("etc/fstab", "");
        if (tree.Find("etc/mtab", followLast: false) is null) tree.AddSymbolicLink("etc/mtab", "../proc/self/mounts");
        if (tree.Find("etc/dpkg/origins/debian") is not null) EnsureLink("etc/dpkg/origins/default", "debian");
        if (tree.Find("usr/share/zoneinfo/Etc/UTC") is not null)
        {
            EnsureLink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC");
            AddIfAbsent("etc/timezone", "Etc/UTC\n");
        }
        if (tree.Find("usr/lib/os-release") is not null) EnsureLink("etc/os-release", "../usr/lib/os-release");
    }

    /// <summary>What update-ca-certificates(8) makes: every certificate trusted, each linked under its name, and one file with all of them.</summary>
    private void AddCertificates()
    {
        if (tree.Find("usr/share/ca-certificates") is not { IsDirectory: true } root) return;
        List<string> paths = [];
        Collect(root, "", paths);
        if (paths.Count == 0) return;
        using var bundle = new MemoryStream();
        foreach (var path in paths)
        {
            var certificate = tree.ReadFile($"usr/share/ca-certificates/{path}")!;
            bundle.Write(certificate);
            if (certificate is not [.., (byte)'\n']) bundle.WriteByte((byte)'\n');
            var name = Path.GetFileNameWithoutExtension(path).Replace(' ', '_').Replace('(', '=').Replace(')', '=').Replace(",", "_", StringComparison.Ordinal);
            EnsureLink($"etc/ssl/certs/{name}.pem", $"/usr/share/ca-certificates/{path}");
        }
        tree.AddFile("etc/ca-certificates.conf", Encoding.Latin1.GetBytes(string.Join('\n', paths) + "\n"));
        tree.AddFile("etc/ssl/certs/ca-certificates.crt", bundle.ToArray());
    }

    private static void Collect(TreeNode directory, string prefix, List<string> paths)
    {
        foreach (var (name, node) in directory.Entries)
        {
            if (node.IsDirectory) Collect(node, $"{prefix}{name}/", paths);
            else if (node.IsRegular && name.EndsWith(".crt", StringComparison.Ordinal)) paths.Add(prefix + name);
        }
    }

    private void EnsureDirectory(string path, uint permissions)
    {
        if (tree.Find(path) is not { IsDirectory: true }) tree.AddDirectory(path, permissions);
    }

    private void EnsureLink(string path, string target)
    {
        if (tree.Find(path, followLast: false) is { } existing && !(existing.IsDirectory && existing.Entries.Count == 0)) return;
        tree.AddSymbolicLink(path, target);
    }

    private void AddIfAbsent(string path, string text)
    {
        if (tree.Find(path) is null) tree.AddFile(path, text);
    }

    private void CopyIfAbsent(string from, string to, string? otherwise)
    {
        if (tree.Find(to) is not null) return;
        if (tree.Find(from) is { IsRegular: true } node) tree.AddFile(to, tree.ReadFile(from), node.Mode);
        else if (otherwise is not null) tree.AddFile(to, otherwise);
    }
}
