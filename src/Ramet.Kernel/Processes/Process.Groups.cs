using Ramet.Kernel.Signals;
using Ramet.Kernel.Terminals;

namespace Ramet.Kernel.Processes;

/// <summary>Orphaned process groups (setpgid(2), credentials(7)): nobody is there who could continue them.</summary>
public sealed partial class Process
{
    /// <summary>Whether no member of the group has a parent in another group of the same session.</summary>
    internal bool IsInOrphanedGroup() => IsOrphaned(Kernel, ProcessGroup, except: null);

    private static bool IsOrphaned(Kernel kernel, int group, Process? except)
    {
        foreach (var member in kernel.Processes.All)
        {
            if (member == except || member.ProcessGroup != group || member.IsZombie || member.Parent is not { } parent || parent == kernel.Processes.Init) continue;
            if (parent.ProcessGroup != group && parent.Session == member.Session) return false;
        }

        return true;
    }

    /// <summary>The group of this process has become orphaned by the end of a process: if it has stopped members, SIGHUP and SIGCONT (_exit(2)).</summary>
    /// <param name="formerParent">The process that has ended, or this one's parent if it is this one.</param>
    /// <param name="exiting">This process, if it is the one that ends.</param>
    private void HangUpOrphans(Process formerParent, Process? exiting)
    {
        var parent = exiting is null ? formerParent : Parent;
        if (parent is null || parent.ProcessGroup == ProcessGroup || parent.Session != Session || !IsOrphaned(Kernel, ProcessGroup, exiting)) return;
        if (!Kernel.Processes.InGroup(ProcessGroup).Any(member => member.IsStopped)) return;
        Terminal.SignalGroup(Kernel, ProcessGroup, Signal.SIGHUP);
        Terminal.SignalGroup(Kernel, ProcessGroup, Signal.SIGCONT);
    }
}
