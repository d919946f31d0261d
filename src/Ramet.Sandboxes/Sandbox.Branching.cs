using Ramet.Host;

namespace Ramet.Sandboxes;

/// <summary>Snapshots of a sandbox with whatever runs in it.</summary>
public sealed partial class Sandbox
{
    private readonly Lock _capturing = new();
    private bool _paused;

    /// <summary>The template and image that it came from.</summary>
    internal (Template? Template, ImageLayer Image) Origin { get; set; }

    /// <summary>The snapshot whose memory it maps; null: none.</summary>
    internal SandboxSnapshot? Base { get; set; }

    /// <summary>Whether it stands still: <see cref="Pause"/>.</summary>
    public bool IsPaused => _paused;

    /// <summary>
    /// Stands still until <see cref="Resume"/>: no virtual CPU runs, no host thread is used, and its clocks stop (CLOCK_MONOTONIC goes on from here; CLOCK_REALTIME is the host's again).
    /// </summary>
    /// <exception cref="SandboxException">It has ended.</exception>
    public void Pause()
    {
        lock (_capturing)
        {
            if (_paused) return;
            StandStill();
            _kernel.StopClock();
            _paused = true;
        }
    }

    /// <summary>Goes on after <see cref="Pause"/>.</summary>
    public void Resume()
    {
        lock (_capturing)
        {
            if (!_paused) return;
            _paused = false;
            _kernel.StartClock();
            _kernel.Continue();
        }
    }

    /// <summary>A snapshot of this moment. The sandbox stands still for as long as it takes to copy what was written since its template, and then goes on.</summary>
    /// <param name="whole">With all of its memory, so that it does not need its template any more: to be moved to another machine.</param>
    /// <exception cref="SandboxException">It has ended.</exception>
    /// <exception cref="HostException">The host has no memory for it.</exception>
    public SandboxSnapshot Capture(bool whole = false) => Capture(whole, null);

    /// <param name="whole">With all of its memory.</param>
    /// <param name="describe">Called while it stands still: what its host knows of it at this moment.</param>
    internal SandboxSnapshot Capture(bool whole, Func<Hosting.LiveState>? describe)
    {
        lock (_capturing)
        {
            if (_disposed || _ended.IsSet) throw Ended();
            ulong expected;
            lock (_kernel.Lock) expected = whole ? 0 : _machine.Memory.EstimateCapture(_kernel.Frames.IsUsed);
            using var memory = _machine.Memory.BeginCapture(expected, _kernel.Frames.IsUsed, whole);
            long started = HostClock.MonotonicNanoseconds;
            ReadOnlyMemory<byte> state;
            IReadOnlyList<MemoryRange> images;
            Hosting.LiveState? live;
            if (!_paused) StandStill();
            try
            {
                lock (_kernel.Lock)
                {
                    if (_kernel.HasExited) throw Ended();
                    state = _kernel.Save();
                    memory.Take();
                    images = [.. _machine.Memory.GetAttachedImageRanges().Select(range => new MemoryRange(range.Address, range.Length))];
                    live = describe?.Invoke();
                }
            }
            finally
            {
                if (!_paused) _kernel.Continue();
            }

            long pause = HostClock.MonotonicNanoseconds - started;
            return new SandboxSnapshot(whole ? null : Origin.Template, Origin.Image, memory.Finish(), state, images, _options with { Sink = null, Watcher = null })
            {
                Live = live,
                PauseNanoseconds = pause,
            };
        }
    }

    /// <summary>Sandboxes that go on from this moment, as this one does. See <see cref="SandboxSnapshot"/>.</summary>
    /// <exception cref="SandboxException">It has ended.</exception>
    /// <exception cref="HostException">The host has no memory for them.</exception>
    public IReadOnlyList<Sandbox> Branch(int count, SandboxOptions? options = null)
    {
        using var snapshot = Capture();
        var branches = new List<Sandbox>(count);
        try
        {
            for (int i = 0; i < count; i++) branches.Add(_engine.Restore(snapshot, options ?? _options, driven: false));
            return branches;
        }
        catch
        {
            foreach (var branch in branches) branch.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Gives the host back what memory holds just as the template does. For a sandbox that waits: it stands still for as long as it takes to compare what it has written (some tens of
    /// microseconds), and writing to such a page again costs a fault again. Returns the bytes.
    /// </summary>
    public ulong Trim()
    {
        lock (_capturing)
        {
            if (_disposed || _ended.IsSet) return 0;
            if (!_paused) StandStill();
            try
            {
                lock (_kernel.Lock) return _kernel.HasExited ? 0 : _machine.Memory.ReleaseUnchanged(_kernel.Frames.IsUsed);
            }
            finally
            {
                if (!_paused) _kernel.Continue();
            }
        }
    }

    /// <summary>Makes all host threads leave the sandbox.</summary>
    private void StandStill()
    {
        if (_disposed || _ended.IsSet) throw Ended();
        _kernel.RequestStop();
        var spin = default(SpinWait);
        while (Volatile.Read(ref _hostThreads) > 0) spin.SpinOnce(sleep1Threshold: -1);
    }

    private static SandboxException Ended() => new("The sandbox has ended: it cannot be paused, branched or saved any more.");
}
