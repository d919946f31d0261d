namespace Ramet.Sandboxes.Hosting;

/// <summary>What a worker's server asks for beyond <see cref="ISandboxHost"/>.</summary>
public sealed partial class InProcessSandboxHost
{
    /// <summary>Waits until a sandbox has ended. Gives the reason, or null when there is none of this id any more.</summary>
    internal async Task<string?> WaitEndAsync(string id, CancellationToken cancellationToken)
    {
        string? reason = null;
        // One that was rewound goes on under the same id.
        for (LiveSandbox? last = null; _live.TryGetValue(id, out var sandbox) && sandbox != last; last = sandbox)
        {
            await sandbox.Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
            reason = sandbox.EndReason;
        }

        // It may have ended before anybody asked.
        return reason ?? _reasons.Find(id);
    }
}
