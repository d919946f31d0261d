using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>A body of a request that may be so long and no longer.</summary>
internal sealed class LimitedStream(Stream inner, long limit) : SimpleStream
{
    private long _length;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if ((_length += count) > limit) throw new ProblemException(413, "Too large", $"A snapshot has up to {limit >> 20} MiB here (limits.snapshot_mb).");
        return count;
    }
}
