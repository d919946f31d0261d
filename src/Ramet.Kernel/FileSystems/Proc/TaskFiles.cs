using System.Globalization;
using System.Text;
using Ramet.Kernel.Files;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>What is in /proc/[pid]: names, lookup, and the short files. The long ones are in <see cref="TaskStatusFiles"/> and <see cref="TaskMemoryFiles"/>.</summary>
internal static class TaskFiles
{
    private const int Owner = 0x100;
    private const int OwnerWrites = 0x1A4;
    private const int MaxArguments = 2 << 20;

    /// <summary>Symbolic links to places.</summary>
    public static readonly string[] MagicLinks = ["exe", "cwd", "root"];

    /// <summary>Regular files and plain directories.</summary>
    public static readonly PathTree Tree = new PathTree(
    [
        ("stat", 0), ("status", 0), ("statm", 0), ("maps", 0), ("smaps", 0), ("smaps_rollup", 0), ("cmdline", 0), ("environ", Owner), ("auxv", Owner), ("mem", 0x180),
        ("comm", OwnerWrites), ("mounts", 0), ("mountinfo", 0), ("limits", 0), ("oom_score", 0), ("oom_score_adj", OwnerWrites), ("oom_adj", OwnerWrites),
        ("cgroup", 0), ("io", Owner), ("loginuid", OwnerWrites), ("sessionid", 0), ("uid_map", OwnerWrites), ("gid_map", OwnerWrites), ("setgroups", OwnerWrites),
        ("wchan", 0), ("personality", Owner), ("schedstat", 0), ("timerslack_ns", 0x1B6), ("coredump_filter", OwnerWrites),
        .. NetworkFiles.Names.Select(name => ("net/" + name, 0)),
    ]);

    /// <summary>Looks a name up below a process's directory.</summary>
    /// <param name="fileSystem">The file system.</param>
    /// <param name="task">The process or thread.</param>
    /// <param name="basePath">Path of its directory.</param>
    /// <param name="directory">Directory below that, "" for itself.</param>
    /// <param name="name">The name.</param>
    public static Inode? Lookup(ProcFileSystem fileSystem, ProcTask task, string basePath, string directory, string name)
    {
        string relative = directory.Length == 0 ? name : directory + "/" + name;
        string path = basePath + "/" + relative;
        switch (relative)
        {
            case "exe" or "cwd" or "root":
                return new ProcPlaceLink(fileSystem, task, path, name);
            case "fd" or "fdinfo":
                return new ProcDescriptorDirectory(fileSystem, task, path, name == "fdinfo");
            case "ns":
                return new ProcNamespaceDirectory(fileSystem, task, path);
            case "mem":
                return new ProcMemoryFile(fileSystem, task, path);
            case "task" when task.Tid == 0:
                return new ProcThreadList(fileSystem, task, path);
        }

        if (!Tree.TryGet(relative, out var mode)) return null;
        return (mode & InodeMode.S_IFMT) == InodeMode.S_IFDIR
            ? new ProcTaskSubdirectory(fileSystem, task, basePath, path)
            : new ProcTaskFile(fileSystem, task, path, relative, mode & InodeMode.Permissions);
    }

    /// <summary>A path as links of /proc show it: from the reader's root, with " (deleted)" where that is so.</summary>
    public static string PathOf(PosixThread reader, Dentry dentry)
    {
        string path = dentry.GetPath(reader.FileSystem.Root, PathWalk.PathMax) ?? dentry.GetPath(reader.FileSystem.Namespace.Root, PathWalk.PathMax) ?? "/";
        // Of a path that was cut nobody looks at all directories above.
        bool isUnlinked = path.Length < PathWalk.PathMax - PathWalk.NameMax ? dentry.IsUnlinked : dentry.IsDeleted;
        return isUnlinked ? path + " (deleted)" : path;
    }

