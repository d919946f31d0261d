using Ramet.Kernel.State;

namespace Ramet.Kernel.Processes;

/// <summary>Processes and threads by id. Ids are given out in order and used again only after they have wrapped.</summary>
[Saved]
public sealed partial class ProcessTable
{
    /// <summary>First id that is never given out (kernel.pid_max).</summary>
    public const int PidMax = 4194304;

    private Dictionary<int, Process> _processes = [];
    private Dictionary<int, PosixThread> _threads = [];
    private int _lastId = 1;
    private int _unreaped;

    private ProcessTable()
    {
    }

    internal ProcessTable(Kernel kernel)
    {
        Init = new Process(kernel, 1) { ProcessGroup = 1, Session = 1 };
        _processes.Add(1, Init);
    }

    /// <summary>Process 1: it has no threads; it adopts orphans and reaps them at once.</summary>
    public Process Init { get; private set; } = null!;

    /// <summary>All processes, zombies included, by id.</summary>
    public IReadOnlyCollection<Process> All => _processes.Values;

    /// <summary>Threads alive.</summary>
    public int ThreadCount => _threads.Count;

    /// <summary>
    /// Threads alive, processes that have ended, and traced threads that have: all that nobody has waited for yet keep their ids and what the kernel knows of them, and
    /// count as those that live do (RLIMIT_NPROC and the pids controller of Linux have it so, too).
    /// </summary>
    public int Count => _threads.Count + _unreaped;

    /// <summary>The process with this id, also when it is a zombie.</summary>
    public Process? FindProcess(int pid) => _processes.GetValueOrDefault(pid);

    /// <summary>The thread with this id.</summary>
    public PosixThread? FindThread(int tid) => _threads.GetValueOrDefault(tid);

    /// <summary>Processes of a group.</summary>
    public IEnumerable<Process> InGroup(int group) => _processes.Values.Where(process => process.ProcessGroup == group && !process.IsZombie);

    /// <summary>Whether a session or a group has this id.</summary>
    public bool IsGroupOrSession(int id) => _processes.Values.Any(process => process.ProcessGroup == id || process.Session == id);

    internal int NewId()
    {
        do
        {
            _lastId = _lastId + 1 >= PidMax ? 300 : _lastId + 1;
        }
        while (_processes.ContainsKey(_lastId) || _threads.ContainsKey(_lastId) || (_processes.Count < 4096 && IsGroupOrSession(_lastId)));
        return _lastId;
    }

    internal void Add(Process process) => _processes.Add(process.Pid, process);

    internal void Add(PosixThread thread) => _threads.Add(thread.Tid, thread);

    internal void Remove(PosixThread thread) => _threads.Remove(thread.Tid);

    /// <summary>execve in a thread that is not the leader: it takes over the process's id.</summary>
    internal void ChangeId(PosixThread thread, int tid)
    {
        _threads.Remove(thread.Tid);
        thread.Tid = tid;
        _threads[tid] = thread;
    }

    /// <summary>A process has become a zombie, or a traced thread has ended: somebody is to wait for it.</summary>
    internal void AddUnreaped() => _unreaped++;

    /// <summary>A traced thread that had ended was waited for.</summary>
    internal void RemoveUnreaped() => _unreaped--;

    /// <summary>A zombie was waited for: it is gone.</summary>
    internal void Reap(Process process)
    {
        process.Parent?.Children.Remove(process);
        Forget(process);
    }

    /// <summary>A zombie that is in no list of children any more is gone.</summary>
    internal void Forget(Process process)
    {
        if (!_processes.Remove(process.Pid)) return;
        _unreaped--;
        process.IsReaped = true;
        if (process.Parent is not { } parent) return;
        parent.ChildrenTime += process.CpuTime + process.ChildrenTime;
        parent.ChildrenPeakKilobytes = Math.Max(parent.ChildrenPeakKilobytes, Math.Max(process.PeakResidentKilobytes, process.ChildrenPeakKilobytes));
    }
}
