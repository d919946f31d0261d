using System.Globalization;
using System.Text;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/proc/[pid]/maps, smaps, smaps_rollup and statm.</summary>
internal static class TaskMemoryFiles
{
    private const int PathColumn = 73;

    /// <summary>A line per area, with the sizes of smaps if asked for.</summary>
    public static string Maps(PosixThread reader, PosixThread? subject, bool details)
    {
        if (subject is null) return "";
        var text = new StringBuilder();
        foreach (var area in subject.Memory.Areas)
        {
            // Too long to be read in any case.
            if (text.Length > PseudoFileDescription.MaxContent) break;
            AppendLine(text, reader, area);
            if (!details) continue;
            ulong kilobytes = area.Length / 1024;
            text.Append(CultureInfo.InvariantCulture, $"Size:           {kilobytes,8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n");
            text.Append("Rss:                   0 kB\nPss:                   0 kB\nShared_Clean:          0 kB\nShared_Dirty:          0 kB\nPrivate_Clean:         0 kB\n");
            text.Append("Private_Dirty:         0 kB\nReferenced:            0 kB\nAnonymous:             0 kB\nSwap:                  0 kB\n");
        }

        return text.ToString();
    }

    /// <summary>The sums of smaps.</summary>
    public static string Rollup(PosixThread? subject)
    {
        if (subject is null || subject.Memory.Areas.Count == 0) return "";
        var areas = subject.Memory.Areas;
        long resident = subject.Memory.ResidentPages * 4;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{areas[0].Start:x8}-{areas[^1].End:x8} ---p 00000000 00:00 0                          [rollup]\nRss:            {resident,8} kB\nPss:            {resident,8} kB\n"
            + $"Private_Dirty:  {resident,8} kB\nAnonymous:      {resident,8} kB\nSwap:                  0 kB\nSwapPss:               0 kB\nLocked:                0 kB\n");
    }

    /// <summary>Sizes in pages.</summary>
    public static string Statm(PosixThread? subject)
    {
        if (subject is null) return "0 0 0 0 0 0 0\n";
        ulong size = subject.Memory.MappedBytes / 4096;
        ulong text = 0;
        foreach (var area in subject.Memory.Areas)
            if ((area.Protection & MemoryProtection.PROT_EXEC) != 0) text += area.Length / 4096;
        return string.Create(CultureInfo.InvariantCulture, $"{size} {subject.Memory.ResidentPages} 0 {text} 0 {size - text} 0\n");
    }

    private static void AppendLine(StringBuilder text, PosixThread reader, VirtualMemoryArea area)
    {
        int lineStart = text.Length;
        var p = area.Protection;
        char r = (p & MemoryProtection.PROT_READ) != 0 ? 'r' : '-';
        char w = (p & MemoryProtection.PROT_WRITE) != 0 ? 'w' : '-';
        char x = (p & MemoryProtection.PROT_EXEC) != 0 ? 'x' : '-';
        char s = area.IsShared ? 's' : 'p';
        ulong offset = area.Object is null || area.Dentry is null ? 0 : (ulong)area.FirstPage * 4096;
        var inode = area.Dentry?.Inode;
        ulong device = inode?.FileSystem?.DeviceId ?? 0;
        text.Append(
            CultureInfo.InvariantCulture,
            $"{area.Start:x8}-{area.End:x8} {r}{w}{x}{s} {offset:x8} {DeviceNumber.Major(device):x2}:{DeviceNumber.Minor(device):x2} {inode?.Number ?? 0} ");
        string? name = area.Label;
        if (name is null && area.AnonymousName is { } given) name = area.IsShared ? $"[anon_shmem:{given}]" : $"[anon:{given}]";
        if (name is null && area.Dentry is not null) name = TaskFiles.PathOf(reader, area.Dentry);
        if (name is null && area.IsShared) name = "/dev/zero (deleted)";
        if (name is not null)
        {
            while (text.Length - lineStart < PathColumn) text.Append(' ');
            text.Append(name.Replace("\n", "\\012", StringComparison.Ordinal));
        }

        text.Append('\n');
    }
}