    /// <summary>The text of a file.</summary>
    public static string Generate(PosixThread reader, Process process, PosixThread? subject, string name, bool isThread) => name switch
    {
        "stat" => TaskStatusFiles.Stat(process, subject, isThread),
        "status" => TaskStatusFiles.Status(process, subject),
        "limits" => TaskStatusFiles.Limits(process),
        "statm" => TaskMemoryFiles.Statm(subject),
        "maps" => TaskMemoryFiles.Maps(reader, subject, details: false),
        "smaps" => TaskMemoryFiles.Maps(reader, subject, details: true),
        "smaps_rollup" => TaskMemoryFiles.Rollup(subject),
        "comm" => (subject?.Name ?? "") + "\n",
        "mounts" => MountFiles.Mounts(subject ?? reader),
        "mountinfo" => MountFiles.MountInfo(subject ?? reader),
        "oom_score" or "oom_adj" or "sessionid" => "0\n",
        "oom_score_adj" => process.OomScoreAdjustment.ToString(CultureInfo.InvariantCulture) + "\n",
        "cgroup" => "0::/\n",
        "io" => "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
        "loginuid" => "4294967295",
        "uid_map" or "gid_map" => "         0          0 4294967295\n",
        "setgroups" => "allow\n",
        "wchan" => "0",
        "personality" => "00000000\n",
        "schedstat" => string.Create(CultureInfo.InvariantCulture, $"{subject?.CpuTime ?? 0} 0 1\n"),
        "timerslack_ns" => "50000\n",
        "coredump_filter" => "00000033\n",
        _ => name.StartsWith("net/", StringComparison.Ordinal) ? NetworkFiles.Generate(name[4..]) : "",
    };

    /// <summary>Takes what was written to a file.</summary>
    public static Errno Accept(PosixThread subject, string name, string text)
    {
        switch (name)
        {
            case "comm":
                subject.Name = text.Length > 15 ? text[..15] : text;
                return Errno.None;
            case "oom_score_adj":
                if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) || value is < -1000 or > 1000) return Errno.EINVAL;
                subject.Process.OomScoreAdjustment = value;
                return Errno.None;
            case "oom_adj" or "loginuid" or "timerslack_ns" or "coredump_filter":
                return Errno.None;
            default:
                return Errno.EPERM;
        }
    }

    /// <summary>/proc/[pid]/cmdline: the argument area as the program has it now.</summary>
    public static byte[] ReadArguments(PosixThread? subject) =>
        subject is null ? [] : ReadArea(subject.Memory, subject.Memory.ArgumentStart, subject.Memory.ArgumentEnd);

    /// <summary>/proc/[pid]/environ.</summary>
    public static byte[] ReadEnvironment(PosixThread? subject) =>
        subject is null ? [] : ReadArea(subject.Memory, subject.Memory.EnvironmentStart, subject.Memory.EnvironmentEnd);

    private static byte[] ReadArea(AddressSpace memory, ulong start, ulong end)
    {
        if (end <= start) return [];
        byte[] bytes = new byte[(int)Math.Min(end - start, MaxArguments)];
        int count = memory.User.Read(new UserAddress(start), bytes);
        return count == bytes.Length ? bytes : bytes[..count];
    }
}

/// <summary>/proc/mounts and mountinfo.</summary>
internal static class MountFiles
{
    /// <summary>fstab(5) lines of the mounts below the reader's root.</summary>
    public static string Mounts(PosixThread reader)
    {
        var text = new StringBuilder();
        foreach (var mount in reader.FileSystem.Namespace.Mounts)
        {
            if (mount.Root.GetPath(reader.FileSystem.Root, PathWalk.PathMax) is not { } path) continue;
            text.Append(Escape(mount.Source)).Append(' ').Append(Escape(path)).Append(' ').Append(mount.FileSystem.TypeName).Append(' ')
                .Append(mount.OptionText).Append(mount.FileSystem.OptionText).Append(" 0 0\n");
        }

        return text.ToString();
    }

    /// <summary>proc(5), /proc/[pid]/mountinfo.</summary>
    public static string MountInfo(PosixThread reader)
    {
        var text = new StringBuilder();
        foreach (var mount in reader.FileSystem.Namespace.Mounts)
        {
            if (mount.Root.GetPath(reader.FileSystem.Root, PathWalk.PathMax) is not { } path) continue;
            int parent = mount.MountPoint?.Mount.Id ?? 1;
            ulong device = mount.FileSystem.DeviceId;
            text.Append(CultureInfo.InvariantCulture, $"{mount.Id} {parent} {DeviceNumber.Major(device)}:{DeviceNumber.Minor(device)} ");
            text.Append(Escape(mount.RootPath)).Append(' ').Append(Escape(path)).Append(' ').Append(mount.OptionText).Append(" - ")
                .Append(mount.FileSystem.TypeName).Append(' ').Append(Escape(mount.Source)).Append(' ').Append(mount.IsReadOnly ? "ro" : "rw")
                .Append(mount.FileSystem.OptionText).Append('\n');
        }

        return text.ToString();
    }

    private static string Escape(string path)
    {
        if (path.AsSpan().IndexOfAny(" \t\n\\") < 0) return path;
        var text = new StringBuilder();
        foreach (char c in path)
        {
            if (c is ' ' or '\t' or '\n' or '\\') text.Append('\\').Append(Convert.ToString(c, 8).PadLeft(3, '0'));
            else text.Append(c);
        }

        return text.ToString();
    }
}
