using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Durable;

/// <summary>A sandbox as the durable host sees it: who uses it now, and where it is kept when it does not run.</summary>
internal sealed class SandboxUse(string tenant, HostedSandboxSpec spec)
{
    private readonly Lock _lock = new();
    private int _users;
    private long _lastUsed = Environment.TickCount64;
    private bool _moving;

    public string Tenant { get; } = tenant;

    public HostedSandboxSpec Spec { get; set; } = spec;

    /// <summary>One at a time pauses or resumes it.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>Whether it is on disk, and by whose will; changes under the gate.</summary>
    public ArchiveRecord? Paused { get; set; }

    /// <summary>Begins to use it. False: it is paused, or about to be; the gate tells.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_moving || Paused is not null) return false;
            _users++;
            return true;
        }
    }

    /// <summary>The use is over.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            _users--;
            _lastUsed = Environment.TickCount64;
        }
    }

    /// <summary>Nobody begins to use it until <see cref="EndMove"/>. Under the gate.</summary>
    /// <param name="onlyIfIdleFor">Not if it is used, or was within this time; null: it does not matter.</param>
    public bool TryBeginMove(TimeSpan? onlyIfIdleFor)
    {
        lock (_lock)
        {
            if (onlyIfIdleFor is { } time && (_moving || _users > 0 || Environment.TickCount64 - _lastUsed < time.TotalMilliseconds)) return false;
            return _moving = true;
        }
    }

    /// <summary>It is where it is to be.</summary>
    public void EndMove()
    {
        lock (_lock)
        {
            _moving = false;
            _lastUsed = Environment.TickCount64;
        }
    }
}
