using Ramet.Sandboxes.Hosting;
using Ramet.Server.Configuration;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>How many sandboxes there may be. One that was paused by itself counts as one that runs, since whoever uses it has it run.</summary>
internal sealed class SandboxAdmission(ILiveSandboxHost host, ServerSettings settings)
{
    private int _making;

    /// <summary>Admits further sandboxes of a key, which are made until the result is disposed.</summary>
    /// <exception cref="ProblemException">There would be too many.</exception>
    public async Task<IDisposable> EnterAsync(string tenant, int count, CancellationToken cancellationToken)
    {
        var place = new Place(this, count);
        try
        {
            var all = await host.ListAsync(null, cancellationToken).ConfigureAwait(false);
            int running = all.Count(Counts), own = all.Count(sandbox => Counts(sandbox) && sandbox.Tenant == tenant);
            if (running + Volatile.Read(ref _making) > settings.Sandboxes)
                throw new ProblemException(503, "The server is full", $"It has as many sandboxes as it may ({settings.Sandboxes}, limits.sandboxes); try again later.", 5);
            if (own + count > settings.KeySandboxes)
                throw new ProblemException(429, "Too many sandboxes", $"The key would have more sandboxes than it may ({own} and {count} of {settings.KeySandboxes}, keys.sandboxes); delete or pause some.", 5);
            return place;
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    /// <summary>Whether a key may have another one paused.</summary>
    /// <exception cref="ProblemException">It may not.</exception>
    public async Task CheckPausedAsync(string tenant, CancellationToken cancellationToken)
    {
        var own = await host.ListAsync(tenant, cancellationToken).ConfigureAwait(false);
        if (own.Count(sandbox => sandbox.IsPaused) >= settings.KeyPaused)
            throw new ProblemException(429, "Too many paused sandboxes", $"The key has as many paused sandboxes as it may ({settings.KeyPaused}, keys.paused); delete some.");
    }

    private static bool Counts(HostedSandbox sandbox) => !sandbox.IsPaused || sandbox.IsPausedAutomatically;

    private sealed class Place : IDisposable
    {
        private readonly SandboxAdmission _admission;
        private readonly int _count;
        private int _left;

        public Place(SandboxAdmission admission, int count)
        {
            (_admission, _count) = (admission, count);
            Interlocked.Add(ref admission._making, count);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) Interlocked.Add(ref _admission._making, -_count);
        }
    }
}
