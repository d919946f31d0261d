using Ramet.Abi;
using Ramet.Kernel.FileSystems;
using Ramet.Kernel.Hosting;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes;

/// <summary>What differs between two snapshots of a sandbox: both are opened without anything of them running, and looked at side by side.</summary>
internal static class SnapshotComparison
{
    private const int MostFiles = 10_000;
    private const long LargestContent = 1 << 20;
    private const long MostContent = 16 << 20;

    /// <summary>Larger files than this are told apart by size and time: a program can make one of a TiB that holds nothing.</summary>
    private const long LargestCompared = 256 << 20;
    private const int Piece = 64 << 10;
    private const ulong PageSize = 4096;

    /// <summary>Compares.</summary>
    public static HostedDiff Compare(SandboxEngine engine, SandboxSnapshot before, SandboxSnapshot after, bool content, CancellationToken cancellationToken)
    {
        using var first = engine.OpenStill(before);
        using var second = engine.OpenStill(after);
        var (files, isCutOff) = CompareFiles(first, second, content, cancellationToken);
        var (ran, run) = (first.Kernel.ListProcesses(), second.Kernel.ListProcesses());
        var (pidsBefore, pidsAfter) = (ran.Select(process => process.Pid).ToHashSet(), run.Select(process => process.Pid).ToHashSet());
        return new HostedDiff(
            files,
            isCutOff,
            [.. run.Where(process => !pidsBefore.Contains(process.Pid)).Select(Name)],
            [.. ran.Where(process => !pidsAfter.Contains(process.Pid)).Select(Name)],
            CountPages(first, second, before, after, cancellationToken),
            first.Kernel.Frames.UsedBytes,
            second.Kernel.Frames.UsedBytes);
    }

    private static HostedProcessName Name(HostProcessInfo process) => new(process.Pid, process.Command);

    private static (List<HostedFileDifference> Files, bool IsCutOff) CompareFiles(Sandbox first, Sandbox second, bool content, CancellationToken cancellationToken)
    {
        var paths = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var sandbox in (Sandbox[])[first, second])
        {
            lock (sandbox.Kernel.Lock)
            {
                foreach (var changed in ChangedFiles.Find(sandbox.Kernel)) paths.Add(HostFiles.FromKernel(changed.Path));
            }
        }

        var (old, now) = (new HostFiles(first.Kernel), new HostFiles(second.Kernel));
        var found = new List<HostedFileDifference>();
        long room = content ? MostContent : 0;
        foreach (string path in paths)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (was, isNow) = (Stat(old, path), Stat(now, path));
            if (was is null && isNow is null) continue;
            if (was is not null && isNow is not null && IsSame(old, was, now, isNow)) continue;
            if (found.Count == MostFiles) return (found, true);
            found.Add(new HostedFileDifference(
                path,
                was is null ? "added" : isNow is null ? "removed" : "changed",
                InProcessSandboxHost.KindOf((isNow ?? was)!.Type),
                was?.Size,
                isNow?.Size,
                Read(old, was, ref room),
                Read(now, isNow, ref room)));
        }

        return (found, false);
    }

    private static HostFileInfo? Stat(HostFiles files, string path) => files.Stat(path, followLinks: false, out var info) == Errno.None ? info : null;

    private static bool IsSame(HostFiles old, HostFileInfo was, HostFiles now, HostFileInfo isNow)
    {
        if (was.Type != isNow.Type || was.Mode != isNow.Mode || was.Uid != isNow.Uid || was.Gid != isNow.Gid || was.LinkTarget != isNow.LinkTarget) return false;
        if (was.Type != DirectoryEntryType.DT_REG) return true;
        if (was.Size != isNow.Size) return false;
        if (was.Size > LargestCompared) return was.ModifyTime == isNow.ModifyTime;
        if (old.OpenRead(was.Path, out var a) != Errno.None) return false;
        using (a)
        {
            if (now.OpenRead(isNow.Path, out var b) != Errno.None) return false;
            using (b)
            {
                byte[] left = new byte[Piece], right = new byte[Piece];
                while (true)
                {
                    if (a!.Read(left, out int count) != Errno.None || b!.Read(right, out int other) != Errno.None || count != other) return false;
                    if (count == 0) return true;
                    if (!left.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count))) return false;
                }
            }
        }
    }

    private static byte[]? Read(HostFiles files, HostFileInfo? file, ref long room)
    {
        if (file is not { Type: DirectoryEntryType.DT_REG } || file.Size > Math.Min(room, LargestContent)) return null;
        if (files.OpenRead(file.Path, out var open) != Errno.None) return null;
        using (open)
        {
            byte[] bytes = new byte[file.Size];
            int done = 0;
            while (done < bytes.Length && open!.Read(bytes.AsSpan(done), out int count) == Errno.None && count > 0) done += count;
            room -= bytes.Length;
            return bytes;
        }
    }

    /// <summary>Only pages that one of them has of its own can differ.</summary>
    private static long CountPages(Sandbox first, Sandbox second, SandboxSnapshot before, SandboxSnapshot after, CancellationToken cancellationToken)
    {
        var (a, b) = (first.Machine.Memory, second.Machine.Memory);
        var pages = new HashSet<ulong>();
        long changed = 0;
        foreach (var range in before.Memory.Ranges.Concat(after.Memory.Ranges))
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (ulong page = range.Address; page < range.Address + range.Length; page += PageSize)
            {
                if (!pages.Add(page)) continue;
                bool inA = page < a.Size, inB = page < b.Size;
                if (inA && inB ? !a.GetSpan(page, (int)PageSize).SequenceEqual(b.GetSpan(page, (int)PageSize))
                    : (inA ? a : b).GetSpan(page, (int)PageSize).ContainsAnyExcept((byte)0)) changed++;
            }
        }

        return changed;
    }
}
