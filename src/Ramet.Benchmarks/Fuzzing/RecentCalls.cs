using Ramet.Kernel.Platform;

namespace Ramet.Benchmarks.Fuzzing;

/// <summary>Keeps the last system calls of a sandbox, for the report of a failure.</summary>
internal sealed class RecentCalls : ISyscallTracer
{
    private readonly string[] _calls = new string[48];
    private long _count;

    /// <summary>The calls, the oldest first.</summary>
    public IEnumerable<string> All
    {
        get
        {
            for (long i = Math.Max(0, _count - _calls.Length); i < _count; i++) yield return _calls[i % _calls.Length];
        }
    }

    /// <inheritdoc/>
    public void OnSyscall(int tid, string call) => _calls[_count++ % _calls.Length] = $"[{tid}] {call}";
}
