namespace Ramet.Sandboxes.Hosting;

/// <summary>What a worker's server asks for beyond <see cref="ISandboxHost"/>.</summary>
public sealed partial class InProcessSandboxHost
{
    /// <summary>Waits until a sandbox has ended. Gives the reason, or null when there is none of this id any more.</summary>
    internal async Task<string?> WaitEndAsync(string id, CancellationToken cancellationToken)
    {
        if (!_live.TryGetValue(id, out var sandbox)) return null;
        await sandbox.Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        return sandbox.EndReason;
    }
}
