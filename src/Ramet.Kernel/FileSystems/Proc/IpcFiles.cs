using System.Globalization;
using System.Text;
using Ramet.Kernel.SystemV;

namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/proc/sysvipc (proc(5)).</summary>
internal static class IpcFiles
{
    /// <summary>Paths below /proc.</summary>
    public static readonly string[] Paths = ["sysvipc/shm", "sysvipc/sem", "sysvipc/msg"];

    /// <summary>The text of one of <see cref="Paths"/>.</summary>
    public static string Generate(Kernel kernel, string path)
    {
        kernel.SystemV.PurgeSegments();
        return path switch
        {
            "sysvipc/shm" => Segments(kernel),
            "sysvipc/sem" => Semaphores(kernel),
            _ => Messages(kernel),
        };
    }

    private static string Segments(Kernel kernel)
    {
        var text = new StringBuilder(
            "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n");
        foreach (var item in kernel.SystemV.Segments.All.OfType<SharedSegment>())
        {
            long rss = ((Files.PageStore)item.Memory).FrameCount * 4096;
            text.Append(
                CultureInfo.InvariantCulture,
                $"{item.Key,10} {item.Id,10} {Mode(item),5} {item.Size,21} {item.CreatorPid,5} {item.LastPid,5} {item.Attached,6} {item.Uid,5} {item.Gid,5} {item.CreatorUid,5} {item.CreatorGid,5} "
                + $"{item.AttachTime,10} {item.DetachTime,10} {item.ChangeTime,10} {rss,21} {0,21}\n");
        }

        return text.ToString();
    }

    private static string Semaphores(Kernel kernel)
    {
        var text = new StringBuilder("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
        foreach (var item in kernel.SystemV.Semaphores.All.OfType<SemaphoreSet>())
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{item.Key,10} {item.Id,10} {Mode(item),5} {item.Values.Length,10} {item.Uid,5} {item.Gid,5} {item.CreatorUid,5} {item.CreatorGid,5} {item.OperationTime,10} {item.ChangeTime,10}\n");
        }

        return text.ToString();
    }

    private static string Messages(Kernel kernel)
    {
        var text = new StringBuilder("       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
        foreach (var item in kernel.SystemV.Queues.All.OfType<MessageSet>())
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{item.Key,10} {item.Id,10} {Mode(item),5} {item.Bytes,11} {item.Messages.Count,10} {item.LastSender,5} {item.LastReceiver,5} {item.Uid,5} {item.Gid,5} {item.CreatorUid,5} {item.CreatorGid,5} "
                + $"{item.SendTime,10} {item.ReceiveTime,10} {item.ChangeTime,10}\n");
        }

        return text.ToString();
    }

    private static string Mode(IpcObject item) => Convert.ToString((int)item.Mode, 8);
}
